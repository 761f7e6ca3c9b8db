"""Whole tables answered as one place is: accuracy, distances, chain, persons and units per row.

What is added is asked for; rows are neither lost nor doubled. Persons of one role stand in one
column, several of them joined by ``"; "`` in the order of the duties. No phone numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridsvc.errors import BadOption, Fault, RejectedRows, UnknownClass
from gridsvc.layers import Placement
from gridsvc.locate.distances import boundary_many, nearest_many
from gridsvc.services.along import Beside
from gridsvc.services.joining import representative_points
from gridsvc.services.snapshots import Snapshot
from gridsvc.types import BoolArray, FloatArray, Json, ObjectArray

EXTRAS = ("distance", "nearest", "chain", "persons", "unit")
"""What can be added to rows."""
OF_RECORDS = frozenset({"chain", "persons", "unit"})
"""Those that need a snapshot of persons and units, not only the cells."""
ACCURACY_NAMES = ("accuracy_m", "accuracy", "精度")
POINT_NAMES = ("point_id", "点位编号")
"""How columns of accuracy and of evaluation points may be called."""
_JOINED = "; "
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What to add to each row.

    Attributes
    ----------
    extras : frozenset of str
        Of ``EXTRAS``. ``distance`` gives ``boundary_distance_m`` and ``ambiguous``, ``nearest`` the
        nearest cell of rows outside all cells, ``chain`` names and codes up to the subdistrict,
        ``persons`` name and id by role, ``unit`` the responsible unit and the rule that chose it.
    accuracy : ndarray of float, optional
        Metres by row, NaN where not known; brings ``distance`` and ``nearest`` with it.
    category : ndarray of str or None, optional
        Class of cases by row.
    point_id : ndarray of str or None, optional
        Evaluation point that the row is, whose duties (sponsors) reach it as well.
    """

    extras: frozenset[str] = frozenset()
    accuracy: FloatArray | None = None
    category: ObjectArray | None = None
    point_id: ObjectArray | None = None

    @property
    def nothing(self) -> bool:
        """Whether the plain answer is all that is wanted."""
        return not self.extras and self.accuracy is None

    @property
    def of_records(self) -> bool:
        """Whether persons, units or names are wanted."""
        return bool(self.extras & OF_RECORDS)


def extras_of(text: str, option: str = "with") -> frozenset[str]:
    """Return the extras of a list such as ``persons,unit``.

    Raises
    ------
    BadOption
    """
    names = {part.strip() for part in text.split(",") if part.strip()}
    for name in sorted(names - set(EXTRAS)):
        listing = ", ".join(EXTRAS)
        raise BadOption(
            option=option, value=name[:40], reason_zh=f"可用 {listing}", reason_en=f"use {listing}"
        )
    return frozenset(names)


