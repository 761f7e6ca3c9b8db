"""Land of the sample city: river, valley, hills, street directions and where people live.

Everything here is in a local metric frame: metres east and north of the centre of the city in
the CGCS2000 3-degree zone (EPSG:4548).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from gridsvc.crs import transformer
from gridsvc.types import FloatArray

METRIC_EPSG = 4548
CENTRE_LON, CENTRE_LAT = 117.64, 26.26
BASE_CELLS = 702
BASE_AREA_M2 = 155.1e6
_AXIS_DEG = 38.0
_BRIDGES = (-5200.0, -3300.0, -1650.0, -250.0, 1150.0, 2500.0, 4300.0)
_BORDER_BRIDGES = (-1650.0, 1150.0)
_VALLEY_ROADS = (-5200.0, -1650.0, 1150.0, 4300.0)


def generator(seed: int, topic: str) -> np.random.Generator:
    """Return the random generator of one topic, independent of all others.

    Parameters
    ----------
    seed : int
        Seed of the city.
    topic : str
        For example ``"river"``; a change in one topic leaves the others as they were.
    """
    return np.random.default_rng([seed, zlib.crc32(topic.encode())])


def centre() -> tuple[float, float]:
    """Return easting and northing of the city's centre in EPSG:4548, on whole metres."""
    x, y = transformer(4490, METRIC_EPSG).transform(CENTRE_LON, CENTRE_LAT)
    return round(x), round(y)


