from __future__ import annotations

import numpy as np

from gridsvc.analysis import geocode_piles
from tests.unit.gridsvc.analysis_data import reports


def scattered(count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([117.6 + rng.random(count) * 0.1, 26.2 + rng.random(count) * 0.1])


def classes_of(count: int, variety: int) -> list[str]:
    return [f"{1 + i % 3:02d}{i % variety:03d}" for i in range(count)]


def test_pile_of_many_classes_is_found_by_itself() -> None:
    pile = np.tile([[117.6543, 26.2543]], (200, 1))
    cases = reports(np.vstack([scattered(3000), pile]), classes_of(3200, 25))
    found, member = geocode_piles(cases)
    assert [(p.count, p.lon, p.lat, p.reason) for p in found] == [
        (200, 117.6543, 26.2543, "one_coordinate")
    ]
    assert found[0].share == 200 / 3200
    assert member.sum() == 200
    assert member.iloc[3000:].all()
    assert member.index.equals(cases.index)


def test_recurring_spot_of_one_class_is_no_pile() -> None:
    spot = np.tile([[117.6543, 26.2543]], (200, 1))
    cases = reports(np.vstack([scattered(3000), spot]), classes_of(3000, 25) + ["01001"] * 200)
    assert geocode_piles(cases)[0] == ()


def test_rounded_coordinate_is_a_pile_at_a_lower_count() -> None:
    pile = np.tile([[117.65, 26.25]], (60, 1))
    cases = reports(np.vstack([scattered(20000), pile]), classes_of(20060, 25))
    found, _ = geocode_piles(cases)
    assert [(p.count, p.reason) for p in found] == [(60, "rounded_coordinate")]


def test_roundness_is_judged_on_the_delivered_coordinate() -> None:
    xy = np.vstack([scattered(20000), np.tile([[117.6549, 26.2473]], (60, 1))])
    cases = reports(xy, classes_of(20060, 25))
    delivered = xy.copy()
    delivered[20000:] = (117.65, 26.25)
    cases["source_x"], cases["source_y"] = delivered[:, 0], delivered[:, 1]
    assert [p.reason for p in geocode_piles(cases)[0]] == ["rounded_coordinate"]


def test_small_data_has_its_pile_too_and_ordinary_data_none() -> None:
    pile = np.tile([[117.6543, 26.2543]], (40, 1))
    small = reports(np.vstack([scattered(60), pile]), classes_of(100, 10))
    assert [p.count for p in geocode_piles(small)[0]] == [40]
    assert geocode_piles(reports(scattered(5000), classes_of(5000, 25)))[0] == ()


def test_without_coordinates_nothing_is_found() -> None:
    found, member = geocode_piles(reports(np.full((3, 2), np.nan), classes_of(3, 3)))
    assert found == ()
    assert member.tolist() == [False] * 3
