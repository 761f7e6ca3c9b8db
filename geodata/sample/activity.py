"""A year of visits to the evaluation points, with neglected points that are written down."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geodata.sample.terrain import generator

YEAR_FROM = pd.Timestamp("2025-11-20T16:00:00Z")
"""Midnight of 2025-11-21 in Asia/Shanghai: the year of cases and visits begins."""
YEAR_TO = pd.Timestamp("2026-11-20T16:00:00Z")
LONG_DAYS = 75
_KINDS = ("daily", "focused", "major_matter", "leader_special", "deputies")


def make_visits(
    points: gpd.GeoDataFrame, staff: gpd.GeoDataFrame, seed: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a year of visits (contract VISITS) and the points that were neglected on purpose.

    Parameters
    ----------
    points : GeoDataFrame
        Contract POINTS.
    staff : GeoDataFrame
        Contract STAFF; collectors make the visits.
    seed : int

    Returns
    -------
    visits : DataFrame
    truth : dict
        ``points_never_visited``, ``points_long_unvisited`` (none in the last 75 days) and
        ``points_never_visited_at_night`` (their window is both, all visits came by day).
    """
    rng = generator(seed, "visits")
    ids = points.index.to_numpy()
    shuffled = rng.permutation(len(ids))
    few = max(1, round(len(ids) * 0.018))
    never = set(ids[shuffled[:few]])
    late = set(ids[shuffled[few : 3 * few]])
    both = [i for i in shuffled[3 * few :] if points["visit_window"].iloc[i] == "both"]
    no_night = {ids[i] for i in both[: 2 * few]}
    days = (YEAR_TO - YEAR_FROM).days
    collectors = staff.index[staff["role"] == "collector"].to_numpy()
    parts: dict[str, list[Any]] = {
        k: [] for k in ("count", "minute", "night", "passed", "observed")
    }
    for point, window, weekly in zip(
        ids, points["visit_window"], points["visits_per_week"], strict=True
    ):
        if point in never:
            parts["count"].append(0)
            continue
        count = max(1, int(rng.binomial(round(weekly * days / 7.0 * 1.1), 0.88)))
        day = np.sort(rng.integers(0, days, count))
        if point in late:
            day = day[day < days - LONG_DAYS]
        night = np.zeros(len(day), dtype=bool)
        if window == "night":
            night[:] = True
        elif window == "both" and point not in no_night:
            night = rng.random(len(day)) < 0.38
        hour = np.where(night, rng.uniform(18.6, 21.8, len(day)), rng.uniform(8.1, 17.4, len(day)))
        observed = rng.integers(8, 26, len(day))
        parts["count"].append(len(day))
        parts["minute"].append(np.round(day * 1440 + hour * 60).astype("int64"))
        parts["night"].append(night)
        parts["observed"].append(observed)
        parts["passed"].append(rng.binomial(observed, rng.beta(14, 2.4)))
    count_all = int(np.sum(parts["count"]))
    visits = pd.DataFrame(
        {
            "point_id": np.repeat(ids, parts["count"]),
            "person_id": rng.choice(collectors, count_all),
            "visited_at": YEAR_FROM + pd.to_timedelta(np.concatenate(parts["minute"]), unit="min"),
            "window": np.where(np.concatenate(parts["night"]), "night", "day"),
            "kind": rng.choice(_KINDS, p=[0.86, 0.07, 0.03, 0.02, 0.02], size=count_all),
            "passed": np.concatenate(parts["passed"]),
            "observed": np.concatenate(parts["observed"]),
        }
    )
    visits = visits.sort_values(["visited_at", "point_id"], kind="stable", ignore_index=True)
    visits.insert(0, "visit_id", [f"V{i:07d}" for i in range(1, len(visits) + 1)])
    truth = {
        "points_never_visited": sorted(map(str, never)),
        "points_long_unvisited": sorted(map(str, late)),
        "points_never_visited_at_night": sorted(map(str, no_night)),
        "long_unvisited_days": LONG_DAYS,
    }
    return visits.set_index("visit_id"), truth
