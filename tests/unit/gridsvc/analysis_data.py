"""Small hand-made coverages and records for the tests of analyses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc import layers

NOON = datetime(2024, 5, 1, 4, 0, tzinfo=UTC)
WEST, SOUTH, STEP = 117.6, 26.2, 0.004


def lattice(rows: int, columns: int) -> gpd.GeoDataFrame:
    """Square cells in contract form; communities are the rows."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    x0 = np.round(WEST + x.ravel() * STEP, 9)
    x1 = np.round(WEST + (x.ravel() + 1) * STEP, 9)
    y0 = np.round(SOUTH + y.ravel() * STEP, 9)
    y1 = np.round(SOUTH + (y.ravel() + 1) * STEP, 9)
    count = rows * columns
    frame = gpd.GeoDataFrame(
        {
            "name": [f"格{i}" for i in range(count)],
            "community_code": [f"35040400{r:04d}" for r in y.ravel()],
            "community_name": [f"社区{r}" for r in y.ravel()],
            "subdistrict_code": "350404001",
            "subdistrict_name": "街道",
            "population": np.arange(count) % 7 * 100,
        },
        index=pd.Index([f"{350404001001000 + i}" for i in range(count)], name="code"),
        geometry=shapely.box(x0, y0, x1, y1),
        crs=4490,
    )
    return layers.normalize(frame, layers.CELLS)


def reports(xy: np.ndarray, classes: list[str], *, start: datetime = NOON) -> gpd.GeoDataFrame:
    """Cases in contract form, one an hour; NaN coordinates give no geometry."""
    known = ~np.isnan(xy).any(axis=1)
    geometry = np.full(len(xy), None, dtype=object)
    geometry[known] = shapely.points(xy[known])
    frame = gpd.GeoDataFrame(
        {
            "class_code": classes,
            "major_code": [c[:2] for c in classes],
            "reported_at": [start + timedelta(hours=i) for i in range(len(xy))],
        },
        index=pd.Index([f"c{i:06d}" for i in range(len(xy))], name="case_id"),
        geometry=geometry,
        crs=4490,
    )
    return layers.normalize(frame, layers.CASES)


def centres(cells: gpd.GeoDataFrame) -> np.ndarray:
    """Centres of the cells, shape (n, 2)."""
    return shapely.get_coordinates(shapely.centroid(cells.geometry.to_numpy()))


class Brute:
    """A locator by GEOS, lowest code first."""

    def __init__(self, cells: gpd.GeoDataFrame) -> None:
        self.codes = sorted(cells.index)
        self._shapes = cells.geometry.reindex(self.codes).to_numpy()

    def locate_many(self, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        tree = shapely.STRtree(self._shapes)
        point, cell = tree.query(shapely.points(lon, lat), predicate="intersects")
        found = np.full(len(lon), len(self.codes), dtype=np.int64)
        np.minimum.at(found, point, cell)
        return np.where(found == len(self.codes), -1, found).astype(np.int32)
