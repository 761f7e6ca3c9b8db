"""The planner's commands as typed: exit codes, both languages, machine output."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
import typer

from api.cli import checking, importing, plans
from api.cli.main import run as run_command
from geodata.sources import open_source
from tests.integration.importing import save, squares


@dataclass(frozen=True)
class Done:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


Command = Callable[..., Done]


@pytest.fixture
def gridsvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command in an empty folder with a database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", f"sqlite:///{tmp_path / 'city.db'}")
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str | Path) -> Done:
        capsys.readouterr()
        code = 0
        try:
            run_command([str(a) for a in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return call


def test_from_a_file_to_a_plan_in_force(gridsvc: Command, tmp_path: Path) -> None:
    path = save(squares(), tmp_path / "cells.gpkg")
    done = gridsvc("import", path, "--as", "cells", "--title", "三元区", "--log", "log.gpkg")
    assert done.code == 0, done.err
    assert "main-v1" in done.out
    assert "证书" in done.out
    assert done.out.count("✓") == 6
    assert gridsvc("check").code == 0
    listed = gridsvc("plans", "--json")
    assert [p["status"] for p in json.loads(listed.out)] == ["draft"]
    done = gridsvc("publish", "main-v1", "--from", "2018-01-01", "--lang", "en")
    assert done.code == 0, done.err
    assert "2018-01-01T00:00:00+08:00" in done.out
    again = gridsvc("publish", "main-v1", "--from", "2019-01-01")
    assert again.code == 4
    for layer, rows in (("cells", 4), ("areas", 3)):
        done = gridsvc("export", layer, "-o", f"{layer}.geojson", "--json")
        assert done.document["rows"] == rows
    exported = open_source(tmp_path / "cells.geojson").frame
    assert list(exported["code"]) == list(squares()["网格编码"])


def test_points_by_typed_columns(gridsvc: Command, tmp_path: Path) -> None:
    gridsvc("import", save(squares(), tmp_path / "cells.gpkg"), "--as", "cells")
    gridsvc("publish", "main-v1", "--from", "2018-01-01")
    (tmp_path / "p.csv").write_text("号,地名,东,北\n1,甲,117.605,26.205\n", "utf-8")
    arguments = ["import", "p.csv", "--as", "points", "--map", "point_id=号", "--map", "name=地名"]
    refused = gridsvc(*arguments, "--set", "category=park")
    assert refused.code == 2
    assert "--map lon=" in refused.err
    arguments += ["--map", "lon=东", "--map", "lat=北", "--set", "category=park"]
    assert gridsvc(*arguments).code == 2  # no datum
    done = gridsvc(*arguments, "--datum", "wgs84", "--json")
    assert done.code == 0, done.err
    assert done.document["placements"]["placed"] == 1  # type: ignore[index]
    done = gridsvc(*arguments, "--datum", "wgs84")
    assert done.code == 2  # there already
    assert gridsvc(*arguments, "--datum", "wgs84", "--replace").code == 0
    assert gridsvc("export", "points", "-o", "points.csv").code == 0
    assert "甲" in (tmp_path / "points.csv").read_text("utf-8-sig")


def test_check_and_repair_a_file(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[0, "geometry"] = shapely.box(117.6, 26.2, 117.610003, 26.21)
    path = save(frame, tmp_path / "dirty.gpkg")
    failed = gridsvc("check", path, "--findings", "findings.gpkg")
    assert failed.code == 4
    assert "✗" in failed.out
    assert "350404001001001" in failed.out
    assert len(open_source(tmp_path / "findings.gpkg").frame) > 0
    done = gridsvc("repair", path, "-o", "clean.gpkg", "--log", "log.gpkg", "--json")
    assert done.code == 0, done.err
    assert int(str(done.document["repairs"])) == len(open_source(tmp_path / "log.gpkg").frame) > 0
    assert gridsvc("check", "clean.gpkg").code == 0
    kept = open_source(tmp_path / "clean.gpkg").frame
    assert list(kept["网格名称"]) == list(frame["网格名称"])


def test_a_plan_that_fails_is_not_published(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[0, "geometry"] = shapely.box(117.6, 26.2, 117.610003, 26.21)
    path = save(frame, tmp_path / "dirty.gpkg")
    assert gridsvc("import", path, "--as", "cells", "--no-repair").code == 0
    assert gridsvc("check", "main-v1").code == 4
    done = gridsvc("publish", "main-v1", "--from", "2018-01-01")
    assert done.code == 4
    assert "main-v1" in done.err
    assert gridsvc("export", "findings", "--plan", "main-v1", "-o", "f.gpkg").code == 0


def test_two_versions_compared(gridsvc: Command, tmp_path: Path) -> None:
    gridsvc("import", save(squares(), tmp_path / "one.gpkg"), "--as", "cells")
    gridsvc("publish", "main-v1", "--from", "2018-01-01")
    merged = squares()
    merged.loc[0, "geometry"] = shapely.union_all(merged.geometry.to_numpy()[:2])
    gridsvc("import", save(merged.drop(index=1), tmp_path / "two.gpkg"), "--as", "cells")
    done = gridsvc("diff", "main-v1", "main-v2", "--json", "-o", "moved.gpkg")
    assert done.code == 0, done.err
    assert done.document["removed"] == ["350404001001002"]
    assert done.document["reshaped"] == ["350404001001001"]
    assert done.document["lineage_kinds"] == {"M": 2, "U": 2}
    assert len(open_source(tmp_path / "moved.gpkg").frame) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["import", "none.gpkg", "--as", "cells"], 2, "none.gpkg"),
        (["import", "cells.gpkg", "--as", "cell"], 2, "communities"),
        (["import", "cells.gpkg", "--as", "cells", "--map", "code"], 2, "--map"),
        (["import", "cells.gpkg", "--as", "cells", "--swap", "x"], 2, "--swap"),
        (["import", "cells.gpkg", "--as", "cells", "--datum", "gcj"], 2, "gcj02"),
        (["import", "cells.gpkg", "--as", "cells", "--at", "soon"], 2, "--at"),
        (["export", "cells", "-o", "c.gpkg"], 5, "gridsvc db upgrade"),
        (["check"], 5, "gridsvc db upgrade"),
    ],
)
def test_exit_codes(
    gridsvc: Command, tmp_path: Path, arguments: list[str], code: int, word: str
) -> None:
    save(squares(), tmp_path / "cells.gpkg")
    done = gridsvc(*arguments)
    assert done.code == code
    assert word in done.err
    machine = gridsvc(*arguments, "--json")
    assert machine.code == code
    assert {"error", "detail", "fields"} == set(json.loads(machine.err))


def test_not_found_is_three(gridsvc: Command, tmp_path: Path) -> None:
    gridsvc("import", save(squares(), tmp_path / "cells.gpkg"), "--as", "cells")
    assert gridsvc("check", "main-v9").code == 3
    assert gridsvc("diff", "main-v1", "main-v9").code == 3
    assert gridsvc("export", "cells", "-o", "c.gpkg").code == 3  # nothing is in force


def test_language_and_help() -> None:
    app = typer.Typer()
    for feature in (importing, checking, plans):
        feature.register(app)
    names = {c.name for c in app.registered_commands}
    assert names == {"import", "repair", "check", "plans", "publish", "diff", "export", "sample"}


def test_sample_city_files(gridsvc: Command, tmp_path: Path) -> None:
    done = gridsvc("sample", "--cells", "60", "--out", "town", "--messy", "--json")
    assert done.code == 0, done.err
    frame = open_source(tmp_path / "town" / "cells.shp", datum="gcj02", swap="rows").frame
    assert isinstance(frame, gpd.GeoDataFrame)
    assert len(frame) == 60


def test_files_of_one_command_are_all_kept_or_none(gridsvc: Command, tmp_path: Path) -> None:
    save(squares(), tmp_path / "cells.gpkg")
    assert gridsvc("import", "cells.gpkg", "--as", "cells").code == 0
    assert gridsvc("publish", "main-v1", "--from", "2018-01-01").code == 0
    head = "点位编号,名称,类别,经度,纬度"
    (tmp_path / "one.csv").write_text(f"{head}\n1,甲,park,117.605,26.205\n", "utf-8")
    (tmp_path / "two.csv").write_text(f"{head}\n1,乙,park,117.615,26.205\n", "utf-8")
    done = gridsvc("import", "one.csv", "two.csv", "--as", "points", "--datum", "wgs84")
    assert done.code != 0
    assert done.out == ""
    assert gridsvc("export", "points", "-o", "none.csv").code == 2
    assert not (tmp_path / "none.csv").exists()


def test_repairs_of_the_plan_named_and_none_is_said(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[0, "geometry"] = shapely.box(117.6, 26.2, 117.610003, 26.21)
    dirty = save(frame, tmp_path / "dirty.gpkg")
    first = gridsvc("import", dirty, "--as", "cells")
    assert "导入批次 cells-" in first.out
    gridsvc("import", save(squares(), tmp_path / "clean.gpkg"), "--as", "cells")
    assert gridsvc("export", "repairs", "--plan", "main-v1", "-o", "r.csv").code == 0
    assert len((tmp_path / "r.csv").read_text("utf-8-sig").splitlines()) > 1
    done = gridsvc("export", "repairs", "--plan", "main-v2", "-o", "none.csv")
    assert done.code == 2
    assert "--batch" in done.err
    assert not (tmp_path / "none.csv").exists()
    again = gridsvc("import", dirty, "--as", "cells")
    assert "与方案 main-v1 来自同一文件" in again.out
    told = gridsvc("check", "--findings", "f.gpkg")
    assert "最新的 main-v3" in told.out
    assert "f.gpkg" in told.out


def test_repairs_are_told_by_kind_and_a_log_of_mixed_kinds_is_no_shapefile(
    gridsvc: Command, tmp_path: Path
) -> None:
    frame = squares()
    frame.loc[0, "geometry"] = shapely.box(117.6, 26.2, 117.610003, 26.21)
    path = save(frame, tmp_path / "dirty.gpkg")
    refused = gridsvc("repair", path, "-o", "clean.gpkg", "--log", "log.shp")
    assert refused.code == 2
    assert ".gpkg" in refused.err
    assert not (tmp_path / "clean.gpkg").exists()
    done = gridsvc("repair", path, "-o", "clean.gpkg", "--log", "log.geojson")
    assert done.code == 0, done.err
    assert "边界节点移位" in done.out
    again = gridsvc("repair", path, "-o", "again.gpkg", "--log", "log.gpkg", "--json")
    told = again.document["repair_summary"]
    assert isinstance(told, list)
    assert sum(row["rows"] for row in told) == again.document["repairs"]
    first = (tmp_path / "log.geojson").read_bytes()
    gridsvc("repair", path, "-o", "again.gpkg", "--log", "log.geojson")
    assert (tmp_path / "log.geojson").read_bytes() == first
    one, two = (open_source(tmp_path / f"{n}.gpkg").frame for n in ("clean", "again"))
    assert shapely.equals_exact(one.geometry.to_numpy(), two.geometry.to_numpy()).all()
    imported = gridsvc("import", path, "--as", "cells", "--json")
    assert imported.document["repair_summary"] == told


def test_real_parts_and_holes_of_a_file_are_stated(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares()
    island = shapely.box(117.65, 26.25, 117.651, 26.251)
    whole = shapely.MultiPolygon([frame.geometry[0], island])
    code = str(frame["网格编码"][0])
    frame.loc[0, "geometry"] = whole
    path = save(frame, tmp_path / "island.gpkg")
    failed = gridsvc("check", path)
    assert failed.code == 4
    assert "--parts all" in failed.out
    for stated in ("all", code):
        assert gridsvc("check", path, "--parts", stated).code == 0
    assert gridsvc("check", path, "--parts", "x9").code == 2
    done = gridsvc("repair", path, "-o", "clean.gpkg")
    assert f"gridsvc check clean.gpkg --parts {code}" in done.out
    gridsvc("import", path, "--as", "cells")
    refused = gridsvc("check", "main-v1", "--parts", "all")
    assert refused.code == 2
    assert gridsvc("check", "main-v1").code == 0


def test_exclusions_of_a_repair_are_kept_and_read_again(gridsvc: Command, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[0, "geometry"] = frame.geometry[0].difference(
        shapely.box(117.602, 26.202, 117.603, 26.203)
    )
    path = save(frame, tmp_path / "lake.gpkg")
    told = gridsvc("repair", path, "-o", "clean.gpkg", "--wide-gaps", "exclude")
    assert "--excluded" in told.out
    done = gridsvc("repair", path, "-o", "clean.gpkg", "--wide-gaps", "exclude",
                   "--excluded", "lakes.gpkg")  # fmt: skip
    assert done.code == 0, done.err
    assert gridsvc("check", "clean.gpkg").code == 4
    assert gridsvc("check", "clean.gpkg", "--exclusions", "lakes.gpkg").code == 0
    again = gridsvc("repair", path, "-o", "once.gpkg", "--exclusions", "lakes.gpkg", "--json")
    assert again.code == 0, again.err
    assert again.document["exclusions"] == 1


def _nested(folder: Path) -> tuple[Path, Path, Path]:
    """Cells of free codes without parents, and communities and streets of their own drawings."""

    def boxes(widths: list[float], **columns: list[str]) -> gpd.GeoDataFrame:
        edges = [117.6 + 0.01 * sum(widths[:i]) for i in range(len(widths) + 1)]
        shapes = [shapely.box(a, 26.2, b, 26.21) for a, b in itertools.pairwise(edges)]
        return gpd.GeoDataFrame(columns, geometry=shapes, crs=4490)

    cells = folder / "网格.shp"
    boxes([1] * 8, 编码=[f"片{i}" for i in range(8)]).to_file(cells, encoding="GBK")
    communities = folder / "社区.shp"
    boxes(
        [2.3, 1.7, 2, 2], 编码=["甲", "乙", "丙", "丁"], 名称=["列东", "列西", "和仁", "崇宁"]
    ).to_file(communities, encoding="GBK")
    streets = folder / "街道.shp"
    boxes([3.7, 4.3], 代码=["一", "二"], 名称=["东门", "西关"]).to_file(streets, encoding="GBK")
    return cells, communities, streets


def test_communities_and_streets_come_from_two_layers(gridsvc: Command, tmp_path: Path) -> None:
    cells, communities, streets = _nested(tmp_path)
    beside = ("--communities", communities, "--subdistricts", streets)
    columns = ("--map", "code=编码", "--parent-map", "name=名称",
               "--parent-map", "communities.code=编码",
               "--parent-map", "subdistricts.code=代码")  # fmt: skip
    done = gridsvc("import", cells, "--as", "cells", *beside, *columns, "--json")
    assert done.code == 0, done.err
    unclear = [
        (r["level"], r["code"], r["first"], r["second"], round(r["second_share"], 2))
        for r in done.document["ambiguous"]  # type: ignore[attr-defined]
    ]
    assert unclear == [("cell", "片2", "乙", "甲", 0.3), ("community", "乙", "一", "二", 0.15)]
    gridsvc("publish", "main-v1", "--from", "2018-01-01")
    assert gridsvc("export", "cells", "-o", "out.gpkg").code == 0
    frame = open_source(tmp_path / "out.gpkg").frame
    assert isinstance(frame, gpd.GeoDataFrame)
    kept = frame.set_index("code")
    assert list(kept["community_code"]) == ["甲", "甲", "乙", "乙", "丙", "丙", "丁", "丁"]
    assert list(kept["subdistrict_code"]) == ["一"] * 4 + ["二"] * 4
    assert list(kept.loc["片7", ["community_name", "subdistrict_name"]]) == ["崇宁", "西关"]
    told = gridsvc("import", cells, "--as", "cells", *beside, *columns, "--dry-run")
    assert "网格 片2: 乙 70.0%, 甲 30.0%" in told.out
    assert "社区 乙: 一 85.0%, 二 15.0%" in told.out


def test_a_level_has_one_layer_of_parents(gridsvc: Command, tmp_path: Path) -> None:
    cells, communities, streets = _nested(tmp_path)
    done = gridsvc("import", cells, "--as", "cells", "--map", "code=编码",
                   "--parent", communities, "--communities", streets)  # fmt: skip
    assert done.code == 2
    assert communities.name in done.err


def test_one_layer_of_two_levels_leaves_the_other_to_be_asked_for(
    gridsvc: Command, tmp_path: Path
) -> None:
    cells, communities, _ = _nested(tmp_path)
    done = gridsvc("import", cells, "--as", "cells", "--map", "code=编码",
                   "--communities", communities, "--parent-map", "code=编码")  # fmt: skip
    assert done.code == 2
    assert "--subdistricts" in done.err


def test_the_city_is_called_by_its_name_and_never_by_its_scheme(
    gridsvc: Command, tmp_path: Path
) -> None:
    cells = save(squares(), tmp_path / "cells.gpkg")
    assert gridsvc("import", cells, "--as", "cells", "--title", "第一版").code == 0
    assert gridsvc("publish", "main-v1", "--from", "2018-01-01").code == 0
    place = ("locate", "117.605", "26.205", "--datum", "cgcs2000")
    assert "全域 › " in gridsvc(*place).out
    assert "whole territory › " in gridsvc(*place, "--lang", "en").out
    whole = gridsvc(*place, "--json").document["chain"][-1]  # type: ignore[index]
    assert whole == {"level": "city", "code": "city", "name": None}
    done = gridsvc("scheme", "name", "清澜市", "--json")
    assert done.document == {"scheme": "main", "city": "清澜市"}
    assert "清澜市 › " in gridsvc(*place).out
    assert gridsvc("map", "plan", "-o", "plan.html").code == 0
    assert "清澜市 · " in (tmp_path / "plan.html").read_text("utf-8")


def test_a_name_for_a_city_that_has_one_is_told_as_not_taken(
    gridsvc: Command, tmp_path: Path
) -> None:
    cells = save(squares(), tmp_path / "cells.gpkg")
    first = gridsvc("import", cells, "--as", "cells", "--city", "清澜市")
    assert first.code == 0 and "scheme name" not in first.out
    assert "scheme name" not in gridsvc("import", cells, "--as", "cells", "--city", "清澜市").out
    for language, words in (
        ("zh", "城市名称仍为清澜市,没有改为澜江县"),
        ("en", "its city is still called 清澜市, not 澜江县"),
    ):
        done = gridsvc("import", cells, "--as", "cells", "--city", "澜江县", "--lang", language)
        assert done.code == 0
        said = "".join(done.out.split())
        assert "".join(words.split()) in said
        assert 'gridsvcschemename--schememain"澜江县"' in said


def test_the_first_import_may_name_the_city(
    gridsvc: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = save(squares(), tmp_path / "cells.gpkg")
    monkeypatch.setenv("GRIDSVC_CITY", "澜江县")
    place = ("locate", "117.605", "26.205", "--datum", "cgcs2000")
    for scheme, given, name in (("a", (), "澜江县"), ("b", ("--city", "清澜市"), "清澜市")):
        assert gridsvc("import", cells, "--as", "cells", "--scheme", scheme, *given).code == 0
        assert gridsvc("publish", f"{scheme}-v1", "--from", "2018-01-01").code == 0
        monkeypatch.setenv("GRIDSVC_SCHEME", scheme)
        assert f"{name} › " in gridsvc(*place).out
