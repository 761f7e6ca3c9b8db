"""Coordinate systems: one storage system, one metric system per scheme, canonical coordinates.

Geometry is stored as longitude/latitude in EPSG:4490 on the 1e-9° lattice (about 0.1 mm).
Lengths and areas are computed in the CGCS2000 3-degree zone of the data (EPSG:4534–4554, without
zone prefix in the easting); outside China in the UTM zone. Axis order is x = longitude or easting
first everywhere (``always_xy=True``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer

from gridsvc.errors import CrsMismatch
from gridsvc.types import FloatArray

STORAGE_EPSG = 4490
LATTICE_PER_DEGREE = 1e9
_GEOGRAPHIC_OK = {4490, 4326, 3824, 4979}


def canonical(values: FloatArray | float) -> FloatArray:
    """Round degrees to the canonical double nearest to the 1e-9° lattice.

    ``round(x * 1e9) / 1e9`` gives one spelling per lattice value, so that equal places are equal
    bit by bit. Idempotent.
    """
    return np.asarray(
        np.round(np.asarray(values, dtype=np.float64) * LATTICE_PER_DEGREE) / LATTICE_PER_DEGREE
    )


def canonical_geometry(geometry: Any) -> Any:
    """Round each coordinate of a geometry or array of geometries to the lattice, point by point.

    Rounding never looks at rings as a whole, so equal coordinates of neighbours stay equal.
    Consecutive vertices that fall together are kept; callers validate afterwards.
    """
    return shapely.transform(geometry, canonical)


def zone_epsg(lon: float, lat: float) -> int:
    """Return the metric EPSG code for a place.

    In and near China the CGCS2000 3-degree zone by central meridian (zone = round(lon / 3));
    elsewhere WGS-84 / UTM.

    Examples
    --------
    >>> zone_epsg(117.63, 26.26), zone_epsg(120.7, 28.0), zone_epsg(-71.06, 42.36)
    (4548, 4549, 32619)
    """
    if 72.0 <= lon <= 138.0 and 3.0 <= lat <= 54.0:
        zone = min(max(round(lon / 3), 25), 45)
        return 4534 + zone - 25
    utm = min(int((lon + 180.0) // 6.0) + 1, 60)
    return (32600 if lat >= 0 else 32700) + utm


def metric_epsg_of(geometries: Any) -> int:
    """Return the metric EPSG code chosen from the centre of lon/lat geometries."""
    west, south, east, north = shapely.total_bounds(np.asarray(geometries, dtype=object))
    return zone_epsg((west + east) / 2.0, (south + north) / 2.0)


@lru_cache(maxsize=64)
def transformer(source: int | str, target: int | str) -> Transformer:
    """Return a cached transformer with x (longitude, easting) first on both sides."""
    return Transformer.from_crs(source, target, always_xy=True)


def to_metric(geometries: Any, epsg: int) -> Any:
    """Project stored lon/lat geometries to a metric system, in metres."""
    return _project(geometries, STORAGE_EPSG, epsg)


def to_storage(geometries: Any, epsg: int) -> Any:
    """Project metric geometries back to stored lon/lat on the canonical lattice."""
    return canonical_geometry(_project(geometries, epsg, STORAGE_EPSG))


def _project(geometries: Any, source: int, target: int) -> Any:
    step = transformer(source, target)

    def move(xy: FloatArray) -> FloatArray:
        x, y = step.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([x, y])

    return shapely.transform(geometries, move)


def require_geographic(crs: Any) -> None:
    """Check that a frame is in lon/lat that equals the storage system.

    Raises
    ------
    CrsMismatch
        Unless the system is EPSG:4490, 4326 or an equal one.
    """
    if crs is None:
        raise CrsMismatch(found="no CRS", expected="EPSG:4490 or EPSG:4326")
    parsed = CRS.from_user_input(crs)
    if parsed.to_epsg() in _GEOGRAPHIC_OK or "CRS84" in parsed.to_string():
        return
    raise CrsMismatch(found=parsed.to_string()[:60], expected="EPSG:4490 or EPSG:4326")