@dataclass(frozen=True)
class Terrain:
    """The land before anybody draws a boundary.

    Attributes
    ----------
    river_line : LineString
        Centre line, downstream.
    river : Polygon
        Water between the banks, inside the territory.
    territory : Polygon
        Declared territory with the river.
    foot_lines : tuple of LineString
        Foot of the hills left and right of the river, each as a closed line around the valley.
    inner_valley : Polygon
        The part of the valley floor on the river's side of the middle road.
    cross_lines : tuple of LineString
        Roads across the valley at the bridges; some go on into the side valleys.
    border_lines : tuple of LineString
        Those of them that part the subdistricts.
    spacing : float
        Metres between the nodes of the rasters.
    origin : tuple of float
        Local coordinates of node (0, 0).
    cos2, sin2 : ndarray
        Street direction as doubled angle, so that opposite directions are one.
    density : ndarray
        People per square metre, relative.
    """

    river_line: LineString
    river: Polygon
    territory: Polygon
    foot_lines: tuple[LineString, LineString]
    inner_valley: Polygon
    cross_lines: tuple[LineString, ...]
    border_lines: tuple[LineString, ...]
    spacing: float
    origin: tuple[float, float]
    cos2: FloatArray
    sin2: FloatArray
    density: FloatArray

    def trace(self, x: float, y: float, length: float, *, across: bool, step: float) -> FloatArray:
        """Follow the street direction from a place to both sides.

        Parameters
        ----------
        x, y : float
            Start, local metres.
        length : float
            Metres to each side.
        across : bool
            Follow the direction across the valley instead of along it.
        step : float
            Metres between vertices.

        Returns
        -------
        ndarray of shape (n, 2)
        """
        halves = []
        for sign in (-1.0, 1.0):
            px, py = x, y
            dx, dy = self._direction(px, py, across)
            dx, dy = dx * sign, dy * sign
            steps = []
            for _ in range(max(int(length / step), 1)):
                nx, ny = self._direction(px + dx * step / 2.0, py + dy * step / 2.0, across)
                if nx * dx + ny * dy < 0.0:
                    nx, ny = -nx, -ny
                dx, dy = nx, ny
                px, py = px + dx * step, py + dy * step
                steps.append((px, py))
            halves.append(steps)
        return np.array([*halves[0][::-1], (x, y), *halves[1]])

    def is_left(self, x: float, y: float) -> bool:
        """Return whether a place lies on the left bank, looking downstream."""
        near = self.river_line.project(shapely.Point(x, y))
        a, b = (self.river_line.interpolate(near + d) for d in (-5.0, 5.0))
        return bool((b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x) > 0.0)

    def density_at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the relative density of people at places, by linear interpolation."""
        rows = (np.asarray(y) - self.origin[1]) / self.spacing
        columns = (np.asarray(x) - self.origin[0]) / self.spacing
        return np.asarray(map_coordinates(self.density, [rows, columns], order=1, mode="nearest"))

    def _direction(self, x: float, y: float, across: bool) -> tuple[float, float]:
        height, width = self.cos2.shape
        c = min(max((x - self.origin[0]) / self.spacing, 0.0), width - 1.001)
        r = min(max((y - self.origin[1]) / self.spacing, 0.0), height - 1.001)
        i, j = int(r), int(c)
        v, u = r - i, c - j
        w00, w01, w10, w11 = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
        a, b = self.cos2, self.sin2
        k = a.item(i, j) * w00 + a.item(i, j + 1) * w01
        k += a.item(i + 1, j) * w10 + a.item(i + 1, j + 1) * w11
        s = b.item(i, j) * w00 + b.item(i, j + 1) * w01
        s += b.item(i + 1, j) * w10 + b.item(i + 1, j + 1) * w11
        angle = 0.5 * math.atan2(s, k) + (math.pi / 2.0 if across else 0.0)
        return math.cos(angle), math.sin(angle)


def make_terrain(seed: int, cells: int) -> Terrain:
    """Make the land for a number of cells; area grows in proportion (155.1 km² for 702).

    Parameters
    ----------
    seed : int
    cells : int

    Returns
    -------
    Terrain
    """
    grow = float(np.sqrt(cells / BASE_CELLS))
    along = max(grow, 1.0)
    reach = 11_500.0 * grow
    line = _river_line(seed, max(reach, 11_500.0))
    xy = shapely.get_coordinates(line)
    tangent = np.gradient(xy, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    station = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    station -= station[np.argmin(np.hypot(*xy.T))]
    water = _water(seed, xy, normal, station)
    territory = _territory(seed, cells, water)
    widths = [_valley_half_width(seed, side, station) for side in ("left", "right")]
    feet = [LineString(_ribbon(xy, width, 260.0).exterior) for width in widths]
    half_width = np.mean(widths, axis=0)
    inner = _ribbon(xy, 110.0 + 0.42 * (half_width - 110.0), 500.0)
    spacing = 50.0 * along**0.5
    west, south, east, north = territory.buffer(600.0).bounds
    gx, gy = np.meshgrid(np.arange(west, east, spacing), np.arange(south, north, spacing))
    tree = cKDTree(xy)
    found = tree.query(np.column_stack([gx.ravel(), gy.ravel()]))
    distance = np.asarray(found[0]).reshape(gx.shape)
    nearest = np.asarray(found[1]).reshape(gx.shape)
    offset = np.dstack([gx, gy]) - xy[nearest]
    is_left = np.einsum("ijk,ijk->ij", offset, normal[nearest]) > 0
    foot = np.where(is_left, widths[0][nearest], widths[1][nearest])
    cos2, sin2 = _directions(seed, tangent[nearest], distance / foot, spacing)
    partial = Terrain(
        line, water, territory, (feet[0], feet[1]), inner, (), (), spacing, (west, south), cos2,
        sin2, np.zeros_like(cos2),
    )  # fmt: skip
    cross, border, side = _cross_lines(partial, xy, station, half_width)
    density = _density(seed, gx, gy, distance, foot, station[nearest], side, along)
    shapely.prepare(territory)
    inside = shapely.contains_xy(territory, gx.ravel(), gy.ravel()).reshape(gx.shape)
    density[~inside] *= 0.02
    return Terrain(
        line, polygon_of(water.intersection(territory)), territory, (feet[0], feet[1]), inner,
        cross, border, spacing, (west, south), cos2, sin2, density,
    )  # fmt: skip


def polygon_of(geometry: BaseGeometry) -> Polygon:
    """Return the only or largest polygon of a geometry."""
    parts = [g for g in shapely.get_parts(geometry) if isinstance(g, Polygon)]
    return max(parts, key=lambda g: float(g.area))


def _river_line(seed: int, reach: float) -> LineString:
    rng = generator(seed, "river")
    u = np.arange(-reach, reach + 1.0, 25.0)
    p1, p2, p3 = rng.uniform(-0.4, 0.4, 3)
    v = 760.0 * np.sin(2 * np.pi * u / 7300.0 + 0.9 + p1)
    v += 150.0 * np.sin(2 * np.pi * u / 3300.0 + 2.1 + p2)
    v += 350.0 * np.sin(2 * np.pi * u / 15_000.0 + p3)
    v -= v[np.argmin(np.abs(u))]
    a = np.radians(_AXIS_DEG)
    return LineString(
        np.column_stack([u * np.cos(a) - v * np.sin(a), u * np.sin(a) + v * np.cos(a)])
    )


def _water(seed: int, xy: FloatArray, normal: FloatArray, station: FloatArray) -> Polygon:
    p = generator(seed, "banks").uniform(0, 2 * np.pi, 4)
    left = 88.0 + 14.0 * np.sin(station / 520.0 + p[0]) + 8.0 * np.sin(station / 190.0 + p[1])
    right = 88.0 + 14.0 * np.sin(station / 610.0 + p[2]) + 8.0 * np.sin(station / 170.0 + p[3])
    banks = np.vstack([xy + normal * left[:, None], (xy - normal * right[:, None])[::-1]])
    return Polygon(np.round(banks, 3))


def _territory(seed: int, cells: int, water: Polygon) -> Polygon:
    rng = generator(seed, "territory")
    phi = np.linspace(0, 2 * np.pi, 900, endpoint=False)
    radius = 1.0 / ((np.abs(np.cos(phi)) / 1.34) ** 2.3 + (np.abs(np.sin(phi)) / 0.80) ** 2.3) ** (
        1 / 2.3
    )
    ridge = np.zeros_like(phi)
    for k in range(3, 60):
        ridge += rng.normal(0, 0.24 / k**1.25) * np.cos(k * phi + rng.uniform(0, 2 * np.pi))
    radius *= 1.0 + 0.55 * ridge
    a = np.radians(_AXIS_DEG)
    ring = np.column_stack([radius * np.cos(phi + a), radius * np.sin(phi + a)])
    target = BASE_AREA_M2 * cells / BASE_CELLS
    scale = np.sqrt(target * 1.02 / Polygon(ring).area)
    for _ in range(8):
        land = Polygon(ring * scale).difference(water).area
        scale *= np.sqrt(target / land)
    return Polygon(np.round(ring * scale, 3))


def _valley_half_width(seed: int, side: str, station: FloatArray) -> FloatArray:
    """Return metres from the river's centre line to the foot of the hills on one side."""
    p = generator(seed, f"valley {side}").uniform(0, 2 * np.pi, 3)
    shift = 650.0 if side == "left" else -650.0
    wide = 640.0 + 480.0 * np.exp(-(((station - 100.0 - shift) / 1700.0) ** 2))
    wide += 380.0 * np.exp(-(((station - 4600.0 + shift) / 1000.0) ** 2))
    wide += 260.0 * np.exp(-(((station + 4100.0 - shift) / 800.0) ** 2))
    wide += 130.0 * np.sin(station / 640.0 + p[0]) + 75.0 * np.sin(station / 300.0 + p[1])
    return np.asarray(np.maximum(wide + 40.0 * np.sin(station / 170.0 + p[2]), 330.0))


