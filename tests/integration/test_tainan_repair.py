"""The real villages and statistical areas of Tainan become certified plans."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geodata.storage import open_storage
from gridsvc.crs import STORAGE_EPSG
from gridsvc.plan import GridScheme, PlanStatus, assign_hierarchy
from gridsvc.quality import RepairResult, certify, repair
from gridsvc.services import planning

EPSG = 4549
pytestmark = pytest.mark.shared_data


def layer(path: Path, key: str) -> gpd.GeoDataFrame:
    # EPSG:3824 (TWD97) equals CGCS2000 at this scale.
    frame = gpd.read_parquet(path)  # noqa: TID251 - a test reads its own data
    return frame.set_index(key).set_crs(STORAGE_EPSG, allow_override=True)


@pytest.fixture(scope="module")
def villages(shared_data: Path) -> gpd.GeoDataFrame:
    return layer(shared_data / "tainan" / "tainan_l2_village.parquet", "VILLCODE")


@pytest.fixture(scope="module")
def repaired(villages: gpd.GeoDataFrame) -> RepairResult:
    return repair(villages, metric_epsg=EPSG)


def test_the_village_layer_is_as_bad_as_its_description(villages: gpd.GeoDataFrame) -> None:
    certificate = certify(villages, metric_epsg=EPSG)
    assert not certificate.ok
    assert certificate.figures["overlap_m2"] == pytest.approx(54_223, rel=0.01)
    counts = certificate.as_dict()["finding_counts"]
    assert 1900 < counts["gap"] < 2100
    assert counts["overlap"] > 1000
    assert counts["invalid_geometry"] == 1


def test_every_village_is_still_there_in_a_certified_plan(
    villages: gpd.GeoDataFrame, repaired: RepairResult
) -> None:
    assert repaired.decisions_needed == ()
    assert list(repaired.cells.index) == list(villages.index)
    assert len(repaired.cells) == 752
    assert list(repaired.cells["VILLNAME"]) == list(villages["VILLNAME"])
    assert not shapely.is_empty(repaired.cells.geometry.to_numpy()).any()
    certificate = certify(
        repaired.cells,
        metric_epsg=EPSG,
        registered_parts=repaired.registered_parts,
        registered_holes=repaired.registered_holes,
    )
    assert certificate.ok, certificate.as_dict()["finding_counts"]
    assert certificate.figures["area_m2"] == pytest.approx(2_261e6, rel=2e-3)


def test_less_than_a_ten_thousandth_of_the_ground_moved_and_every_move_is_a_row(
    repaired: RepairResult,
) -> None:
    assert 0 < repaired.moved_share < 1e-4
    log = repaired.log
    assert set(log["action"]) >= {"made_valid", "overlap_resolved", "gap_filled"}
    rows = log[log["action"] != "made_valid"]
    assert rows["area_m2"].sum() == pytest.approx(repaired.moved_area_m2, rel=1e-3)
    resolved = log[log["action"] == "overlap_resolved"]
    assert resolved["area_m2"].sum() == pytest.approx(54_223, rel=0.05)
    assert set(resolved["gained_by"]) <= set(repaired.cells.index)
    assert (log["reason_zh"].str.len() > 0).all()
    assert not shapely.is_empty(log.geometry.to_numpy()).any()


def test_the_same_villages_give_the_same_bytes(
    villages: gpd.GeoDataFrame, repaired: RepairResult
) -> None:
    again = repair(villages, metric_epsg=EPSG)
    one, two = (shapely.to_wkb(r.cells.geometry.to_numpy()) for r in (repaired, again))
    assert np.array_equal(one, two)
    assert again.log.to_json() == repaired.log.to_json()


def test_the_core_districts_become_cells_under_villages_under_districts(
    shared_data: Path, repaired: RepairResult
) -> None:
    areas = layer(shared_data / "tainan" / "tainan_l4_min_stat_area.parquet", "CODEBASE")
    core = {"67000320", "67000330", "67000340", "67000360", "67000370"}
    cells = areas[areas["TOWN_ID"].isin(core)]
    result = repair(cells, metric_epsg=EPSG)
    assert result.decisions_needed == ()
    villages = repaired.cells.assign(
        name=repaired.cells["VILLNAME"], subdistrict_code=repaired.cells["TOWNCODE"]
    )
    nested = assign_hierarchy(result.cells, communities=villages, metric_epsg=EPSG)
    assert nested.orphans == ()
    assert set(nested.cells["subdistrict_code"]) <= set(villages["subdistrict_code"])
    assert len(nested.ambiguous) > 0
    assert (nested.ambiguous["first_share"] >= nested.ambiguous["second_share"]).all()
    certificate = certify(
        nested.cells, metric_epsg=EPSG, registered_holes=result.registered_holes,
        registered_parts=result.registered_parts,
    )  # fmt: skip
    assert certificate.ok, certificate.as_dict()["finding_counts"]


def test_all_statistical_areas_are_cleaned_certified_and_published(
    shared_data: Path, tmp_path: Path
) -> None:
    areas = layer(shared_data / "tainan" / "tainan_l4_min_stat_area.parquet", "CODEBASE")
    result = repair(areas, metric_epsg=EPSG)
    assert result.decisions_needed == ()
    assert len(result.cells) == 12_774
    assert result.moved_area_m2 < 20
    cells = result.cells.assign(
        name=result.cells.index,
        community_code=result.cells["CODE1"],
        subdistrict_code=result.cells["TOWN_ID"],
    )
    storage = open_storage(f"sqlite:///{tmp_path / 'tainan.db'}")
    storage.upgrade()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    plan = planning.create_draft(
        storage,
        GridScheme("tainan", "臺南市", EPSG, code_system="free"),
        cells,
        provenance={
            "registered_parts": list(result.registered_parts),
            "registered_holes": list(result.registered_holes),
        },
        at=now,
    )
    published = planning.publish(storage, plan.id, now, now)
    assert published.status is PlanStatus.PUBLISHED
    with storage.unit_of_work() as work:
        assert len(work.plans.areas(plan.id, "subdistrict")) == 37
        assert len(work.plans.areas(plan.id, "community")) == 6322
    storage.dispose()
