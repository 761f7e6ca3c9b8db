"""Duties in force at an instant, looked up by place with inheritance.

A duty binds a person or unit in a role to a target: a cell, community, subdistrict, evaluation
point or class, optionally for one class of cases only. A cell inherits what is bound to its
community, its subdistrict and the city. For each role the most specific target wins: a cell that
has its own grid worker does not also get the community's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from gridsvc.plan.areas import CITY_CODE

SPECIFIC_FIRST = ("point", "road", "river", "cell", "community", "subdistrict", "city")
"""Kinds of places a duty can be bound to, the most specific first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where responsibility is asked for: a cell with its chain, perhaps a point, road or river.

    Codes that are not known are ``None``. A road goes by its name, a river by the id of its
    exclusion.
    """

    cell_code: str | None = None
    community_code: str | None = None
    subdistrict_code: str | None = None
    point_id: str | None = None
    road_name: str | None = None
    river_id: str | None = None

    def targets(self) -> list[tuple[str, str]]:
        """Return ``(kind, code)`` of the place itself and all it lies in, most specific first."""
        codes = (
            self.point_id, self.road_name, self.river_id, self.cell_code, self.community_code,
            self.subdistrict_code,
        )  # fmt: skip
        # What lies anywhere in the plan lies in the city; what lies nowhere does not.
        pairs = zip(SPECIFIC_FIRST, (*codes, CITY_CODE if any(codes) else None), strict=True)
        return [(kind, code) for kind, code in pairs if code]


@dataclass(frozen=True, slots=True)
class Duty:
    """One row of the duties layer; texts that are missing there are ``None``."""

    duty_id: str
    person_id: str | None
    unit_id: str | None
    role: str
    target_kind: str
    target_code: str
    class_code: str | None
    valid_from: datetime
    valid_to: datetime | None

    def covers_class(self, codes: Sequence[str]) -> bool:
        """Return whether the duty holds for a case whose class and major codes are given."""
        return self.class_code is None or self.class_code in codes


@dataclass(frozen=True, slots=True)
class Assignment:
    """A duty as it reaches a place; ``via`` is the kind of target it is inherited from."""

    duty: Duty
    via: str


def duties_in_force(
    duties: pd.DataFrame, at: datetime, *, known_at: datetime | None = None
) -> pd.DataFrame:
    """Return the duties valid at an instant.

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES. Validity is half-open: ``valid_from <= at < valid_to``; an empty
        ``valid_to`` is open.
    at : datetime
        Aware instant of valid time.
    known_at : datetime, optional
        Aware instant of record time: what was held to be true then. By default what is now.

    Returns
    -------
    DataFrame
        A part of the rows, in their order.
    """
    now = pd.Timestamp(at)
    keep = (duties["valid_from"] <= now) & (duties["valid_to"].isna() | (duties["valid_to"] > now))
    return duties[keep & believed(duties, known_at)]


def believed(duties: pd.DataFrame, known_at: datetime | None = None) -> pd.Series:
    """Return which rows are held to be true now, or were at an instant of record time.

    A frame without ``recorded_to`` holds no withdrawn rows.
    """
    ended = (
        duties["recorded_to"]
        if "recorded_to" in duties.columns
        else pd.Series(pd.NaT, index=duties.index, dtype="datetime64[us, UTC]")
    )
    if known_at is None:
        return ended.isna()
    then = pd.Timestamp(known_at)
    return (duties["recorded_at"] <= then) & (ended.isna() | (ended > then))


class DutyBook:
    """An immutable snapshot of the duties in force at one instant.

    Parameters
    ----------
    duties : iterable of Duty
        Those in force.
    at : datetime
    """

    def __init__(self, duties: Iterable[Duty], at: datetime) -> None:
        self.at = at
        self._by_target: dict[tuple[str, str], tuple[Duty, ...]] = {}
        grouped: dict[tuple[str, str], list[Duty]] = {}
        for duty in duties:
            grouped.setdefault((duty.target_kind, duty.target_code), []).append(duty)
        for target, found in grouped.items():
            self._by_target[target] = tuple(sorted(found, key=lambda d: (d.role, d.duty_id)))

    @classmethod
    def from_frame(
        cls, duties: pd.DataFrame, at: datetime, *, known_at: datetime | None = None
    ) -> DutyBook:
        """Take the duties of a frame (contract DUTIES) that are in force at an instant."""
        return cls(duty_rows(duties_in_force(duties, at, known_at=known_at)), at)

    def __len__(self) -> int:
        return sum(map(len, self._by_target.values()))

    def all(self) -> tuple[Assignment, ...]:
        """Return every duty at its own target, ordered by target, role and id."""
        pairs = sorted(self._by_target.items())
        return tuple(Assignment(duty, kind) for (kind, _), found in pairs for duty in found)

    def of(self, kind: str, code: str) -> tuple[Duty, ...]:
        """Return the duties bound to exactly this target, ordered by role and id."""
        return self._by_target.get((kind, code), ())

    def reaching(
        self, place: Place, *, class_codes: Sequence[str] | None = None
    ) -> tuple[Assignment, ...]:
        """Return all duties that reach a place, for each role from its most specific target.

        Parameters
        ----------
        place : Place
        class_codes : sequence of str, optional
            Class and major code of a case. Without it only duties for all classes count; with it
            also those for that class or major.

        Returns
        -------
        tuple of Assignment
            Most specific targets first, then by role and id. Two holders of one role at one
            target are both there.
        """
        codes = () if class_codes is None else tuple(class_codes)
        settled: set[str] = set()
        result: list[Assignment] = []
        for kind, code in place.targets():
            here = [
                d for d in self.of(kind, code) if d.covers_class(codes) and d.role not in settled
            ]
            result += [Assignment(d, kind) for d in here]
            settled.update(d.role for d in here)
        return tuple(result)


def holders(
    cells: pd.DataFrame, duties: pd.DataFrame, at: datetime, *, known_at: datetime | None = None
) -> pd.DataFrame:
    """Return who holds which role in each row, with inheritance, for whole tables.

    Parameters
    ----------
    cells : DataFrame
        Indexed by cell code with ``community_code`` and ``subdistrict_code`` (contract CELLS); or
        any frame with these columns, ``cell_code`` and perhaps ``point_id``, ``road_name`` or
        ``river_id`` as index or column.
    duties : DataFrame
        Contract DUTIES; those for single classes are left out.
    at : datetime
    known_at : datetime, optional
        As in ``duties_in_force``.

    Returns
    -------
    DataFrame
        Columns ``key`` (index of ``cells``), ``role, person_id, unit_id, via, target_code,
        duty_id``, ordered by the order of ``cells``, specificity, role, duty. Rows nobody is
        responsible for do not occur.
    """
    columns = ["key", "role", "person_id", "unit_id", "via", "target_code", "duty_id"]
    valid = duties_in_force(duties, at, known_at=known_at)
    valid = valid[valid["class_code"].isna()].rename_axis("duty_id").reset_index()
    parts = []
    for rank, kind in enumerate(SPECIFIC_FIRST):
        codes = _codes_of(cells, kind)
        if codes is None:
            continue
        left = pd.DataFrame(
            {"key": cells.index, "order": range(len(cells)), "target_code": codes.astype(object)}
        )
        right = valid[valid["target_kind"] == kind].astype({"target_code": object})
        joined = left.dropna(subset="target_code").merge(right, on="target_code")
        parts.append(joined.assign(via=kind, rank=rank))
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    nearest = table.groupby(["order", "role"])["rank"].transform("min")
    table = table[table["rank"] == nearest]
    return table.sort_values(["order", "rank", "role", "duty_id"])[columns].reset_index(drop=True)


def vacancies(
    cells: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    roles: Sequence[str],
    *,
    known_at: datetime | None = None,
) -> pd.DataFrame:
    """Return rows ``cell_code, name, role`` for required roles that nobody holds."""
    held = holders(cells, duties, at, known_at=known_at)
    pairs = set(zip(held["key"], held["role"], strict=True))
    names = cells["name"] if "name" in cells.columns else pd.Series("", index=cells.index)
    rows = [
        (code, name, role)
        for code, name in names.items()
        for role in roles
        if (code, role) not in pairs
    ]
    return pd.DataFrame(rows, columns=["cell_code", "name", "role"])


def doubles(
    cells: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    roles: Sequence[str],
    *,
    known_at: datetime | None = None,
) -> pd.DataFrame:
    """Return rows ``cell_code, role, count`` for sole roles held by more than one."""
    held = holders(cells, duties, at, known_at=known_at)
    held = held[held["role"].isin(list(roles))]
    counts = held.groupby(["key", "role"], sort=True).size()
    found = counts[counts > 1].rename("count").reset_index()
    return found.rename(columns={"key": "cell_code"})


_CODE_COLUMNS = {"point": "point_id", "road": "road_name", "river": "river_id"}


def _codes_of(cells: pd.DataFrame, kind: str) -> pd.Series | None:
    if kind == "city":
        return pd.Series(CITY_CODE, index=cells.index)
    name = _CODE_COLUMNS.get(kind, f"{kind}_code")
    if name in cells.columns:
        return cells[name]
    if cells.index.name == name or (kind == "cell" and cells.index.name == "code"):
        return cells.index.to_series()
    return None


def duty_rows(duties: pd.DataFrame) -> Iterable[Duty]:
    """Yield each row of a frame (contract DUTIES) as a duty."""
    for key, row in zip(duties.index, duties.to_dict("records"), strict=True):
        yield Duty(
            duty_id=str(key),
            person_id=_text(row["person_id"]),
            unit_id=_text(row["unit_id"]),
            role=str(row["role"]),
            target_kind=str(row["target_kind"]),
            target_code=str(row["target_code"]),
            class_code=_text(row["class_code"]),
            valid_from=_instant(row["valid_from"]),
            valid_to=None if pd.isna(row["valid_to"]) else _instant(row["valid_to"]),
        )


def _instant(value: Any) -> datetime:
    return pd.Timestamp(value).to_pydatetime()


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) or value == "" else str(value)