def _ribbon(xy: FloatArray, half_width: FloatArray, smooth: float) -> Polygon:
    discs = shapely.buffer(shapely.points(xy[::2]), half_width[::2], quad_segs=24)
    ribbon = shapely.union_all(discs)
    ribbon = shapely.buffer(shapely.buffer(ribbon, smooth), -smooth - 90.0)
    ribbon = shapely.simplify(shapely.buffer(ribbon, 90.0), 2.0)
    return Polygon(shapely.segmentize(ribbon.exterior, 50.0))


def _directions(
    seed: int, tangent: FloatArray, relative: FloatArray, spacing: float
) -> tuple[FloatArray, FloatArray]:
    rng = generator(seed, "directions")
    angle = np.arctan2(tangent[..., 1], tangent[..., 0])
    hills = np.clip((relative - 0.85) / 1.2, 0.0, 1.0)
    noise = np.zeros(angle.shape)
    for size, amount in ((1600.0, 0.8), (500.0, 0.45)):
        rough = gaussian_filter(rng.normal(size=angle.shape), size / spacing / 2.0)
        noise += amount * rough / rough.std()
    near = [gaussian_filter(f(2 * angle), 120.0 / spacing) for f in (np.cos, np.sin)]
    far = [gaussian_filter(f(2 * angle), 900.0 / spacing) for f in (np.cos, np.sin)]
    cos2 = near[0] * (1 - hills) + far[0] * hills
    sin2 = near[1] * (1 - hills) + far[1] * hills
    turned = np.arctan2(sin2, cos2) + 2.0 * noise * (0.07 + 0.55 * hills)
    return np.cos(turned), np.sin(turned)


