"""Kernel density of reports: histogram and Gaussian filter, in metres, as contour bands.

The sum of Gaussian kernels over n points is a convolution, so binning the points and filtering
the raster costs O(n + rows × columns) and differs from the exact sum only by the binning (a few
parts in ten thousand of the peak at cell ≤ bandwidth/10; measured in the tests).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

import contourpy
import geopandas as gpd
import numpy as np
import shapely
from scipy import ndimage

from gridsvc import crs
from gridsvc.analysis.inputs import require_lonlat
from gridsvc.analysis.results import DensitySurface
from gridsvc.errors import BadOption, NothingToWorkOn
from gridsvc.types import FloatArray

_TRUNCATE = 5.0
_MAX_CELLS = 25_000_000
_BANDS = 5


def kde(
    points: Any,
    *,
    epsg: int | None = None,
    bandwidth_m: float = 300.0,
    cell_m: float | None = None,
    edge: Literal["none", "territory"] = "none",
    territory: Any = None,
    levels: Sequence[float] | None = None,
) -> DensitySurface:
    """Estimate the density of points in points per km².

    Parameters
    ----------
    points : GeoSeries, GeoDataFrame, or ndarray of shape (n, 2) with lon, lat in degrees
        EPSG:4490; missing and empty geometries are ignored.
    epsg : int, optional
        Metric CRS; chosen from the centre of the points when not given.
    bandwidth_m : float
        Standard deviation of the Gaussian kernel in metres; cut at 5 standard deviations.
    cell_m : float, optional
        Side of a raster cell in metres; bandwidth/5 when not given.
    edge : {"none", "territory"}
        ``none``: the raster reaches 5 bandwidths beyond the points, so that its sum equals n and
        density beside a border is that of the reports alone. ``territory``: divided by the share
        of the kernel that lies inside the territory, and NaN outside of it.
    territory : Polygon or MultiPolygon, optional
        EPSG:4490, for ``edge="territory"``.
    levels : sequence of float, optional
        Limits of the bands in points per km², ascending; round numbers when not given.

    Returns
    -------
    DensitySurface

    Raises
    ------
    NothingToWorkOn
        For no point.
    BadOption
        For a bandwidth or cell that is not positive, a raster above 25 million cells,
        or ``edge="territory"`` without a territory.
    NotLonLat
        If the points are in another CRS.
    """
    require_lonlat(points, "points")
    lonlat = _coordinates(points)
    if len(lonlat) == 0:
        raise NothingToWorkOn(
            reason_zh="密度至少需要一个点", reason_en="a density needs at least one point"
        )
    if not (math.isfinite(bandwidth_m) and bandwidth_m > 0):
        raise _positive("bandwidth_m", bandwidth_m)
    step = bandwidth_m / 5.0 if cell_m is None else cell_m
    if not (math.isfinite(step) and step > 0):
        raise _positive("cell_m", step)
    if edge == "territory" and territory is None:
        raise BadOption(
            option="edge",
            value=edge,
            reason_zh="需要同时给出 territory",
            reason_en="it needs a territory as well",
        )
    if epsg is None:
        centre = (lonlat.min(axis=0) + lonlat.max(axis=0)) / 2.0
        epsg = crs.zone_epsg(float(centre[0]), float(centre[1]))
    x, y = crs.transformer(crs.STORAGE_EPSG, epsg).transform(lonlat[:, 0], lonlat[:, 1])
    values, bounds = density(np.asarray(x), np.asarray(y), bandwidth_m=bandwidth_m, cell_m=step)
    if edge == "territory":
        values = _inside_territory(values, bounds, step, bandwidth_m, territory, epsg)
    bands = bands_of(values, bounds, step, epsg, levels)
    return DensitySurface(
        values=values,
        bounds_m=bounds,
        epsg=epsg,
        bandwidth_m=float(bandwidth_m),
        cell_m=float(step),
        n=len(lonlat),
        bands=bands,
    )


def density(
    x: FloatArray,
    y: FloatArray,
    *,
    bandwidth_m: float,
    cell_m: float,
    bounds_m: tuple[float, float, float, float] | None = None,
) -> tuple[FloatArray, tuple[float, float, float, float]]:
    """Return the density raster (per km², first row in the south) of metric coordinates.

    ``bounds_m`` (west, south, east, north) fixes the raster; points outside are left out.
    Otherwise it reaches 5 bandwidths beyond the points on multiples of the cell, so that equal
    places fall in equal cells whatever the period.

    Raises
    ------
    BadOption
        For a raster above 25 million cells.
    """
    if bounds_m is None:
        margin = _TRUNCATE * bandwidth_m + cell_m
        west = math.floor((float(x.min()) - margin) / cell_m) * cell_m
        south = math.floor((float(y.min()) - margin) / cell_m) * cell_m
        columns = math.ceil((float(x.max()) + margin - west) / cell_m)
        rows = math.ceil((float(y.max()) + margin - south) / cell_m)
    else:
        west, south = bounds_m[0], bounds_m[1]
        columns = round((bounds_m[2] - west) / cell_m)
        rows = round((bounds_m[3] - south) / cell_m)
    if rows * columns > _MAX_CELLS:
        raise BadOption(
            option="cell_m",
            value=cell_m,
            reason_zh=f"将产生 {rows} × {columns} 个栅格;请增大 cell_m",
            reason_en=f"{rows} x {columns} raster cells are too many; use a larger one",
        )
    column = np.floor((x - west) / cell_m).astype(np.int64)
    row = np.floor((y - south) / cell_m).astype(np.int64)
    if bounds_m is not None:
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        column, row = column[inside], row[inside]
    counts = np.bincount(row * columns + column, minlength=rows * columns)
    raster = counts.reshape(rows, columns).astype(np.float64)
    smooth = ndimage.gaussian_filter(
        raster, bandwidth_m / cell_m, mode="constant", truncate=_TRUNCATE
    )
    per_km2 = smooth * (1e6 / cell_m**2)
    return per_km2, (west, south, west + columns * cell_m, south + rows * cell_m)


def nice_levels(peak: float, count: int = _BANDS) -> list[float]:
    """Return up to ``count`` round lower limits (1, 2, 5 × 10ⁿ) below a peak, ascending.

    They double roughly, because density spans orders of magnitude.

    Examples
    --------
    >>> nice_levels(130.0)
    [5.0, 10.0, 20.0, 50.0, 100.0]
    """
    if not peak > 0:
        return []
    ladder = [
        float(f"{m}e{e}")
        for e in range(math.floor(math.log10(peak)) - count, math.floor(math.log10(peak)) + 1)
        for m in (1, 2, 5)
    ]
    return [v for v in ladder if v < peak][-count:]


def bands_of(
    values: FloatArray,
    bounds_m: tuple[float, float, float, float],
    cell_m: float,
    epsg: int,
    levels: Sequence[float] | None = None,
) -> gpd.GeoDataFrame:
    """Return the filled contour bands of a raster: columns ``low``, ``high`` and geometry.

    The last band is open at the top (``high`` is the peak). Bands do not overlap.
    """
    peak = float(np.nanmax(values, initial=0.0))
    limits = list(nice_levels(peak)) if levels is None else [v for v in levels if v < peak]
    rows: list[dict[str, Any]] = []
    if limits and min(values.shape) >= 2:
        x = bounds_m[0] + (np.arange(values.shape[1]) + 0.5) * cell_m
        y = bounds_m[1] + (np.arange(values.shape[0]) + 0.5) * cell_m
        generator = contourpy.contour_generator(
            x, y, np.ma.masked_invalid(values), fill_type=contourpy.FillType.OuterOffset
        )
        for low, high in zip(limits, [*limits[1:], peak], strict=True):
            top = high if high < peak else np.nextafter(peak, np.inf) * (1 + 1e-12)
            shape = _polygons(*generator.filled(low, top))
            if not shape.is_empty:
                rows.append({"low": low, "high": high, "geometry": crs.to_storage(shape, epsg)})
    if not rows:
        return gpd.GeoDataFrame(
            {"low": np.array([]), "high": np.array([])}, geometry=[], crs=crs.STORAGE_EPSG
        )
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=crs.STORAGE_EPSG)
    frame["geometry"] = [_polygonal(g) for g in frame.geometry]
    return frame


def _polygons(points: list[Any], offsets: list[Any]) -> Any:
    shapes = []
    for xy, starts in zip(points, offsets, strict=True):
        rings = [xy[a:b] for a, b in itertools.pairwise(starts)]
        rings = [r for r in rings if len(r) >= 4]
        if rings:
            shapes.append(_polygonal(shapely.Polygon(rings[0], rings[1:])))
    return _polygonal(shapely.union_all(shapes)) if shapes else shapely.Polygon()


def _polygonal(shape: Any) -> Any:
    if not shapely.is_valid(shape):
        shape = shapely.make_valid(shape, method="structure")
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    kept = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(kept) if kept else shapely.Polygon()


def _inside_territory(
    values: FloatArray,
    bounds: tuple[float, float, float, float],
    cell_m: float,
    bandwidth_m: float,
    territory: Any,
    epsg: int,
) -> FloatArray:
    x = bounds[0] + (np.arange(values.shape[1]) + 0.5) * cell_m
    y = bounds[1] + (np.arange(values.shape[0]) + 0.5) * cell_m
    shape = crs.to_metric(territory, epsg)
    shapely.prepare(shape)
    columns, rows = np.meshgrid(x, y)
    mask = shapely.contains_xy(shape, columns, rows).astype(np.float64)
    share = ndimage.gaussian_filter(mask, bandwidth_m / cell_m, mode="constant", truncate=_TRUNCATE)
    result = np.full(values.shape, np.nan)
    inside = mask > 0
    result[inside] = values[inside] / share[inside]
    return result


def _positive(option: str, value: float) -> BadOption:
    return BadOption(
        option=option, value=value, reason_zh="必须大于 0", reason_en="it must be positive"
    )


def _coordinates(points: Any) -> FloatArray:
    if isinstance(points, np.ndarray) and points.dtype.kind in "fiu":
        return np.asarray(points, dtype=np.float64).reshape(-1, 2)
    shapes = np.asarray(getattr(points, "geometry", points), dtype=object)
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    return np.asarray(shapely.get_coordinates(shapes))
