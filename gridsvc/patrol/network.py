"""The walking network: streets noded at shared vertices, points snapped to the nearest edge.

Two streets meet only where they share a vertex; lines that merely cross (a bridge over a lane) do
not. A vertex inside several lines joins only those of the same ``layer``; where a line ends, all
meet. Walking is undirected. Distances are metres in the metric CRS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy import sparse
from scipy.sparse import csgraph

from gridsvc import crs
from gridsvc.analysis.contiguity import row_labels
from gridsvc.errors import NothingToWorkOn
from gridsvc.types import FloatArray, IntArray, ObjectArray

_ROWS_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class Snap:
    """A point's place on the network.

    Attributes
    ----------
    edge : int
        Edge number; −1 when no edge lies within the threshold.
    offset_m : float
        Metres along the edge from its first node.
    leg_m : float
        Metres from the point to the edge (to the nearest edge at all when ``edge`` is −1).
    """

    edge: int
    offset_m: float
    leg_m: float


@dataclass(frozen=True)
class WalkNetwork:
    """An undirected graph of street pieces between junctions; build it with ``from_streets``.

    Attributes
    ----------
    epsg : int
        Metric CRS.
    nodes : ndarray, shape (n, 2)
        Junctions and street ends, metres.
    tail, head : ndarray of int, shape (m,)
        End nodes of each edge, in the direction of its line.
    lengths : ndarray, shape (m,)
        Metres, all positive.
    lines : ndarray of LineString, shape (m,)
        In the metric CRS. Parallel edges and loops are kept.
    street : ndarray of int, shape (m,)
        Row of the street that the edge is a piece of.
    street_ids, street_names : tuple of str
        By row; a missing name is empty.
    component : ndarray of int, shape (n,)
        Connected component of each node; 0 is the one with the most street metres.
    dropped : tuple of str
        Streets without length or geometry.
    """

    epsg: int
    nodes: FloatArray
    tail: IntArray
    head: IntArray
    lengths: FloatArray
    lines: ObjectArray
    street: IntArray
    street_ids: tuple[str, ...]
    street_names: tuple[str, ...]
    component: IntArray
    dropped: tuple[str, ...] = ()
    _caches: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_streets(cls, streets: gpd.GeoDataFrame, metric_epsg: int | None = None) -> WalkNetwork:
        """Build the network of street lines.

        Parameters
        ----------
        streets : GeoDataFrame
            Contract STREETS, EPSG:4490 (LineString or MultiLineString).
        metric_epsg : int, optional
            Chosen from the streets' centre when not given.

        Raises
        ------
        NothingToWorkOn
            If no street has a length.
        """
        crs.require_geographic(streets.crs)
        shapes = streets.geometry.to_numpy()
        given = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        parts, part_row = shapely.get_parts(shapes[given], return_index=True)
        row_of_part = np.flatnonzero(given)[part_row]
        xy, part = shapely.get_coordinates(parts, return_index=True)
        xy = xy + 0.0
        if len(xy):
            repeated = np.zeros(len(xy), dtype=bool)
            repeated[1:] = (part[1:] == part[:-1]) & (xy[1:] == xy[:-1]).all(axis=1)
            xy, part = xy[~repeated], part[~repeated]
        lonely = np.bincount(part, minlength=len(parts)) < 2
        xy, part = xy[~lonely[part]], part[~lonely[part]]
        if len(xy) == 0:
            raise NothingToWorkOn(
                reason_zh="没有可步行的街道;请先导入街道线",
                reason_en="no street has a length; import street lines first",
            )
        epsg = metric_epsg or crs.metric_epsg_of(shapes[given])
        x, y = crs.transformer(crs.STORAGE_EPSG, epsg).transform(xy[:, 0], xy[:, 1])
        metric = np.column_stack([x, y])
        layer = _layers(streets)[row_of_part][part]
        node_at = _nodes(xy, part, layer)
        return cls._assemble(streets, epsg, metric, part, node_at, row_of_part)

    @classmethod
    def _assemble(
        cls,
        streets: gpd.GeoDataFrame,
        epsg: int,
        metric: FloatArray,
        part: IntArray,
        node_at: IntArray,
        row_of_part: IntArray,
    ) -> WalkNetwork:
        # Each occurrence of a node cuts its line; inner cuts close one edge and open the next.
        cut = node_at >= 0
        first = np.concatenate([[True], part[1:] != part[:-1]])
        last = np.concatenate([part[1:] != part[:-1], [True]])
        twice = cut & ~first & ~last
        take = np.repeat(np.arange(len(part)), np.where(twice, 2, 1))
        opens = np.zeros(len(take), dtype=np.int64)
        new = np.concatenate([[True], take[1:] == take[:-1]]) | first[take]
        opens[new] = 1
        edge = np.cumsum(opens) - 1
        lines = np.asarray(shapely.linestrings(metric[take], indices=edge), dtype=object)
        begin = np.flatnonzero(np.concatenate([[True], edge[1:] != edge[:-1]]))
        end = np.append(begin[1:], len(edge)) - 1
        nodes = np.zeros((int(node_at.max()) + 1, 2))
        nodes[node_at[cut]] = metric[cut]
        tail, head = node_at[take[begin]], node_at[take[end]]
        lengths = np.asarray(shapely.length(lines), dtype=np.float64)
        street = row_of_part[part[take[begin]]]
        component = _components(len(nodes), tail, head, lengths)
        names = streets["name"] if "name" in streets.columns else [None] * len(streets)
        used = set(np.unique(street).tolist())
        ids = tuple(str(i) for i in streets.index)
        return cls(
            epsg=epsg,
            nodes=nodes,
            tail=tail,
            head=head,
            lengths=lengths,
            lines=lines,
            street=street,
            street_ids=ids,
            street_names=tuple(n if isinstance(n, str) else "" for n in names),
            component=component,
            dropped=tuple(i for row, i in enumerate(ids) if row not in used),
        )

    def __repr__(self) -> str:
        return (
            f"WalkNetwork({len(self.nodes)} nodes, {len(self.lengths)} edges, "
            f"{self.lengths.sum() / 1000:.1f} km, {self.component_count} components)"
        )

    @property
    def component_count(self) -> int:
        """Number of connected components."""
        return int(self.component.max()) + 1

    def component_lengths(self) -> FloatArray:
        """Return street metres per component, the largest first."""
        metres = np.bincount(
            self.component[self.tail], weights=self.lengths, minlength=self.component_count
        )
        return metres.astype(np.float64)

    @cached_property
    def graph(self) -> Any:
        """Symmetric sparse matrix of edge lengths: parallel edges at their minimum, no loops."""
        low, high = np.minimum(self.tail, self.head), np.maximum(self.tail, self.head)
        kept = np.flatnonzero(low != high)
        order = kept[np.lexsort((kept, self.lengths[kept], high[kept], low[kept]))]
        a, b = low[order], high[order]
        best = np.ones(len(order), dtype=bool)
        best[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
        chosen = order[best]
        self._caches["between"] = {(int(low[e]), int(high[e])): int(e) for e in chosen}
        n = len(self.nodes)
        rows = np.concatenate([low[chosen], high[chosen]])
        columns = np.concatenate([high[chosen], low[chosen]])
        values = np.concatenate([self.lengths[chosen]] * 2)
        return sparse.coo_array((values, (rows, columns)), shape=(n, n)).tocsr()

    def edge_between(self, a: int, b: int) -> int:
        """Return the shortest edge between two adjacent nodes (KeyError if there is none)."""
        _ = self.graph
        return int(self._caches["between"][(min(a, b), max(a, b))])

    @cached_property
    def _trees(self) -> tuple[shapely.STRtree, IntArray, shapely.STRtree]:
        main = np.flatnonzero(self.component[self.tail] == 0)
        return shapely.STRtree(self.lines[main]), main, shapely.STRtree(self.lines)

    def snap(self, points: Any, *, max_m: float = 100.0) -> list[Snap]:
        """Snap points to their nearest edge.

        An edge of the main component within the threshold is preferred; else the nearest edge of
        any component within it. Equal distances go to the lower edge number.

        Parameters
        ----------
        points : array_like of Point
            EPSG:4490.
        max_m : float
            Farthest off-network leg that is accepted, metres.
        """
        metric = crs.to_metric(np.asarray(points, dtype=object), self.epsg)
        main_tree, main, all_tree = self._trees
        edge_main, leg_main = _nearest(main_tree, metric)
        edge_any, leg_any = _nearest(all_tree, metric)
        result = []
        for i, point in enumerate(metric):
            if leg_main[i] <= max_m:
                edge, leg = int(main[edge_main[i]]), float(leg_main[i])
            elif leg_any[i] <= max_m:
                edge, leg = int(edge_any[i]), float(leg_any[i])
            else:
                result.append(Snap(-1, 0.0, float(leg_any[i])))
                continue
            offset = float(shapely.line_locate_point(self.lines[edge], point))
            result.append(Snap(edge, min(offset, float(self.lengths[edge])), leg))
        return result

    def ends(self, snap: Snap) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return the two end nodes of a snap's edge with the metres to each along the edge."""
        edge = snap.edge
        return (
            (int(self.tail[edge]), snap.offset_m),
            (int(self.head[edge]), float(self.lengths[edge]) - snap.offset_m),
        )

    def matrix(self, snaps: Sequence[Snap]) -> FloatArray:
        """Return walking metres between snapped points, off-network legs included on both sides.

        Unreachable pairs are ``inf``. The matrix is symmetric with a zero diagonal and keeps the
        triangle inequality.
        """
        k = len(snaps)
        ends = np.array([[e[0] for e in self.ends(s)] for s in snaps], dtype=np.int64).reshape(k, 2)
        along = np.array([[e[1] for e in self.ends(s)] for s in snaps]).reshape(k, 2)
        wanted, where = np.unique(ends, return_inverse=True)
        where = where.reshape(k, 2)
        between = np.empty((len(wanted), len(wanted)))
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            rows = wanted[start : start + _ROWS_AT_ONCE]
            far = csgraph.dijkstra(self.graph, directed=True, indices=rows)
            between[start : start + len(rows)] = far[:, wanted]
        between = np.minimum(between, between.T)
        best = np.full((k, k), np.inf)
        for a in range(2):
            for b in range(2):
                through = (
                    along[:, a][:, None]
                    + between[np.ix_(where[:, a], where[:, b])]
                    + along[:, b][None]
                )
                best = np.minimum(best, through)
        edges = np.array([s.edge for s in snaps])
        offsets = np.array([s.offset_m for s in snaps])
        same = edges[:, None] == edges[None]
        direct = np.abs(offsets[:, None] - offsets[None])
        best = np.where(same, np.minimum(best, direct), best)
        legs = np.array([s.leg_m for s in snaps])
        best = best + legs[:, None] + legs[None]
        np.fill_diagonal(best, 0.0)
        return np.asarray(np.minimum(best, best.T))


