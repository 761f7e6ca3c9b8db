"""Exact point-in-cell for one plan version: an immutable snapshot (docs/adr/0004-locator.md)."""

from __future__ import annotations

import itertools
import math
from typing import Any, Self

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike

from gridsvc.crs import require_geographic
from gridsvc.errors import DuplicateKey, EmptySource, InputError, InvalidCoordinate
from gridsvc.locate.edges import Edges, Labels, extract_edges, polygons_of
from gridsvc.locate.exact import Index, OneByOne, label_many, lookup
from gridsvc.locate.location import Location
from gridsvc.locate.overlap import require_no_overlap
from gridsvc.locate.raster import Lattice, build_raster, pixels_per_side
from gridsvc.locate.surroundings import NOBODY, Neighbour, Surroundings
from gridsvc.types import BoolArray, FloatArray, IntArray, LonLat, ObjectArray

OUTSIDE = NOBODY - 1  # the position of nobody


class BadShape(InputError):
    """Longitudes and latitudes are not of one shape, so that they do not pair up."""

    zh = (
        "经度与纬度的形状不同:{lon_shape} 与 {lat_shape};请成对给出,"
        "同一纬度可用 np.full(len(lon), lat)"
    )
    en = (
        "longitudes {lon_shape} and latitudes {lat_shape} do not pair up; give one latitude for "
        "each longitude, such as np.full(len(lon), lat)"
    )


