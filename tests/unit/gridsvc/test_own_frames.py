"""Analyses on frames that people bring along, without all columns of the contract."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.analysis import find_hotspots, geocode_piles, kde
from gridsvc.analysis.hotspots import count_by_cell, select_cases
from gridsvc.analysis.inputs import BadColumn, MissingColumn, NotLonLat
from gridsvc.errors import BadOption, DuplicateKey, OverlappingCells
from tests.unit.gridsvc.analysis_data import NOON, Brute, centres, lattice, reports

CELLS = lattice(6, 6)


def own_cells() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"code": CELLS.index.to_numpy()}, geometry=CELLS.geometry.to_numpy(), crs=4326
    )


def places(count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(3)
    return centres(CELLS)[rng.integers(0, 36, count)] + (rng.random((count, 2)) - 0.5) * 0.003


def own_cases(**columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=shapely.points(places()), crs=4326)


def test_bare_points_and_polygons_are_enough() -> None:
    before = datetime.now(UTC)
    result = find_hotspots(own_cases(), own_cells())
    whole = find_hotspots(
        reports(places(), ["01001"] * 200), CELLS, plan_id="p", updated_at=NOON,
        locator=Brute(CELLS),
    )  # fmt: skip
    assert result.cells["count"].tolist() == whole.cells["count"].tolist()
    assert np.allclose(result.cells["z"], whole.cells["z"])
    assert result.cells.index.tolist() == CELLS.index.tolist()
    assert (result.n, result.plan_id, result.piles) == (200, "", ())
    assert before <= result.updated_at <= datetime.now(UTC)
    assert result.points is not None
    assert result.points.dtypes.astype(str).tolist() == ["str", "datetime64[us, UTC]", "geometry"]


def test_stored_cells_count_when_they_are_there() -> None:
    cases = own_cases(cell_code=[CELLS.index[0]] * 200)
    assert find_hotspots(cases, own_cells()).cells["count"].iloc[0] == 200
    tried = reports(places(), ["01001"] * 200).assign(placement="outside")
    assert find_hotspots(tried, CELLS).n_unplaced == 200
    with pytest.raises(MissingColumn, match=r"Locator\.from_cells"):
        count_by_cell(own_cases(), list(CELLS.index), locator=None)


@pytest.mark.parametrize("since", [date(2024, 5, 2), datetime(2024, 5, 2), "2024-05-02"])  # noqa: DTZ001
def test_days_and_naive_instants_are_of_the_city(since: datetime | str | None) -> None:
    cases = reports(places(), ["01001"] * 200, start=datetime(2024, 5, 1, tzinfo=UTC))
    midnight = datetime(2024, 5, 1, 16, tzinfo=UTC)  # in Shanghai
    chosen = select_cases(cases, since=since)
    assert chosen["reported_at"].min() == midnight
    elsewhere = select_cases(cases, since=since, timezone="America/New_York")
    assert elsewhere["reported_at"].min() == datetime(2024, 5, 2, 4, tzinfo=UTC)
    result = find_hotspots(cases, CELLS, since=since, until="2024-05-03T08:00Z")
    assert result.since == midnight
    assert result.until == datetime(2024, 5, 3, 8, tzinfo=UTC)
    assert result.n == 40


def test_naive_and_written_reports_are_of_the_city() -> None:
    naive = pd.Series(pd.date_range("2024-05-01", periods=200, freq="h"))
    for column in (naive, naive.dt.strftime("%Y-%m-%dT%H:%M")):
        chosen = select_cases(own_cases(reported_at=column), since="2024-05-02", until="2024-05-03")
        assert chosen.index.tolist() == list(range(24, 48))


def test_what_a_question_needs_is_named() -> None:
    cases, cells = own_cases(), own_cells()
    with pytest.raises(MissingColumn, match="reported_at"):
        find_hotspots(cases, cells, since="2024-05-01")
    with pytest.raises(MissingColumn, match="class_code"):
        find_hotspots(cases, cells, classes=["01"])
    with pytest.raises(MissingColumn, match="population"):
        find_hotspots(cases, cells, denominator="population")
    with pytest.raises(BadColumn, match="to_datetime"):
        select_cases(own_cases(reported_at=["soon"] * 200), since="2024-05-01")
    with pytest.raises(BadColumn, match="to_datetime"):
        select_cases(own_cases(reported_at=range(200)), since="2024-05-01")
    with pytest.raises(BadOption, match="day or an instant"):
        find_hotspots(cases, cells, updated_at=5)  # type: ignore[arg-type]


def test_another_crs_is_refused_with_the_way_out() -> None:
    cases, cells = own_cases(), own_cells()
    metric = cases.to_crs(4548)
    for call in (
        lambda: find_hotspots(metric, cells),
        lambda: find_hotspots(cases, cells.to_crs(4548)),
        lambda: geocode_piles(metric),
        lambda: kde(metric),
        lambda: kde(metric.geometry),
        lambda: count_by_cell(metric, list(CELLS.index), locator=Brute(CELLS)),
    ):
        with pytest.raises(NotLonLat, match=r"call \.to_crs\(4490\) first") as caught:
            call()
        assert "请先 .to_crs(4490)" in caught.value.text("zh")
    with pytest.raises(NotLonLat, match="set_crs"):
        find_hotspots(cases.set_crs(None, allow_override=True), cells)
    with pytest.raises(MissingColumn, match="points_from_xy"):
        geocode_piles(gpd.GeoDataFrame({"x": [1.0]}))


def test_cells_that_overlap_or_repeat_are_refused() -> None:
    twice = pd.concat([own_cells(), own_cells().iloc[:1]])
    with pytest.raises(DuplicateKey):
        find_hotspots(own_cases(), twice)
    over = own_cells()
    over.loc[0, "geometry"] = over.geometry.iloc[0].buffer(0.0005)
    with pytest.raises(OverlappingCells):
        find_hotspots(own_cases(), over)


def test_piles_without_classes_are_none_and_density_takes_frames() -> None:
    frame = own_cases()
    piled = pd.concat([frame, frame.iloc[[0] * 300]], ignore_index=True)
    assert geocode_piles(piled)[0] == ()
    varied = piled.assign(class_code=[f"{i % 9:02d}001" for i in range(len(piled))])
    assert [p.count for p in geocode_piles(varied)[0]] == [301]
    assert kde(frame).n == 200


def test_an_empty_period_says_so_first() -> None:
    cases = reports(places(), ["01001"] * 200)
    result = find_hotspots(cases, CELLS, since=NOON + timedelta(days=900))
    assert result.n == 0
    assert [(str(n), n.en) for n in result.notes] == [
        ("该时段没有上报案件", "no reports in this period")
    ]
    away = cases.set_geometry(cases.geometry.translate(5.0))
    outside = find_hotspots(away, CELLS, locator=Brute(CELLS))
    assert outside.notes[0].en.startswith("none of the 200 reports")
