"""Which reports count, and for which cell: period, classes, and the place of each report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.analysis.inputs import (
    DEFAULT_TIMEZONE,
    Instant,
    MissingColumn,
    instant_of,
    instants_of,
    require_lonlat,
)
from gridsvc.errors import BadOption
from gridsvc.types import BoolArray, FloatArray, IntArray


class CellLocator(Protocol):
    """What counting asks of a locator (``gridsvc.locate.Locator`` fulfils it)."""

    codes: Any

    def locate_many(self, lon: FloatArray, lat: FloatArray) -> Any:
        """Return positions in ``codes``, −1 for none."""


def select_cases(
    cases: gpd.GeoDataFrame,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    classes: Sequence[str] = (),
    timezone: str = DEFAULT_TIMEZONE,
) -> gpd.GeoDataFrame:
    """Return the reports of a half-open period and of some classes.

    Parameters
    ----------
    cases : GeoDataFrame
        Contract CASES; of its columns only those that are asked for are needed.
    since, until : datetime, date or str, optional
        ``since`` ≤ reported_at < ``until``. A day is its midnight; days and instants without
        zone, and reports without zone, are of ``timezone``; texts follow ISO 8601.
    classes : sequence of str
        Major or minor class codes; empty for all.
    timezone : str
        IANA zone of the city.

    Raises
    ------
    BadOption
        For an empty period or what is no instant.
    MissingColumn
        If a period or class is asked for and the reports do not have it.
    """
    since, until = period_of(since, until, timezone)
    keep: BoolArray = np.ones(len(cases), dtype=bool)
    if since is not None or until is not None:
        reported = instants_of(cases, "reported_at", "cases", timezone)
        if since is not None:
            keep &= (reported >= since).to_numpy(dtype=bool)
        if until is not None:
            keep &= (reported < until).to_numpy(dtype=bool)
    if classes:
        keep &= _of_classes(cases, classes)
    return cases[keep]


def period_of(
    since: Instant | None, until: Instant | None, timezone: str
) -> tuple[datetime | None, datetime | None]:
    """Return both ends of a period as aware instants.

    Raises
    ------
    BadOption
        For an empty period or what is no instant.
    """
    first, last = instant_of(since, "since", timezone), instant_of(until, "until", timezone)
    if first is not None and last is not None and first >= last:
        raise BadOption(
            option="since, until",
            value=f"{first.isoformat()}, {last.isoformat()}",
            reason_zh="起点应早于终点",
            reason_en="an empty period, since must come before until",
        )
    return first, last


def _of_classes(cases: gpd.GeoDataFrame, classes: Sequence[str]) -> BoolArray:
    known = [c for c in ("class_code", "major_code") if c in cases.columns]
    if not known:
        raise MissingColumn(
            frame="cases", column="class_code",
            reason_zh="按类别筛选时需要该列;请补上,或不给 classes",
            reason_en="a choice of classes needs it; add it, or leave out classes",
        )  # fmt: skip
    return np.asarray(cases[known].isin(list(classes)).any(axis=1).to_numpy(dtype=bool))


def count_by_cell(
    cases: gpd.GeoDataFrame, codes: Sequence[str], *, locator: CellLocator | None
) -> IntArray:
    """Return for each report the position of its cell in ``codes``, −1 for none.

    With a locator the coordinates decide; without one the ``cell_code`` stored at filing does.

    Raises
    ------
    MissingColumn
        Without a locator, if no ``cell_code`` was stored.
    NotLonLat
    """
    positions = np.full(len(cases), -1, dtype=np.int64)
    lookup = pd.Index(codes)
    if locator is None:
        if "cell_code" not in cases.columns:
            raise MissingColumn(
                frame="cases", column="cell_code",
                reason_zh="请给出 locator=Locator.from_cells(cells)",
                reason_en="give locator=Locator.from_cells(cells)",
            )  # fmt: skip
        filed = cases["cell_code"]
        known = filed.notna().to_numpy()
        positions[known] = lookup.get_indexer(pd.Index(filed[known].to_numpy()))
        return positions
    require_lonlat(cases, "cases")
    shapes = cases.geometry.to_numpy()
    at = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if len(at):
        xy = shapely.get_coordinates(shapes[at])
        found = np.asarray(
            locator.locate_many(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]))
        )
        translate = np.append(lookup.get_indexer(pd.Index(list(locator.codes))), -1)
        positions[at] = translate[found]
    return positions
