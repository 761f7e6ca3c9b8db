"""The certificate of a plan: six tests, with numbers, tolerances, digest and drawn findings.

``coverage_is_valid`` alone proves neither full coverage nor single parts nor codes; a certificate
holds only when all six tests pass (docs/adr/0003-certificate.md).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridsvc.crs import (
    LATTICE_PER_DEGREE,
    STORAGE_EPSG,
    metric_epsg_of,
    require_geographic,
    to_metric,
    transformer,
)
from gridsvc.crs import canonical as on_lattice
from gridsvc.errors import BadOption
from gridsvc.plan.version import CodeSystem
from gridsvc.quality.checks import (
    Shapes,
    check_exclusions,
    check_overlaps,
    check_parts,
    check_shapes,
    check_slivers,
    check_territory,
    union_and_gaps,
)
from gridsvc.quality.code_checks import check_areas, check_codes
from gridsvc.quality.findings import RULES, FindingList
from gridsvc.quality.repair_result import RepairResult
from gridsvc.quality.segments import SegmentTable
from gridsvc.quality.shapes import THIN_M, degrees_of
from gridsvc.types import Json, ObjectArray

_TESTS = (
    (1, "valid_shapes", "每个网格几何有效", "every cell is a valid polygon"),
    (2, "edges_match", "边界逐点一致,互不重叠", "edges match vertex by vertex, no overlap"),
    (3, "no_sliver", "没有窄于限值的缝隙", "no gap or sliver below the declared width"),
    (4, "full_coverage", "网格之并等于辖区", "the union of the cells is the territory"),
    (5, "single_parts", "每格一块且无洞(已登记者除外)", "one part, no hole, unless registered"),
    (6, "codes_nest", "编码唯一有效,上级等于下级之并", "codes unique and valid, parents nest"),
)
_LISTED = 500


@dataclass(frozen=True, slots=True)
class CertificateTest:
    """Outcome of one of the six tests.

    Attributes
    ----------
    number : int
    name, zh, en : str
    passed : bool
    findings, warnings : int
        Blocking findings and warnings of this test.
    """

    number: int
    name: str
    zh: str
    en: str
    passed: bool
    findings: int
    warnings: int


@dataclass(frozen=True)
class Certificate:
    """What was proved about a plan, or where the proof fails.

    Attributes
    ----------
    ok : bool
        Whether no blocking finding stands.
    tests : tuple of CertificateTest
        Six, in order.
    findings : GeoDataFrame
        Columns rule, severity, cells (codes joined by commas), measure, unit, message_zh,
        message_en, geometry (EPSG:4490; ``None`` where there is no place).
    figures : dict
        Counts, and areas in m² (metric CRS).
    tolerances : dict
        Gap width, rounding allowance and lattice that the tests used.
    digest : str
        SHA-256 of all distinct boundary segments; independent of row order and ring direction.
    versions : dict
        Libraries that did the work.
    at : datetime or None
        When, as given by the caller.
    territory : shapely MultiPolygon
        The declared territory, or the union of cells and exclusions when none was declared.
    """

    ok: bool
    tests: tuple[CertificateTest, ...]
    findings: gpd.GeoDataFrame
    figures: Json
    tolerances: Json
    digest: str
    versions: Json
    at: datetime | None
    territory: Any

    @property
    def blocking(self) -> gpd.GeoDataFrame:
        """Findings that stand in the way of publication."""
        return self.findings[self.findings["severity"] == "blocking"]

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules with blocking findings, in the order of the tests."""
        standing = set(self.blocking["rule"])
        return tuple(name for name in RULES if name in standing)

    def as_dict(self) -> Json:
        """Return the certificate as a JSON document; at most 500 findings, without geometry."""
        listed = self.findings.head(_LISTED)
        rows = pd.DataFrame(listed.drop(columns="geometry")).to_dict("records")
        for row in rows:
            if not np.isfinite(row["measure"]):
                row["measure"] = None
        return {
            "ok": self.ok,
            "at": None if self.at is None else self.at.isoformat(),
            "tests": [
                {
                    "number": t.number,
                    "name": t.name,
                    "zh": t.zh,
                    "en": t.en,
                    "passed": t.passed,
                    "findings": t.findings,
                    "warnings": t.warnings,
                }
                for t in self.tests
            ],
            "figures": self.figures,
            "tolerances": self.tolerances,
            "digest": self.digest,
            "versions": self.versions,
            "finding_count": len(self.findings),
            "finding_counts": {
                str(k): int(v) for k, v in sorted(self.findings["rule"].value_counts().items())
            },
            "findings": rows,
        }


