"""A real city: villages certified, statistical areas under villages, points and cases placed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geodata.export import write_layer
from geodata.sources import open_source
from gridsvc.crs import to_metric
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions, ImportReport
from tests.integration.importing import database

pytestmark = pytest.mark.shared_data
DISTRICTS = {"67000320": "東區", "67000330": "南區", "67000340": "北區", "67000360": "安平區",
             "67000370": "中西區"}  # fmt: skip
FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAIPEI = "Asia/Taipei"


def clock() -> datetime:
    return NOW


@pytest.fixture(scope="module")
def tainan(shared_data: Path) -> Path:
    return shared_data / "tainan"


@pytest.fixture(scope="module")
def villages(
    tainan: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Storage, ImportReport]]:
    """The village layer as it is, imported and published."""
    storage = database(tmp_path_factory.mktemp("villages"))
    raw = open_source(tainan / "tainan_l2_village.parquet")
    report = import_layer(storage, raw, "communities", ImportOptions(title="村里"), clock=clock)
    assert report.plan_id is not None
    planning.publish(storage, report.plan_id, FIRST_DAY, NOW)
    yield storage, report
    storage.dispose()


def test_villages_become_a_certified_plan(
    villages: tuple[Storage, ImportReport], tainan: Path
) -> None:
    storage, report = villages
    raw = open_source(tainan / "tainan_l2_village.parquet")
    assert report.certificate is not None
    assert report.certificate.ok
    assert report.plan_id is not None
    with storage.unit_of_work() as work:
        cells = work.plans.cells(report.plan_id)
        areas = work.plans.areas(report.plan_id, "subdistrict")
    assert set(raw.frame["VILLCODE"]) == set(cells.index) | set(report.dropped)
    named = raw.frame.set_index("VILLCODE")["VILLNAME"]
    assert (cells["name"] == named.loc[cells.index]).all()
    assert len(areas) == 37
    # Below 0.01 % of the territory; a plain clean moves 0.005 %.
    assert report.moved_share is not None
    assert 0 < report.moved_share < 1e-4


def test_every_repair_is_a_row_with_a_place(villages: tuple[Storage, ImportReport]) -> None:
    storage, report = villages
    with storage.unit_of_work() as work:
        log = work.batches.log(report.batch_id)
        batch = work.batches.get(report.batch_id)
    assert report.repairs is not None
    assert len(log) == len(report.repairs) == batch["counts"]["repairs"] > 0
    assert {"action", "code", "area_before_m2", "area_after_m2", "width_m", "gained_by",
            "reason_zh", "reason_en"} <= set(log.columns)  # fmt: skip
    assert log.geometry.notna().all()
    assert batch["digest"] == report.digest


def test_ground_moves_little_in_every_village(
    villages: tuple[Storage, ImportReport], tainan: Path
) -> None:
    storage, report = villages
    assert report.plan_id is not None
    raw = open_source(tainan / "tainan_l2_village.parquet").frame.set_index("VILLCODE")
    with storage.unit_of_work() as work:
        cells = work.plans.cells(report.plan_id)
    before = shapely.make_valid(to_metric(raw.geometry.loc[cells.index].to_numpy(), 3826))
    after = to_metric(cells.geometry.to_numpy(), 3826)
    lost = shapely.area(shapely.difference(before, after))
    assert (lost / shapely.area(before)).max() < 0.005


def test_cases_and_alleys_of_the_city(villages: tuple[Storage, ImportReport], tainan: Path) -> None:
    storage, _ = villages
    raw = open_source(tainan / "tainan_dengue_cases_2015_points.parquet")
    options = ImportOptions(constants={"class_code": "登革热"}, timezone=TAIPEI)
    report = import_layer(storage, raw, "cases", options, clock=clock)
    assert report.rows == report.imported == 2706
    assert sum(report.placements.values()) == 2706
    assert report.placements["no_coordinates"] == 36
    assert report.placements["placed"] + report.placements["on_border"] == 2670
    with storage.unit_of_work() as work:
        cases = work.records("cases").frame()
        names = work.plans.cells(str(cases["plan_id"].iloc[0]))["subdistrict_name"]
    stated = raw.frame.set_index(raw.frame["case_no"].astype(str))["town"].str.replace("\u3000", "")
    found = cases["cell_code"].map(names).dropna()
    # The documents that come with the data count 97.4 % agreement of stated and drawn district.
    assert 0.95 < (found == stated.loc[found.index]).mean() < 1.0


def test_alleys_get_their_squads(villages: tuple[Storage, ImportReport], tainan: Path) -> None:
    storage, _ = villages
    raw = open_source(tainan / "tainan_narrow_alleys_points.parquet")
    options = ImportOptions(constants={"category": "back_alley"})
    report = import_layer(storage, raw, "points", options, clock=clock)
    assert report.imported == 1525
    with storage.unit_of_work() as work:
        points = work.records("points").frame()
        units = work.records("units").frame()
    stated = raw.frame["轄區分隊"]
    assert points["unit_id"].isin(units.index).sum() == stated.notna().sum()
    assert set(units["name"]) >= set(stated.dropna().str.strip())
    assert points["cell_code"].notna().all()


@pytest.fixture(scope="module")
def five(tainan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The minimum statistical areas of the five core districts, without their district column."""
    raw = open_source(tainan / "tainan_l4_min_stat_area.parquet").frame
    chosen = raw[raw["TOWN_ID"].isin(list(DISTRICTS))].drop(columns="TOWN_ID")
    folder = tmp_path_factory.mktemp("five")
    return write_layer(gpd.GeoDataFrame(chosen), folder / "five.gpkg")


