"""Long searches for rounds report and can be ended."""

from __future__ import annotations

from typing import Any

import pytest

from gridsvc.errors import Cancelled
from gridsvc.patrol import WalkNetwork, plan_point_rounds
from tests.unit.gridsvc.patrol_data import EPSG, points, spot, town

NET = WalkNetwork.from_streets(town(), EPSG)
PLACES = [(0, 10), (110, 200), (390, 400), (200, 5), (330, 100), (50, 300), (250, 395)]


@pytest.mark.parametrize(
    ("inspectors", "most"),
    [(1, 5 * 300), (3, 2 * 300 + 6 * 50)],
)
def test_each_iteration_is_reported_and_changes_nothing(inspectors: int, most: int) -> None:
    seen: list[float] = []

    def watch(stage: str, done: float) -> None:
        assert stage == "search"
        seen.append(done)

    common: dict[str, Any] = {"start": spot(200, 200), "iterations": 300, "inspectors": inspectors}
    watched = plan_point_rounds(points(PLACES), NET, progress=watch, **common)
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] <= 1.0
    # One report more than iterations for each search.
    assert 300 < len(seen) <= most + 8
    alone = plan_point_rounds(points(PLACES), NET, **common)
    assert [r.stops for r in watched.rounds] == [r.stops for r in alone.rounds]


@pytest.mark.parametrize("inspectors", [1, 3])
def test_a_search_ends_where_somebody_ends_it(inspectors: int) -> None:
    seen: list[float] = []

    def stop(stage: str, done: float) -> None:
        seen.append(done)
        if len(seen) == 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        plan_point_rounds(
            points(PLACES), NET, start=spot(200, 200), inspectors=inspectors, progress=stop
        )
    assert len(seen) == 20
