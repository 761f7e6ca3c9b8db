"""Communities, subdistricts and the city, derived from the leaf cells."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import STORAGE_EPSG, metric_epsg_of, to_metric
from gridsvc.layers import AREAS, normalize
from gridsvc.types import Level

CITY_CODE = "city"


def derive_areas(
    cells: gpd.GeoDataFrame, *, metric_epsg: int | None = None, city_name: str | None = None
) -> gpd.GeoDataFrame:
    """Return communities, subdistricts and the city as unions of their cells (contract AREAS).

    Because parents are never drawn, each is exactly the union of its children, vertex by vertex.

    Parameters
    ----------
    cells : GeoDataFrame
        Edge-matched leaf cells (contract CELLS); cells without a parent code count in the city
        only.
    metric_epsg : int, optional
        CRS of ``area_m2``; the zone of the data's centre by default.
    city_name : str, optional

    Returns
    -------
    GeoDataFrame
        Indexed by ``level:code``, ordered city, subdistricts, communities, each by code.
    """
    shapes = np.asarray(cells.geometry.array, dtype=object)
    epsg = metric_epsg or metric_epsg_of(shapes)
    population = (
        cells["population"].to_numpy(dtype=float, na_value=np.nan)
        if "population" in cells.columns
        else np.full(len(cells), np.nan)
    )
    rows: list[dict[str, Any]] = [
        _row(Level.CITY, CITY_CODE, city_name, None, np.arange(len(cells)), shapes, population)
    ]
    for level, parent in ((Level.SUBDISTRICT, None), (Level.COMMUNITY, "subdistrict_code")):
        column = f"{level.value}_code"
        if column not in cells.columns:
            continue
        names = cells.get(f"{level.value}_name")
        groups = cells.reset_index(drop=True).groupby(column, sort=True).indices
        for code in sorted(groups):
            at = np.asarray(groups[code])
            name = None if names is None else _first(names.iloc[at])
            above = CITY_CODE if parent is None else _first(cells[parent].iloc[at])
            rows.append(_row(level, str(code), name, above, at, shapes, population))
    frame = gpd.GeoDataFrame(
        pd.DataFrame(rows).drop(columns="shape").set_index("area_key"),
        geometry=np.array([r["shape"] for r in rows], dtype=object),
        crs=STORAGE_EPSG,
    )
    frame["area_m2"] = shapely.area(to_metric(frame.geometry.to_numpy(), epsg))
    return normalize(frame, AREAS, source="areas")


def _row(
    level: Level,
    code: str,
    name: str | None,
    parent: str | None,
    at: Any,
    shapes: Any,
    population: Any,
) -> dict[str, Any]:
    known = population[at][~np.isnan(population[at])]
    return {
        "area_key": f"{level.value}:{code}",
        "level": level.value,
        "code": code,
        "name": name,
        "parent_code": parent,
        "cell_count": len(at),
        "population": float(known.sum()) if len(known) else None,
        "shape": shapely.normalize(shapely.coverage_union_all(shapes[at])),
    }


def _first(values: pd.Series) -> str | None:
    known = values.dropna()
    return None if known.empty else str(known.iloc[0])
