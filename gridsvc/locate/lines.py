"""The nearest of many lines, such as roads and river banks, within reach of a place."""

from __future__ import annotations

import math
from math import floor

import numpy as np
import shapely

from gridsvc.locate.surroundings import metres_per_degree
from gridsvc.types import ObjectArray

_TILES_PER_DEGREE = 1000.0
_KEEP_TILES = 50_000
_COLUMNS = 1 << 40  # a key holds row and column of a tile
_SLACK_M = 0.05

# Start, direction and square of the length in metres from the corner of the tile; which line.
_Segment = tuple[float, float, float, float, float, int]
_Tile = tuple[float, float, float, float, tuple[_Segment, ...]]


class NearestLines:
    """Finds the nearest line and its distance in metres, when it is within reach.

    Metres are taken in a local frame at the latitude of a tile of 0.001°, which is filled when it
    is first asked for; in most tiles there is nothing to compare.

    Parameters
    ----------
    shapes : ndarray of shapely geometries
        Lines or polygons (of which the boundary counts) in degrees, none missing.
    reach_m : float
        What is farther away is not found.
    """

    def __init__(self, shapes: ObjectArray, reach_m: float) -> None:
        self.reach_m = reach_m
        areas = shapely.get_dimensions(shapes) == 2
        lines = np.array(shapes, dtype=object)
        lines[areas] = shapely.boundary(lines[areas])
        parts, of_part = shapely.get_parts(lines, return_index=True)
        xy, part = shapely.get_coordinates(parts, return_index=True)
        same = part[1:] == part[:-1]
        self._a, self._b = xy[:-1][same], xy[1:][same]
        self._owner = of_part[part[1:][same]]
        ends = np.stack([self._a, self._b], axis=1)
        segments: ObjectArray = np.asarray(shapely.linestrings(ends), dtype=object)
        self._tree = shapely.STRtree(segments)
        self._tiles: dict[int, _Tile] = {}

    def nearest(self, lon: float, lat: float) -> tuple[int, float] | None:
        """Return number and distance of the nearest line, ``None`` when none is within reach.

        Of lines that are as near the first one counts.
        """
        column, row = floor(lon * _TILES_PER_DEGREE), floor(lat * _TILES_PER_DEGREE)
        tile = self._tiles.get(row * _COLUMNS + column)
        if tile is None:
            tile = self._tile(column, row)
        west, south, kx, ky, segments = tile
        if not segments:
            return None
        east, north = (lon - west) * kx, (lat - south) * ky
        best, at = math.inf, -1
        for x, y, dx, dy, square, owner in segments:
            wx, wy = east - x, north - y
            along = (wx * dx + wy * dy) / square if square else 0.0
            if along > 0.0:
                along = min(along, 1.0)
                wx -= along * dx
                wy -= along * dy
            gap = wx * wx + wy * wy
            if gap < best or (gap == best and owner < at):
                best, at = gap, owner
        distance = math.sqrt(best)
        return (at, distance) if distance <= self.reach_m else None

    def _tile(self, column: int, row: int) -> _Tile:
        west, south = column / _TILES_PER_DEGREE, row / _TILES_PER_DEGREE
        side = 1.0 / _TILES_PER_DEGREE
        kx, ky = metres_per_degree(south + side / 2.0)
        reach = self.reach_m + _SLACK_M
        x, y = reach / max(abs(kx), 1.0), reach / ky
        box = shapely.box(west - x, south - y, west + side + x, south + side + y)
        near = np.sort(self._tree.query(box))
        a = (self._a[near] - (west, south)) * (kx, ky)
        d = (self._b[near] - self._a[near]) * (kx, ky)
        square = (d**2).sum(axis=1)
        table = np.column_stack([a, d, square]).tolist()
        owners = self._owner[near].tolist()
        segments = tuple((*row_, owner) for row_, owner in zip(table, owners, strict=True))
        if len(self._tiles) >= _KEEP_TILES:
            self._tiles.clear()
        tile: _Tile = (west, south, kx, ky, segments)
        self._tiles[row * _COLUMNS + column] = tile
        return tile
