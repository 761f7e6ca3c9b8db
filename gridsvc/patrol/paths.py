"""The walked line of a leg and the turns along it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from scipy.sparse import csgraph
from shapely.geometry import LineString, Point
from shapely.ops import substring

from gridsvc import crs
from gridsvc.analysis.results import Turn
from gridsvc.patrol.network import Snap, WalkNetwork

_SAME_POINT_M = 1e-6
# Upper limits of the change of direction in degrees, by sharpness.
_TURNS = ((25.0, "straight"), (60.0, "slight"), (120.0, ""), (165.0, "sharp"))


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of an edge in walking direction: metric line and street row (−1 off the network)."""

    line: LineString
    street: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg from place to place: its pieces in walking order."""

    pieces: tuple[Piece, ...]

    @property
    def length_m(self) -> float:
        """Metres, off-network legs included."""
        return float(sum(p.line.length for p in self.pieces))

    def line(self) -> LineString:
        """Return the whole leg as one metric line (two equal points for a leg without length)."""
        coordinates: list[tuple[float, float]] = []
        for piece in self.pieces:
            for xy in piece.line.coords:
                if not coordinates or math.dist(xy, coordinates[-1]) > _SAME_POINT_M:
                    coordinates.append((xy[0], xy[1]))
        if len(coordinates) == 1:
            coordinates *= 2
        return LineString(coordinates)


def walk(network: WalkNetwork, start: Point, a: Snap, end: Point, b: Snap) -> Leg:
    """Return the shortest leg between two snapped metric points.

    Ties are broken by the order of the end nodes, so that equal input gives the equal leg.
    """
    target, source, nodes = _choose(network, a, b)
    edge_a, edge_b = network.lines[a.edge], network.lines[b.edge]
    on_a = shapely.line_interpolate_point(edge_a, a.offset_m)
    on_b = shapely.line_interpolate_point(edge_b, b.offset_m)
    pieces: list[Piece] = [Piece(LineString([start, on_a]), -1)]
    if nodes is None:
        pieces.append(Piece(_part(edge_a, a.offset_m, b.offset_m), int(network.street[a.edge])))
    else:
        out = 0.0 if source == 0 else float(network.lengths[a.edge])
        pieces.append(Piece(_part(edge_a, a.offset_m, out), int(network.street[a.edge])))
        for u, v in itertools.pairwise(nodes):
            edge = network.edge_between(u, v)
            line = network.lines[edge]
            forward = int(network.tail[edge]) == u
            pieces.append(
                Piece(line if forward else shapely.reverse(line), int(network.street[edge]))
            )
        into = 0.0 if target == 0 else float(network.lengths[b.edge])
        pieces.append(Piece(_part(edge_b, into, b.offset_m), int(network.street[b.edge])))
    pieces.append(Piece(LineString([on_b, end]), -1))
    kept = tuple(p for p in pieces if p.line.length > _SAME_POINT_M)
    return Leg(kept or (Piece(LineString([start, end]), -1),))


def _choose(network: WalkNetwork, a: Snap, b: Snap) -> tuple[int, int, list[int] | None]:
    """Return (end of b's edge, end of a's edge, nodes between), nodes None on the same edge."""
    ends_a, ends_b = network.ends(a), network.ends(b)
    best: tuple[float, int, int, list[int] | None] = (math.inf, 0, 0, None)
    if a.edge == b.edge:
        best = (abs(a.offset_m - b.offset_m), 0, 0, None)
    for i, (node_a, out) in enumerate(ends_a):
        far, before = _from(network, node_a)
        for j, (node_b, into) in enumerate(ends_b):
            total = out + float(far[node_b]) + into
            if total < best[0] - 1e-9:
                nodes = [node_b]
                while nodes[-1] != node_a:
                    nodes.append(int(before[nodes[-1]]))
                best = (total, j, i, nodes[::-1])
    return best[1], best[2], best[3]


def _from(network: WalkNetwork, node: int) -> tuple[Any, Any]:
    search: Any = csgraph.dijkstra
    found = search(network.graph, directed=True, indices=node, return_predecessors=True)
    return found[0], found[1]


def _part(line: LineString, start_m: float, end_m: float) -> LineString:
    """Return the part of a line between two distances, in that direction, always as a line."""
    part = substring(line, start_m, end_m)
    return part if isinstance(part, LineString) else LineString([part, part])


def turns_of(network: WalkNetwork, leg: Leg, *, first: bool, last: bool) -> list[Turn]:
    """Return the turns of a leg.

    Instructions are language-neutral keys: ``depart`` (a round begins), ``continue`` (go on after
    a stop), ``straight`` (same direction, another street), ``slight_left``, ``left``,
    ``sharp_left``, ``slight_right``, ``right``, ``sharp_right``, ``uturn``, ``arrive`` (a stop),
    ``finish`` (back at the start). ``length_m`` is the way to the next instruction,
    ``bearing_deg`` the direction to take, clockwise from grid north.
    """
    runs: list[tuple[str, LineString, float]] = []  # street, first piece, metres
    steps: list[tuple[str, Piece]] = []
    for piece in leg.pieces:
        street = network.street_names[piece.street] if piece.street >= 0 else ""
        if runs:
            turn = _turn(steps[-1][1].line, piece.line)
            same = street == runs[-1][0] or piece.street < 0
            if turn == "straight" and same:
                runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + piece.line.length)
                steps[-1] = (steps[-1][0], piece)
                continue
        else:
            turn = "depart" if first else "continue"
        runs.append((street, piece.line, piece.line.length))
        steps.append((turn, piece))
    turns = [
        Turn(_stored(network, line.coords[0]), step[0], street, float(metres), _bearing(line, 0))
        for (street, line, metres), step in zip(runs, steps, strict=True)
    ]
    final = leg.pieces[-1].line
    turns.append(
        Turn(
            _stored(network, final.coords[-1]), "finish" if last else "arrive", "", 0.0,
            _bearing(final, -1),
        )
    )  # fmt: skip
    return turns


def _turn(before: LineString, after: LineString) -> str:
    change = (_bearing(after, 0) - _bearing(before, -1) + 180.0) % 360.0 - 180.0
    side = "left" if change < 0 else "right"
    for limit, name in _TURNS:
        if abs(change) <= limit:
            if name == "straight":
                return name
            return f"{name}_{side}" if name else side
    return "uturn"


def _bearing(line: LineString, which: int) -> float:
    """Bearing of the first (0) or last (−1) segment that has a length."""
    xy = np.asarray(line.coords)
    steps = np.diff(xy, axis=0)
    long = np.flatnonzero(np.hypot(steps[:, 0], steps[:, 1]) > _SAME_POINT_M)
    if len(long) == 0:
        return 0.0
    dx, dy = steps[long[which]]
    return float(math.degrees(math.atan2(dx, dy)) % 360.0)


def _stored(network: WalkNetwork, xy: Any) -> Point:
    return Point(crs.to_storage(Point(xy[0], xy[1]), network.epsg))