def metres_of(
    column: pd.Series | None, constant: float | None, count: int, *, source: str = "table"
) -> FloatArray | None:
    """Return the accuracy of each row: its own, else the constant, else NaN.

    Parameters
    ----------
    column : Series or None
        Numbers or texts; missing and blank values are not known.
    constant : float or None
        For the rows without a value of their own.
    count : int
        Number of rows.
    source : str
        How the table is called in messages.

    Returns
    -------
    ndarray of float, or ``None`` when neither is given

    Raises
    ------
    RejectedRows
        Naming each row whose value is no number of metres from 0 on.
    BadOption
        If the constant is none.
    """
    if constant is not None and not 0.0 <= constant < np.inf:
        raise BadOption(
            option="accuracy", value=constant, reason_zh="应为不小于 0 的米数",
            reason_en="metres from 0 on are expected",
        )  # fmt: skip
    if column is None:
        return None if constant is None else np.full(count, float(constant))
    values = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        blank = values.isna().to_numpy(dtype=bool)
    else:
        values = values.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v)
        blank = (values.isna() | (values == "")).to_numpy(dtype=bool)
    numbers = pd.to_numeric(values.where(~blank, None), errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    with np.errstate(invalid="ignore"):
        bad = ~blank & ~((numbers >= 0.0) & (numbers < np.inf))
    if bad.any():
        faults = [
            Fault(
                int(row) + 1, str(column.name), str(values.iloc[row])[:80],
                "精度应为不小于 0 的米数", "an accuracy is metres from 0 on",
                "请改为米数,不知道则留空", "give metres, or leave it empty",
            )
            for row in np.flatnonzero(bad)[:_SHOWN]
        ]  # fmt: skip
        raise RejectedRows(source=source, faults=faults)
    if constant is not None:
        numbers = np.where(blank, float(constant), numbers)
    return np.asarray(numbers, dtype=np.float64)


def texts_of(column: pd.Series | None, constant: str | None, count: int) -> ObjectArray | None:
    """Return the text of each row, else the constant, else ``None``; ``None`` without both."""
    if column is None:
        return None if not constant else np.full(count, constant, dtype=object)
    texts = [_text(value) or constant or None for value in column.astype(object).tolist()]
    result = np.empty(count, dtype=object)
    result[:] = texts
    return result


def added_columns(
    snapshot: Snapshot,
    lon: FloatArray,
    lat: FloatArray,
    position: NDArray[np.integer[Any]],
    on_border: BoolArray,
    outside: BoolArray,
    asked: Asked,
) -> pd.DataFrame:
    """Return the columns to add to located rows.

    Parameters
    ----------
    snapshot : Snapshot
        Of the plan whose locator located the rows.
    lon, lat : ndarray of float
        Degrees in the storage datum.
    position : ndarray of int
        As from ``Locator.locate_many``.
    on_border, outside : ndarray of bool
        Rows on a border; rows with usable coordinates in no cell.
    asked : Asked

    Returns
    -------
    DataFrame
        One row per row, in order; missing where a row has no answer.

    Raises
    ------
    RejectedRows
        Naming the rows whose class is not in the catalogue.
    """
    columns: dict[str, Any] = {}
    locator = snapshot.locator
    if asked.accuracy is not None or asked.extras & {"distance", "nearest"}:
        metres = np.full(len(position), np.nan)
        near = np.full(len(position), -1, dtype=np.int32)
        far = np.full(len(position), np.nan)
        if asked.accuracy is not None or "nearest" in asked.extras:
            near[outside], far[outside] = nearest_many(locator, lon[outside], lat[outside])
        if asked.accuracy is not None or "distance" in asked.extras:
            metres = boundary_many(locator, position, lon, lat)
            metres[on_border] = 0.0
            limit = np.full(len(position), np.nan) if asked.accuracy is None else asked.accuracy
            with np.errstate(invalid="ignore"):
                unsure = on_border | (limit > np.where(position >= 0, metres, far))
            known = (position >= 0) | (outside if asked.accuracy is not None else False)
            columns["boundary_distance_m"] = metres
            columns["ambiguous"] = pd.arrays.BooleanArray(unsure, ~known)
        if asked.accuracy is not None or "nearest" in asked.extras:
            names = np.array([*locator.codes, None], dtype=object)
            columns["nearest_code"] = pd.array(names[near], dtype="str")
            columns["nearest_distance_m"] = far
    if asked.of_records:
        columns |= _of_records(snapshot, lon, lat, np.asarray(position), asked)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(position)))


def answer_rows(
    placed: gpd.GeoDataFrame,
    snapshot: Snapshot,
    asked: Asked,
) -> gpd.GeoDataFrame:
    """Add to placed rows what is asked for; columns of these names are replaced.

    Parameters
    ----------
    placed : GeoDataFrame
        As from ``gridsvc.services.joining.place`` with the locator of the snapshot.
    snapshot : Snapshot
    asked : Asked
        Arrays aligned with the rows.

    Returns
    -------
    GeoDataFrame
        The same rows in the same order.

    Raises
    ------
    RejectedRows
        Naming the rows whose class is not in the catalogue.
    """
    geometry = np.asarray(placed.geometry.array, dtype=object)
    placement = placed["placement"].to_numpy(dtype=object)
    usable = ~np.isin(placement, (Placement.NO_COORDINATES, Placement.INVALID_COORDINATES))
    lon, lat = np.full((2, len(placed)), np.nan)
    at = representative_points(geometry[usable])
    lon[usable], lat[usable] = shapely.get_x(at), shapely.get_y(at)
    codes = placed["cell_code"]
    position = np.array(
        [-1 if pd.isna(code) else snapshot.locator.position_of(str(code)) for code in codes],
        dtype=np.int32,
    )
    added = added_columns(
        snapshot, lon, lat, position, placement == Placement.ON_BORDER,
        placement == Placement.OUTSIDE, asked,
    )  # fmt: skip
    result = placed.copy()
    for name in added.columns:
        result[name] = added[name].array
    return result


