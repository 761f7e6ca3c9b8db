"""When evaluation points were last visited, and which are due."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

_DAY_S = 86_400.0


def last_visits(points: pd.DataFrame, visits: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Return the last visit to each point before an instant.

    Parameters
    ----------
    points : DataFrame
        Contract POINTS; ``visits_per_week`` says how often a point wants to be seen (0: never).
    visits : DataFrame
        Contract VISITS; those after ``at`` do not count.
    at : datetime
        Aware instant.

    Returns
    -------
    DataFrame
        Aligned to ``points``: ``last_visit`` (instant or NaT), ``days_since`` (float, missing when
        never visited), ``due`` (bool: never visited, or longer ago than ``7 / visits_per_week``
        days).
    """
    now = pd.Timestamp(at)
    done = visits[visits["visited_at"] <= now]
    latest = done.groupby("point_id")["visited_at"].max()
    last = latest.reindex(points.index).astype("datetime64[us, UTC]")
    days = (now - last).dt.total_seconds() / _DAY_S
    wanted = points["visits_per_week"].fillna(0.0).to_numpy(dtype=float)
    with np.errstate(divide="ignore"):
        interval = np.where(wanted > 0, 7.0 / wanted, np.inf)
    due = (wanted > 0) & (days.isna().to_numpy() | (days.to_numpy() > interval))
    return pd.DataFrame({"last_visit": last, "days_since": days, "due": due}, index=points.index)