def certify(
    cells: gpd.GeoDataFrame | RepairResult,
    *,
    territory: Any = None,
    exclusions: gpd.GeoDataFrame | None = None,
    gap_width_m: float = 1.0,
    metric_epsg: int | None = None,
    code_system: CodeSystem = "free",
    registered_parts: Collection[str] = (),
    registered_holes: Collection[str] = (),
    areas: gpd.GeoDataFrame | None = None,
    at: datetime | None = None,
) -> Certificate:
    """Put a plan's leaf cells to the six tests of the certificate.

    Parameters
    ----------
    cells : GeoDataFrame or RepairResult
        Indexed by code, polygons in EPSG:4490 (or 4326). Parent columns are checked if there.
        The result of ``repair`` brings its cells, its registered parts and holes and, unless
        ``exclusions`` are given, its exclusions: ``certify(repair(layer))``.
    territory : Polygon or MultiPolygon, optional
        Declared territory in EPSG:4490, exclusions included. Without it the territory is the
        union of cells and exclusions, and enclosed holes are gaps.
    exclusions : GeoDataFrame, optional
        Registered exclusions (contract EXCLUSIONS).
    gap_width_m : float
        Gaps and slivers narrower than this are findings, metres.
    metric_epsg : int, optional
        Metric CRS of areas and widths; the zone of the data's centre by default.
    code_system : {"cn", "free"}
    registered_parts, registered_holes : collection of str
        Codes of cells that may have several parts or holes (exclaves, enclaves).
    areas : GeoDataFrame, optional
        Materialised parents (contract AREAS) to compare with the union of their cells.
    at : datetime, optional
        Time to be written on the certificate; the result depends on nothing else but the input.

    Returns
    -------
    Certificate

    Raises
    ------
    CrsMismatch
        If the cells are not in geographic coordinates.
    InputError
        If ``gap_width_m`` is negative or not finite.
    """
    if isinstance(cells, RepairResult):
        registered_parts = {*registered_parts, *cells.registered_parts}
        registered_holes = {*registered_holes, *cells.registered_holes}
        if exclusions is None and len(cells.exclusions):
            exclusions = cells.exclusions
        cells = cells.cells
    require_geographic(cells.crs)
    if not np.isfinite(gap_width_m) or gap_width_m < 0:
        raise BadOption(
            option="gap_width_m",
            value=gap_width_m,
            reason_zh="应为不小于 0 的米数",
            reason_en="give metres, 0 or more",
        )
    found = FindingList()
    codes = [str(c) for c in cells.index]
    given = np.asarray(cells.geometry.array, dtype=object)
    sound = check_shapes(codes, given, found)
    usable = sound[~shapely.is_missing(sound)]
    if len(usable) == 0:
        found.add("no_cells", [], None)
        epsg = metric_epsg or 4548
    else:
        epsg = metric_epsg or metric_epsg_of(usable)
    shapes = Shapes(codes, sound, epsg, not found.rows)
    barred, names, excluded = _exclusions(exclusions)
    figures: Json = {
        "cells": len(codes),
        "vertices": int(shapely.get_num_coordinates(usable).sum()),
    }
    digest, covered, union = "", territory, np.empty(0, dtype=object)
    figures["overlap_m2"] = 0.0
    if len(usable):
        width = degrees_of(gap_width_m, usable)
        fine = bool(shapely.coverage_is_valid(usable, gap_width=width))
        matched = fine or bool(shapely.coverage_is_valid(usable))
        if not matched:
            figures["overlap_m2"] = check_overlaps(shapes, found)
        if not fine and gap_width_m > 0:
            check_slivers(shapes, gap_width_m, excluded, found, territory)
        union, gaps, table = union_and_gaps(shapes, matched)
        digest = table.digest()
        figures |= check_territory(shapes, union, gaps, territory, excluded, found)
        if territory is None:
            covered = _outline(union, excluded)
        if len(barred):
            check_exclusions(shapes, names, barred, found)
        check_parts(shapes, registered_parts, registered_holes, excluded, found)
        figures |= _measure(shapes, table, barred)
    check_codes(cells, code_system, found)
    if areas is not None and len(usable) == len(codes):
        check_areas(cells, areas, epsg, found)
    for column, name in (("community_code", "communities"), ("subdistrict_code", "subdistricts")):
        if column in cells.columns:
            figures[name] = int(cells[column].nunique())
    figures["registered_parts"] = len(set(registered_parts))
    figures["registered_holes"] = len(set(registered_holes))
    frame = found.frame()
    return Certificate(
        ok=not bool((frame["severity"] == "blocking").any()),
        tests=_outcomes(frame),
        findings=frame,
        figures=figures,
        tolerances={
            "gap_width_m": gap_width_m,
            "thin_piece_m": THIN_M,
            "lattice_degrees": 1.0 / LATTICE_PER_DEGREE,
            "metric_epsg": epsg,
            "code_system": code_system,
        },
        digest=digest,
        versions=versions(),
        at=at,
        territory=covered,
    )


