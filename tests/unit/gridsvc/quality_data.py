"""Small hand-made coverages with one defect each, some 30 m wide cells near Sanming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc.crs import STORAGE_EPSG, canonical_geometry, to_storage

EPSG = 4548
EAST, NORTH = 563_000.0, 2_905_000.0


def metric(*rings: Sequence[tuple[float, float]]) -> shapely.Polygon:
    """Polygon of metres from the local origin; further rings are holes."""
    moved = [[(x + EAST, y + NORTH) for x, y in ring] for ring in rings]
    return shapely.Polygon(moved[0], moved[1:])


def square(x: float, y: float, size: float = 100.0, height: float | None = None) -> shapely.Polygon:
    top = y + (size if height is None else height)
    return metric([(x, y), (x + size, y), (x + size, top), (x, top)])


def stored(shape: Any) -> Any:
    return to_storage(shape, EPSG)


def frame(shapes: dict[str, Any], **columns: Any) -> gpd.GeoDataFrame:
    """Layer in EPSG:4490 of metric shapes by code."""
    geometry = canonical_geometry(
        np.array([to_storage(g, EPSG) for g in shapes.values()], dtype=object)
    )
    table = gpd.GeoDataFrame(columns, index=list(shapes), geometry=geometry, crs=STORAGE_EPSG)
    table.index.name = "code"
    return table


def four() -> dict[str, Any]:
    """Two by two squares of 100 m."""
    return {
        "a": square(0, 0),
        "b": square(100, 0),
        "c": square(0, 100),
        "d": square(100, 100),
    }