def _cross_lines(
    terrain: Terrain, xy: FloatArray, station: FloatArray, half_width: FloatArray
) -> tuple[tuple[LineString, ...], tuple[LineString, ...], tuple[LineString, ...]]:
    cross, border, side = [], [], []
    size = float(np.sqrt(terrain.territory.area))
    for s in _BRIDGES:
        k = int(np.argmin(np.abs(station - s)))
        if not shapely.contains_xy(terrain.territory, *xy[k]):
            continue
        goes_on = s in _VALLEY_ROADS
        length = 1.4 * size if goes_on else float(half_width[k]) * 1.35
        line = LineString(terrain.trace(xy[k, 0], xy[k, 1], length, across=True, step=40.0))
        cross.append(line)
        if s in _BORDER_BRIDGES:
            border.append(line)
        if goes_on:
            side.append(line)
    return tuple(cross), tuple(border), tuple(side)


def _density(
    seed: int,
    gx: FloatArray,
    gy: FloatArray,
    distance: FloatArray,
    half_width: FloatArray,
    station: FloatArray,
    side: tuple[LineString, ...],
    along: float,
) -> FloatArray:
    rng = generator(seed, "density")
    floor = 1.0 / (1.0 + np.exp(np.minimum((distance - half_width * 0.96) / 55.0, 60.0)))
    town = 0.10 + 1.0 * np.exp(-((np.abs(station - 0.0) / 3300.0) ** 2.6))
    town += 0.72 * np.exp(-(((station - 4500.0) / 1250.0) ** 2))
    town += 0.45 * np.exp(-(((station + 4300.0) / 1000.0) ** 2))
    density = floor * town
    shape = gx.shape
    places = np.column_stack([gx.ravel(), gy.ravel()])
    for line in side:
        vertices = shapely.get_coordinates(line)
        found = cKDTree(vertices).query(places, distance_upper_bound=1500.0)
        away = np.asarray(found[0]).reshape(shape)
        outside = np.clip(distance / half_width - 1.0, 0.0, None)
        density += 0.34 * np.exp(-((away / 210.0) ** 2)) * np.exp(-((outside / 1.3) ** 2))
    west, south, east, north = gx.min(), gy.min(), gx.max(), gy.max()
    for _ in range(round(9 * along**2)):
        at = rng.uniform(west, east), rng.uniform(south, north)
        _add_bump(density, gx, gy, at, rng.uniform(180.0, 420.0), rng.uniform(0.10, 0.28), 1.0)
    for _ in range(round(1.3 * (along**2 - 1.0))):
        at = rng.uniform(west, east), rng.uniform(south, north)
        _add_bump(density, gx, gy, at, rng.uniform(600.0, 1900.0), rng.uniform(0.5, 1.0), 1.6)
    return np.asarray(density)


def _add_bump(
    density: FloatArray,
    gx: FloatArray,
    gy: FloatArray,
    at: tuple[float, float],
    radius: float,
    height: float,
    steepness: float,
) -> None:
    """Add a village or town to the density, in place, within four radii."""
    columns = np.flatnonzero(np.abs(gx[0] - at[0]) < 4.0 * radius)
    rows = np.flatnonzero(np.abs(gy[:, 0] - at[1]) < 4.0 * radius)
    if not len(columns) or not len(rows):
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    away = ((gx[window] - at[0]) ** 2 + (gy[window] - at[1]) ** 2) / radius**2
    density[window] += height * np.exp(-(away**steepness))
