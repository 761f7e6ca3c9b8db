"""Test 6 of the certificate: codes are unique and parse, every cell has one chain of parents."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.codes import CellCode
from gridsvc.crs import to_metric
from gridsvc.errors import InvalidCode
from gridsvc.plan.areas import derive_areas
from gridsvc.quality.findings import FindingList, place_of

_PARENTS = (
    ("community_code", "社区代码", "community code", "community_code"),
    ("subdistrict_code", "街道代码", "subdistrict code", "subdistrict_code"),
)


def check_codes(cells: gpd.GeoDataFrame, code_system: str, found: FindingList) -> None:
    """Check codes and parents; parent columns that the frame does not have are not asked for.

    Parameters
    ----------
    cells : GeoDataFrame
        Indexed by code.
    code_system : {"cn", "free"}
        ``cn`` asks for 15 digits (or 14) that begin with the parents' codes.
    found : FindingList
    """
    codes = [str(c) for c in cells.index]
    shapes = np.asarray(cells.geometry.array, dtype=object)
    counts = pd.Series(codes).value_counts()
    for code in sorted(counts[counts > 1].index):
        rows = [i for i, c in enumerate(codes) if c == code]
        places = [g for g in (place_of(shapes[i]) for i in rows) if g is not None]
        where = shapely.geometrycollections(places) if places else None
        found.add("duplicate_code", [code], where, measure=float(len(rows)))
    parsed = _parse(codes, shapes, code_system, found)
    for column, zh, en, attribute in _PARENTS:
        if column not in cells.columns:
            continue
        values = cells[column].to_numpy(dtype=object, na_value=None)
        for i, value in enumerate(values):
            if value is None or not str(value).strip():
                found.add("orphan_parent", [codes[i]], place_of(shapes[i]), detail=en, detail_zh=zh)
            else:
                code = parsed[i]
                if code is not None and getattr(code, attribute) != str(value):
                    found.add(
                        "code_outside_parent", [codes[i]], place_of(shapes[i]), detail=str(value)
                    )
    if {"community_code", "subdistrict_code"} <= set(cells.columns):
        chain = pd.DataFrame(
            {
                "code": codes,
                "community": cells["community_code"].to_numpy(),
                "subdistrict": cells["subdistrict_code"].to_numpy(),
            }
        ).dropna()
        kinds = chain.groupby("community")["subdistrict"].nunique()
        for community in sorted(kinds[kinds > 1].index):
            concerned = sorted(chain.loc[chain["community"] == community, "code"])
            found.add("parent_conflict", concerned, None, detail=str(community))


def _parse(
    codes: list[str], shapes: Any, code_system: str, found: FindingList
) -> list[CellCode | None]:
    parsed: list[CellCode | None] = []
    for i, code in enumerate(codes):
        result: CellCode | None = None
        if not code.strip():
            found.add(
                "bad_code", [code], place_of(shapes[i]), detail="it is empty", detail_zh="为空"
            )
        elif code_system == "cn":
            try:
                result = CellCode.parse(code)
            except InvalidCode as error:
                found.add(
                    "bad_code",
                    [code],
                    place_of(shapes[i]),
                    detail=str(error.fields["reason_en"]),
                    detail_zh=str(error.fields["reason_zh"]),
                )
        parsed.append(result)
    return parsed


def check_areas(
    cells: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, metric_epsg: int, found: FindingList
) -> None:
    """Check that each materialised parent is the union of its cells, to the last vertex."""
    wanted = derive_areas(cells, metric_epsg=metric_epsg)
    for key in sorted(set(wanted.index) | set(areas.index)):
        have = areas.geometry.get(key)
        want = wanted.geometry.get(key)
        if have is None or want is None:
            lone = want if have is None else have
            area = float(shapely.area(to_metric(lone, metric_epsg)))
            found.add("parent_not_union", [], lone, measure=area, detail=str(key))
        elif not shapely.equals_exact(shapely.normalize(have), shapely.normalize(want), 0.0):
            differs = shapely.symmetric_difference(have, want)
            area = float(shapely.area(to_metric(differs, metric_epsg)))
            found.add("parent_not_union", [], place_of(differs), measure=area, detail=str(key))
