"""Turn a drawn polygon layer into an exact coverage, and account for every square metre moved.

Steps: make valid, estimate how far borders miss each other, snap and resolve overlaps in a
local plane of metres (GEOS ``coverage_clean``), round point by point to the storage lattice, give
split-off parts and narrow gaps to the neighbour with the longest shared border, fit the declared
territory, validate again. What would lose a cell, split it or fill a wide gap is asked, not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc.crs import STORAGE_EPSG, require_geographic
from gridsvc.errors import BadOption, CrsMismatch, Fault, RejectedRows
from gridsvc.quality.discrepancy import estimate_discrepancy
from gridsvc.quality.repair_account import finished
from gridsvc.quality.repair_result import RepairResult
from gridsvc.quality.repair_steps import RepairSteps, WideGaps
from gridsvc.types import Progress, no_progress


def repair(
    layer: gpd.GeoDataFrame,
    *,
    metric_epsg: int | None = None,
    snap_m: float | None = None,
    gap_width_m: float = 1.0,
    territory: Any = None,
    exclusions: gpd.GeoDataFrame | None = None,
    decisions: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
    fill_width_m: float | None = None,
    wide_gaps: WideGaps = "ask",
) -> RepairResult:
    """Return the layer as an exact coverage on the canonical lattice, with a log of every change.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons indexed by unique code, in any CRS that has one.
    metric_epsg : int, optional
        CRS of tolerances and areas; the zone of the data's centre by default.
    snap_m : float, optional
        Snapping distance in metres; 2.5 × the estimated discrepancy by default. Never GEOS' own
        default, which multiplies vertices and does not survive rounding.
    gap_width_m : float
        Width that the certificate will ask for; open inlets below it are closed.
    territory : Polygon or MultiPolygon, optional
        Declared territory (EPSG:4490) that the cells shall fill exactly.
    exclusions : GeoDataFrame, optional
        Registered exclusions: gaps inside them stay.
    decisions : mapping, optional
        Answers by cell code or gap key, see ``OpenDecision.options``.
    progress : Progress
    fill_width_m : float, optional
        Gaps up to this width (diameter of the largest inscribed circle) are filled unasked;
        default the larger of ``gap_width_m`` and 2 × the snapping distance.
    wide_gaps : {"ask", "fill", "exclude", "leave"}
        What happens to wider gaps without a decision.

    Returns
    -------
    RepairResult
        The same for the same input and options, byte for byte.

    Raises
    ------
    RejectedRows
        For repeated codes, missing shapes, coordinates that are not finite, points or lines.
    CrsMismatch
        If the layer has no CRS.
    InputError
        For impossible options, or when GEOS cannot clean the layer at any tolerance.
    """
    for name, value in (("snap_m", snap_m), ("fill_width_m", fill_width_m)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise BadOption(
                option=name,
                value=value,
                reason_zh="应为大于 0 的米数",
                reason_en="give metres, more than 0",
            )
    work = RepairSteps(_geographic(layer), metric_epsg, exclusions, decisions or {})
    progress("valid", 0.0)
    work.make_valid()
    work.obey()
    progress("clean", 0.1)
    discrepancy = estimate_discrepancy(work.ground())
    snap = discrepancy.snap_m if snap_m is None else snap_m
    fill = max(gap_width_m, 2.0 * snap) if fill_width_m is None else fill_width_m
    if not discrepancy.matched:
        snap = work.clean(snap, fill, retry=snap_m is None)
    progress("parts", 0.5)
    work.settle_parts(fill)
    if territory is not None:
        progress("territory", 0.6)
        work.fit(territory, fill, wide_gaps)
    progress("gaps", 0.65)
    work.settle_gaps(fill, wide_gaps)
    if work.close_inlets(gap_width_m):
        work.settle_parts(fill)
        work.settle_gaps(fill, wide_gaps)
    work.ensure_valid()
    work.refit(fill, wide_gaps)
    progress("log", 0.8)
    result = finished(work, discrepancy.metres, snap)
    progress("done", 1.0)
    return result


def _geographic(layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if layer.crs is None:
        raise CrsMismatch(found="no CRS", expected="any stated CRS")
    try:
        require_geographic(layer.crs)
    except CrsMismatch:
        layer = layer.to_crs(STORAGE_EPSG)
    faults = _faults(layer)
    if faults:
        raise RejectedRows(source="layer", faults=faults)
    return layer


def _faults(layer: gpd.GeoDataFrame) -> list[Fault]:
    shapes = np.asarray(layer.geometry.array, dtype=object)
    codes = [str(c) for c in layer.index]
    faults: list[Fault] = []
    if not len(layer):
        faults.append(
            Fault(None, None, "", "没有任何记录", "there is no record",
                  "请确认图层", "check the layer")
        )  # fmt: skip
    seen: dict[str, int] = {}
    finite = np.array([bool(np.isfinite(shapely.get_coordinates(g)).all()) for g in shapes])
    kinds = shapely.get_type_id(shapes)
    for row, code in enumerate(codes, start=1):
        shape = shapes[row - 1]
        if code in seen:
            faults.append(Fault(row, "code", code, f"编码与第 {seen[code]} 行重复",
                                f"the code repeats row {seen[code]}", "请改用新编号或合并",
                                "give it a code of its own or merge the rows"))  # fmt: skip
        seen.setdefault(code, row)
        if shape is None:
            faults.append(Fault(row, "geometry", code, "没有几何", "there is no shape",
                                "请补绘或删除该行", "draw it or delete the row"))  # fmt: skip
        elif not finite[row - 1]:
            faults.append(Fault(row, "geometry", code, "坐标含 NaN 或无穷大",
                                "a coordinate is NaN or infinite", "请重绘该面",
                                "draw the polygon again"))  # fmt: skip
        elif kinds[row - 1] not in (3, 6, 7):
            name = str(shape.geom_type)
            faults.append(Fault(row, "geometry", code, f"是 {name},网格必须是面",
                                f"is a {name}; cells must be polygons",
                                "请选择面图层,点和线另行导入",
                                "choose the polygon layer"))  # fmt: skip
    return faults
