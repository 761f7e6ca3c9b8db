"""Column contracts of every layer that passes between files, storage, domain and maps.

A layer is a (Geo)DataFrame indexed by its key (unique strings). Geometry, where there is one, is
longitude/latitude in EPSG:4490, canonical (see ``gridsvc.crs``). Instants are
``datetime64[us, UTC]``. ``normalize`` brings a frame into contract form or names every fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import Fault, RejectedRows
from gridsvc.values import DTYPES, Kind, as_text, convert, fault, is_missing


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind, whether it must be filled, and who may see it."""

    name: str
    kind: Kind
    required: bool = False
    private: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Layer:
    """The contract of one layer.

    Attributes
    ----------
    name : str
        Name of the layer, of its table and of the ``--as`` option.
    key : str
        Name of the index.
    columns : tuple of Column
    geometry : {"polygon", "point", "line", None}
        Kind of geometry; points may be missing (unplaced rows keep ``None``).
    geometry_required : bool
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    geometry: Literal["polygon", "point", "line"] | None = None
    geometry_required: bool = True

    @property
    def column_names(self) -> list[str]:
        """Names of the columns without key and geometry."""
        return [c.name for c in self.columns]

    @property
    def public_columns(self) -> list[str]:
        """Names of the columns that an answer without login may hold."""
        return [c.name for c in self.columns if not c.private]

    def column(self, name: str) -> Column:
        """Return the column of that name (KeyError if none)."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(name)


_SOURCE_PLACE = (
    Column("source_x", "number"),
    Column("source_y", "number"),
    Column("source_datum", "text"),
)

CELLS = Layer(
    "cells",
    "code",
    (
        Column("name", "text", required=True),
        Column("kind", "text", default="compound"),
        Column("community_code", "text", required=True),
        Column("community_name", "text"),
        Column("subdistrict_code", "text", required=True),
        Column("subdistrict_name", "text"),
        Column("population", "integer"),
        Column("households", "integer"),
        Column("area_m2", "number"),
    ),
    "polygon",
)
"""Leaf cells of one plan. ``area_m2`` is measured in the scheme's metric CRS."""

AREAS = Layer(
    "areas",
    "area_key",
    (
        Column("level", "text", required=True),
        Column("code", "text", required=True),
        Column("name", "text"),
        Column("parent_code", "text"),
        Column("cell_count", "integer"),
        Column("population", "integer"),
        Column("area_m2", "number"),
    ),
    "polygon",
)
"""Communities, subdistricts and the city, derived from the leaves on publication."""

EXCLUSIONS = Layer(
    "exclusions",
    "exclusion_id",
    (Column("kind", "text", required=True), Column("name", "text"), Column("reason", "text")),
    "polygon",
)
"""Registered exclusions of a plan: rivers, lakes, airfields."""

STREETS = Layer(
    "streets",
    "street_id",
    (
        Column("name", "text"),
        Column("highway", "text", required=True, default="residential"),
        Column("bridge", "boolean", default=False),
        Column("tunnel", "boolean", default=False),
        Column("layer", "integer", default=0),
        Column("width_m", "number"),
    ),
    "line",
)
"""Street centre lines; ``highway`` follows OpenStreetMap's values."""

POINTS = Layer(
    "points",
    "point_id",
    (
        Column("name", "text", required=True),
        Column("category", "text", required=True),
        Column("address", "text"),
        Column("unit_id", "text"),
        Column("visit_window", "text", default="day"),
        Column("visits_per_week", "number", default=1.0),
        Column("service_minutes", "number", default=10.0),
        Column("cell_code", "text"),
        Column("plan_id", "text"),
        Column("placement", "text"),
        *_SOURCE_PLACE,
    ),
    "point",
    geometry_required=False,
)
"""Evaluation points (测评点位). ``visit_window`` is day, night or both."""

CASES = Layer(
    "cases",
    "case_id",
    (
        Column("class_code", "text", required=True),
        Column("major_code", "text"),
        Column("title", "text"),
        Column("channel", "text", default="patrol"),
        Column("status", "text", default="reported"),
        Column("reported_at", "instant", required=True),
        Column("deadline", "instant"),
        Column("closed_at", "instant"),
        Column("unit_id", "text"),
        Column("person_id", "text"),
        Column("cell_code", "text"),
        Column("plan_id", "text"),
        Column("placement", "text"),
        Column("derived", "text"),
        Column("reporter", "text", private=True),
        Column("phone", "text", private=True),
        *_SOURCE_PLACE,
    ),
    "point",
    geometry_required=False,
)
"""Reported issues (案件). Cell, plan, unit, person and deadline are those at filing time.
``derived`` names those of the last three that no source stated, each with the rule that gave it:
``unit_id=class:D000351, person_id=cell_leader:D000004, deadline=work_hour:4``. In an id a comma
is written ``%2C`` and a percent sign ``%25``."""

