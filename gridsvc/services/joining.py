"""Spatial joins: rows to the cells they lie in, cells and points to those responsible.

Nothing is ever lost in a join: the result has the rows of the input in the same order, and a row
that cannot be placed keeps the reason in ``placement`` (``gridsvc.layers.Placement``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridsvc.crs import STORAGE_EPSG, require_geographic
from gridsvc.duties.book import holders
from gridsvc.layers import Placement
from gridsvc.types import BoolArray, FloatArray, ObjectArray


class ManyLocator(Protocol):
    """What a join needs of a locator (``gridsvc.locate.Locator`` fulfils it)."""

    @property
    def codes(self) -> list[str]:
        """Cell codes in ascending order."""

    def locate_many(self, lon: FloatArray, lat: FloatArray) -> NDArray[np.int32]:
        """Return positions in ``codes``, -1 for none."""

    def on_border_many(self, lon: FloatArray, lat: FloatArray) -> BoolArray:
        """Return whether each point lies exactly on a cell border."""


def place(
    frame: gpd.GeoDataFrame | pd.DataFrame, locator: ManyLocator, plan_id: str
) -> gpd.GeoDataFrame:
    """Put each row into the cell it lies in.

    Points are located exactly (border rule of docs/adr/0004-locator.md: lowest code, marked
    ``on_border``); lines and polygons by a representative point of theirs.

    Parameters
    ----------
    frame : GeoDataFrame or DataFrame
        Any table; geometry in EPSG:4490 or 4326. A table without geometry is kept whole, each
        row without coordinates. Nothing is mutated.
    locator : ManyLocator
        Snapshot of the plan.
    plan_id : str
        Id of that plan, written to every row: also an unplaced row says which plan was asked.

    Returns
    -------
    GeoDataFrame
        Rows, order, index and other columns of ``frame``, with ``cell_code`` (missing where
        unplaced), ``plan_id`` and ``placement``.

    Raises
    ------
    CrsMismatch
        If the frame has geometry in a system that is not longitude/latitude.
    """
    if isinstance(frame, gpd.GeoDataFrame) and frame.active_geometry_name is not None:
        require_geographic(frame.crs)
        result = frame.copy()
        geometry = np.asarray(frame.geometry.array, dtype=object)
    else:
        geometry = np.full(len(frame), None, dtype=object)
        result = gpd.GeoDataFrame(pd.DataFrame(frame), geometry=geometry, crs=STORAGE_EPSG)
    absent = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    usable = ~absent & finite_in_range(geometry)
    placement = np.full(len(frame), Placement.INVALID_COORDINATES, dtype=object)
    placement[absent] = Placement.NO_COORDINATES
    cell = np.full(len(frame), None, dtype=object)
    if usable.any():
        where = np.flatnonzero(usable)
        at = representative_points(geometry[where])
        lon, lat = shapely.get_x(at), shapely.get_y(at)
        found = np.asarray(locator.locate_many(lon, lat))
        inside = found >= 0
        border = np.asarray(locator.on_border_many(lon, lat)) & inside
        kinds = np.where(inside, Placement.PLACED, Placement.OUTSIDE).astype(object)
        kinds[border] = Placement.ON_BORDER
        placement[where] = kinds
        codes = np.asarray([*locator.codes, None], dtype=object)
        cell[where] = codes[np.where(inside, found, len(codes) - 1)]
    result["cell_code"] = pd.array(cell, dtype="str")
    result["plan_id"] = pd.array([plan_id] * len(frame), dtype="str")
    result["placement"] = pd.array(placement, dtype="str")
    return result


def finite_in_range(geometry: ObjectArray) -> BoolArray:
    """Return whether all coordinates of each geometry are finite and within ±180, ±90 degrees.

    Missing and empty geometries give ``False``.
    """
    good = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(xy).all(axis=1) & (np.abs(xy[:, 0]) <= 180) & (np.abs(xy[:, 1]) <= 90))
    good[owner[bad]] = False
    return np.asarray(good, dtype=bool)


def representative_points(geometry: ObjectArray) -> ObjectArray:
    """Return points as they are and a point on each line, polygon or collection."""
    result = geometry.copy()
    other = np.flatnonzero(shapely.get_type_id(geometry) != shapely.GeometryType.POINT)
    result[other] = shapely.point_on_surface(geometry[other])
    return result


def placement_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return how many rows were placed, on a border, or not placed for which reason.

    The values add up to ``total``, which is the number of rows.
    """
    counts = frame["placement"].value_counts()
    document = {kind: int(counts.get(kind, 0)) for kind in Placement.ALL}
    document["total"] = len(frame)
    return document


def with_chain(frame: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Add ``community_code`` and ``subdistrict_code`` of each row's ``cell_code``.

    Rows without a cell, or whose cell is not in ``cells``, get missing values; no row is lost.
    """
    result = frame.copy()
    for column in ("community_code", "subdistrict_code"):
        result[column] = frame["cell_code"].map(cells[column]).astype("str")
    return result


def responsible(
    cells_or_points: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    *,
    cells: pd.DataFrame | None = None,
    known_at: datetime | None = None,
) -> pd.DataFrame:
    """Join the persons and units responsible at an instant, with inheritance.

    Parameters
    ----------
    cells_or_points : DataFrame
        Contract CELLS, or placed rows with ``cell_code`` (points, cases, staff, any table).
    duties : DataFrame
        Contract DUTIES.
    at : datetime
        Aware instant.
    cells : DataFrame, optional
        Contract CELLS, needed for placed rows to inherit from community and subdistrict.
    known_at : datetime, optional
        Duties as they were known at this instant of record time.

    Returns
    -------
    DataFrame
        One row per row of the input and duty that reaches it, see ``gridsvc.duties.book.holders``.
    """
    frame = cells_or_points
    if cells is not None and "community_code" not in frame.columns:
        frame = with_chain(frame, cells)
    return holders(frame, duties, at, known_at=known_at)
