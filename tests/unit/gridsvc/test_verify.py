from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import pytest
import shapely

from gridsvc.analysis.results import PatrolPlan
from gridsvc.patrol import verify_rounds
from tests.unit.gridsvc.patrol_data import points, spot
from tests.unit.gridsvc.test_rounds import NET, PLACES, plan

FRAME = points(PLACES)
GOOD = plan(FRAME)


def with_round(**changes: Any) -> PatrolPlan:
    return replace(GOOD, rounds=(replace(GOOD.rounds[0], **changes),))


def with_stop(which: int, **changes: Any) -> PatrolPlan:
    stops = list(GOOD.rounds[0].stops)
    stops[which] = replace(stops[which], **changes)
    return with_round(stops=tuple(stops))


def findings(changed: PatrolPlan, frame: gpd.GeoDataFrame = FRAME) -> str:
    return "\n".join(verify_rounds(changed, NET, frame))


def test_a_good_plan_has_no_findings() -> None:
    assert verify_rounds(GOOD, NET, FRAME) == ()


def test_lost_and_foreign_points_are_named() -> None:
    short = with_round(stops=GOOD.rounds[0].stops[:-1], path=GOOD.rounds[0].path.iloc[:-1])
    assert f"{GOOD.rounds[0].stops[-1].point_id} is lost" in findings(short)
    assert "was not asked for" in findings(GOOD, FRAME.iloc[:-1])
    assert "P006" in findings(GOOD, FRAME.iloc[:-1])


def test_a_point_visited_twice_is_named() -> None:
    stops = (*GOOD.rounds[0].stops, replace(GOOD.rounds[0].stops[0], order=8))
    assert "occurs 2 times" in findings(with_round(stops=stops))


def test_a_drop_needs_a_reason() -> None:
    dropped = GOOD.dropped.copy()
    dropped.loc[0] = ["P009", "x", " "]
    extra = points([*PLACES, (0, 0), (1, 0), (2, 0)]).drop(index=["P007", "P008"])
    assert "P009 is dropped without a reason" in findings(replace(GOOD, dropped=dropped), extra)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"walk_m": 1.0}, "stated 1.00 m"),
        ({"arrive_s": 0.0}, "arrives at"),
        ({"service_s": 1.0}, "service time"),
        ({"snap_m": 55.0}, "off the network"),
        ({"location": spot(1, 1)}, "not where it should be"),
        ({"order": 5}, "not numbered in order"),
    ],
)
def test_a_falsified_stop_is_found(changes: dict[str, Any], words: str) -> None:
    assert words in findings(with_stop(1, **changes))


def test_a_detour_and_a_jump_are_found() -> None:
    path = GOOD.rounds[0].path.copy()
    first = path.iloc[0]
    detour = shapely.LineString([first.coords[0], spot(900, 900).coords[0], *first.coords[1:]])
    path.iloc[0] = detour
    assert "the shortest way is" in findings(with_round(path=path))
    path.iloc[0] = shapely.LineString([spot(900, 900), spot(901, 900)])
    assert "misses its place" in findings(with_round(path=path))


def test_sums_and_bound_are_checked() -> None:
    assert "the rounds sum to" in findings(replace(GOOD, total_m=1.0))
    assert "below the bound" in findings(replace(GOOD, lower_bound_m=GOOD.total_m * 2))
    assert "stated 5.00 m" in findings(with_round(length_m=5.0))
    assert "walking time" in findings(with_round(walking_s=5.0))
    assert "sum of its stops" in findings(with_round(service_s=5.0))
    assert "legs for" in findings(with_round(path=GOOD.rounds[0].path.iloc[:-2]))


def test_a_point_of_the_other_window_was_not_asked_for() -> None:
    frame = points(PLACES, visit_window=["night"] + ["day"] * 6)
    assert "P000 was not asked for" in findings(replace(GOOD, window="day"), frame)
