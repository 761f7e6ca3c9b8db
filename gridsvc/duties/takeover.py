"""Duties when a plan takes effect: what hangs on codes that go, and who takes it over.

Rows are never rewritten. A duty whose target goes is replaced by one that ends when the plan takes
effect; where it is carried over, a further row begins then for each successor. Both say which row
they stand for (``replaces``) and which plan is the cause (``cause_plan``), so that withdrawing the
plan puts back exactly what was there, by further rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from gridsvc.duties.book import believed
from gridsvc.errors import InputError
from gridsvc.layers import DUTIES, normalize
from gridsvc.types import Json

Carry = Literal["none", "merged", "all"]
CARRY: tuple[Carry, ...] = ("none", "merged", "all")
"""``none``: duties end with their cell; ``merged``: what has exactly one successor (renamed or
merged cells) goes there; ``all``: a person chose that split and irregular cells hand theirs to
every successor."""
Row = dict[str, Any]
LEVELS = ("cell", "community", "subdistrict")
_CERTAIN = ("U", "M")


@dataclass(frozen=True)
class Choice:
    """How duties are carried over: a rule, and what a person decided for single codes.

    Attributes
    ----------
    carry : {"none", "merged", "all"}
    successors : mapping
        Old code to the new codes that take its duties over; wins over ``carry``. An empty tuple:
        nobody does.
    """

    carry: Carry = "none"
    successors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> Json:
        """Return the choice as a JSON document."""
        return {
            "carry": self.carry,
            "successors": {old: list(new) for old, new in sorted(self.successors.items())},
        }


NOTHING_CARRIED = Choice()


@dataclass(frozen=True)
class Boundary:
    """What becomes of codes when a plan takes effect.

    Attributes
    ----------
    plan_id : str
    starts : datetime
        When it takes effect, aware.
    ends : datetime or None
        When the next one does.
    old, new : mapping
        Level to the codes before and after.
    lineage : mapping
        Level to rows old_code, new_code, kind (``gridsvc.plan.lineage``); levels of which no
        code goes may be left out.
    """

    plan_id: str
    starts: datetime
    ends: datetime | None
    old: Mapping[str, frozenset[str]]
    new: Mapping[str, frozenset[str]]
    lineage: Mapping[str, pd.DataFrame]

    def retired(self, level: str) -> frozenset[str]:
        """Return the codes of a level that go."""
        return self.old.get(level, frozenset()) - self.new.get(level, frozenset())

    def successors(self, level: str, code: str) -> tuple[str, tuple[str, ...]]:
        """Return the kind of lineage of an old code and the new codes on its ground."""
        table = self.lineage.get(level)
        if table is None:
            return "X", ()
        rows = table[(table["old_code"] == code) & table["new_code"].notna()]
        if rows.empty:
            return "X", ()
        return str(rows["kind"].iloc[0]), tuple(sorted(str(c) for c in rows["new_code"]))

    def takers(self, level: str, code: str, choice: Choice) -> tuple[str, ...]:
        """Return the new codes that take over the duties of an old one.

        Raises
        ------
        InputError
            If a person named a code that the plan does not have.
        """
        kind, found = self.successors(level, code)
        if code in choice.successors:
            named = choice.successors[code]
            strange = [one for one in named if one not in self.new.get(level, frozenset())]
            if strange:
                raise InputError(
                    reason_zh=f"方案 {self.plan_id} 没有 {strange[0]},不能承接 {code} 的责任",
                    reason_en=f"plan {self.plan_id} has no {strange[0]} to take over from {code}",
                )
            return named
        if choice.carry == "all" or (choice.carry == "merged" and kind in _CERTAIN):
            return found
        return ()


def hanging(duties: pd.DataFrame, boundary: Boundary, choice: Choice) -> pd.DataFrame:
    """Return the duties whose target goes, with the kind of lineage and who takes them over.

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES.
    boundary : Boundary
    choice : Choice

    Returns
    -------
    DataFrame
        The rows believed now and valid when the plan takes effect or later, with ``kind``,
        ``successors`` and ``takers`` (tuples of codes).
    """
    touched = believed(duties)
    touched &= duties["valid_to"].isna() | (duties["valid_to"] > pd.Timestamp(boundary.starts))
    if boundary.ends is not None:
        touched &= duties["valid_from"] < pd.Timestamp(boundary.ends)
    on_retired = pd.Series(False, index=duties.index)
    for level in LEVELS:
        mine = (duties["target_kind"] == level) & duties["target_code"].isin(
            boundary.retired(level)
        )
        on_retired |= mine
    rows = duties[touched & on_retired].copy()
    targets = list(zip(rows["target_kind"], rows["target_code"], strict=True))
    lines = [boundary.successors(*t) for t in targets]
    rows["kind"] = pd.Series([kind for kind, _ in lines], index=rows.index, dtype=object)
    for name, values in (
        ("successors", [codes for _, codes in lines]),
        ("takers", [boundary.takers(kind, code, choice) for kind, code in targets]),
    ):
        rows[name] = pd.Series(values, index=rows.index, dtype=object)
    return rows


class Ledger:
    """The duties as they become, step by step, and what of it has to be written.

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES, not mutated.
    recorded_at : datetime
        Record time of all steps, aware.
    tag : str
        Marks the keys of new rows; unique for the operation.
    """

    def __init__(self, duties: pd.DataFrame, recorded_at: datetime, tag: str) -> None:
        self.duties = duties.copy()
        self._stored = set(duties.index)
        self._now = pd.Timestamp(recorded_at)
        self._tag = tag
        self._closed: list[str] = []

    def take_over(self, boundary: Boundary, choice: Choice) -> pd.DataFrame:
        """End the duties whose target goes and begin those of the successors.

        Returns
        -------
        DataFrame
            As ``hanging``.
        """
        found = hanging(self.duties, boundary, choice)
        known = self._identities()
        new: list[Row] = []
        for key, takers in zip(found.index.astype(str), found["takers"], strict=True):
            duty = self._row(key)
            start = max(pd.Timestamp(boundary.starts), duty["valid_from"])
            made = {"replaces": key, "cause_plan": boundary.plan_id}
            new.append(self._copy(duty, f"{key}~{self._tag}", **made, valid_to=start))
            for code in takers:
                heir = self._copy(
                    duty, f"{key}~{self._tag}~{code}", **made, valid_from=start, target_code=code
                )
                if _identity(heir) not in known:
                    known.add(_identity(heir))
                    new.append(heir)
        self._close(list(found.index.astype(str)))
        self._add(new)
        return found

    def put_back(self, plan_id: str) -> None:
        """Undo what a plan caused; later plans have to be undone before."""
        caused = self.duties[believed(self.duties) & (self.duties["cause_plan"] == plan_id)]
        restated: list[Row] = []
        for key, replaced, target in zip(
            caused.index.astype(str), caused["replaces"], caused["target_code"], strict=True
        ):
            if replaced not in self.duties.index:
                continue
            before = self._row(str(replaced))
            if before["target_code"] == target:
                restated.append(self._copy(before, f"{key}~{self._tag}r"))
        self._close(list(caused.index.astype(str)))
        self._add(restated)

    @property
    def closed(self) -> pd.DataFrame:
        """Stored rows that are no longer held to be true."""
        return self.duties.loc[[key for key in self._closed if key in self._stored]]

    @property
    def added(self) -> pd.DataFrame:
        """Rows that are new."""
        return self.duties[~self.duties.index.isin(self._stored)]

    def _row(self, key: str) -> Row:
        return {str(k): v for k, v in self.duties.loc[[key]].to_dict("records")[0].items()}

    def _copy(self, duty: Row, key: str, **changes: Any) -> Row:
        made = {DUTIES.key: key, "recorded_at": self._now, "recorded_to": None}
        return {**duty, **made, **changes}

    def _close(self, keys: list[str]) -> None:
        self.duties.loc[keys, "recorded_to"] = self._now
        self._closed += keys

    def _add(self, rows: list[Row]) -> None:
        if rows:
            self.duties = pd.concat([self.duties, normalize(pd.DataFrame(rows), DUTIES)])

    def _identities(self) -> set[tuple[object, ...]]:
        live = self.duties[believed(self.duties)]
        names = live[list(_WHO)].astype(object)
        rows = names.where(names.notna(), None).itertuples(index=False, name=None)
        ends = [None if pd.isna(end) else end for end in live["valid_to"]]
        return {(*row, end) for row, end in zip(rows, ends, strict=True)}


_WHO = ("person_id", "unit_id", "role", "target_kind", "target_code", "class_code")


def _identity(duty: Row) -> tuple[object, ...]:
    """Return who has which duty where until when: a second row of the same says nothing new."""
    values = [None if pd.isna(duty[name]) else str(duty[name]) for name in _WHO]
    return (*values, None if pd.isna(duty["valid_to"]) else duty["valid_to"])
