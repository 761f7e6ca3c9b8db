"""Polygons that can be worked with: valid, without lines, without pieces thin as rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.crs import canonical, to_metric
from gridsvc.errors import InputError
from gridsvc.quality.segments import ordered
from gridsvc.types import FloatArray, ObjectArray

THIN_M = 1e-3
"""Pieces of mean width (2 × area / length) up to this many metres are rounding, not findings."""
_METRES_PER_DEGREE = 110_574.0
"""Shortest metre length of one degree of latitude (at the equator)."""
_POLYGON = 3
_COARSER = 5


@dataclass(frozen=True, slots=True)
class LocalPlane:
    """Metres by scaling degrees: straight edges stay straight, unlike under a projection.

    A point on an edge in this plane is on the same edge in longitude/latitude, so nodes that the
    cleaner inserts lie where they are served. Lengths are true near the middle latitude and off by
    the change of its cosine elsewhere (1 % at 0.6° from 45°), which a tolerance can bear.

    Attributes
    ----------
    east_m, north_m : float
        Metres per degree of longitude and latitude.
    """

    east_m: float
    north_m: float

    @classmethod
    def of(cls, shapes: ObjectArray) -> LocalPlane:
        """Return the plane of the middle latitude of the shapes."""
        _, south, _, north = shapely.total_bounds(shapes)
        middle = math.radians(min(max((south + north) / 2.0, -85.0), 85.0))
        north_m = 111_132.954 - 559.822 * math.cos(2.0 * middle)
        east_m = 111_412.84 * math.cos(middle) - 93.5 * math.cos(3.0 * middle)
        return cls(east_m, north_m)

    def to(self, shapes: ObjectArray) -> ObjectArray:
        """Return longitude/latitude shapes in metres."""
        scale = np.array([self.east_m, self.north_m])
        scaled: ObjectArray = shapely.transform(shapes, lambda xy: xy * scale)
        return scaled

    def back(self, shapes: ObjectArray) -> ObjectArray:
        """Return shapes in metres as longitude/latitude on the canonical lattice."""
        scale = np.array([self.east_m, self.north_m])
        degrees: ObjectArray = shapely.transform(shapes, lambda xy: canonical(xy / scale))
        return degrees


def inside_of(shapes: Any) -> Any:
    """Return a point inside each shape; degenerate ones get an empty point without a warning."""
    with np.errstate(invalid="ignore"):
        return shapely.point_on_surface(shapes)


def polygonal(shape: Any) -> Any:
    """Return only the polygons of a geometry as Polygon or MultiPolygon, ``None`` if none."""
    if shape is None or shapely.is_empty(shape):
        return None
    parts = [
        p
        for part in shapely.get_parts(shape)
        for p in shapely.get_parts(part)
        if shapely.get_type_id(p) == _POLYGON and not shapely.is_empty(p)
    ]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def mended(shape: Any) -> Any:
    """Return the polygonal part of a made-valid shape, ``None`` if nothing usable is left."""
    if shape is None or not np.isfinite(shapely.get_coordinates(shape)).all():
        return None
    try:
        fixed = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    except shapely.GEOSException:
        return None
    return polygonal(fixed)


def usable_polygons(shapes: ObjectArray) -> ObjectArray:
    """Return each shape as a valid Polygon or MultiPolygon, ``None`` where nothing is left."""
    result: ObjectArray = np.array(shapes, dtype=object)
    valid = shapely.is_valid(result)
    plain = valid & (shapely.get_type_id(result) == _POLYGON) & ~shapely.is_empty(result)
    for i in np.flatnonzero(~plain):
        shape = polygonal(result[i]) if valid[i] else mended(result[i])
        # The polygons of a valid collection may overlap each other.
        sound = shape is None or shapely.is_valid(shape)
        result[i] = shape if sound else mended(shape)
    return result


def wide(shapes: Any, metric_epsg: int, least_m: float = THIN_M) -> tuple[ObjectArray, FloatArray]:
    """Return the polygon parts whose mean width exceeds ``least_m`` and their areas in m².

    The width is measured in the local plane: a node on a long straight edge of longitude/latitude
    lies millimetres beside the projected edge, and would make a finding of nothing.
    """
    flat = shapely.get_parts(shapely.get_parts(np.atleast_1d(np.asarray(shapes, dtype=object))))
    flat = flat[(shapely.get_type_id(flat) == _POLYGON) & ~shapely.is_empty(flat)]
    if len(flat) == 0:
        return np.empty(0, dtype=object), np.empty(0)
    flat = ordered(flat)
    ground = LocalPlane.of(flat).to(flat)
    flat = flat[2.0 * shapely.area(ground) > least_m * shapely.length(ground)]
    return flat, shapely.area(to_metric(flat, metric_epsg))


def degrees_of(metres: float, shapes: ObjectArray) -> float:
    """Return a width in degrees that is at least ``metres`` in every direction of the data."""
    _, south, _, north = shapely.total_bounds(shapes)
    farthest = min(max(abs(south), abs(north)), 89.0)
    return metres / (_METRES_PER_DEGREE * math.cos(math.radians(farthest)))


def coverage_clean(metric: ObjectArray, snap: float) -> ObjectArray:
    """Run GEOS' cleaner, coarser each time it fails on the shapes."""
    tolerance = snap
    for _ in range(_COARSER):
        try:
            cleaned = shapely.coverage_clean(  # type: ignore[attr-defined]
                metric, snapping_distance=tolerance, gap_width=0.0
            )
            return np.array(cleaned, dtype=object)
        except shapely.GEOSException as error:
            failure = str(error)
            tolerance *= 4.0
    raise InputError(
        reason_zh=f"图层无法清理:{failure[:200]}",
        reason_en=f"the layer cannot be cleaned: {failure[:200]}",
    )


def inscribed_width(metric: Any) -> float:
    """Return the diameter of the largest circle inside a metric polygon, in metres."""
    length = float(shapely.length(metric))
    tolerance = max(1e-3, length / 2000.0)
    return 2.0 * float(shapely.length(shapely.maximum_inscribed_circle(metric, tolerance)))


def gap_key(piece: Any) -> str:
    """Return the key of a gap: ``gap@lon,lat`` of a point inside it, the same in every run."""
    point = shapely.point_on_surface(piece)
    return f"gap@{shapely.get_x(point):.6f},{shapely.get_y(point):.6f}"
