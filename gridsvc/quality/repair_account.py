"""The account of a repair: what differs from the layer as it was drawn, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import STORAGE_EPSG, to_metric
from gridsvc.layers import EXCLUSIONS, normalize
from gridsvc.quality.border_rows import BorderRows
from gridsvc.quality.decisions import ask
from gridsvc.quality.ground_changes import ground_changes
from gridsvc.quality.repair_log import moved_area
from gridsvc.quality.repair_result import RepairResult
from gridsvc.quality.shapes import inside_of
from gridsvc.quality.true_areas import true_areas
from gridsvc.quality.vertex_changes import vertex_changes
from gridsvc.types import FloatArray, IntArray, ObjectArray

if TYPE_CHECKING:
    from gridsvc.quality.repair_steps import RepairSteps

_SHRUNK = 0.5


def finished(steps: RepairSteps, discrepancy: float, snap: float) -> RepairResult:
    """Log the difference to the input, ask about lost cells, build the frames.

    Parameters
    ----------
    steps : RepairSteps
        After its last step; its shapes become normalised.
    discrepancy, snap : float
        As reported, metres.
    """
    steps.shapes = _normalised(steps.shapes)
    _write_changes(steps)
    area = np.nan_to_num(shapely.area(to_metric(steps.shapes, steps.epsg)))
    _ask_lost(steps, area)
    kept = [i for i, c in enumerate(steps.codes) if c not in steps.dropped]
    shapes = np.array(
        [shapely.Polygon() if steps.shapes[i] is None else steps.shapes[i] for i in kept],
        dtype=object,
    )
    attributes = pd.DataFrame(steps.layer.drop(columns=steps.layer.geometry.name)).iloc[kept]
    log = steps.log.frame()
    total = float(area.sum())
    moved = moved_area(log)
    return RepairResult(
        cells=gpd.GeoDataFrame(attributes, geometry=shapes, crs=STORAGE_EPSG),
        log=log,
        decisions_needed=tuple(sorted(steps.open, key=lambda d: (d.kind, d.key))),
        discrepancy_m=discrepancy,
        snap_m=snap,
        moved_area_m2=moved,
        moved_share=moved / total if total else 0.0,
        registered_parts=_registered(steps, 1, shapely.get_num_geometries),
        registered_holes=_registered(steps, 0, _holes),
        exclusions=_all_exclusions(steps),
    )


def _write_changes(steps: RepairSteps) -> None:
    """Write a row for each face that changed hands and each vertex that differs."""
    changed = _changed(steps.drawn, steps.shapes)
    if len(changed) == 0:
        return
    given, after = steps.drawn[changed], steps.shapes[changed]
    before = _normalised(steps.before[changed])
    vertices = vertex_changes(given, before, after, steps.plane)
    then, now = steps.before.copy(), steps.shapes.copy()
    then[changed], now[changed] = vertices.before, vertices.after
    ground = ground_changes(
        vertices.changed,
        then,
        now,
        np.array(steps.filled, dtype=object),
        steps.plane,
        steps.epsg,
    )
    old, new = true_areas(before, steps.epsg), true_areas(after, steps.epsg)
    size_before, size_after = np.zeros((2, len(steps.codes)))
    size_before[changed], size_after[changed] = old, new
    codes = np.array([*steps.codes, None], dtype=object)
    cell = np.where(ground.loser >= 0, ground.loser, ground.taker)
    steps.log.extend(
        list(ground.action), list(codes[cell]), ground.face, area=ground.area, lost=ground.lost,
        gained=ground.gained, before=size_before[cell], after=size_after[cell],
        width=ground.width, gained_by=list(codes[ground.taker]),
    )  # fmt: skip
    names = [steps.codes[i] for i in changed]
    rows = BorderRows(names, given, before, after, (old, new), steps.plane, steps.epsg, steps.log)
    rows.write(vertices)


def _changed(drawn: ObjectArray, after: ObjectArray) -> IntArray:
    """Return the cells whose rings differ in more than direction and first vertex."""
    there = ~(shapely.is_missing(drawn) | shapely.is_missing(after))
    same = shapely.is_missing(drawn) & shapely.is_missing(after)
    same[there] = shapely.equals_exact(
        shapely.normalize(drawn[there]), shapely.normalize(after[there]), 0.0
    )
    return np.flatnonzero(~same)


def _normalised(shapes: ObjectArray) -> ObjectArray:
    result: ObjectArray = np.full(len(shapes), None, dtype=object)
    there = ~shapely.is_missing(shapes)
    result[there] = shapely.orient_polygons(shapely.normalize(shapes[there]))
    return result


def _registered(steps: RepairSteps, least: int, count: Any) -> tuple[str, ...]:
    """Return cells with more than ``least`` parts (holes) that had so before, or by decision."""
    found = set()
    for code, before, after in zip(steps.codes, steps.before, steps.shapes, strict=True):
        if before is None or after is None or count(after) <= least:
            continue
        if count(before) > least or code in steps.kept_parts:
            found.add(code)
    return tuple(sorted(found))


def _ask_lost(steps: RepairSteps, after: FloatArray) -> None:
    """Ask about cells that vanished or lost most of their ground."""
    asked = {d.key for d in steps.open}
    before = steps.area_before
    fewer: list[tuple[int, bool]] = []
    places: list[Any] = []
    for i, code in enumerate(steps.codes):
        old = steps.before[i]
        if old is None or code in asked or after[i] >= _SHRUNK * before[i]:
            continue
        if after[i] > 0.0 and code in steps.answers:
            continue
        new = shapely.Polygon() if steps.shapes[i] is None else steps.shapes[i]
        lost = shapely.difference(old, new)
        fewer.append((i, _beyond(steps, lost)))
        places.append(shapely.union_all(inside_of(shapely.get_parts(lost))))
    codes = [steps.codes[i] for i, _ in fewer]
    takers = steps.names(np.array(places, dtype=object), but=codes)
    for (i, outside), code, by in zip(fewer, codes, takers, strict=True):
        old = steps.before[i]
        if after[i] == 0.0:
            steps.open.append(ask("vanished", code, old, by=by, outside=outside))
        else:
            share = float(after[i] / before[i])
            steps.open.append(ask("shrunk", code, old, measure=share, by=by, outside=outside))


def _beyond(steps: RepairSteps, lost: Any) -> bool:
    """Return whether more than half of lost ground lies outside the territory."""
    if steps.territory is None:
        return False
    within = shapely.area(shapely.intersection(lost, steps.territory))
    return bool(within < 0.5 * shapely.area(lost))


def _all_exclusions(steps: RepairSteps) -> gpd.GeoDataFrame:
    rows = [
        {"exclusion_id": g["key"], "kind": "gap", "name": None, "reason": "导入时登记的空洞",
         "geometry": g["geometry"]}
        for g in steps.new_exclusions
    ]  # fmt: skip
    shapes = np.array([r.pop("geometry") for r in rows], dtype=object)
    columns = ["exclusion_id", "kind", "name", "reason"]
    table = pd.DataFrame(rows, columns=columns, dtype="str").set_index("exclusion_id")
    fresh = normalize(
        gpd.GeoDataFrame(table, geometry=shapes, crs=STORAGE_EPSG), EXCLUSIONS, source="gaps"
    )
    if steps.exclusions is None:
        return fresh
    if len(fresh) == 0:
        return steps.exclusions
    return gpd.GeoDataFrame(pd.concat([steps.exclusions, fresh]), crs=STORAGE_EPSG)


def _holes(shape: Any) -> int:
    return int(shapely.get_num_interior_rings(shapely.get_parts(shape)).sum())