UNITS = Layer(
    "units",
    "unit_id",
    (
        Column("name", "text", required=True),
        Column("kind", "text", required=True),
        Column("parent_id", "text"),
        Column("area_code", "text"),
        Column("phone", "text", private=True),
    ),
)
"""Organisational units (责任单位)."""

STAFF = Layer(
    "staff",
    "person_id",
    (
        Column("name", "text", required=True),
        Column("role", "text", required=True),
        Column("source", "text"),
        Column("unit_id", "text"),
        Column("phone", "text", private=True),
        Column("cell_code", "text"),
        Column("plan_id", "text"),
        Column("placement", "text"),
        *_SOURCE_PLACE,
    ),
    "point",
    geometry_required=False,
)
"""Grid staff with their posts; ``source`` is one of the eight sources of document 003."""

DUTIES = Layer(
    "duties",
    "duty_id",
    (
        Column("person_id", "text"),
        Column("unit_id", "text"),
        Column("role", "text", required=True),
        Column("target_kind", "text", required=True),
        Column("target_code", "text", required=True),
        Column("class_code", "text"),
        Column("valid_from", "instant", required=True),
        Column("valid_to", "instant"),
        Column("recorded_at", "instant", required=True),
        Column("recorded_to", "instant"),
        Column("replaces", "text"),
        Column("cause_plan", "text"),
    ),
)
"""Responsibilities: person or unit × role × target × validity. Target kinds: cell, community,
subdistrict, point, class. A sponsorship (包保) is the role ``sponsor_leader``. Rows are not
rewritten: one that is no longer held to be true has ``recorded_to``, and the row that stands for
it names it in ``replaces``; ``cause_plan`` is the plan whose coming into force made the change."""

VISITS = Layer(
    "visits",
    "visit_id",
    (
        Column("point_id", "text", required=True),
        Column("person_id", "text"),
        Column("visited_at", "instant", required=True),
        Column("window", "text", default="day"),
        Column("kind", "text", default="daily"),
        Column("passed", "integer"),
        Column("observed", "integer"),
    ),
)
"""Visits to evaluation points."""

CLASSES = Layer(
    "classes",
    "class_code",
    (
        Column("catalog", "text", required=True),
        Column("namespace", "text", required=True, default="matter"),
        Column("major_code", "text", required=True),
        Column("major_name", "text", required=True),
        Column("name", "text", required=True),
        Column("unit_kind", "text"),
        Column("deadline_hours", "number"),
        Column("clock", "text", default="work_hour"),
    ),
)
"""Issue classes of one catalogue; ``clock`` is work_hour, workday or urgent_hour."""

FACILITIES = Layer(
    "facilities",
    "facility_id",
    (
        Column("name", "text", required=True),
        Column("kind", "text", required=True),
        Column("cell_code", "text"),
        Column("plan_id", "text"),
        Column("placement", "text"),
    ),
    "point",
    geometry_required=False,
)
"""Facilities and posts on the map: markets, toilets, staff posts."""

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        CELLS, AREAS, EXCLUSIONS, STREETS, POINTS, CASES, UNITS, STAFF, DUTIES, VISITS, CLASSES,
        FACILITIES,
    )
}  # fmt: skip

PLAN_LAYERS = ("cells", "areas", "exclusions")
RECORD_LAYERS = tuple(name for name in LAYERS if name not in PLAN_LAYERS)


class Placement:
    """How a row got its cell: values of the ``placement`` column."""

    PLACED = "placed"
    ON_BORDER = "on_border"
    OUTSIDE = "outside"
    NO_COORDINATES = "no_coordinates"
    INVALID_COORDINATES = "invalid_coordinates"
    ALL = (PLACED, ON_BORDER, OUTSIDE, NO_COORDINATES, INVALID_COORDINATES)
    UNPLACED = (OUTSIDE, NO_COORDINATES, INVALID_COORDINATES)