def _exclusions(frame: gpd.GeoDataFrame | None) -> tuple[ObjectArray, list[str], Any]:
    if frame is None or len(frame) == 0:
        return np.empty(0, dtype=object), [], None
    require_geographic(frame.crs)
    areas = np.asarray(frame.geometry.array, dtype=object)
    keep = ~(shapely.is_missing(areas) | shapely.is_empty(areas))
    names = [str(k) for k in frame.index[keep]]
    areas = shapely.make_valid(areas[keep], method="structure")
    return areas, names, shapely.union_all(areas) if len(areas) else None


def _outline(parts: ObjectArray, excluded: Any) -> Any:
    if excluded is None:
        return shapely.multipolygons(list(parts))
    whole = shapely.union_all([shapely.multipolygons(list(parts)), excluded])
    return shapely.multipolygons(
        [p for p in shapely.get_parts(whole) if shapely.get_type_id(p) == 3]
    )


def _measure(shapes: Shapes, table: SegmentTable, barred: ObjectArray) -> Json:
    present = np.flatnonzero(~shapely.is_missing(shapes.sound))
    points = table.points
    x, y = transformer(STORAGE_EPSG, shapes.metric_epsg).transform(points[:, 0], points[:, 1])
    area = table.areas(len(present), np.column_stack([x, y]))
    least = int(np.argmin(area))
    excluded = to_metric(barred, shapes.metric_epsg) if len(barred) else barred
    return {
        "distinct_vertices": len(points),
        "vertices_off_lattice": int((on_lattice(points) != points).any(axis=1).sum()),
        "area_m2": float(area.sum()),
        "smallest_cell_m2": float(area[least]),
        "smallest_cell": shapes.codes[int(present[least])],
        "largest_cell_m2": float(area.max()),
        "exclusions": len(barred),
        "exclusion_area_m2": float(shapely.area(excluded).sum()) if len(barred) else 0.0,
    }


def _outcomes(frame: gpd.GeoDataFrame) -> tuple[CertificateTest, ...]:
    number = frame["rule"].map({name: rule.test for name, rule in RULES.items()})
    hard = frame["severity"] == "blocking"
    outcomes = []
    for test, name, zh, en in _TESTS:
        here = number == test
        failed = int((here & hard).sum())
        outcomes.append(
            CertificateTest(test, name, zh, en, failed == 0, failed, int((here & ~hard).sum()))
        )
    return tuple(outcomes)


def versions() -> dict[str, str]:
    """Return the versions of the libraries behind a certificate or a repair."""
    return {
        "shapely": shapely.__version__,
        "geos": shapely.geos_version_string,
        "numpy": np.__version__,
        "pyproj": pyproj.__version__,
        "proj": pyproj.proj_version_str,
    }
