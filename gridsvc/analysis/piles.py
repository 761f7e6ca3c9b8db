"""Default-geocode piles: what a geocoder does with an address that it does not know.

Such reports all get one coordinate (the city hall, a rounded centre) and make a hot spot that is
none. They are set aside, counted and named, never deleted.

The rule. A coordinate is a pile when reports of many classes are on it (at least 5, and at least
a fifth of the classes present) and either
(a) *far above the others*: at least 30 reports, at least 0.5 % of all, and at least 20 times the
99.9th percentile of the reports per coordinate; or
(b) *rounded*: both degrees as delivered are multiples of 0.01° although fewer than 1 % of all
distinct coordinates are, with at least 30 reports and 5 times that percentile.
A spot where one problem recurs has few classes and stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.analysis.inputs import require_lonlat
from gridsvc.analysis.results import GeocodePile
from gridsvc.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class PileRule:
    """Thresholds of the rule in this module's description."""

    min_count: int = 30
    min_share: float = 0.005
    min_classes: int = 5
    min_class_share: float = 0.2
    times_percentile: float = 20.0
    percentile: float = 99.9
    rounded_to_deg: float = 0.01
    rounded_max_share: float = 0.01
    rounded_times_percentile: float = 5.0


def geocode_piles(
    cases: gpd.GeoDataFrame, *, rule: PileRule | None = None
) -> tuple[tuple[GeocodePile, ...], pd.Series]:
    """Find default-geocode piles among reports.

    Parameters
    ----------
    cases : GeoDataFrame
        Contract CASES, EPSG:4490; rows without geometry take no part. ``source_x``/``source_y``
        (degrees as delivered) decide about rounding where they are given. Without ``class_code``
        all reports are of one class, and there is no pile.
    rule : PileRule, optional

    Returns
    -------
    piles : tuple of GeocodePile
        Largest first.
    member : Series of bool
        Aligned to the index: the report lies on a pile.

    Raises
    ------
    NotLonLat
        If the reports are in another CRS.
    """
    require_lonlat(cases, "cases")
    rule = rule or PileRule()
    member = pd.Series(False, index=cases.index, name="pile")
    placed = np.flatnonzero(_located(cases))
    if len(placed) == 0:
        return (), member
    xy = shapely.get_coordinates(cases.geometry.to_numpy()[placed]) + 0.0
    spots, first, spot, count = np.unique(
        xy, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    spot = spot.ravel()
    kinds = (
        cases["class_code"].to_numpy()[placed]
        if "class_code" in cases.columns
        else np.zeros(len(placed), dtype=np.int64)
    )
    classes = pd.factorize(kinds)[0].astype(np.int64)
    total_classes = int(classes.max()) + 1
    pair = np.unique(spot * (total_classes + 1) + classes + 1)
    variety = np.bincount(pair // (total_classes + 1), minlength=len(spots))
    typical = max(float(np.percentile(count, rule.percentile)), 1.0)
    if len(count) < 1000:  # the percentile would be the pile itself
        typical = max(float(np.percentile(count, 75.0)), 1.0)
    many = variety >= max(rule.min_classes, rule.min_class_share * total_classes)
    far = (
        (count >= rule.min_count)
        & (count >= rule.min_share * len(placed))
        & (count >= rule.times_percentile * typical)
    )
    rounded = _rounded(_delivered(cases, placed, xy)[first], rule.rounded_to_deg)
    if rounded.mean() >= rule.rounded_max_share and len(spots) >= 100:
        rounded[:] = False
    rounded &= (count >= rule.min_count) & (count >= rule.rounded_times_percentile * typical)
    piled = many & (far | rounded)
    piles = [
        GeocodePile(
            lon=float(spots[i, 0]),
            lat=float(spots[i, 1]),
            count=int(count[i]),
            share=float(count[i] / len(placed)),
            distinct_classes=int(variety[i]),
            cell_code=None,
            reason="one_coordinate" if far[i] else "rounded_coordinate",
        )
        for i in np.flatnonzero(piled)
    ]
    member.iloc[placed[piled[spot]]] = True
    return tuple(sorted(piles, key=lambda p: (-p.count, p.lon, p.lat))), member


def _located(cases: gpd.GeoDataFrame) -> BoolArray:
    shapes = cases.geometry.to_numpy()
    return np.asarray(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))


def _delivered(cases: gpd.GeoDataFrame, placed: np.ndarray, xy: FloatArray) -> FloatArray:
    if not {"source_x", "source_y"} <= set(cases.columns):
        return xy
    given = cases[["source_x", "source_y"]].to_numpy(dtype=np.float64)[placed]
    return np.where(np.isnan(given), xy, given)


def _rounded(xy: FloatArray, step: float) -> BoolArray:
    ratio = xy / step
    return np.asarray((np.abs(ratio - np.round(ratio)) < 1e-6).all(axis=1))
