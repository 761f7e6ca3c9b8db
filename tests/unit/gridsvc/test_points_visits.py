"""When points were last visited, and which are due."""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import pandas as pd

from gridsvc.layers import POINTS, VISITS, empty, normalize
from gridsvc.points import last_visits

AT = datetime(2018, 6, 15, tzinfo=UTC)


def points() -> gpd.GeoDataFrame:
    table = pd.DataFrame(
        {
            "point_id": ["daily", "weekly", "never", "exempt", "future"],
            "name": list("一二三四五"),
            "category": ["market"] * 5,
            "visits_per_week": [7.0, 1.0, 1.0, 0.0, 1.0],
        }
    )
    return gpd.GeoDataFrame(normalize(table, POINTS))


def visits() -> pd.DataFrame:
    rows = [
        ("daily", "2018-06-13T00:00:00Z"),
        ("daily", "2018-06-12T00:00:00Z"),
        ("weekly", "2018-06-09T00:00:00Z"),
        ("future", "2018-06-16T00:00:00Z"),
    ]
    table = pd.DataFrame(rows, columns=["point_id", "visited_at"])
    table["visit_id"] = [f"v{i}" for i in range(len(table))]
    return normalize(table, VISITS)


def test_last_visit_days_and_due() -> None:
    found = last_visits(points(), visits(), AT)
    assert list(found.index) == ["daily", "weekly", "never", "exempt", "future"]
    assert found["days_since"].iloc[:2].tolist() == [2.0, 6.0]
    assert found["days_since"].iloc[2:].isna().all()
    # Seen 2 days ago but wanted daily; 6 days ago and wanted weekly; never; exempt; not yet.
    assert found["due"].tolist() == [True, False, True, False, True]


def test_without_any_visit_all_that_want_one_are_due() -> None:
    found = last_visits(points(), empty(VISITS), AT)
    assert found["last_visit"].isna().all()
    assert found["due"].tolist() == [True, True, True, False, True]


def test_a_visit_counts_in_its_own_window_only() -> None:
    asked = points().iloc[:3].copy()
    asked["visit_window"] = ["night", "both", "day"]
    done = visits().iloc[[0, 2]].copy()
    done["visited_at"] = pd.Timestamp("2018-06-14T20:00:00Z")
    done["window"] = ["day", "day"]
    found = last_visits(asked, done, AT)
    # Seen by day where the night was asked; by day where both were; never.
    assert found["due"].tolist() == [True, True, True]
    done["window"] = ["night", "both"]
    assert last_visits(asked, done, AT)["due"].tolist() == [False, False, True]