class Locator:
    """Finds the cell of a place exactly, one at a time or in bulk.

    Border rule: a place covered by several cells belongs to the one with the lowest code.
    The locator never changes, so that any number of threads may read it, and it pickles.
    Build it with ``from_cells``.
    """

    def __init__(
        self,
        codes: list[str],
        index: Index,
        around: Surroundings,
        parts: ObjectArray | None,
        owner: IntArray,
    ) -> None:
        self.codes = codes
        self._index = index
        self._around = around
        self._parts = parts
        self._owner = owner
        self._prepare()

    def _prepare(self) -> None:
        self._one = OneByOne(self._index)
        self._label = self._one.label if self._parts is None else self._label_by_geos
        self._tree: shapely.STRtree | None = None
        if self._parts is not None:
            shapely.prepare(self._parts)
            self._tree = shapely.STRtree(self._parts)
        self._position = {code: i for i, code in enumerate(self.codes)}

    @classmethod
    def from_cells(
        cls, cells: gpd.GeoDataFrame, *, check: bool = True, pixels: int | None = None
    ) -> Self:
        """Build the locator of a plan.

        Parameters
        ----------
        cells : GeoDataFrame
            Indexed by code, Polygons and MultiPolygons in EPSG:4490 or 4326. Gaps, holes and
            T-junctions without a node are allowed, overlaps are not.
        check : bool
            Prove that polygons are valid and do not overlap. Leave out only for cells that hold
            a certificate: overlaps would give wrong cells without a sign.
        pixels : int, optional
            Raster pixels along the side of a mean cell; by default as many as suit the plan.

        Raises
        ------
        OverlappingCells, CrsMismatch, EmptySource, DuplicateKey, InputError
        """
        require_geographic(cells.crs)
        if len(cells) == 0:
            raise EmptySource(source="cells")
        order = np.argsort(np.array([str(c) for c in cells.index], dtype=object), kind="stable")
        codes = [str(cells.index[i]) for i in order]
        for one, two in itertools.pairwise(codes):
            if one == two:
                raise DuplicateKey(kind="cell", key=one)
        geometries = np.asarray(cells.geometry.array, dtype=object)[order]
        parts, owner = polygons_of(geometries)
        edges, upper = extract_edges(parts, owner, codes)
        if check:
            require_no_overlap(parts, owner, edges, upper, codes)
        area = float(shapely.area(parts).sum())
        west, south, east, north = shapely.total_bounds(parts)
        lattice = Lattice.over(
            (west, south, east, north), area, len(codes), pixels or pixels_per_side(len(codes))
        )
        raster = build_raster(edges, upper[:, 1], lattice)
        start, numbers = edges.by_cell(len(codes))
        around = Surroundings(edges, start, numbers, shapely.bounds(parts), owner)
        exact = lattice.exact_for_doubles()
        return cls(codes, Index(edges, raster), around, None if exact else parts, owner)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "codes": self.codes, "_index": self._index, "_around": self._around,
            "_parts": self._parts, "_owner": self._owner,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        lattice = self._index.raster.lattice
        return (
            f"Locator({len(self)} cells, {len(self._index.edges)} edges, "
            f"{lattice.columns}×{lattice.rows} pixels, {self.nbytes / 1e6:.1f} MB)"
        )

    @property
    def nbytes(self) -> int:
        """Memory of the index in bytes (geometries kept for data around 0° not counted)."""
        return self._index.edges.nbytes + self._index.raster.nbytes + self._around.nbytes

    @property
    def exact_arithmetic(self) -> bool:
        """Whether places at borders are decided here; otherwise (around 0°) GEOS decides them."""
        return self._parts is None

    def borders(self) -> tuple[Edges, IntArray, Labels]:
        """Return all edges and those of every cell in compressed rows (see ``Edges.by_cell``)."""
        return self._around.borders()

    # --- many ---------------------------------------------------------------------------------

    def locate_many(self, lon: ArrayLike, lat: ArrayLike) -> Labels:
        """Return for each place the position of its cell in ``codes``, −1 for none.

        Parameters
        ----------
        lon, lat : array_like of float
            Degrees, equal shapes. NaN and infinite values give −1.

        Returns
        -------
        ndarray of int32, of the shape given

        Raises
        ------
        BadShape
            If the shapes differ; nothing is broadcast.
        """
        labels, _ = self._labels(lon, lat)
        labels -= 1
        return labels

    def on_border_many(self, lon: ArrayLike, lat: ArrayLike) -> BoolArray:
        """Return for each place whether it lies exactly on the boundary of a cell."""
        return self._labels(lon, lat)[1]

    def locate_with_border(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Labels, BoolArray]:
        """Return ``locate_many`` and ``on_border_many`` in one pass."""
        labels, on_border = self._labels(lon, lat)
        labels -= 1
        return labels, on_border

    def _labels(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Labels, BoolArray]:
        x = np.asarray(lon, dtype=np.float64)
        y = np.asarray(lat, dtype=np.float64)
        if x.shape != y.shape:
            raise BadShape(lon_shape=x.shape, lat_shape=y.shape)
        shape = x.shape
        x, y = np.ravel(x), np.ravel(y)
        labels, on_border = (
            label_many(self._index, x, y) if self._parts is None else self._labels_by_geos(x, y)
        )
        return labels.reshape(shape), on_border.reshape(shape)

    def _labels_by_geos(self, x: FloatArray, y: FloatArray) -> tuple[Labels, BoolArray]:
        labels = np.empty(len(x), dtype=np.int32)
        lookup(self._index.raster, x, y, labels)
        on_border = np.zeros(len(x), dtype=bool)
        rest = np.flatnonzero(labels < 0)
        if len(rest) == 0 or self._parts is None or self._tree is None:
            return labels, on_border
        points = shapely.points(x[rest], y[rest])
        point, part = self._tree.query(points)
        covered = shapely.intersects_xy(self._parts[part], x[rest][point], y[rest][point])
        point, part = point[covered], part[covered]
        inside = shapely.contains_xy(self._parts[part], x[rest][point], y[rest][point])
        none = np.iinfo(np.int32).max
        lowest = np.full(len(rest), none, dtype=np.int32)
        np.minimum.at(lowest, point, (self._owner[part] + 1).astype(np.int32))
        labels[rest] = np.where(lowest == none, 0, lowest)
        on_border[rest[point[~inside]]] = True
        return labels, on_border

    # --- one ----------------------------------------------------------------------------------

    def position(self, lon: float, lat: float) -> int:
        """Return the position of the cell of one place in ``codes``, −1 for none or NaN."""
        return self._label(lon, lat)[0] - 1

    def find_inside(self, lon: float, lat: float) -> tuple[int, float, int]:
        """Return the cell around a place, metres to its boundary and the one cell across it.

        The shortest way to the usual answer: positions in ``codes``, ``OUTSIDE`` across the edge
        of the territory. The last is −1 when the place is in no cell, on a border, or when several
        cells or ones without common nodes lie across the nearest stretch of boundary; ``locate``
        has the answer then. The range of the coordinates is not checked.
        """
        label, several = self._label(lon, lat)
        if label == 0 or several is not None:
            return label - 1, 0.0, -1
        position = label - 1
        tiles = self._around.tiles[position]
        found = None if tiles is None else tiles.nearest(lon, lat)
        distance, across = found or self._around.boundary(position, lon, lat)
        return position, distance, across[0] - 1 if len(across) == 1 else -1

    def position_of(self, code: str) -> int:
        """Return the position of a code (KeyError if there is no such cell)."""
        return self._position[code]

    def _label_by_geos(self, lon: float, lat: float) -> tuple[int, tuple[int, ...] | None]:
        if self._parts is None:
            return self._one.label(lon, lat)
        label = self._one.raw(lon, lat)
        if label >= 0 or self._tree is None:
            return max(label, 0), None
        near = self._tree.query(shapely.Point(lon, lat))
        near = near[shapely.intersects_xy(self._parts[near], lon, lat)]
        labels = tuple(sorted({int(v) + 1 for v in self._owner[near]}))
        if not labels:
            return 0, None
        inside = bool(shapely.contains_xy(self._parts[near], lon, lat).any())
        return labels[0], None if inside else labels

    def locate(self, lon: float, lat: float, *, accuracy_m: float | None = None) -> Location:
        """Return where one place is.

        Parameters
        ----------
        lon, lat : float
            Degrees in the datum of the cells.
        accuracy_m : float, optional
            Accuracy of the coordinate in metres; makes the answer ambiguous when the boundary is
            nearer, and adds all cells within it to the neighbours.

        Raises
        ------
        InvalidCoordinate
            If a value is not finite or out of range, with a hint when the two seem swapped, or
            if the accuracy is negative or not finite.
        """
        lon, lat = float(lon), float(lat)
        if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
            LonLat(lon, lat)
        if accuracy_m is not None and not 0.0 <= accuracy_m < math.inf:
            raise InvalidCoordinate(
                lon=lon, lat=lat,
                hint_zh=f"精度应为非负数(米),实为 {accuracy_m}",
                hint_en=f"the accuracy must be a number of metres from 0 on, not {accuracy_m}",
            )  # fmt: skip
        label, several = self._label(lon, lat)
        codes = self.codes
        code: str | None
        covering: tuple[str, ...] = ()
        if label == 0:
            code = None
        else:
            code = codes[label - 1]
            covering = (code,) if several is None else tuple(codes[i - 1] for i in several)
        location = object.__new__(Location)
        # Not through the constructor of a frozen class, which costs more than the lookup.
        location.__dict__.update(
            lon=lon, lat=lat, code=code, on_border=several is not None, covering=covering,
            accuracy_m=accuracy_m, _locator=self, _position=label - 1,
        )  # fmt: skip
        return location

    def surroundings(
        self,
        position: int,
        lon: float,
        lat: float,
        accuracy_m: float | None,
        *,
        on_border: bool,
    ) -> tuple[float, tuple[Neighbour, ...]]:
        """Return the distance to the boundary of a cell and the neighbours across it, in metres.

        Neighbours are the cells on the other side of the nearest stretch of boundary and, with
        an accuracy, all cells within it.
        """
        distance, across = self._around.boundary(position, lon, lat)
        usual = accuracy_m is None or accuracy_m <= distance
        if usual and not on_border and len(across) == 1 and across[0] != 0:
            if across[0] == NOBODY:
                return distance, ()
            return distance, (Neighbour(self.codes[across[0] - 1], distance),)
        if on_border:
            distance = 0.0
        reach = max(accuracy_m or 0.0, self._around.distance(position, lon, lat))
        reach = reach * (1.0 + 1e-9) + 1e-6
        found = self._around.near(lon, lat, reach, position)
        return distance, tuple(Neighbour(self.codes[i], d) for d, i in found)

    def nearest(self, lon: float, lat: float) -> tuple[str, float]:
        """Return the nearest cell to a place outside all cells and its distance in metres."""
        distance, position = self._around.nearest(lon, lat)
        return self.codes[position], distance