def _of_records(
    snapshot: Snapshot,
    lon: FloatArray,
    lat: FloatArray,
    position: NDArray[np.integer[Any]],
    asked: Asked,
) -> dict[str, Any]:
    """Return chain, persons and unit: computed once for rows that have all of it in common."""
    rows = np.flatnonzero(position >= 0)
    if asked.category is not None:
        _require_classes(snapshot, asked.category)
    nobody = np.full(len(rows), None, dtype=object)
    category = nobody if asked.category is None else asked.category[rows]
    points = nobody if asked.point_id is None else asked.point_id[rows]
    beside = nobody
    if snapshot.along is not None and asked.extras & {"persons", "unit"}:
        beside = np.empty(len(rows), dtype=object)
        places = zip(lon[rows].tolist(), lat[rows].tolist(), strict=True)
        beside[:] = [
            tuple((b.kind, b.code) for b in snapshot.along.beside(x, y)) or None for x, y in places
        ]
    known: dict[tuple[Any, ...], int] = {}
    keys = zip(position[rows].tolist(), category, points, beside, strict=True)
    which = np.full(len(position), -1, dtype=np.int64)
    which[rows] = [known.setdefault(key, len(known)) for key in keys]
    answers = [
        snapshot.cell(
            snapshot.locator.codes[at],
            kind,
            [Beside(b[0], b[1], None, 0.0, 0.0) for b in near or ()],
            point,
        )
        for at, kind, point, near in known
    ]
    columns: dict[str, list[str | None]] = {}
    if "chain" in asked.extras:
        columns |= _chain(answers)
    if "persons" in asked.extras:
        for role in snapshot.roles():
            held = [answer["persons"].get(role, ()) for answer in answers]
            columns[role] = [_joined(p["name"] or p["unit_name"] for p in here) for here in held]
            columns[f"{role}_id"] = [
                _joined(p["person_id"] or p["unit_id"] for p in here) for here in held
            ]
    if "unit" in asked.extras:
        units = [answer["responsible_unit"] for answer in answers]
        columns["responsible_unit_id"] = [unit["unit_id"] for unit in units]
        columns["responsible_unit_name"] = [unit["name"] for unit in units]
        columns["responsible_unit_rule"] = [unit["rule"] for unit in units]
    return {
        name: pd.array(np.array([*values, None], dtype=object)[which], dtype="str")
        for name, values in columns.items()
    }


def _chain(answers: list[Json]) -> dict[str, list[str | None]]:
    levels = [{level["level"]: level for level in answer["chain"]} for answer in answers]
    return {
        "cell_name": [at["cell"]["name"] for at in levels],
        "community_code": [at["community"]["code"] for at in levels],
        "community_name": [at["community"]["name"] for at in levels],
        "subdistrict_code": [at["subdistrict"]["code"] for at in levels],
        "subdistrict_name": [at["subdistrict"]["name"] for at in levels],
    }


def _require_classes(snapshot: Snapshot, category: ObjectArray) -> None:
    """Raise ``RejectedRows`` for classes that the catalogue does not hold."""
    unknown = set()
    for code in sorted({c for c in category if c is not None}):
        try:
            snapshot.case_class(code)
        except UnknownClass:
            unknown.add(code)
    if not unknown:
        return
    faults = [
        Fault(
            row, "category", str(code)[:80], "目录中没有该类别", "the catalogue has no such class",
            "请改为目录中的小类编码,或留空", "give a class of the catalogue, or leave it empty",
        )
        for row, code in enumerate(category, start=1)
        if code in unknown
    ]  # fmt: skip
    raise RejectedRows(source="table", faults=faults[:_SHOWN])


def _joined(texts: Iterable[str | None]) -> str | None:
    return _JOINED.join(text or "—" for text in texts) or None


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None
