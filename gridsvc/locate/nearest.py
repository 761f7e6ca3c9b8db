"""The nearest of many points, such as evaluation points, to a place."""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from math import floor
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from gridsvc.locate.surroundings import metres_per_degree
from gridsvc.types import ComplexArray, FloatArray

_BRUTE_UP_TO = 4000
_BANDS_PER_DEGREE = 100.0
_KEEP_BANDS = 256
_KEEP_TILES = 50_000
_MOST_IN_TILE = 64
_SLACK_M = 0.01
# At a pole a degree of longitude has no length; the radius of the search stays finite there.
_LEAST_RATIO = 1e-9
_ROUNDING = 1e-9
# Square of a distance that no place of the tile is below, place in metres, number.
_PLACE = np.dtype([("least", "f8"), ("x", "f8"), ("y", "f8"), ("number", "i4")])
_places_of = struct.Struct("=3di").iter_unpack
_COLUMNS = 1 << 40  # a key holds row and column of a tile

# Metres per degree and what can be the nearest somewhere in the tile, packed.
_Tile = tuple[float, float, bytes]
_UNKNOWN: Any = object()


class NearestPoints:
    """Finds the nearest point and its distance in metres (see ``surroundings`` for the metric).

    Up to 4,000 points are compared by tiles of a fraction of a band, which are filled when they
    are first asked for; more are found by a tree, and those that can be nearest are measured.

    Parameters
    ----------
    lon, lat : ndarray of float
        Finite degrees.
    """

    def __init__(self, lon: FloatArray, lat: FloatArray) -> None:
        self._lon = np.asarray(lon, dtype=np.float64)
        self._lat = np.asarray(lat, dtype=np.float64)
        self._bands: OrderedDict[int, tuple[float, float, ComplexArray]] = OrderedDict()
        self._tiles: dict[int, _Tile | None] = {}
        self._tree: cKDTree | None = None
        if len(self._lon) > _BRUTE_UP_TO:
            self._kx, self._ky = metres_per_degree(float(np.mean(self._lat)))
            self._tree = cKDTree(np.column_stack([self._lon * self._kx, self._lat * self._ky]))
        self._per_band = self._split()
        self._per_degree = self._per_band * _BANDS_PER_DEGREE

    def _split(self) -> int:
        """Return how many tiles a band is high: about four tiles a point."""
        if len(self._lon) < 2:
            return 1
        extent = float(np.ptp(self._lon)) * float(np.ptp(self._lat))
        side = max(math.sqrt(extent / len(self._lon)) / 2.0, 1e-5)
        return max(1, math.ceil(1.0 / (_BANDS_PER_DEGREE * side)))

    def __len__(self) -> int:
        return len(self._lon)

    def nearest(self, lon: float, lat: float) -> tuple[int, float] | None:
        """Return number and distance of the nearest point; ``None`` when there is none.

        Of points that are as near the first one counts.
        """
        if self._tree is not None:
            return self._by_tree(self._tree, lon, lat)
        column, row = floor(lon * self._per_degree), floor(lat * self._per_degree)
        tile = self._tiles.get(row * _COLUMNS + column, _UNKNOWN)
        if tile is _UNKNOWN:
            tile = self._tile(column, row)
        if tile is None:
            return self._by_all(lon, lat)
        kx, ky, places = tile
        east, north = lon * kx, lat * ky
        best, at = math.inf, -1
        for least, x, y, number in _places_of(places):
            if least > best:
                break
            gap = (x - east) ** 2 + (y - north) ** 2
            if gap < best or (gap == best and number < at):
                best, at = gap, number
        return at, math.sqrt(best)

    def _tile(self, column: int, row: int) -> _Tile | None:
        """Fill a tile; ``None`` when nearly all points could be the nearest, or there are none."""
        tile: _Tile | None = None
        if len(self._lon):
            kx, ky, places = self._band(row // self._per_band)
            side = 1.0 / self._per_degree
            middle = complex((column + 0.5) * side * kx, (row + 0.5) * side * ky)
            gap = np.abs(places - middle)
            reach = math.hypot(side * kx, side * ky)  # twice the half diagonal
            near = (gap <= gap.min() + reach + _SLACK_M).nonzero()[0]
            if len(near) <= _MOST_IN_TILE:
                near = near[np.argsort(gap[near], kind="stable")]
                packed = np.empty(len(near), dtype=_PLACE)
                packed["x"], packed["y"] = places[near].real, places[near].imag
                packed["least"] = np.maximum(gap[near] - (reach / 2.0 + _SLACK_M), 0.0) ** 2
                packed["number"] = near
                tile = (kx, ky, packed.tobytes())
        if len(self._tiles) >= _KEEP_TILES:
            self._tiles.clear()
        self._tiles[row * _COLUMNS + column] = tile
        return tile

    def _by_all(self, lon: float, lat: float) -> tuple[int, float] | None:
        if len(self._lon) == 0:
            return None
        kx, ky, places = self._band(floor(lat * _BANDS_PER_DEGREE))
        gap = np.abs(places - complex(lon * kx, lat * ky))
        at = int(gap.argmin())
        return at, float(gap[at])

    def _by_tree(self, tree: cKDTree, lon: float, lat: float) -> tuple[int, float]:
        # The tree measures with one length of a degree for all. A gap here is at most ``most``
        # and at least ``least`` times that of the tree, so no point beyond the radius is nearer.
        kx, ky = metres_per_degree(lat)
        least, most = sorted((kx / self._kx, ky / self._ky))
        place = (lon * self._kx, lat * self._ky)
        best = float(tree.query(place)[0])
        radius = best * (most / max(least, _LEAST_RATIO)) * (1.0 + _ROUNDING) + _SLACK_M
        found = np.sort(np.asarray(tree.query_ball_point(place, radius), dtype=np.int64))
        gap = np.hypot((self._lon[found] - lon) * kx, (self._lat[found] - lat) * ky)
        at = int(gap.argmin())
        return int(found[at]), float(gap[at])

    def _band(self, number: int) -> tuple[float, float, ComplexArray]:
        found = self._bands.get(number)
        if found is None:
            kx, ky = metres_per_degree((number + 0.5) / _BANDS_PER_DEGREE)
            found = (kx, ky, self._lon * kx + 1j * (self._lat * ky))
            self._bands[number] = found
            while len(self._bands) > _KEEP_BANDS:
                self._bands.popitem(last=False)
        return found
