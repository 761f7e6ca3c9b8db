"""Division of the land into subdistricts, communities and cells.

Pieces are split along the street direction, always the piece with the greatest load first, until
there are as many as wanted. So the counts are exact, each piece lies inside its parent, and
streets, bends of the river and ridges become edges of cells.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from geodata.sample.terrain import Terrain, generator, polygon_of
from gridsvc.types import FloatArray, IntArray

_OVERSHOOT = 0.02


@dataclass
class Piece:
    """A polygon with the people in it and the parents that it was cut from."""

    polygon: Polygon
    people: IntArray
    subdistrict: int = -1
    community: int = -1
    tries: int = field(default=0, repr=False)


@dataclass(frozen=True)
class Division:
    """Leaf pieces with parents, and the load points that were used."""

    pieces: list[Piece]
    people_xy: FloatArray


def divide(
    terrain: Terrain, seed: int, *, cells: int, communities: int, subdistricts: int
) -> Division:
    """Divide the land into exactly so many cells, communities and subdistricts.

    Parameters
    ----------
    terrain : Terrain
    seed : int
    cells, communities, subdistricts : int
        Wanted numbers, each not below the next.

    Returns
    -------
    Division
    """
    return _Divider(terrain, seed, cells).run(cells, communities, subdistricts)


class _Divider:
    def __init__(self, terrain: Terrain, seed: int, cells: int) -> None:
        self.terrain = terrain
        self.rng = generator(seed, "division")
        self.xy = _load_points(terrain, generator(seed, "load"), cells)
        self.nodes: dict[tuple[int, int], list[tuple[float, float]]] = {}
        self.fine = cells <= 20_000

    def run(self, cells: int, communities: int, subdistricts: int) -> Division:
        terrain = self.terrain
        land = terrain.territory.difference(terrain.river)
        sides = [p for p in shapely.get_parts(land) if p.area > 1e4]
        everybody = np.arange(len(self.xy))
        pieces = []
        for side in sides:
            shapely.prepare(side)
            pieces.append(Piece(side, everybody[shapely.contains_xy(side, *self.xy.T)]))
        pieces = [q for p in pieces for q in self._cut_all([p], self._foot_line(p), 2e5)]
        for line in terrain.border_lines:
            pieces = self._cut_all(pieces, line, 2e5)
        pieces = self._join_small(pieces, subdistricts)
        pieces = self._grow(pieces, subdistricts, 0.0)
        for i, piece in enumerate(pieces):
            piece.subdistrict = i
        for line in terrain.cross_lines:
            if line not in terrain.border_lines:
                pieces = self._cut_all(pieces, line, 6e4)
        inner = LineString(terrain.inner_valley.exterior)
        usual = len(self.xy) / terrain.territory.area
        pieces = [
            q
            for p in pieces
            for q in (
                self._cut_all([p], inner, 6e4)
                if len(p.people) / p.polygon.area > 2.0 * usual
                else [p]
            )
        ]
        pieces = self._grow(pieces, communities, 0.30)
        for i, piece in enumerate(pieces):
            piece.community = i
        return Division(self._grow(pieces, cells, 0.05), self.xy)

    def _foot_line(self, side: Piece) -> LineString:
        place = side.polygon.representative_point()
        return self.terrain.foot_lines[0 if self.terrain.is_left(place.x, place.y) else 1]

    def _join_small(self, pieces: list[Piece], most: int) -> list[Piece]:
        """Join the lightest piece to the neighbour with the longest common edge, until few."""
        while len(pieces) > most:
            i = min(range(len(pieces)), key=lambda k: len(pieces[k].people))
            light = pieces.pop(i)
            shared = [light.polygon.intersection(p.polygon.buffer(0.01)).area for p in pieces]
            k = int(np.argmax(shared))
            merged = shapely.union_all([light.polygon, pieces[k].polygon], grid_size=0.001)
            pieces[k] = Piece(polygon_of(merged), np.concatenate([pieces[k].people, light.people]))
        return pieces

    def _cut_all(self, pieces: list[Piece], line: LineString, least: float) -> list[Piece]:
        result = []
        for piece in pieces:
            parts = self._faces(piece.polygon, line)
            if len(parts) > 1 and min(p.area for p in parts) > least:
                result.extend(self._children(piece, parts))
            else:
                result.append(piece)
        return result

    def _children(self, piece: Piece, parts: list[Polygon]) -> list[Piece]:
        rest, children = piece.people, []
        for part in parts[:-1]:
            shapely.prepare(part)
            inside = shapely.contains_xy(part, *self.xy[rest].T)
            children.append(Piece(part, rest[inside], piece.subdistrict, piece.community))
            rest = rest[~inside]
        children.append(Piece(parts[-1], rest, piece.subdistrict, piece.community))
        return children

    @staticmethod
    def _faces(polygon: Polygon, line: LineString) -> list[Polygon]:
        noded = shapely.union(polygon.exterior, line)
        faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
        if len(faces) < 2:
            return [polygon]
        inside = shapely.contains(polygon, shapely.point_on_surface(faces))
        return list(faces[inside])

    def _grow(self, pieces: list[Piece], wanted: int, spread: float) -> list[Piece]:
        """Split the heaviest piece again and again until there are ``wanted``."""
        heap: list[tuple[float, int, Piece]] = []
        done: list[Piece] = []
        number = 0
        for piece in pieces:
            heapq.heappush(heap, (-self._load(piece, spread), number, piece))
            number += 1
        while len(heap) + len(done) < wanted:
            _, _, piece = heapq.heappop(heap)
            parts = self._split(piece)
            if parts is None:
                piece.tries += 1
                if piece.tries > 3:
                    done.append(piece)
                    continue
                heapq.heappush(heap, (-self._load(piece, spread) * 0.7, number, piece))
                number += 1
                continue
            for child in self._children(piece, parts):
                heapq.heappush(heap, (-self._load(child, spread), number, child))
                number += 1
        return [p for _, _, p in sorted(heap, key=lambda entry: entry[1])] + done

    def _load(self, piece: Piece, spread: float) -> float:
        load = len(piece.people) + 1.0
        return float(load * np.exp(self.rng.normal(0.0, spread))) if spread else load

    def _split(self, piece: Piece) -> list[Polygon] | None:
        polygon = piece.polygon
        size = float(np.sqrt(polygon.area))
        people = self.xy[piece.people]
        middle = (
            np.median(people, axis=0)
            if len(people) >= 4
            else shapely.get_coordinates(shapely.point_on_surface(polygon))[0]
        )
        centroid = shapely.get_coordinates(polygon.centroid)[0]
        step = float(np.clip(size / 8.0, 12.0, 90.0))
        best: tuple[float, list[Polygon], FloatArray] | None = None
        for across in (True, False):
            for pull in (0.5, 0.15):
                x, y = middle + (centroid - middle) * pull + self.rng.normal(0, 0.03 * size, 2)
                found = self._candidate(polygon, x, y, size, step, across)
                if found is not None and (best is None or found[0] > best[0]):
                    best = found
                if best is not None and (best[0] > 1.02 or not self.fine):
                    break
        if best is None:
            return None
        for end in (best[2][0], best[2][-1]):
            key = (int(end[0] // 100.0), int(end[1] // 100.0))
            self.nodes.setdefault(key, []).append((float(end[0]), float(end[1])))
        return best[1]

    def _candidate(
        self, polygon: Polygon, x: float, y: float, size: float, step: float, across: bool
    ) -> tuple[float, list[Polygon], FloatArray] | None:
        track = LineString(self.terrain.trace(x, y, 1.7 * size, across=across, step=step))
        inside = track.intersection(polygon)
        if inside.is_empty:
            return None
        parts = shapely.get_parts(inside)
        part = parts[int(np.argmin(shapely.distance(parts, shapely.Point(x, y))))]
        line = shapely.get_coordinates(part)
        if len(line) < 2 or part.length < 0.25 * size:
            return None
        line = self._bend_to_nodes(line, polygon, reach=min(0.16 * size, 90.0))
        faces = self._faces(polygon, LineString(_overshoot(line)))
        if len(faces) != 2:
            return None
        areas = shapely.area(faces)
        balance = float(areas.min() / areas.sum())
        if balance < 0.22:
            return None
        round_ = float((4 * np.pi * areas / shapely.length(faces) ** 2).min())
        return min(balance * 2.0, 1.0) * 0.4 + round_, faces, line

    def _bend_to_nodes(self, line: FloatArray, polygon: Polygon, reach: float) -> FloatArray:
        """Lead the ends of a line to junctions that are near, so that streets meet."""
        bent = line.copy()
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        along /= along[-1]
        for end, weight in ((0, 1.0 - along), (-1, along)):
            node = self._near_node(line[end], polygon, reach)
            if node is not None:
                bent += (np.array(node) - line[end]) * (weight**2)[:, None]
        return bent

    def _near_node(
        self, place: FloatArray, polygon: Polygon, reach: float
    ) -> tuple[float, float] | None:
        i, j = int(place[0] // 100.0), int(place[1] // 100.0)
        best, best_distance = None, reach
        for a in (i - 1, i, i + 1):
            for b in (j - 1, j, j + 1):
                for node in self.nodes.get((a, b), ()):
                    d = float(np.hypot(node[0] - place[0], node[1] - place[1]))
                    if d < best_distance and polygon.exterior.distance(shapely.Point(node)) < 1e-6:
                        best, best_distance = node, d
        return best


def _overshoot(line: FloatArray) -> FloatArray:
    first, last = line[0] - line[1], line[-1] - line[-2]
    a = line[0] + first / np.hypot(*first) * _OVERSHOOT
    b = line[-1] + last / np.hypot(*last) * _OVERSHOOT
    return np.vstack([a, line, b])


def _load_points(terrain: Terrain, rng: np.random.Generator, cells: int) -> FloatArray:
    """Sample where the load is: four fifths by people, the rest by area."""
    per_cell = 70 if cells <= 2_000 else (30 if cells <= 20_000 else 14)
    weights = terrain.density.ravel()
    weights = weights / weights.sum() * 0.82 + 0.18 / len(weights)
    count = rng.multinomial(per_cell * cells, weights / weights.sum())
    node = np.repeat(np.arange(len(weights)), count)
    rows, columns = np.unravel_index(node, terrain.density.shape)
    jitter = rng.uniform(-0.5, 0.5, (len(node), 2))
    xy = np.column_stack([columns, rows]) + jitter
    return np.asarray(xy * terrain.spacing + np.array(terrain.origin))
