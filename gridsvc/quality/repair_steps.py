"""The steps of a repair, in the order in which ``repair`` calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import shapely

from gridsvc.crs import (
    canonical_geometry,
    metric_epsg_of,
    require_geographic,
    to_metric,
)
from gridsvc.layers import EXCLUSIONS, normalize
from gridsvc.quality.absorb import absorb
from gridsvc.quality.decisions import OpenDecision, ask, check_decisions
from gridsvc.quality.discrepancy import LEAST_SNAP_M
from gridsvc.quality.repair_log import RepairLog
from gridsvc.quality.rim import fit_rim, fits
from gridsvc.quality.segments import SegmentTable, ordered
from gridsvc.quality.shapes import (
    THIN_M,
    LocalPlane,
    coverage_clean,
    degrees_of,
    gap_key,
    inscribed_width,
    inside_of,
    polygonal,
    usable_polygons,
    wide,
)
from gridsvc.quality.slivers import narrow_spaces
from gridsvc.quality.true_areas import true_areas
from gridsvc.types import FloatArray, ObjectArray

WideGaps = Literal["ask", "fill", "exclude", "leave"]
_ROUNDS = 5
_RETRIES = 4
_COLLECTION = 7


class RepairSteps:
    """State of one repair: shapes by position, the log, questions and answers."""

    def __init__(
        self,
        layer: gpd.GeoDataFrame,
        metric_epsg: int | None,
        exclusions: gpd.GeoDataFrame | None,
        decisions: Mapping[str, str],
    ) -> None:
        self.layer = layer
        self.codes = [str(c) for c in layer.index]
        given = shapely.force_2d(np.asarray(layer.geometry.array, dtype=object))
        self.given: ObjectArray = canonical_geometry(given)
        self.drawn: ObjectArray = self.given.copy()
        full = given[~shapely.is_empty(given)]
        if not len(full) and metric_epsg is None:
            metric_epsg = 4548
        self.epsg = metric_epsg or metric_epsg_of(full)
        self.answers = check_decisions(decisions, set(self.codes))
        self.log = RepairLog()
        self.open: list[OpenDecision] = []
        self.filled: list[Any] = []
        self.seen: set[str] = set()
        self.touched = False
        self.territory: Any = None
        self.plane = LocalPlane.of(full if len(full) else np.array([shapely.Point(0, 0)]))
        self._ground: ObjectArray | None = None
        self.area_before = np.zeros(len(self.codes))
        self.dropped = {c for c, a in self.answers.items() if a == "drop"}
        self.before = self.given.copy()
        self.shapes = self.given.copy()
        self.parts_before = np.zeros(len(self.codes), dtype=np.int64)
        self.kept_parts: set[str] = set()
        self.exclusions = self._excluded(exclusions)
        self.new_exclusions: list[dict[str, Any]] = []

    @staticmethod
    def _excluded(frame: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
        if frame is None or len(frame) == 0:
            return None
        require_geographic(frame.crs)
        return normalize(frame, EXCLUSIONS, source="exclusions")

    @property
    def barred(self) -> Any:
        """Union of the given exclusions or ``None``."""
        if self.exclusions is None:
            return None
        shapes = np.asarray(self.exclusions.geometry.array, dtype=object)
        return shapely.union_all(shapely.make_valid(shapes, method="structure"))

    def ground(self) -> ObjectArray:
        """Shapes that have an area, in metres of the local plane; scaled once until they change."""
        if self._ground is None:
            self._ground = self.plane.to(self.shapes[~shapely.is_missing(self.shapes)])
        return self._ground

    def names(self, pieces: ObjectArray, *, but: Sequence[str] | None = None) -> list[str]:
        """Codes of the cells that touch each piece, without one of them, at most five.

        All pieces of a step are asked about together: the tree of the cells is built once.
        """
        if not len(pieces):
            return []
        touching: list[set[str]] = [set() for _ in pieces]
        pairs = shapely.STRtree(self.shapes).query(pieces, predicate="intersects")
        for piece, cell in pairs.T.tolist():
            touching[piece].add(self.codes[cell])
        if but is not None:
            touching = [found - {code} for found, code in zip(touching, but, strict=True)]
        return ["、".join(sorted(found)[:5]) for found in touching]

    # --- steps ------------------------------------------------------------------------------

    def make_valid(self) -> None:
        """Make each shape valid, keep polygons only, log what changed."""
        mixed = shapely.get_type_id(self.given) == _COLLECTION
        for i in np.flatnonzero(mixed):
            self.drawn[i] = polygonal(self.given[i])
        valid = shapely.is_valid(self.drawn)
        self.shapes = _on_lattice(self.drawn)
        ground = self.ground()
        thin = 2.0 * shapely.area(ground) <= THIN_M * shapely.length(ground)
        if thin.any():
            self.shapes[np.flatnonzero(~shapely.is_missing(self.shapes))[thin]] = None
            self._ground = None
        after: FloatArray = np.asarray(
            np.nan_to_num(shapely.area(to_metric(self.shapes, self.epsg)))
        )
        self.area_before = after
        for i in np.flatnonzero(shapely.is_missing(self.shapes) | mixed | ~valid):
            code, fixed = self.codes[i], self.shapes[i]
            if code in self.dropped:
                continue
            if fixed is None:
                self.open.append(ask("no_area", code, None))
                continue
            before, now = true_areas(np.array([self.drawn[i], fixed], dtype=object), self.epsg)
            if not valid[i]:
                reason = str(shapely.is_valid_reason(self.drawn[i]))
                self.log.add("made_valid", code, fixed, area=abs(now - before),
                             lost=max(before - now, 0.0), gained=max(now - before, 0.0),
                             before=before, after=now, gained_by=code, detail=reason)  # fmt: skip
            if mixed[i]:
                self.log.add("lines_dropped", code, _lines(self.given[i]), before=before,
                             after=now)  # fmt: skip
        self.before = self.shapes.copy()
        counts = shapely.get_num_geometries(self.shapes)
        self.parts_before = np.where(shapely.is_missing(self.shapes), 0, counts)

    def obey(self) -> None:
        """Drop the cells that shall go and carve the ones that shall keep their shape."""
        for i, code in enumerate(self.codes):
            if code in self.dropped:
                shape = self.shapes[i]
                area = float(true_areas(self.shapes[i : i + 1], self.epsg)[0])
                self.log.add("dropped", code, shape, area=area, lost=area, before=area,
                             after=0.0)  # fmt: skip
                self.shapes[i] = None
                self.before[i] = None
                self._ground = None
        for i, code in enumerate(self.codes):
            if self.answers.get(code) != "carve" or self.shapes[i] is None:
                continue
            tree = shapely.STRtree(self.shapes)
            for j in np.sort(tree.query(self.shapes[i], predicate="intersects")):
                if j != i and self.answers.get(self.codes[int(j)]) != "carve":
                    rest = shapely.difference(self.shapes[j], self.shapes[i])
                    self.shapes[j] = polygonal(canonical_geometry(rest))
                    self._ground = None

    def clean(self, snap: float, fill: float, *, retry: bool) -> float:
        """Snap and resolve overlaps.

        When cells vanish or fall apart at the given distance, down to an eighth of it is tried:
        the largest distance with the fewest losses is taken. Returns the distance used.
        """
        present = np.flatnonzero(~shapely.is_missing(self.shapes))
        best: tuple[int, float, ObjectArray] | None = None
        for halving in range(_RETRIES if retry else 1):
            tolerance = max(LEAST_SNAP_M, snap / 2**halving)
            shapes = self._cleaned(self.shapes[present], tolerance, self.ground())
            losses = self._losses(present, shapes, fill)
            if best is None or losses < best[0]:
                best = (losses, tolerance, shapes)
            if losses == 0 or tolerance == LEAST_SNAP_M:
                break
        if best is None:
            return snap
        self.shapes[present] = best[2]
        self._ground = None
        return best[1]

    def _cleaned(
        self, shapes: ObjectArray, tolerance: float, ground: ObjectArray | None = None
    ) -> ObjectArray:
        """Clean in the local plane and round to the lattice until the edges match there too."""
        current = shapes
        for _ in range(_ROUNDS):
            full = np.flatnonzero(~shapely.is_missing(current))
            drawn = self.plane.to(current[full]) if ground is None else ground
            ground = None
            stored = self.plane.back(coverage_clean(drawn, tolerance))
            result = np.full(len(current), None, dtype=object)
            result[full] = usable_polygons(stored)
            current = result
            if self._matched(current[~shapely.is_missing(current)]):
                break
            tolerance = LEAST_SNAP_M
        return current

    def _losses(self, present: Any, shapes: ObjectArray, fill: float) -> int:
        """Count cells that vanished, and parts that split off and are too wide to be slivers."""
        lost = int(shapely.is_missing(shapes).sum())
        counts = shapely.get_num_geometries(shapes)
        for k in np.flatnonzero(counts > np.maximum(self.parts_before[present], 1)):
            parts = to_metric(shapely.get_parts(shapes[k]), self.epsg)
            width = np.sort(2.0 * shapely.area(parts) / shapely.length(parts))[::-1]
            lost += int((width[self.parts_before[present[k]] :] > fill).sum())
        return lost

    @staticmethod
    def _matched(shapes: ObjectArray) -> bool:
        return bool(shapely.is_valid(shapes).all()) and bool(shapely.coverage_is_valid(shapes))

    def settle_parts(self, fill: float) -> None:
        """Give parts that a cell did not have before to neighbours, or ask."""
        counts = shapely.get_num_geometries(self.shapes)
        counts = np.where(shapely.is_missing(self.shapes), 0, counts)
        pieces: list[Any] = []
        for i in np.flatnonzero((counts > self.parts_before) & (counts > 1)):
            code = self.codes[int(i)]
            answer = self.answers.get(code)
            parts = shapely.get_parts(self.shapes[i])
            metric = to_metric(parts, self.epsg)
            area = shapely.area(metric)
            order = np.lexsort((np.arange(len(parts)), -area))
            rest = order[self.parts_before[i] :]
            if answer == "keep_largest":
                loose = rest
            else:
                width = 2.0 * area / shapely.length(metric)
                loose = rest[width[rest] <= fill]
                if len(loose) < len(rest):
                    left = len(parts) - len(loose)
                    if answer == "keep_parts":
                        self.kept_parts.add(code)
                    elif code not in {d.key for d in self.open}:
                        self.open.append(ask("fell_apart", code, self.shapes[i], measure=left))
            kept = np.setdiff1d(np.arange(len(parts)), loose)
            self.shapes[i] = polygonal(shapely.multipolygons(list(parts[kept])))
            pieces += [parts[k] for k in loose]
        if pieces:
            loose_parts = np.array(pieces, dtype=object)
            self.shapes, _ = absorb(self.shapes, loose_parts, self.epsg)
            self.touched = True

    def _gaps(self) -> ObjectArray:
        present = self.shapes[~shapely.is_missing(self.shapes)]
        faces = SegmentTable.of(present).faces()
        covered = np.zeros(len(faces), dtype=bool)
        inside = inside_of(faces)
        covered[shapely.STRtree(present).query(inside, predicate="intersects")[0]] = True
        gaps: ObjectArray = faces[~covered]
        return gaps

    def settle_gaps(self, fill: float, wide_gaps: WideGaps) -> None:
        """Fill narrow enclosed gaps; fill, register or ask about wide ones."""
        gaps = self._gaps()
        barred = self.barred
        if len(gaps) and barred is not None:
            open_part = shapely.difference(gaps, barred)
            left = np.array([len(wide(g, self.epsg)[0]) > 0 for g in open_part])
            gaps = gaps[left]
        self._assign(gaps, fill, wide_gaps, "wide_gap")

    def _assign(
        self, pieces: ObjectArray, fill: float, wide_gaps: WideGaps, kind: str
    ) -> None:  # fmt: skip
        if len(pieces) == 0:
            return
        metric = to_metric(pieces, self.epsg)
        chosen: list[Any] = []
        asked: list[tuple[str, Any, float]] = []
        for piece, shape in zip(pieces, metric, strict=True):
            width = inscribed_width(shape)
            key = gap_key(piece)
            if key in self.seen:
                continue
            self.seen.add(key)
            answer = self.answers.get(key) or ("fill" if width <= fill else wide_gaps)
            if answer == "fill":
                chosen.append(piece)
            elif answer == "exclude":
                area = float(shapely.area(shape))
                self.new_exclusions.append({"key": key, "geometry": piece})
                self.log.add("gap_excluded", "", piece, area=area, width=width)
            elif answer == "ask":
                asked.append((key, piece, width))
        touching = self.names(np.array([piece for _, piece, _ in asked], dtype=object))
        for (key, piece, width), by in zip(asked, touching, strict=True):
            self.open.append(ask(kind, key, piece, measure=width, by=by))
        if chosen:
            self.shapes, owner = absorb(self.shapes, np.array(chosen, dtype=object), self.epsg)
            self.filled += [p for p, o in zip(chosen, owner, strict=True) if o >= 0]
            self.touched = True

    def fit(self, territory: Any, fill: float, wide_gaps: WideGaps) -> None:
        """Cut what reaches beyond the territory, cover what is left open along its rim."""
        self.territory = territory
        if len(self.ground()) == 0:
            return
        pieces = fit_rim(self, territory, fill, wide_gaps)
        self._ground = None
        self.touched = True
        self._assign(pieces, fill, wide_gaps, "wide_uncovered")

    def refit(self, fill: float, wide_gaps: WideGaps) -> None:
        """Fit again what later steps moved at the rim; nothing happens when it fits."""
        for _ in range(2):
            present = self.shapes[~shapely.is_missing(self.shapes)]
            if self.territory is None or len(present) == 0 or fits(self, self.territory):
                return
            self.fit(self.territory, fill, wide_gaps)

    def _join(self, pieces: ObjectArray) -> ObjectArray:
        """Match pieces and cells vertex by vertex; returns the pieces on the lattice."""
        present = np.flatnonzero(~shapely.is_missing(self.shapes))
        count = len(present)
        both = self._cleaned(
            np.concatenate([self.shapes[present], canonical_geometry(pieces)]), LEAST_SNAP_M
        )
        self.shapes[present] = both[:count]
        loose = shapely.get_parts(both[count:])
        return ordered(loose) if len(loose) else loose

    def close_inlets(self, gap_width_m: float) -> bool:
        """Close gaps at the rim that are open to the outside and narrower than the limit."""
        closed_any = False
        for _ in range(2):
            present = np.flatnonzero(~shapely.is_missing(self.shapes))
            shapes = self.shapes[present]
            if len(shapes) == 0 or gap_width_m <= 0:
                return closed_any
            if shapely.coverage_is_valid(shapes, gap_width=degrees_of(gap_width_m, shapes)):
                self.touched = False
                return closed_any
            spaces = narrow_spaces(self.plane.to(shapes), gap_width_m, reach=0.55)
            if not spaces:
                return closed_any
            found = self.plane.back(np.array([g for g, _ in spaces], dtype=object))
            loose, _ = wide(found, self.epsg)
            enclosed = self._gaps()
            barred = [] if self.barred is None else [self.barred]
            taken = shapely.union_all(np.array([*enclosed, *barred], dtype=object))
            loose = loose[~shapely.intersects(inside_of(loose), taken)]
            if self.territory is not None:
                loose = loose[shapely.intersects(self.territory, inside_of(loose))]
            if len(loose) == 0:
                return closed_any
            loose = self._join(loose)
            self._assign(loose, np.inf, "fill", "wide_gap")
            self.touched = closed_any = True
        return closed_any

    def ensure_valid(self) -> None:
        """Clean once more at the least tolerance if filling and rounding broke an edge."""
        if self.touched or not self._all_valid():
            present = self.shapes[~shapely.is_missing(self.shapes)]
            if not self._matched(present):
                self._ground = None
                self.clean(LEAST_SNAP_M, 0.0, retry=False)

    def _all_valid(self) -> bool:
        return bool(shapely.is_valid(self.shapes[~shapely.is_missing(self.shapes)]).all())


def _on_lattice(shapes: ObjectArray) -> ObjectArray:
    """Return valid polygons with all vertices on the lattice; making valid computes new ones."""
    result = usable_polygons(shapes)
    for i in np.flatnonzero(~shapely.is_valid(shapes)):
        for _ in range(_ROUNDS):
            rounded = canonical_geometry(result[i : i + 1])
            result[i : i + 1] = usable_polygons(rounded)
            if shapely.is_valid(rounded[0]):
                break
    return result


def _lines(mixed: Any) -> Any:
    """Return what is no polygon in a collection."""
    parts = shapely.get_parts(shapely.get_parts(mixed))
    kinds = shapely.get_type_id(parts)
    return shapely.geometrycollections(list(parts[kinds != 3]))
