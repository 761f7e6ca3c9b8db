"""States of plans and the territory of a scheme, as typed."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import shapely

from tests.integration.importing import SOUTH, STEP, WEST, save, squares
from tests.integration.test_import_commands import Command, gridsvc

__all__ = ["gridsvc"]


def statuses(gridsvc: Command) -> list[str]:
    listed: object = gridsvc("plans", "--json").document
    assert isinstance(listed, list)
    return [p["status"] for p in listed]


def test_a_plan_goes_to_review_and_back_and_away(gridsvc: Command, tmp_path: Path) -> None:
    gridsvc("import", save(squares(), tmp_path / "cells.gpkg"), "--as", "cells")
    done = gridsvc("plan", "submit", "main-v1")
    assert (done.code, statuses(gridsvc)) == (0, ["in_review"])
    assert "main-v1" in done.out
    assert gridsvc("plan", "submit", "main-v1").code == 4
    done = gridsvc("plan", "take-back", "main-v1", "--json")
    assert done.document["status"] == "draft"
    assert gridsvc("plan", "discard", "main-v1", "--lang", "en").out.strip() == (
        "main-v1 is discarded"
    )
    assert statuses(gridsvc) == ["discarded"]
    assert gridsvc("plan", "submit", "main-v1").code == 4
    assert gridsvc("plan", "submit", "none-v1").code == 3


def territory(path: Path, columns: int) -> Path:
    shape = shapely.box(WEST, SOUTH, WEST + columns * STEP, SOUTH + STEP)
    return save(gpd.GeoDataFrame({"name": ["t"]}, geometry=[shape], crs=4490), path)


def test_a_declared_territory_has_to_be_filled(gridsvc: Command, tmp_path: Path) -> None:
    cells = save(squares(), tmp_path / "cells.gpkg")
    gridsvc("import", cells, "--as", "cells")
    done = gridsvc("scheme", "territory", territory(tmp_path / "wide.gpkg", 5), "--json")
    assert done.code == 0, done.err
    # Five squares of 0.01 degree at 26.2° N.
    assert abs(float(str(done.document["area_m2"])) / 5.54e6 - 1) < 0.01
    assert gridsvc("check", "main-v1").code == 4
    assert gridsvc("scheme", "territory", territory(tmp_path / "same.gpkg", 4)).code == 0
    assert gridsvc("check", "main-v1").code == 0
    assert gridsvc("scheme", "territory", cells, "--scheme", "none").code == 3
    line = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.LineString([(117, 26), (118, 26)])])
    path = save(line.set_crs(4490), tmp_path / "line.gpkg")
    assert gridsvc("scheme", "territory", path).code == 2


def test_a_version_with_a_wrong_year_is_withdrawn(gridsvc: Command, tmp_path: Path) -> None:
    cells = save(squares(), tmp_path / "cells.gpkg")
    gridsvc("import", cells, "--as", "cells")
    assert gridsvc("check", "main-v1", "--json").document["at"] is not None
    assert gridsvc("publish", "main-v1", "--from", "2020-01-01").code == 0
    gridsvc("import", cells, "--as", "cells")
    done = gridsvc("publish", "main-v2", "--from", "2962-01-01", "--json")
    assert done.document["standing"] == "scheduled"
    assert '"duties": 0' in done.out
    assert gridsvc("publish", "main-v2", "--from", "2026-02-01").code == 4
    assert gridsvc("publish", "main-v1", "--from", "2026-02-01", "--carry", "some").code == 2
    assert gridsvc("publish", "main-v1", "--from", "2026-02-01", "--successor", "x").code == 2
    assert gridsvc("plan", "withdraw", "main-v1", "--reason", "x").code == 4
    done = gridsvc("plan", "withdraw", "main-v2", "--reason", "年份有误", "--json")
    assert '"reason": "年份有误"' in done.out
    assert statuses(gridsvc) == ["published", "draft"]
    done = gridsvc("diff", "main-v1", "main-v2", "--affected", tmp_path / "hands.csv", "--json")
    assert done.code == 0, done.err
    header = (tmp_path / "hands.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header.startswith("what,key,name,role,old_code")
