"""The sample city as one object (docs/adr/0006-sample-city.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from geodata.reference import issue_classes
from geodata.sample.activity import make_visits
from geodata.sample.coverage import make_ground
from geodata.sample.partition import divide
from geodata.sample.people import make_people, make_units
from geodata.sample.places import make_facilities, make_points
from geodata.sample.reports import CASES_PER_CELL, make_cases
from geodata.sample.streets import make_streets
from geodata.sample.terrain import BASE_CELLS, METRIC_EPSG, make_terrain
from gridsvc.crs import to_metric
from gridsvc.layers import LAYERS, normalize

COMMUNITIES_AT_BASE = 168
SUBDISTRICTS_AT_BASE = 10
_CELLS_PER_SUBDISTRICT = 170
_MOST_CASES = 200_000


@dataclass(frozen=True)
class SampleCity:
    """A made-up river town in contract form.

    Every frame is indexed by its key and in EPSG:4490 (canonical coordinates). The river is a
    registered exclusion: the 155.1 km² are the cells alone, and the territory is cells and river
    together.

    Attributes
    ----------
    seed : int
    cells, exclusions, streets, points, staff, cases, facilities : GeoDataFrame
    units, duties, visits, classes : DataFrame
    territory : Polygon
        EPSG:4490.
    metric_epsg : int
    truth : dict
        What was planted, JSON-serialisable.
    """

    seed: int
    cells: gpd.GeoDataFrame
    exclusions: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    points: gpd.GeoDataFrame
    staff: gpd.GeoDataFrame
    units: pd.DataFrame
    duties: pd.DataFrame
    visits: pd.DataFrame
    cases: gpd.GeoDataFrame
    classes: pd.DataFrame
    facilities: gpd.GeoDataFrame
    territory: shapely.Polygon
    metric_epsg: int
    truth: dict[str, Any]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the layers by their contract names (``gridsvc.layers.LAYERS``)."""
        return {
            name: getattr(self, name)
            for name in (
                "cells", "exclusions", "streets", "units", "staff", "points", "classes", "duties",
                "facilities", "visits", "cases",
            )
        }  # fmt: skip


def build_city(
    seed: int = 20181122, cells: int = BASE_CELLS, *, cases_per_cell: float | None = None
) -> SampleCity:
    """Build the sample city; the same arguments give the same bytes.

    Parameters
    ----------
    seed : int
    cells : int
        702 gives the figures of document 003; other numbers grow the land in proportion.
    cases_per_cell : float or None
        Cases per cell and year; ``None`` takes 40, fewer where that exceeds 200,000 cases.

    Returns
    -------
    SampleCity

    Raises
    ------
    ValueError
        If fewer than 60 cells are asked for.
    """
    if cells < 60:
        raise ValueError(f"at least 60 cells make a city, not {cells}")
    communities = max(round(cells * COMMUNITIES_AT_BASE / BASE_CELLS), SUBDISTRICTS_AT_BASE)
    subdistricts = max(SUBDISTRICTS_AT_BASE, round(cells / _CELLS_PER_SUBDISTRICT))
    terrain = make_terrain(seed, cells)
    division = divide(
        terrain, seed, cells=cells, communities=communities, subdistricts=subdistricts
    )
    ground = make_ground(terrain, division, seed)
    network = make_streets(terrain, ground, seed)
    points = make_points(ground, network, seed)
    facilities = make_facilities(ground, network, seed)
    units = make_units(ground, seed)
    people = make_people(ground, network, units, points, seed)
    visits, visit_truth = make_visits(points, people.staff, seed)
    hall = facilities.geometry[facilities["kind"] == "city_hall"].iloc[0]
    per_cell = (
        min(CASES_PER_CELL, _MOST_CASES / cells) if cases_per_cell is None else cases_per_cell
    )
    cases, case_truth = make_cases(
        terrain, ground, network, people.staff, to_metric(hall, METRIC_EPSG), seed, per_cell
    )
    truth = {
        "seed": seed,
        "cells": cells,
        "communities": communities,
        "subdistricts": subdistricts,
        "area_m2": float(ground.cells["area_m2"].sum()),
        "street_islands": network.island,
        **people.truth,
        **visit_truth,
        **case_truth,
    }
    frames: dict[str, Any] = {
        "cells": ground.cells, "exclusions": ground.exclusions, "streets": network.streets,
        "points": points, "staff": people.staff, "units": people.units, "duties": people.duties,
        "visits": visits, "cases": cases, "classes": issue_classes(), "facilities": facilities,
    }  # fmt: skip
    contract = {
        name: normalize(frame, LAYERS[name], source=f"sample {name}")
        for name, frame in frames.items()
    }
    return SampleCity(
        seed=seed, territory=ground.territory, metric_epsg=METRIC_EPSG, truth=truth, **contract
    )
