"""Small layers with awkward values for the storage contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.layers import LAYERS, Layer, normalize
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion

T0 = datetime(2020, 2, 29, 16, 0, 0, 123457, tzinfo=UTC)
DAY = timedelta(days=1)
TEXTS = (
    "网格",
    "a'b\"c",
    "NULL",
    "<img onerror=x>",
    "é\u0301",
    "line\nbreak\ttab\\N\\",
    "😀",
)
NUMBERS = (0.1, -0.0, 1e-308, 1.7976931348623157e308, np.pi, 5e-324, -123456789.123456789)
INTEGERS = (0, -1, 2**53 + 1, 2**62, 7)


def scheme(key: str = "main") -> GridScheme:
    """A scheme whose territory has a hole and doubles off any lattice."""
    shell = [(117.1, 26.1), (117.9 + 1e-13, 26.1), (117.9, 26.7), (117.1, np.nextafter(26.7, 0))]
    hole = [(117.3, 26.2), (117.4, 26.2), (117.4, 26.3)]
    return GridScheme(key, "三明", 4548, 0.75, "cn", shapely.Polygon(shell, [hole]))


def plan(
    key: str, number: int, status: PlanStatus = PlanStatus.DRAFT, **changes: Any
) -> PlanVersion:
    """A plan version of the scheme ``main``."""
    fields: dict[str, Any] = {
        "id": key, "scheme_id": "main", "number": number, "title": f"版本 {number}",
        "status": status, "created_at": T0, "cell_count": 4,
    }  # fmt: skip
    return PlanVersion(**{**fields, **changes})


def cells(side: int = 2, *, west: float = 117.5, south: float = 26.2) -> gpd.GeoDataFrame:
    """``side × side`` squares of 0.01°, codes ``c000``… row by row from the south-west."""
    rows, columns = np.divmod(np.arange(side * side), side)
    x, y = west + columns * 0.01, south + rows * 0.01
    frame = gpd.GeoDataFrame(
        {
            "code": [f"c{i:03d}" for i in range(side * side)],
            "name": [f"网格{i}" for i in range(side * side)],
            "community_code": [f"m{i % 2}" for i in range(side * side)],
            "subdistrict_code": "s1",
            "population": [None if i % 3 == 0 else 10 * i for i in range(side * side)],
            "area_m2": np.linspace(0.1, 1e6, side * side),
        },
        geometry=shapely.box(x, y, x + 0.01, y + 0.01),
        crs=4490,
    )
    return normalize(frame, LAYERS["cells"])


def layer_rows(layer: Layer, count: int = 24, *, seed: int = 7) -> pd.DataFrame:
    """Rows of any layer: each column with nulls where allowed and hard values elsewhere."""
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {layer.key: [f"{layer.name}-{i:04d}" for i in range(count)]}
    for column in layer.columns:
        pool: list[Any]
        if column.kind == "text":
            pool = list(TEXTS)
        elif column.kind == "integer":
            pool = list(INTEGERS)
        elif column.kind == "number":
            pool = list(NUMBERS)
        elif column.kind == "boolean":
            pool = [True, False]
        else:
            pool = [T0 + timedelta(microseconds=int(m)) for m in rng.integers(-(10**15), 10**15, 9)]
        if not column.required and column.kind != "boolean":
            pool.append(None)
        table[column.name] = [pool[i % len(pool)] for i in rng.integers(0, 10**6, count)]
    if layer.geometry is None:
        return normalize(pd.DataFrame(table), layer)
    return normalize(gpd.GeoDataFrame(table, geometry=_shapes(layer, count, rng), crs=4490), layer)


def spatial_rows(layer: Layer, count: int = 24, *, seed: int = 7) -> gpd.GeoDataFrame:
    """``layer_rows`` of a layer with geometry."""
    rows = layer_rows(layer, count, seed=seed)
    assert isinstance(rows, gpd.GeoDataFrame)
    return rows


def _shapes(layer: Layer, count: int, rng: np.random.Generator) -> list[Any]:
    x = 117.0 + rng.random(count) / 3
    y = 26.0 + rng.random(count) / 7
    shapes: list[Any]
    if layer.geometry == "point":
        shapes = [shapely.Point(*xy) for xy in zip(x, y, strict=True)]
    elif layer.geometry == "line":
        ends = np.stack([np.c_[x, y], np.c_[y + 91, x - 91], np.c_[x + 1e-9, y]], axis=1)
        shapes = [shapely.LineString(line) for line in ends]
        shapes[0] = shapely.MultiLineString([shapes[0], shapes[1]])
    else:
        shapes = list(shapely.box(x, y, x + 0.01, y + 0.01))
        shapes[0] = shapely.MultiPolygon([shapes[0], shapely.box(100, 20, 100.1, 20.1)])
    if not layer.geometry_required:
        shapes[1] = shapes[-5 % count] = None
    return shapes


def assert_same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Check values, dtypes, index and columns, and geometry double by double."""
    if isinstance(wanted, gpd.GeoDataFrame):
        assert isinstance(found, gpd.GeoDataFrame)
        assert found.crs == wanted.crs
        left = shapely.to_wkb(found.geometry.to_numpy(), byte_order=1, include_srid=True)
        right = shapely.to_wkb(wanted.geometry.to_numpy(), byte_order=1, include_srid=True)
        assert left.tolist() == right.tolist()
        found = pd.DataFrame(found.drop(columns="geometry"))
        wanted = pd.DataFrame(wanted.drop(columns="geometry"))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)
