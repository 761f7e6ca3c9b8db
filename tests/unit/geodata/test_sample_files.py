"""Files of the sample city: readable as they are, and messy ones whose defects are all written."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from geodata.sample import SampleCity, write_city
from geodata.sources import open_source
from gridsvc.crs import to_metric
from gridsvc.datum import convert
from gridsvc.errors import CrsMissing

EPSG = 4548
Defects = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def clean(sample_city: SampleCity, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_city(sample_city, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def messy(sample_city: SampleCity, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_city(sample_city, tmp_path_factory.mktemp("messy"), messy=True)


@pytest.fixture(scope="module")
def defects(messy: list[Path]) -> Defects:
    truth = json.loads(messy[-1].read_text(encoding="utf-8"))
    groups: Defects = {}
    for defect in truth["defects"]:
        groups.setdefault(defect["kind"], []).append(defect)
    return groups


def test_clean_files_cover_every_layer(clean: list[Path], sample_city: SampleCity) -> None:
    assert {p.stem for p in clean} == {*sample_city.frames(), "truth"}
    assert json.loads(clean[-1].read_text(encoding="utf-8")) == sample_city.truth


@pytest.mark.parametrize("name", ["cells", "exclusions", "streets", "facilities"])
def test_vector_files_bring_back_the_same_geometry(
    clean: list[Path], sample_city: SampleCity, name: str
) -> None:
    path = next(p for p in clean if p.stem == name)
    raw = open_source(path)
    frame = sample_city.frames()[name]
    assert len(raw.frame) == len(frame)
    assert shapely.equals_exact(
        shapely.normalize(raw.frame.geometry.to_numpy()),
        shapely.normalize(frame.geometry.to_numpy()),
        tolerance=1e-9,
    ).all()


@pytest.mark.parametrize("name", ["points", "staff", "cases"])
def test_tables_bring_back_places_with_their_datum(
    clean: list[Path], sample_city: SampleCity, name: str
) -> None:
    path = next(p for p in clean if p.stem == name)
    raw = open_source(path)
    frame = sample_city.frames()[name]
    there = frame.geometry.notna().to_numpy()
    read = raw.frame.geometry.to_numpy()
    assert len(read) == len(frame)
    assert shapely.distance(read[there], frame.geometry.to_numpy()[there]).max() < 1e-9


def test_times_in_clean_tables_carry_their_offset(clean: list[Path]) -> None:
    path = next(p for p in clean if p.stem == "cases")
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert first["上报时间"].endswith("+08:00")


def test_writing_twice_gives_the_same_tables(
    clean: list[Path], sample_city: SampleCity, tmp_path: Path
) -> None:
    again = write_city(sample_city, tmp_path)
    for one, two in zip(clean, again, strict=True):
        if one.suffix in {".csv", ".json", ".geojson"}:
            assert one.read_bytes() == two.read_bytes(), one.name


def test_messy_shapefile_is_gbk_and_shifted(
    messy: list[Path], sample_city: SampleCity, defects: Defects
) -> None:
    path = messy[0]
    assert path.with_suffix(".cpg").read_text(encoding="ascii") == "GBK"
    assert path.with_suffix(".prj").exists()
    info = pyogrio.read_info(path)
    assert "网格编码" in list(info["fields"])
    raw = pyogrio.read_dataframe(path)
    touched = {
        d["code"] for kind in ("gap", "overlap", "self_intersection", "swapped_axes")
        for d in defects[kind] if d["file"] == "cells.shp"
    }  # fmt: skip
    clean_rows = [i for i, c in enumerate(sample_city.cells.index) if c not in touched]
    xy = shapely.get_coordinates(raw.geometry.to_numpy()[clean_rows])
    back = np.column_stack(convert(xy[:, 0], xy[:, 1], "gcj02", "wgs84"))
    own = shapely.get_coordinates(sample_city.cells.geometry.to_numpy()[clean_rows])
    middle = own.mean(axis=0)
    assert np.abs(back.mean(axis=0) - middle).max() < 1e-4
    assert np.abs(xy.mean(axis=0) - middle).max() > 1e-3


def test_variant_without_prj_and_cpg_says_so(messy: list[Path]) -> None:
    path = messy[1]
    assert not path.with_suffix(".prj").exists()
    assert not path.with_suffix(".cpg").exists()
    assert path.with_suffix(".dbf").read_bytes()[29] == 0
    with pytest.raises(CrsMissing):
        open_source(path)


def test_planted_gaps_and_overlaps_are_in_the_file(
    messy: list[Path], sample_city: SampleCity, defects: Defects
) -> None:
    raw = pyogrio.read_dataframe(messy[0])
    index = {str(c): i for i, c in enumerate(sample_city.cells.index)}
    assert len(defects["gap"]) == len(defects["overlap"]) == 9
    widths = [d["width_m"] for d in defects["gap"]]
    assert min(widths) < 1.0 < max(widths)
    for kind in ("gap", "overlap"):
        for defect in defects[kind]:
            shapes = []
            for code in (defect["code"], defect["neighbour"]):
                shape = raw.geometry.iloc[index[code]]
                shapes.append(
                    shapely.transform(
                        shape,
                        lambda xy: np.column_stack(convert(xy[:, 0], xy[:, 1], "gcj02", "wgs84")),
                    )
                )
            one, other = to_metric(np.array(shapes), EPSG)
            pair = sample_city.cells.geometry.loc[[defect["code"], defect["neighbour"]]]
            sound = shapely.area(to_metric(pair.to_numpy(), EPSG)).sum()
            if kind == "overlap":
                found = shapely.intersection(one, other).area
            else:
                found = sound - shapely.union(one, other).area
            assert found == pytest.approx(defect["area_m2"], rel=0.02, abs=0.5)


def test_planted_rows_are_in_the_file(
    messy: list[Path], sample_city: SampleCity, defects: Defects
) -> None:
    raw = pyogrio.read_dataframe(messy[0])
    codes = list(sample_city.cells.index)
    assert sum(not g.is_valid for g in raw.geometry) >= 1
    broken = codes.index(defects["self_intersection"][0]["code"])
    assert not raw.geometry.iloc[broken].is_valid
    in_cells = [d for d in defects["swapped_axes"] if d["file"] == "cells.shp"]
    assert len(in_cells) == 3
    for defect in in_cells:
        west, _, _, _ = raw.geometry.iloc[codes.index(defect["code"])].bounds
        assert west < 30.0
    counts = Counter(raw["网格编码"])
    repeated = {code for code, n in counts.items() if n == 2}
    assert repeated == {d["code"] for d in defects["duplicate_code"]}
    assert sum("\u3000" in n for n in raw["社区名称"]) == sum(
        d["file"] == "cells.shp" for d in defects["full_width_blank"]
    )
    assert sum("臺" in n for n in raw["社区名称"]) == len(defects["variant_character"]) > 0


def test_messy_cases_have_three_date_forms_and_unknown_classes(
    messy: list[Path], sample_city: SampleCity, defects: Defects
) -> None:
    with messy[2].open(encoding="gb18030", newline="") as file:
        rows = {row["案件编号"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(sample_city.cases)
    forms = Counter(
        "zh" if "年" in r["上报时间"] else ("slash" if "/" in r["上报时间"] else "dash")
        for r in rows.values()
    )
    assert set(forms) == {"zh", "slash", "dash"}
    assert min(forms.values()) > 0.2 * len(rows)
    known = set(sample_city.classes.index)
    unknown = {i for i, r in rows.items() if r["小类代码"] not in known}
    assert unknown == set(defects["unknown_class"][0]["case_ids"])
    zero = {i for i, r in rows.items() if r["经度"] and float(r["经度"]) == 0.0}
    assert zero == set(defects["zero_coordinates"][0]["case_ids"])
    swapped = {i for i, r in rows.items() if r["经度"] and 20 < float(r["经度"]) < 30}
    in_cases = next(d for d in defects["swapped_axes"] if d["file"] == "cases.csv")
    assert swapped == set(in_cases["case_ids"])


def test_messy_writing_is_repeatable(
    messy: list[Path], sample_city: SampleCity, tmp_path: Path
) -> None:
    again = write_city(sample_city, tmp_path, messy=True)
    for one, two in zip(messy, again, strict=True):
        for suffix in (".shp", ".dbf", ".shx") if one.suffix == ".shp" else (one.suffix,):
            assert one.with_suffix(suffix).read_bytes() == two.with_suffix(suffix).read_bytes()