def _layers(streets: gpd.GeoDataFrame) -> IntArray:
    if "layer" not in streets.columns:
        return np.zeros(len(streets), dtype=np.int64)
    return np.asarray(streets["layer"].astype("Float64").fillna(0.0).to_numpy(dtype=np.int64))


def _nodes(xy: FloatArray, part: IntArray, layer: IntArray) -> IntArray:
    """Return the node number of each vertex occurrence, −1 where a line just passes."""
    place = row_labels(xy)
    is_end = np.zeros(len(xy), dtype=bool)
    is_end[1:] |= part[1:] != part[:-1]
    is_end[:-1] |= part[1:] != part[:-1]
    is_end[[0, -1]] = True
    ends_here = np.zeros(int(place.max()) + 1, dtype=bool)
    ends_here[place[is_end]] = True
    level = np.where(ends_here[place], 0, layer)
    meeting = row_labels(np.column_stack([place, level]).astype(np.float64))
    junction = np.bincount(meeting)[meeting] > 1
    cut = is_end | junction
    number = np.full(len(xy), -1, dtype=np.int64)
    # Number nodes by first occurrence, so that the same streets give the same numbers.
    _, first, inverse = np.unique(meeting[cut], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    number[cut] = rank[inverse]
    return number


def _components(n: int, tail: IntArray, head: IntArray, lengths: FloatArray) -> IntArray:
    graph = sparse.coo_array((np.ones(len(tail)), (tail, head)), shape=(n, n)).tocsr()
    count, label = csgraph.connected_components(graph, directed=False)
    size = np.bincount(label[tail], weights=lengths, minlength=count)
    first = np.full(count, n, dtype=np.int64)
    np.minimum.at(first, label, np.arange(n))
    order = np.lexsort((first, -size))
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return np.asarray(rank[label])


def _nearest(tree: shapely.STRtree, points: ObjectArray) -> tuple[IntArray, FloatArray]:
    (which, edge), away = tree.query_nearest(points, return_distance=True, all_matches=True)
    best = np.full(len(points), np.iinfo(np.int64).max, dtype=np.int64)
    leg = np.full(len(points), np.inf)
    np.minimum.at(best, which, edge)
    np.minimum.at(leg, which, away)
    return best, leg
