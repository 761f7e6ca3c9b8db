"""Exactly what differs between two versions: cells, attributes, and ground that changes hands."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.crs import STORAGE_EPSG, metric_epsg_of
from gridsvc.plan.lineage import changed_overlaps, lineage
from gridsvc.types import Json

_COMPARED = ("name", "kind", "community_code", "subdistrict_code", "population", "households")


@dataclass(frozen=True)
class PlanDiff:
    """Difference of two versions of a plan.

    Attributes
    ----------
    added, removed : tuple of str
        Codes that only the new, only the old version has.
    reshaped : tuple of str
        Codes of both versions whose shape differs.
    attributes : DataFrame
        Columns code, field, old, new.
    ground : GeoDataFrame
        Columns old_code, new_code, area_m2, geometry: overlaps of cells of different codes.
    lineage : DataFrame
        See ``gridsvc.plan.lineage.lineage``.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    reshaped: tuple[str, ...]
    attributes: pd.DataFrame
    ground: gpd.GeoDataFrame
    lineage: pd.DataFrame

    @property
    def moved_area_m2(self) -> float:
        """Area that lies in a cell of another code than before."""
        return float(self.ground["area_m2"].sum())

    def as_dict(self) -> Json:
        """Return counts and lists as a JSON document, without geometry."""
        kinds = self.lineage["kind"].value_counts()
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "reshaped": list(self.reshaped),
            "attributes": self.attributes.to_dict("records"),
            "moved_area_m2": self.moved_area_m2,
            "ground": pd.DataFrame(self.ground.drop(columns="geometry")).to_dict("records"),
            "lineage": {k: int(kinds.get(k, 0)) for k in ("U", "S", "M", "X")},
        }


def diff_plans(
    old_cells: gpd.GeoDataFrame,
    new_cells: gpd.GeoDataFrame,
    *,
    metric_epsg: int | None = None,
) -> PlanDiff:
    """Return what differs between two versions of a plan.

    Parameters
    ----------
    old_cells, new_cells : GeoDataFrame
        Leaf cells (contract CELLS).
    metric_epsg : int, optional
        CRS of areas; the zone of the old cells' centre by default.
    """
    epsg = metric_epsg or metric_epsg_of(np.asarray(old_cells.geometry.array, dtype=object))
    before, after = set(old_cells.index.astype(str)), set(new_cells.index.astype(str))
    overlaps = changed_overlaps(old_cells, new_cells, epsg)
    same = overlaps[overlaps["same"] & (overlaps["old_code"] == overlaps["new_code"])]
    both = before & after
    other = overlaps[overlaps["old_code"] != overlaps["new_code"]]
    ground = gpd.GeoDataFrame(
        {
            "old_code": other["old_code"].to_numpy(),
            "new_code": other["new_code"].to_numpy(),
            "area_m2": other["area"].to_numpy(),
        },
        geometry=_drawn(other, old_cells),
        crs=STORAGE_EPSG,
    ).sort_values(["old_code", "new_code"], ignore_index=True)
    return PlanDiff(
        added=tuple(sorted(after - before)),
        removed=tuple(sorted(before - after)),
        reshaped=tuple(sorted(both - set(same["old_code"]))),
        attributes=_attributes(old_cells, new_cells, sorted(both)),
        ground=ground,
        lineage=lineage(old_cells, new_cells, epsg),
    )


def _drawn(overlaps: gpd.GeoDataFrame, old_cells: gpd.GeoDataFrame) -> np.ndarray:
    """Return the overlaps' shapes; identical shapes under two codes are the old cell's."""
    shapes = old_cells.geometry.set_axis(old_cells.index.astype(str))
    return np.array(
        [
            shapes[code] if shape is None else shape
            for code, shape in zip(overlaps["old_code"], overlaps.geometry, strict=True)
        ],
        dtype=object,
    )


def _attributes(
    old_cells: gpd.GeoDataFrame, new_cells: gpd.GeoDataFrame, codes: list[str]
) -> pd.DataFrame:
    rows = []
    old = old_cells.set_axis(old_cells.index.astype(str)).loc[codes]
    new = new_cells.set_axis(new_cells.index.astype(str)).loc[codes]
    for column in _COMPARED:
        if column not in old.columns or column not in new.columns:
            continue
        first, second = old[column], new[column]
        differs = ~((first == second).fillna(False) | (first.isna() & second.isna()))
        for code in first.index[differs.to_numpy(dtype=bool)]:
            was, now = first[code], second[code]
            old_text = None if pd.isna(was) else str(was)
            new_text = None if pd.isna(now) else str(now)
            rows.append({"code": str(code), "field": column, "old": old_text, "new": new_text})
    return pd.DataFrame(rows, columns=["code", "field", "old", "new"], dtype=object)