def normalize(
    frame: pd.DataFrame, layer: Layer, *, source: str = "table"
) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return the frame in contract form: key as string index, all columns, right dtypes.

    Missing optional columns are added with their default; columns outside the contract are
    dropped. Nothing is mutated.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        Indexed by the key, or holding it as a column.
    layer : Layer
    source : str
        How the frame is called in messages.

    Returns
    -------
    GeoDataFrame (layers with geometry, EPSG:4490) or DataFrame

    Raises
    ------
    RejectedRows
        Naming each row and field that breaks the contract: missing or duplicate keys, empty
        required fields, values that do not convert.
    """
    faults: list[Fault] = []
    keys = _keys(frame, layer, faults)
    columns = {c.name: _column(frame, c, faults) for c in layer.columns}
    geometry = frame.geometry.to_numpy() if isinstance(frame, gpd.GeoDataFrame) else None
    if layer.geometry is not None and layer.geometry_required:
        blank = (
            np.ones(len(frame), dtype=bool)
            if geometry is None
            else shapely.is_missing(geometry) | shapely.is_empty(geometry)
        )
        faults.extend(
            fault(int(row) + 1, "geometry", "", *_NO_GEOMETRY) for row in np.flatnonzero(blank)
        )
    if faults:
        raise RejectedRows(source=source, faults=sorted(faults, key=lambda f: f.row or 0))
    table = pd.DataFrame(index=pd.Index(keys, name=layer.key, dtype="str"))
    for name, values in columns.items():
        table[name] = values.array
    if layer.geometry is None:
        return table
    if geometry is None:
        geometry = np.full(len(table), None, dtype=object)
    return gpd.GeoDataFrame(table, geometry=geometry, crs=STORAGE_EPSG)


def empty(layer: Layer) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return a frame of that layer without rows."""
    table = pd.DataFrame(
        {c.name: pd.Series([], dtype=object).astype(DTYPES[c.kind]) for c in layer.columns},
        index=pd.Index([], name=layer.key, dtype="str"),
    )
    if layer.geometry is None:
        return table
    return gpd.GeoDataFrame(table, geometry=[], crs=STORAGE_EPSG)


_NO_GEOMETRY = (
    "没有图形", "there is no geometry",
    "请补画图形或删除该行", "draw the geometry or remove the row",
)  # fmt: skip
_NO_KEY = ("主键为空", "the key is empty", "请填写唯一编号", "give each row a unique key")
_NO_VALUE = ("必填字段为空", "a required field is empty", "请补全", "fill it in")


def _keys(frame: pd.DataFrame, layer: Layer, faults: list[Fault]) -> list[str]:
    if layer.key in frame.columns:
        given = frame[layer.key].reset_index(drop=True)
    elif frame.index.name in (layer.key, None) and not isinstance(frame.index, pd.RangeIndex):
        given = pd.Series(frame.index.array)
    else:
        given = pd.Series([None] * len(frame), dtype=object)
    missing = is_missing(given)
    texts = as_text(given, missing)
    faults.extend(fault(int(r) + 1, layer.key, "", *_NO_KEY) for r in np.flatnonzero(missing))
    repeats = np.flatnonzero((texts.duplicated() & ~missing).to_numpy())
    if len(repeats):
        first = {str(k): r for r, k in reversed(list(enumerate(texts, start=1)))}
        for row in repeats:
            key = str(texts.iloc[row])
            faults.append(
                fault(
                    int(row) + 1,
                    layer.key,
                    key,
                    f"与第 {first[key]} 行重复",
                    f"repeats row {first[key]}",
                    "请保留一行或改用新编号",
                    "keep one of the rows or give a new key",
                    refers=first[key],
                )
            )
    return [str(t) for t in texts]


def _column(frame: pd.DataFrame, column: Column, faults: list[Fault]) -> pd.Series:
    if column.name in frame.columns:
        values = frame[column.name].reset_index(drop=True)
    else:
        values = pd.Series([None] * len(frame), dtype=object)
    missing = is_missing(values)
    if column.default is not None and bool(missing.any()):
        values = values.astype(object).where(~missing, column.default)
        missing = is_missing(values)
    if column.required:
        faults.extend(
            fault(int(r) + 1, column.name, "", *_NO_VALUE) for r in np.flatnonzero(missing)
        )
    return convert(values, missing, column.name, column.kind, faults)