def test_statistical_areas_under_villages_under_districts(five: Path, tainan: Path) -> None:
    storage = database(five.parent)
    parent = open_source(tainan / "tainan_l2_village.parquet")
    raw = open_source(five)
    report = import_layer(storage, raw, "cells", ImportOptions(parent=parent), clock=clock)
    assert report.imported == report.rows == 3675
    assert report.certificate is not None
    assert report.certificate.ok
    assert report.plan_id is not None
    planning.publish(storage, report.plan_id, FIRST_DAY, NOW)
    with storage.unit_of_work() as work:
        cells = work.plans.cells(report.plan_id)
        areas = work.plans.areas(report.plan_id)
    assert set(cells["subdistrict_name"]) == set(DISTRICTS.values())
    # The two layers do not share edges: cells across a border are listed with both shares.
    assert report.ambiguous is not None
    listed = report.ambiguous[report.ambiguous["level"] == "cell"]
    assert len(listed) > 0
    assert (listed["first_share"] >= listed["second_share"]).all()
    assert (listed["second_share"] > 0.05).all()
    # A village belongs to one district, a cell to one village.
    assert (cells.groupby("community_code")["subdistrict_code"].nunique() == 1).all()
    for level, column in (("community", "community_code"), ("subdistrict", "subdistrict_code")):
        shapes = areas[areas["level"] == level].set_index("code")
        sums = cells.groupby(column)["area_m2"].sum()
        assert np.allclose(shapes.loc[sums.index, "area_m2"], sums, rtol=1e-12)
    storage.dispose()


def test_two_imports_are_equal_byte_by_byte(
    villages: tuple[Storage, ImportReport], tainan: Path, tmp_path: Path
) -> None:
    other = database(tmp_path)
    raw = open_source(tainan / "tainan_l2_village.parquet")
    again = import_layer(other, raw, "communities", ImportOptions(title="村里"), clock=clock)
    files = []
    for name, storage, report in (("one", *villages), ("two", other, again)):
        assert report.plan_id is not None
        with storage.unit_of_work() as work:
            cells = work.plans.cells(report.plan_id)
            log = work.batches.log(report.batch_id)
        path = write_layer(cells, tmp_path / f"{name}.parquet", name="cells")
        told = log.drop(columns="geometry").to_csv() + str(shapely.to_wkb(log.geometry).tolist())
        files.append((path.read_bytes(), shapely.to_wkb(cells.geometry).tolist(), told))
    assert files[0] == files[1]
    other.dispose()
