"""The sample city as a careless office delivers it: each planted defect is found or repaired."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geodata.reference import issue_classes
from geodata.sample import SampleCity, write_city
from geodata.sources import open_source
from gridsvc.codes import normalize_name
from gridsvc.crs import to_metric
from gridsvc.errors import CrsMissing, DecisionNeeded, RejectedRows
from gridsvc.layers import CLASSES, normalize
from gridsvc.quality import Certificate
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions, RawLayer
from tests.integration.importing import database

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def messy(sample_city: SampleCity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("messy")
    write_city(sample_city, folder, messy=True)
    write_city(sample_city, folder / "clean")
    return folder


@pytest.fixture(scope="module")
def defects(messy: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((messy / "truth.json").read_text("utf-8"))["defects"])


@pytest.fixture(scope="module")
def exclusions(messy: Path) -> RawLayer:
    return open_source(messy / "clean" / "exclusions.geojson")


def planted(defects: pd.DataFrame, file: str, kind: str) -> pd.DataFrame:
    found = defects[(defects["file"] == file) & (defects["kind"] == kind)]
    assert len(found) > 0
    return found


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The defects one by one; a kind has no value in the columns of the others."""
    return [{str(k): v for k, v in row.dropna().items()} for _, row in rows.iterrows()]


def corrected(messy: Path, defects: pd.DataFrame) -> RawLayer:
    """The shapefile after a person wrote the right codes over the repeated ones."""
    raw = open_source(messy / "cells.shp", datum="gcj02", swap="rows")
    for defect in records(planted(defects, "cells.shp", "duplicate_code")):
        raw.frame.loc[raw.frame.index[int(defect["row"]) - 1], "网格编码"] = defect["true_code"]
    return raw


def test_swapped_rows_are_named(
    messy: Path, defects: pd.DataFrame, sample_city: SampleCity
) -> None:
    with pytest.raises(RejectedRows) as caught:
        open_source(messy / "cells.shp", datum="gcj02")
    rows = [f.row - 1 for f in caught.value.faults]
    codes = set(sample_city.cells.index[rows])
    assert codes == set(planted(defects, "cells.shp", "swapped_axes")["code"])


def test_the_copy_without_labels(messy: Path) -> None:
    path = messy / "cells_noprj.shp"
    with pytest.raises(CrsMissing):
        open_source(path)
    raw = open_source(path, datum="gcj02", swap="rows")
    assert raw.encoding == "gb18030"
    assert any(".cpg" in n for n in raw.notes_zh)
    assert any(".prj" in n for n in raw.notes_zh)
    labelled = open_source(messy / "cells.shp", datum="gcj02", swap="rows")
    assert raw.frame.equals(labelled.frame)


def test_repeated_codes_are_named(
    messy: Path, defects: pd.DataFrame, exclusions: RawLayer, tmp_path: Path
) -> None:
    raw = open_source(messy / "cells.shp", datum="gcj02", swap="rows")
    options = ImportOptions(exclusions=exclusions)
    with pytest.raises(RejectedRows) as caught:
        import_layer(database(tmp_path), raw, "cells", options)
    wanted = planted(defects, "cells.shp", "duplicate_code")
    assert {f.value for f in caught.value.faults} == set(wanted["code"])
    for defect in records(wanted):
        fault = next(f for f in caught.value.faults if f.value == defect["code"])
        assert str(int(defect["row"])) in f"{fault.row} {fault.problem_en}".split()


def test_wide_gaps_are_asked(
    messy: Path, defects: pd.DataFrame, exclusions: RawLayer, tmp_path: Path
) -> None:
    options = ImportOptions(exclusions=exclusions)
    with pytest.raises(DecisionNeeded) as caught:
        import_layer(database(tmp_path), corrected(messy, defects), "cells", options)
    gaps = planted(defects, "cells.shp", "gap")
    wide = gaps[gaps["width_m"] > 1.0]
    asked = caught.value.decisions
    assert len(asked) == len(wide)
    for defect in records(wide):
        assert any(defect["code"] in d.zh and defect["neighbour"] in d.zh for d in asked)


class Repaired(NamedTuple):
    """The city after its repair, in force, with what the import reported."""

    storage: Storage
    plan_id: str
    certificate: Certificate
    repairs: gpd.GeoDataFrame
    moved_area_m2: float


