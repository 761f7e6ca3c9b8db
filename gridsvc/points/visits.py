"""When evaluation points were last visited, and which are due."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from gridsvc.types import BoolArray, FloatArray

_DAY_S = 86_400.0
_WINDOWS = ("day", "night")


def last_visits(points: pd.DataFrame, visits: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Return the last visit to each point before an instant, and whether the next one is due.

    A visit counts in the point's own window (``day`` or ``night``); points of window ``both``
    need one of each. Due: the interval 7 days / ``visits_per_week`` since the last counting visit
    has passed, or there was none. Points without a positive frequency are never due.

    Parameters
    ----------
    points : DataFrame
        Contract POINTS.
    visits : DataFrame
        Contract VISITS; those after ``at`` do not count.
    at : datetime
        Aware instant.

    Returns
    -------
    DataFrame
        Aligned to ``points``: ``last_visit`` (instant or NaT, in any window), ``days_since``
        (float, missing when never visited), ``due`` (bool).
    """
    past = visits[visits["visited_at"] <= at]
    last = _latest(past, points.index)
    due = np.zeros(len(points), dtype=bool)
    interval = visit_interval_days(points)
    for window in _WINDOWS:
        asked = points["visit_window"].isin([window, "both"]).to_numpy()
        age = _days(at, _latest(past[past["window"].isin([window, "both"])], points.index))
        due |= asked & np.isfinite(interval) & (np.isnan(age) | (age > interval))
    return pd.DataFrame(
        {"last_visit": last, "days_since": _days(at, last), "due": due}, index=points.index
    )


def visit_interval_days(points: pd.DataFrame) -> FloatArray:
    """Return days between visits of each point, infinite where none is asked for."""
    frequency = points["visits_per_week"].to_numpy(dtype=np.float64, na_value=0.0)
    asked: BoolArray = frequency > 0
    days: FloatArray = np.full(len(points), np.inf)
    np.divide(7.0, frequency, out=days, where=asked)
    return days


def _latest(visits: pd.DataFrame, index: pd.Index) -> pd.Series:
    latest = visits.groupby("point_id")["visited_at"].max().reindex(index)
    return latest.astype("datetime64[us, UTC]")


def _days(at: datetime, instants: pd.Series) -> FloatArray:
    days = (pd.Timestamp(at) - instants).dt.total_seconds() / _DAY_S
    return np.asarray(days, dtype=np.float64)
