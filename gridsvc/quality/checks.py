"""The geometric tests of the certificate: valid shapes, matched edges, no gap, territory covered.

All tests but the width of gaps run in the stored plane (longitude/latitude), because what is
served is what is certified. The fast path needs no geometric union: see ``segments``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.crs import to_metric, to_storage
from gridsvc.quality.findings import FindingList, place_of
from gridsvc.quality.segments import SegmentTable, ordered
from gridsvc.quality.shapes import THIN_M, inside_of, mended, polygonal, wide
from gridsvc.quality.slivers import narrow_spaces
from gridsvc.types import ObjectArray

_POLYGON, _MULTIPOLYGON = 3, 6


@dataclass(frozen=True)
class Shapes:
    """Cells taken apart for the tests.

    Attributes
    ----------
    codes : list of str
    sound : array of valid polygons in EPSG:4490, ``None`` where a shape cannot be used
    metric_epsg : int
    all_valid : bool
        Whether every shape was used as given.
    """

    codes: list[str]
    sound: ObjectArray
    metric_epsg: int
    all_valid: bool

    def names(self, positions: Any) -> list[str]:
        """Return the codes at these positions, ascending and distinct."""
        return sorted({self.codes[int(i)] for i in positions})


def check_shapes(codes: list[str], shapes: ObjectArray, found: FindingList) -> ObjectArray:
    """Test 1: every cell a valid polygon with an area. Returns shapes that can be worked with."""
    sound = shapes.copy()
    kinds = shapely.get_type_id(shapes)
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    for i in np.flatnonzero(empty):
        found.add("empty_geometry", [codes[i]], None, measure=0.0)
        sound[i] = None
    foreign = ~empty & ~np.isin(kinds, (_POLYGON, _MULTIPOLYGON))
    for i in np.flatnonzero(foreign):
        found.add("not_polygon", [codes[i]], place_of(shapes[i]), detail=shapes[i].geom_type)
        sound[i] = None
    usable = ~empty & ~foreign
    invalid = np.flatnonzero(usable & ~shapely.is_valid(shapes))
    for i in invalid:
        reason = str(shapely.is_valid_reason(shapes[i]))
        found.add("invalid_geometry", [codes[i]], place_of(shapes[i]), detail=reason)
        sound[i] = mended(shapes[i])
    return sound


def check_overlaps(shapes: Shapes, found: FindingList) -> float:
    """Test 2 in detail: draw overlaps and unmatched edges. Returns the overlap in m²."""
    present = np.flatnonzero(~shapely.is_missing(shapes.sound))
    sound = shapes.sound[present]
    edges = shapely.coverage_invalid_edges(sound)
    bad = np.flatnonzero(~(shapely.is_missing(edges) | shapely.is_empty(edges)))
    tree = shapely.STRtree(sound)
    left, right = tree.query(sound[bad], predicate="intersects")
    left = bad[left]
    one, two = np.minimum(left, right), np.maximum(left, right)
    pairs = np.unique(np.column_stack([one, two])[one != two], axis=0)
    total, touched = 0.0, set()
    for i, j in pairs:
        common = polygonal(_meet(sound[i], sound[j]))
        if common is None:
            continue
        ground = to_metric(common, shapes.metric_epsg)
        area = float(shapely.area(ground))
        total += area
        if 2.0 * area > THIN_M * float(shapely.length(ground)):
            touched |= {int(i), int(j)}
            found.add("overlap", shapes.names(present[[i, j]]), common, measure=area)
    for i in bad:
        if int(i) not in touched:
            length = float(shapely.length(to_metric(edges[i], shapes.metric_epsg)))
            found.add("unmatched_edge", shapes.names(present[[i]]), edges[i], measure=length)
    return total


def _meet(one: Any, two: Any) -> Any:
    try:
        return shapely.intersection(one, two)
    except shapely.GEOSException:
        return shapely.intersection(one, two, grid_size=1e-9)


def check_slivers(
    shapes: Shapes, gap_width_m: float, excluded: Any, found: FindingList, territory: Any = None
) -> None:
    """Test 3 in detail: draw the spaces narrower than ``gap_width_m``.

    A narrow inlet of a declared territory is its shape, not a gap of the plan.
    """
    present = np.flatnonzero(~shapely.is_missing(shapes.sound))
    metric = to_metric(shapes.sound[present], shapes.metric_epsg)
    rivers = None
    if excluded is not None:
        rivers = shapely.buffer(to_metric(excluded, shapes.metric_epsg), THIN_M)
    for space, cells in narrow_spaces(metric, gap_width_m):
        if rivers is not None and shapely.covered_by(space, rivers):
            continue
        place = to_storage(space, shapes.metric_epsg)
        if territory is not None:
            inner = shapely.intersection(shapely.make_valid(place), territory)
            if len(wide(inner, shapes.metric_epsg)[0]) == 0:
                continue
        found.add(
            "sliver",
            shapes.names(present[cells]),
            place,
            measure=float(shapely.area(space)),
            detail=f"{gap_width_m:g}",
        )


def union_and_gaps(shapes: Shapes, matched: bool) -> tuple[ObjectArray, ObjectArray, SegmentTable]:
    """Return the parts of the cells' union, its enclosed gaps, and the segment table.

    Parameters
    ----------
    matched : bool
        Whether the cells are an edge-matched coverage. Then the union is read from the segments;
        otherwise GEOS overlays the cells, which takes several times longer.
    """
    sound = shapes.sound[~shapely.is_missing(shapes.sound)]
    table = SegmentTable.of(sound)
    if matched:
        faces = table.faces()
        if len(faces) == 0:
            return faces, faces, table
        inside = inside_of(faces)
        hit = np.zeros(len(faces), dtype=bool)
        hit[shapely.STRtree(sound).query(inside, predicate="intersects")[0]] = True
        return faces[hit], faces[~hit], table
    try:
        whole = shapely.union_all(sound)
    except shapely.GEOSException:
        whole = shapely.union_all(sound, grid_size=1e-9)
    parts = shapely.get_parts(whole)
    parts = parts[shapely.get_type_id(parts) == _POLYGON]
    holes = np.array(
        [
            shapely.polygons(ring)
            for part in parts
            for ring in shapely.get_rings(part)[1:]
        ],
        dtype=object,
    )  # fmt: skip
    if len(holes):
        islands = shapely.STRtree(parts)
        for k, hole in enumerate(holes):
            inner = parts[np.sort(islands.query(hole, predicate="contains"))]
            if len(inner):
                holes[k] = shapely.difference(hole, shapely.union_all(inner))
        holes = ordered(holes)
    return ordered(parts) if len(parts) else parts, holes, table


def check_territory(
    shapes: Shapes,
    parts: ObjectArray,
    gaps: ObjectArray,
    territory: Any,
    excluded: Any,
    found: FindingList,
) -> dict[str, float]:
    """Test 4: cells and exclusions cover the territory, nothing reaches beyond it.

    Returns
    -------
    dict
        Areas in m²: ``gap_m2``, ``uncovered_m2``, ``outside_m2``.
    """
    present = np.flatnonzero(~shapely.is_missing(shapes.sound))
    tree = shapely.STRtree(shapes.sound[present])
    epsg = shapes.metric_epsg

    def near(piece: Any) -> list[str]:
        hit = tree.query(piece, predicate="intersects")
        return shapes.names(present[hit])

    open_gaps = np.asarray(gaps, dtype=object)
    if excluded is not None and len(open_gaps):
        open_gaps = np.asarray(shapely.difference(open_gaps, excluded), dtype=object)
    pieces, areas = wide(open_gaps, epsg)
    for gap in gaps:
        # A face thinner than the lattice allows comes from a node that one side lacks.
        if len(wide(gap, epsg)[0]) == 0:
            length = float(shapely.length(to_metric(gap, epsg))) / 2.0
            found.add("unmatched_edge", near(gap), shapely.boundary(gap), measure=length)
    for piece, area in zip(pieces, areas, strict=True):
        found.add("gap", near(piece), piece, measure=float(area))
    figures = {"gap_m2": float(areas.sum()), "uncovered_m2": 0.0, "outside_m2": 0.0}
    if territory is None:
        return figures
    whole = shapely.multipolygons(list(parts)) if len(parts) else shapely.Polygon()
    if _same(whole, territory):
        return figures
    missing = shapely.difference(territory, whole)
    if excluded is not None:
        missing = shapely.difference(missing, excluded)
    if len(pieces):
        missing = shapely.difference(missing, shapely.union_all(pieces))
    for piece, area in zip(*wide(missing, epsg), strict=True):
        figures["uncovered_m2"] += float(area)
        found.add("uncovered_territory", near(piece), piece, measure=float(area))
    for piece, area in zip(*wide(shapely.difference(whole, territory), epsg), strict=True):
        figures["outside_m2"] += float(area)
        inside = inside_of(piece)
        found.add("outside_territory", near(inside), piece, measure=float(area))
    return figures


def _same(one: Any, two: Any) -> bool:
    a, b = (
        shapely.normalize(shapely.multipolygons(list(shapely.get_parts(g)))) for g in (one, two)
    )
    return bool(shapely.equals_exact(a, b, 0.0))


def check_exclusions(
    shapes: Shapes, names: list[str], areas: ObjectArray, found: FindingList
) -> None:
    """Warn where a cell covers part of a registered exclusion."""
    present = np.flatnonzero(~shapely.is_missing(shapes.sound))
    sound = shapes.sound[present]
    which, cell = shapely.STRtree(sound).query(areas, predicate="intersects")
    for k, i in sorted(zip(which.tolist(), cell.tolist(), strict=True)):
        for piece, area in zip(
            *wide(_meet(sound[i], areas[k]), shapes.metric_epsg), strict=True
        ):  # fmt: skip
            if area > 1.0:
                found.add(
                    "over_exclusion", shapes.names(present[[i]]), piece,
                    measure=float(area), detail=names[k],
                )  # fmt: skip


def check_parts(
    shapes: Shapes,
    registered_parts: Collection[str],
    registered_holes: Collection[str],
    excluded: Any,
    found: FindingList,
) -> None:
    """Test 5: one part per cell and no hole, unless registered or an exclusion fills it."""
    count = shapely.get_num_geometries(shapes.sound)
    allowed = set(map(str, registered_parts))
    for i in np.flatnonzero(count > 1):
        if shapes.codes[i] not in allowed:
            found.add("multipart", [shapes.codes[i]], shapes.sound[i], measure=float(count[i]))
    parts, cell = shapely.get_parts(shapes.sound, return_index=True)
    allowed = set(map(str, registered_holes))
    for k in np.flatnonzero(shapely.get_num_interior_rings(parts) > 0):
        code = shapes.codes[int(cell[k])]
        if code in allowed:
            continue
        for ring in shapely.get_rings(parts[k])[1:]:
            hole = shapely.polygons(ring)
            rest = hole if excluded is None else shapely.difference(hole, excluded)
            if len(wide(rest, shapes.metric_epsg)[0]) == 0:
                continue
            area = float(shapely.area(to_metric(hole, shapes.metric_epsg)))
            found.add("hole", [code], hole, measure=area)
