"""Analyses of the sample city against what was planted in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from geodata.sample import SampleCity
from gridsvc.analysis import coverage, find_hotspots
from gridsvc.analysis.results import CoverageResult, HotspotResult
from gridsvc.locate import Locator
from gridsvc.patrol import WalkNetwork, plan_point_rounds, verify_rounds
from gridsvc.patrol.rounds import Window

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def hot(sample_city: SampleCity) -> HotspotResult:
    return find_hotspots(
        sample_city.cases, sample_city.cells, plan_id="p", updated_at=NOW,
        locator=Locator.from_cells(sample_city.cells), metric_epsg=sample_city.metric_epsg,
    )  # fmt: skip


@pytest.fixture(scope="module")
def covered(sample_city: SampleCity) -> CoverageResult:
    return coverage(
        sample_city.cells, sample_city.points, sample_city.duties, sample_city.visits,
        plan_id="p", as_of=NOW, exclusions=sample_city.exclusions, streets=sample_city.streets,
        territory=sample_city.territory, metric_epsg=sample_city.metric_epsg,
    )  # fmt: skip


def test_the_default_geocode_is_found_with_all_its_cases(
    sample_city: SampleCity, hot: HotspotResult
) -> None:
    truth = sample_city.truth["default_geocode"]
    assert [(p.lon, p.lat, p.count) for p in hot.piles] == [
        (truth["lon"], truth["lat"], truth["cases"])
    ]


def test_unplaced_cases_are_those_without_a_place_in_the_city(
    sample_city: SampleCity, hot: HotspotResult
) -> None:
    assert hot.n_unplaced == sum(sample_city.truth["unplaced"].values())
    assert hot.n + hot.n_set_aside + hot.n_unplaced == len(sample_city.cases)


def test_every_planted_spot_is_hot_in_its_own_period(sample_city: SampleCity) -> None:
    """Within its period and class the cell with most planted cases of each spot is hot."""
    locator = Locator.from_cells(sample_city.cells)
    classes = sample_city.classes
    for spot in sample_city.truth["hot_spots"]:
        codes = classes.index[classes["name"] == spot["class_name"]]
        result = find_hotspots(
            sample_city.cases, sample_city.cells, plan_id="p", updated_at=NOW, locator=locator,
            since=datetime.fromisoformat(spot["from"]), until=datetime.fromisoformat(spot["to"]),
            classes=list(codes), metric_epsg=sample_city.metric_epsg, bandwidth_m=None,
        )  # fmt: skip
        core = max(spot["cells"], key=lambda c: spot["cells"][c])
        assert result.cells.at[core, "hotspot"] == "hot_99", spot["name"]


def test_vacancies_and_doubles_are_the_planted_ones(
    sample_city: SampleCity, covered: CoverageResult
) -> None:
    truth = sample_city.truth
    assert sorted(covered.vacant_cells["cell_code"]) == sorted(truth["cells_without_leader"])
    assert sorted(covered.doubled_cells["cell_code"]) == sorted(truth["cells_with_two_leaders"])


def test_visits_are_the_planted_ones(sample_city: SampleCity, covered: CoverageResult) -> None:
    truth = sample_city.truth
    never = covered.points.index[covered.points["last_visit"].isna()]
    assert sorted(never) == sorted(truth["points_never_visited"])
    missing = set(covered.points_not_visited.index)
    for kind in ("points_never_visited", "points_long_unvisited", "points_never_visited_at_night"):
        assert set(truth[kind]) <= missing, kind


def test_the_whole_territory_is_covered(covered: CoverageResult) -> None:
    assert covered.summary["territory"]["share"] == pytest.approx(1.0, abs=1e-9)
    assert len(covered.uncovered_territory) == 0 or (
        covered.uncovered_territory["area_m2"].max() < 0.01
    )


def test_sponsored_points_have_their_leader(
    sample_city: SampleCity, covered: CoverageResult
) -> None:
    by_point = covered.points.index[covered.points["responsible_by"] == "point"]
    assert sorted(by_point) == sorted(sample_city.truth["sponsored_points"])


def test_islands_of_the_street_network_are_reported(sample_city: SampleCity) -> None:
    network = WalkNetwork.from_streets(sample_city.streets, sample_city.metric_epsg)
    assert network.component_count > 1
    share = network.component_lengths()[0] / network.lengths.sum()
    assert share > 0.98
    lonely = {
        network.street_ids[row]
        for row, tail in zip(network.street, network.tail, strict=True)
        if network.component[tail] != 0
    }
    assert set(sample_city.truth["street_islands"]) <= lonely


@pytest.mark.parametrize(("inspectors", "window"), [(1, None), (3, "day"), (2, "night")])
def test_rounds_of_a_subdistrict_are_verified_and_lose_no_point(
    sample_city: SampleCity, inspectors: int, window: Window | None
) -> None:
    network = WalkNetwork.from_streets(sample_city.streets, sample_city.metric_epsg)
    subdistrict = sample_city.cells["subdistrict_code"].iloc[0]
    codes = sample_city.cells.index[sample_city.cells["subdistrict_code"] == subdistrict]
    points = sample_city.points[sample_city.points["cell_code"].isin(codes)]
    plan = plan_point_rounds(
        points, network, plan_id="p", created_at=NOW, inspectors=inspectors, window=window,
        max_snap_m=200.0, iterations=500,
    )  # fmt: skip
    assert plan.verified == ()
    assert verify_rounds(plan, network, points) == ()
    asked = points if window is None else points[points["visit_window"].isin([window, "both"])]
    assert sum(len(r.stops) for r in plan.rounds) + len(plan.dropped) == len(asked)
    assert plan.lower_bound_m is not None
    assert plan.total_m >= plan.lower_bound_m
    durations = [r.duration_s for r in plan.rounds]
    assert max(durations) <= 1.3 * min(durations)
    assert any("8 h" in note.en for note in plan.notes) == (max(durations) > 8 * 3600)
