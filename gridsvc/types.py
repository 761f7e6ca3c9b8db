"""Small value types shared by the whole domain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsvc.errors import InvalidCoordinate, UnknownDatum

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ObjectArray = NDArray[np.object_]


class Datum(StrEnum):
    """Horizontal datum of a longitude/latitude pair (domain: coordinates that enter carry it).

    ``WGS84`` and ``CGCS2000`` agree to 0.1 mm and are treated as one; ``GCJ02`` and ``BD09`` are
    the shifted datums of map vendors in mainland China.
    """

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"

    @classmethod
    def parse(cls, text: str) -> Datum:
        """Return the datum of that name.

        Raises
        ------
        UnknownDatum
            For any other text.
        """
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise UnknownDatum(datum=text) from None


class Level(StrEnum):
    """Levels of the area tree, from leaf to root."""

    CELL = "cell"
    COMMUNITY = "community"
    SUBDISTRICT = "subdistrict"
    CITY = "city"


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of time: from ``since`` on and before ``until``; ``None`` leaves it open.

    Parameters
    ----------
    since, until : datetime, optional
        Aware instants.
    """

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LonLat:
    """A longitude/latitude in degrees, x before y, finite and in range.

    Raises
    ------
    InvalidCoordinate
        With a hint when the pair fits only after swapping.
    """

    lon: float
    lat: float

    def __post_init__(self) -> None:
        lon, lat = self.lon, self.lat
        if math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90:
            return
        swapped = math.isfinite(lon) and math.isfinite(lat) and abs(lat) <= 180 and abs(lon) <= 90
        raise InvalidCoordinate(
            lon=lon,
            lat=lat,
            hint_zh="经纬度似乎颠倒了,请交换" if swapped else "经度应在 ±180、纬度应在 ±90 之内",
            hint_en="longitude and latitude seem swapped"
            if swapped
            else "longitude must be within ±180, latitude within ±90",
        )


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An axis-parallel box in degrees: west, south, east, north."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        corners = (self.west, self.south, self.east, self.north)
        if not all(map(math.isfinite, corners)) or self.west > self.east or self.south > self.north:
            raise InvalidCoordinate(
                lon=(self.west, self.east),
                lat=(self.south, self.north),
                hint_zh="范围应为 西,南,东,北",
                hint_en="a box is west,south,east,north",
            )

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return ``(west, south, east, north)``."""
        return (self.west, self.south, self.east, self.north)


class Progress(Protocol):
    """Receives the progress of long work and may stop it by raising ``Cancelled``."""

    def __call__(self, stage: str, done: float) -> None:
        """Report that ``stage`` is ``done`` (0 to 1)."""


def no_progress(stage: str, done: float) -> None:
    """Ignore progress reports."""


Json = dict[str, Any]
Clock = Callable[[], Any]
