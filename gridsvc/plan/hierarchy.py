"""Which community and subdistrict a leaf cell belongs to: by columns, by overlap, by code prefix.

A leaf belongs to exactly one community, a community to exactly one subdistrict, so
parents nest by construction whatever the parent layers look like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import metric_epsg_of, require_geographic, to_metric
from gridsvc.errors import InputError

Method = Literal["auto", "columns", "overlap", "prefix"]
SECOND_SHARE = 0.05


@dataclass(frozen=True)
class HierarchyResult:
    """Cells with their parents, and everything that was not clear.

    Attributes
    ----------
    cells : GeoDataFrame
        The input with community_code, community_name, subdistrict_code, subdistrict_name filled.
    ambiguous : DataFrame
        Cells or communities of which a second parent holds more than the threshold: level, code,
        first, first_share, second, second_share (shares of the covered area).
    conflicts : DataFrame
        Cells whose own subdistrict differs from the one of their community: code,
        community_code, own, chosen, chosen_share (of the community's area).
    orphans : tuple of str
        Cells without a parent at some level.
    """

    cells: gpd.GeoDataFrame
    ambiguous: pd.DataFrame
    conflicts: pd.DataFrame
    orphans: tuple[str, ...]


def assign_hierarchy(
    cells: gpd.GeoDataFrame,
    *,
    communities: gpd.GeoDataFrame | None = None,
    subdistricts: gpd.GeoDataFrame | None = None,
    method: Method = "auto",
    second_share: float = SECOND_SHARE,
    community_digits: int = 12,
    subdistrict_digits: int = 9,
    metric_epsg: int | None = None,
) -> HierarchyResult:
    """Give each leaf cell its community and each community its subdistrict.

    ``auto`` takes, level by level, a parent layer if there is one, else the cells' own column,
    else the prefix of the code above (community code for subdistricts).

    Parameters
    ----------
    cells : GeoDataFrame
        Leaf cells indexed by code, EPSG:4490 or equal.
    communities, subdistricts : GeoDataFrame, optional
        Parent layers indexed by code, with a ``name`` column if they have names. A
        ``subdistrict_code`` column of ``communities`` decides the subdistrict.
    method : {"auto", "columns", "overlap", "prefix"}
        Force one way for both levels.
    second_share : float
        A cell is ambiguous when its second parent holds more than this share.
    community_digits, subdistrict_digits : int
        Prefix lengths.
    metric_epsg : int, optional
        CRS in which overlaps are measured.

    Raises
    ------
    InputError
        If the forced method lacks its layer or column.
    CrsMismatch
        If a layer is not in geographic coordinates.
    """
    epsg = metric_epsg or metric_epsg_of(np.asarray(cells.geometry.array, dtype=object))
    frame = cells.copy()
    ambiguous: list[dict[str, Any]] = []
    how = _method(frame, "community_code", communities, method)
    if how == "overlap" and communities is not None:
        code, shares = largest_overlap(frame, communities, epsg)
        frame["community_code"] = code.astype("str")
        frame["community_name"] = _names(code, communities)
        ambiguous += _unclear("cell", shares, second_share)
    elif how == "prefix":
        frame["community_code"] = _prefix(frame.index.to_series(), community_digits)
    frame["community_code"] = _text(frame["community_code"])
    own, chosen, weights = _subdistricts(
        frame, communities, subdistricts, method, subdistrict_digits, epsg
    )
    frame["subdistrict_code"] = chosen
    if subdistricts is not None:
        frame["subdistrict_name"] = _names(chosen, subdistricts)
    for column in ("community_name", "subdistrict_name"):
        if column not in frame.columns:
            frame[column] = pd.Series([None] * len(frame), index=frame.index, dtype="str")
    ambiguous += _unclear("community", weights, second_share)
    differs = own.notna() & chosen.notna() & (own != chosen)
    totals = weights.groupby("code")["area"].sum()
    first = weights.groupby("code")["area"].max()
    share = (first / totals).reindex(frame.loc[differs, "community_code"]).to_numpy()
    conflicts = pd.DataFrame(
        {
            "code": frame.index[differs].astype("str"),
            "community_code": frame.loc[differs, "community_code"].to_numpy(),
            "own": own[differs].to_numpy(),
            "chosen": chosen[differs].to_numpy(),
            "chosen_share": share,
        }
    )
    lonely = frame["community_code"].isna() | frame["subdistrict_code"].isna()
    columns = ["level", "code", "first", "first_share", "second", "second_share"]
    return HierarchyResult(
        frame,
        pd.DataFrame(ambiguous, columns=columns),
        conflicts,
        tuple(sorted(frame.index[lonely].astype(str))),
    )


def largest_overlap(
    cells: gpd.GeoDataFrame, parents: gpd.GeoDataFrame, metric_epsg: int
) -> tuple[pd.Series, pd.DataFrame]:
    """Return the parent that holds most of each cell, and all overlaps.

    Returns
    -------
    code : Series
        Parent code by cell code, missing where nothing overlaps; ties go to the lower code.
    overlaps : DataFrame
        Columns code, parent, area (m²), ordered by code and falling area.
    """
    require_geographic(cells.crs)
    require_geographic(parents.crs)
    own = to_metric(_valid(cells), metric_epsg)
    above = to_metric(_valid(parents), metric_epsg)
    row, parent = shapely.STRtree(above).query(own, predicate="intersects")
    inside = shapely.contains_properly(above[parent], own[row])
    area = np.where(inside, shapely.area(own[row]), 0.0)
    rest = np.flatnonzero(~inside)
    area[rest] = shapely.area(shapely.intersection(own[row[rest]], above[parent[rest]]))
    overlaps = pd.DataFrame(
        {
            "code": cells.index.astype("str")[row],
            "parent": parents.index.astype("str")[parent],
            "area": area,
        }
    )
    overlaps = overlaps[overlaps["area"] > 0.0]
    overlaps["rank"] = -overlaps["area"].round(3)
    overlaps = overlaps.sort_values(["code", "rank", "parent"], ignore_index=True)
    overlaps = overlaps.drop(columns="rank")
    first = overlaps.drop_duplicates("code").set_index("code")["parent"]
    return first.reindex(cells.index.astype("str")).set_axis(cells.index), overlaps


def _valid(frame: gpd.GeoDataFrame) -> Any:
    return shapely.make_valid(np.asarray(frame.geometry.array, dtype=object), method="structure")


def _method(
    frame: pd.DataFrame, column: str, layer: gpd.GeoDataFrame | None, method: Method
) -> Method:
    filled = column in frame.columns and bool(_text(frame[column]).notna().any())
    if method == "auto":
        if layer is not None:
            return "overlap"
        return "columns" if filled else "prefix"
    if method == "overlap" and layer is None:
        raise InputError(
            reason_zh=f"缺少 {column} 的上级图层",
            reason_en=f"no parent layer was given for {column}",
        )
    if method == "columns" and not filled:
        raise InputError(
            reason_zh=f"网格没有已填写的列 {column}",
            reason_en=f"the cells have no filled column {column}",
        )
    return method


def _subdistricts(
    frame: gpd.GeoDataFrame,
    communities: gpd.GeoDataFrame | None,
    subdistricts: gpd.GeoDataFrame | None,
    method: Method,
    digits: int,
    epsg: int,
) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Return each cell's own subdistrict, its community's, and the weights behind the choice."""
    area = pd.Series(
        shapely.area(to_metric(np.asarray(frame.geometry.array, dtype=object), epsg)),
        index=frame.index,
    )
    listed = communities is not None and "subdistrict_code" in communities.columns
    if listed and communities is not None and subdistricts is None:
        known = communities["subdistrict_code"].set_axis(communities.index.astype("str"))
        own = _text(frame["community_code"].map(known))
        if "subdistrict_name" in communities.columns:
            names = communities["subdistrict_name"].set_axis(communities.index.astype("str"))
            frame["subdistrict_name"] = frame["community_code"].map(names)
        votes = pd.DataFrame(
            {"community": frame["community_code"], "parent": own, "area": area}
        ).dropna()
    else:
        how = _method(frame, "subdistrict_code", subdistricts, method)
        if how == "overlap" and subdistricts is not None:
            own, overlaps = largest_overlap(frame, subdistricts, epsg)
            own = _text(own)
            of = frame["community_code"].set_axis(frame.index.astype("str"))
            votes = overlaps.assign(community=overlaps["code"].map(of))
            votes = votes[["community", "parent", "area"]].dropna()
        else:
            if how == "prefix":
                own = _prefix(frame["community_code"], digits)
            else:
                own = _text(frame["subdistrict_code"])
            votes = pd.DataFrame(
                {"community": frame["community_code"], "parent": own, "area": area}
            ).dropna()
    weights = votes.groupby(["community", "parent"])[["area"]].sum().reset_index()
    weights = weights.rename(columns={"community": "code"})
    weights["rank"] = -weights["area"].round(3)
    weights = weights.sort_values(["code", "rank", "parent"], ignore_index=True)
    weights = weights.drop(columns="rank")
    winner = weights.drop_duplicates("code").set_index("code")["parent"]
    chosen = _text(frame["community_code"].map(winner))
    return own, chosen, weights


def _unclear(level: str, overlaps: pd.DataFrame, least: float) -> list[dict[str, Any]]:
    """Return the rows whose second parent holds more than ``least`` of the covered area."""
    total = overlaps.groupby("code")["area"].transform("sum")
    table = overlaps.assign(share=overlaps["area"] / total)
    place = table.groupby("code").cumcount()
    first = table[place == 0].set_index("code")
    second = table[place == 1].set_index("code")
    second = second[second["share"] > least]
    return [
        {
            "level": level,
            "code": str(code),
            "first": str(best),
            "first_share": float(best_share),
            "second": str(parent),
            "second_share": float(share),
        }
        for code, parent, share, best, best_share in zip(
            second.index,
            second["parent"],
            second["share"],
            first.loc[second.index, "parent"],
            first.loc[second.index, "share"],
            strict=True,
        )
    ]


def _prefix(codes: pd.Series, digits: int) -> pd.Series:
    text = _text(codes)
    return text.str.slice(0, digits).where(text.str.len() > digits)


def _text(values: pd.Series) -> pd.Series:
    text = values.astype("str").str.strip()
    return text.where(values.notna() & (text != ""))


def _names(codes: pd.Series, parents: gpd.GeoDataFrame) -> pd.Series:
    if "name" not in parents.columns:
        return pd.Series([None] * len(codes), index=codes.index, dtype="str")
    names = parents["name"].set_axis(parents.index.astype("str"))
    return codes.map(names).astype("str").where(codes.notna())
