"""Roads and rivers whose chiefs answer for the places beside them (路长, 河长)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.duties.book import DutyBook
from gridsvc.locate.lines import NearestLines
from gridsvc.types import Json, ObjectArray

ROAD_REACH_M = 30.0
"""Metres from the centre line of a road up to which its chief answers as well."""
RIVER_REACH_M = 50.0
"""Metres from the bank of a river up to which its chief answers as well."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A road (``code`` is its name) or river (id of its exclusion) near a place."""

    kind: str
    code: str
    name: str | None
    distance_m: float
    within_m: float

    def document(self) -> Json:
        """Return it as plain values."""
        return {
            "kind": self.kind,
            "code": self.code,
            "name": self.name,
            "distance_m": round(self.distance_m, 2),
            "within_m": self.within_m,
        }


class Along:
    """The roads and rivers that somebody answers for; at most one of each is named.

    Parameters
    ----------
    kinds : iterable of (kind, codes, names, shapes, reach)
        ``shapes`` as in ``NearestLines``; several of them may have one code.
    """

    def __init__(
        self, kinds: Iterable[tuple[str, list[str], list[str | None], ObjectArray, float]]
    ) -> None:
        self._kinds = [
            (kind, codes, names, NearestLines(shapes, reach))
            for kind, codes, names, shapes, reach in kinds
            if len(codes)
        ]

    @classmethod
    def of(
        cls,
        book: DutyBook,
        streets: pd.DataFrame | None,
        exclusions: gpd.GeoDataFrame | None,
    ) -> Self | None:
        """Return those with a duty in force, ``None`` when there are none.

        Parameters
        ----------
        book : DutyBook
        streets : DataFrame or None
            Contract STREETS.
        exclusions : GeoDataFrame or None
            Contract EXCLUSIONS, of the plan in force.
        """
        bound: dict[str, set[str]] = {"road": set(), "river": set()}
        for assignment in book.all():
            if assignment.via in bound:
                bound[assignment.via].add(assignment.duty.target_code)
        kinds = []
        if streets is not None and bound["road"]:
            roads = gpd.GeoDataFrame(streets[streets["name"].isin(bound["road"])])
            names = [str(name) for name in roads["name"]]
            kinds.append(("road", names, list[str | None](names), _shapes(roads), ROAD_REACH_M))
        if exclusions is not None and bound["river"]:
            rivers = exclusions[exclusions.index.isin(bound["river"])]
            codes = [str(code) for code in rivers.index]
            titles = [None if pd.isna(name) else str(name) for name in rivers["name"]]
            kinds.append(("river", codes, titles, _shapes(rivers), RIVER_REACH_M))
        found = cls(kinds)
        return found if found._kinds else None

    def beside(self, lon: float, lat: float) -> tuple[Beside, ...]:
        """Return the nearest road and the nearest river within reach of a place."""
        result: list[Beside] = []
        for kind, codes, names, lines in self._kinds:
            near = lines.nearest(lon, lat)
            if near is not None:
                at, distance = near
                result.append(Beside(kind, codes[at], names[at], distance, lines.reach_m))
        return tuple(result)


def _shapes(frame: gpd.GeoDataFrame) -> ObjectArray:
    shapes: ObjectArray = np.asarray(frame.geometry.array, dtype=object)
    # A missing shape is nowhere near.
    empty = shapely.LineString()
    return np.array([empty if s is None else s for s in shapes], dtype=object)