@pytest.fixture(scope="module")
def repaired(
    messy: Path, defects: pd.DataFrame, exclusions: RawLayer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Repaired:  # fmt: skip
    storage = database(tmp_path_factory.mktemp("repaired"))
    options = ImportOptions(exclusions=exclusions, wide_gaps="fill")
    report = import_layer(storage, corrected(messy, defects), "cells", options, clock=lambda: NOW)
    assert report.plan_id is not None
    assert report.certificate is not None
    assert report.repairs is not None
    assert report.moved_area_m2 is not None
    planning.publish(storage, report.plan_id, FIRST_DAY, NOW)
    return Repaired(
        storage, report.plan_id, report.certificate, report.repairs, report.moved_area_m2
    )


def test_gaps_and_overlaps_are_repaired_and_logged(
    repaired: Repaired, defects: pd.DataFrame
) -> None:
    assert repaired.certificate.ok
    log = repaired.repairs
    for kind, action in (("gap", "gap_filled"), ("overlap", "overlap_resolved")):
        rows = log[log["action"] == action]
        for defect in records(planted(defects, "cells.shp", kind)):
            pair = {defect["code"], defect["neighbour"]}
            mine = rows[rows["code"].isin(pair) & rows["gained_by"].isin(pair)]
            # The strip was cut from rounded coordinates: its area returns to a part in a hundred.
            assert mine["area_m2"].sum() == pytest.approx(defect["area_m2"], rel=0.02, abs=0.5)


def test_the_city_comes_back(repaired: Repaired, sample_city: SampleCity) -> None:
    with repaired.storage.unit_of_work() as work:
        cells = work.plans.cells(repaired.plan_id)
    clean: gpd.GeoDataFrame = sample_city.cells.sort_index()
    assert list(cells.index) == list(clean.index)
    epsg = sample_city.metric_epsg
    moved = shapely.area(
        shapely.symmetric_difference(
            to_metric(cells.geometry.to_numpy(), epsg), to_metric(clean.geometry.to_numpy(), epsg)
        )
    )
    assert moved.sum() / 2 < 1.2 * repaired.moved_area_m2
    assert (moved < 1.0).mean() > 0.93


def test_codes_and_names_in_full_width(
    repaired: Repaired, defects: pd.DataFrame, sample_city: SampleCity
) -> None:
    with repaired.storage.unit_of_work() as work:
        cells = work.plans.cells(repaired.plan_id)
    for kind in ("full_width_code", "full_width_blank", "variant_character"):
        for code in planted(defects, "cells.shp", kind)["code"]:
            assert code in cells.index
    assert not cells["community_name"].str.contains("\u3000").any()
    assert (cells.groupby("community_code")["community_name"].nunique() == 1).all()
    # 臺 and 台 are one name wherever names are matched.
    clean = sample_city.cells["community_name"].loc[cells.index]
    assert cells["community_name"].map(normalize_name).equals(clean.map(normalize_name))


def test_bow_tie_is_mended_and_named(repaired: Repaired, defects: pd.DataFrame) -> None:
    log = repaired.repairs
    mended = log[log["action"] == "made_valid"]["code"]
    assert set(planted(defects, "cells.shp", "self_intersection")["code"]) <= set(mended)


def test_staff_with_wrong_units(repaired: Repaired, messy: Path, defects: pd.DataFrame) -> None:
    storage = repaired.storage
    units = open_source(messy / "clean" / "units.csv")
    import_layer(storage, units, "units", clock=lambda: NOW)
    raw = open_source(messy / "staff.csv", datum="wgs84")
    with pytest.raises(RejectedRows) as caught:
        import_layer(storage, raw, "staff", clock=lambda: NOW)
    people = raw.frame["人员编号"]
    wrong = {people[f.row - 1] for f in caught.value.faults}
    listed = planted(defects, "staff.csv", "unknown_unit")["person_ids"].iloc[0]
    assert wrong == set(listed)
    raw.frame.loc[people.isin(listed), "所属单位编号"] = ""
    report = import_layer(storage, raw, "staff", clock=lambda: NOW)
    assert report.imported == len(people)
    with storage.unit_of_work() as work:
        staff = work.records("staff").frame()
    assert not staff["name"].str.contains("\u3000").any()
    assert any("全角空格" in n.zh for n in report.notes)


def test_cases_of_a_careless_office(
    repaired: Repaired,
    messy: Path,
    defects: pd.DataFrame,
    sample_city: SampleCity,
) -> None:
    storage = repaired.storage
    with storage.unit_of_work() as work:
        work.records("classes").append(normalize(issue_classes(), CLASSES))
        work.commit()
    path = messy / "cases.csv"
    ids = open_source(messy / "cases.csv", datum="gcj02", swap="rows").frame["案件编号"]
    with pytest.raises(RejectedRows) as caught:
        open_source(path, datum="gcj02")
    swapped = planted(defects, "cases.csv", "swapped_axes")["case_ids"].iloc[0]
    assert sorted(ids[f.row - 1] for f in caught.value.faults) == swapped
    raw = open_source(path, datum="gcj02", swap="rows")
    with pytest.raises(RejectedRows) as caught:
        import_layer(storage, raw, "cases", clock=lambda: NOW)
    unknown = planted(defects, "cases.csv", "unknown_class")["case_ids"].iloc[0]
    assert sorted(ids[f.row - 1] for f in caught.value.faults) == unknown
    truth = sample_city.cases
    bad = raw.frame["案件编号"].isin(unknown)
    raw.frame.loc[bad, "小类代码"] = truth["class_code"].loc[raw.frame["案件编号"][bad]].to_numpy()
    report = import_layer(storage, raw, "cases", clock=lambda: NOW)
    assert sum(report.placements.values()) == report.imported == len(truth)
    with storage.unit_of_work() as work:
        cases = work.records("cases").frame()
    zero = planted(defects, "cases.csv", "zero_coordinates")["case_ids"].iloc[0]
    assert (cases.loc[zero, "placement"] == "invalid_coordinates").all()
    # Three forms of dates give one set of instants, to the minute that two of them keep.
    ours, theirs = cases["reported_at"].dt.floor("min"), truth["reported_at"].dt.floor("min")
    assert (ours == theirs.loc[ours.index]).all()
    named = planted(defects, "cases.csv", "full_width_blank")["case_ids"].iloc[0]
    assert (cases.loc[named, "title"] == cases.loc[named, "title"].str.strip()).all()
    # Swapped rows came back to their places, within the six digits of the file.
    here, there = cases.loc[swapped], truth.loc[swapped]
    assert np.abs(here.geometry.x.to_numpy() - there.geometry.x.to_numpy()).max() < 2e-6
