"""Finished results of analyses, as maps, API and notebooks receive them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import geopandas as gpd
import pandas as pd
from shapely.geometry import Point

from gridsvc.errors import Language
from gridsvc.types import FloatArray


class Note(str):
    """A remark of an analysis in both languages; as a plain string it is the Chinese text."""

    en: str

    def __new__(cls, zh: str, en: str) -> Self:
        """Return the note of two texts."""
        note = super().__new__(cls, zh)
        note.en = en
        return note

    def __reduce__(self) -> tuple[type[Note], tuple[str, str]]:
        return (Note, (str(self), self.en))

    def text(self, language: Language = "zh") -> str:
        """Return the note in one language."""
        return str(self) if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class GeocodePile:
    """Many reports on one identical coordinate: a geocoder's default, not a hot spot.

    ``share`` is its part of all placed reports; ``distinct_classes`` tells a pile (many classes)
    from a true recurring spot.
    """

    lon: float
    lat: float
    count: int
    share: float
    distinct_classes: int
    cell_code: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class DensitySurface:
    """Kernel density on a metric raster.

    Attributes
    ----------
    values : ndarray (rows, columns)
        Reports per km², first row in the south.
    bounds_m : tuple
        West, south, east, north in the metric CRS.
    epsg : int
    bandwidth_m, cell_m : float
    n : int
    bands : GeoDataFrame
        Contour polygons, EPSG:4490: columns ``low``, ``high`` (reports per km²), geometry.
    """

    values: FloatArray
    bounds_m: tuple[float, float, float, float]
    epsg: int
    bandwidth_m: float
    cell_m: float
    n: int
    bands: gpd.GeoDataFrame


@dataclass(frozen=True, slots=True)
class HotspotResult:
    """Getis-Ord Gi* per cell with the Benjamini–Hochberg correction.

    Attributes
    ----------
    cells : GeoDataFrame
        Indexed by cell code, EPSG:4490, columns ``name, community_name, subdistrict_name,
        count, rate, z, p, p_adjusted, hotspot`` where ``hotspot`` is one of ``hot_99, hot_95,
        hot_90, none, cold_90, cold_95, cold_99, not_tested`` after correction.
    n, n_set_aside, n_unplaced : int
        Reports counted, set aside as default-geocode piles, without a cell.
    since, until : datetime or None
        Period, half-open.
    first, last : datetime or None
        When the first and the last of the counted reports were made; ``None`` when there are none
        or they hold no instants.
    classes : tuple of str
        Class filter; empty means all.
    denominator : str
        What ``rate`` divides by: ``none``, ``area_km2`` or ``population``; z is of the rate.
    weights : str
        For example ``queen, self included``.
    correction : str
    alpha : float
    seed : int or None
        Of permutations, when used.
    piles : tuple of GeocodePile
    density : DensitySurface or None
    points : GeoDataFrame or None
        Counted reports (``case_id, class_code, reported_at``, EPSG:4490), for close zoom levels.
    """

    cells: gpd.GeoDataFrame
    n: int
    n_set_aside: int
    n_unplaced: int
    since: datetime | None
    until: datetime | None
    classes: tuple[str, ...]
    denominator: str
    weights: str
    correction: str
    alpha: float
    plan_id: str
    updated_at: datetime
    seed: int | None = None
    permutations: int = 0
    piles: tuple[GeocodePile, ...] = ()
    density: DensitySurface | None = None
    points: gpd.GeoDataFrame | None = None
    notes: tuple[Note, ...] = ()
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class CoverageResult:
    """Coverage of a plan in its meanings, with lists of what is not covered.

    Attributes
    ----------
    cells : GeoDataFrame
        Indexed by code, columns ``name, community_code, community_name, subdistrict_code,
        subdistrict_name, area_m2, population, staff, vacancies`` plus one ``role_<role>`` count
        column per role, ``points``, ``points_visited``, ``points_without_person``.
    areas : GeoDataFrame
        Communities, subdistricts, city (contract AREAS).
    exclusions : GeoDataFrame
    points : GeoDataFrame
        Contract POINTS plus ``last_visit`` (instant or NaT), ``days_since`` (float), ``due``
        (bool), ``responsible`` (bool), ``responsible_by`` (``point`` or ``cell``: a person by a
        duty for it or for its cell; ``unit``: only a unit; or missing), ``answering_unit``.
    streets : GeoDataFrame
    uncovered_territory : GeoDataFrame
        Pieces of the declared territory in no cell (empty for a certified plan).
    vacant_cells : DataFrame
        Rows ``cell_code, name, role``: required roles nobody holds.
    doubled_cells : DataFrame
        Rows ``cell_code, role, count``: sole roles held more than once.
    points_without_person, points_not_visited : DataFrame
        Indexed by point_id with name, category, cell_code. The first holds the points that no
        named person answers for, with the ``answering_unit`` where there is at least a unit.
    summary : dict
        Figures with their denominators; 0/0 and shares of what was never loaded are ``None``.
    loaded : dict of str to bool
        Whether there were any records of ``duties``, ``visits`` and ``staff``; without them a
        figure of 0 says nothing.
    """

    cells: gpd.GeoDataFrame
    areas: gpd.GeoDataFrame
    exclusions: gpd.GeoDataFrame
    points: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    uncovered_territory: gpd.GeoDataFrame
    vacant_cells: pd.DataFrame
    doubled_cells: pd.DataFrame
    points_without_person: pd.DataFrame
    points_not_visited: pd.DataFrame
    required_roles: tuple[str, ...]
    as_of: datetime
    plan_id: str
    summary: dict[str, Any] = field(default_factory=dict)
    loaded: dict[str, bool] = field(
        default_factory=lambda: {"duties": True, "visits": True, "staff": True}
    )


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a round.

    ``arrive_s`` counts seconds from the start of the round; ``walk_m`` metres walked since the
    previous stop; ``snap_m`` the off-network leg, counted in ``walk_m`` on both sides.
    """

    point_id: str
    name: str
    category: str
    location: Point
    order: int
    walk_m: float
    arrive_s: float
    service_s: float
    snap_m: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One instruction of the printable sheet: where, which way, along which street, how far.

    ``instruction`` is a language-neutral key: ``depart, continue, straight, slight_left, left,
    sharp_left, slight_right, right, sharp_right, uturn, arrive, finish``. ``length_m`` is the way
    to the next instruction, ``bearing_deg`` the direction to take, clockwise from grid north.
    """

    at: Point
    instruction: str
    street: str
    length_m: float
    bearing_deg: float


@dataclass(frozen=True, slots=True)
class PatrolRound:
    """One round of one inspector: start, stops in order, the walked line and its turns.

    ``path`` holds one line per leg (EPSG:4490, index = order of the stop it leads to; the last
    leads back to the start). ``length_m`` includes the way back and all off-network legs.
    """

    number: int
    person_id: str | None
    person_name: str | None
    start: Point
    start_name: str
    stops: tuple[Stop, ...]
    path: gpd.GeoSeries
    turns: tuple[Turn, ...]
    length_m: float
    walking_s: float
    service_s: float
    window: str

    @property
    def duration_s(self) -> float:
        """Seconds on foot plus seconds at the stops."""
        return self.walking_s + self.service_s


@dataclass(frozen=True, slots=True)
class PatrolPlan:
    """Rounds over evaluation points, verified by an independent checker.

    ``dropped`` lists points that could not be served with the reason (columns ``point_id, name,
    reason``); ``lower_bound_m`` is a proven bound on the total length where one exists;
    ``verified`` holds the checker's findings (empty tuple = none). ``window`` is the visit window
    planned for, ``max_snap_m`` the farthest off-network leg that was accepted.
    """

    area_kind: str
    area_code: str
    area_name: str
    plan_id: str
    rounds: tuple[PatrolRound, ...]
    dropped: pd.DataFrame
    total_m: float
    speed_m_s: float
    seed: int
    iterations: int
    solver: str
    created_at: datetime
    cells: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    lower_bound_m: float | None = None
    verified: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    window: str | None = None
    max_snap_m: float = 100.0
