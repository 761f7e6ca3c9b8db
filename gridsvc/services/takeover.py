"""Use case: what hangs on the cells of one version when the next takes effect, and who has it then.

The lists are read before publication (`gridsvc diff`), stated by it, and written by it: duties end
and begin at the effective date (``gridsvc.duties.takeover``). Points, staff posts and facilities
need no writing; they are listed because they change cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import geopandas as gpd
import pandas as pd

from gridsvc.duties.book import believed, holders
from gridsvc.duties.takeover import LEVELS, Boundary, Choice, Ledger
from gridsvc.errors import ConflictError
from gridsvc.locate import Locator
from gridsvc.plan import derive_areas, lineage
from gridsvc.plan.version import PlanVersion
from gridsvc.services.placing import PLACED_LAYERS, LocatorOf, in_plan
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import Json

COLUMNS = (
    "what", "key", "name", "role", "old_code", "new_codes", "kind", "becomes", "before", "after",
)  # fmt: skip
_NAMES = {"points": "point", "staff": "staff_post", "facilities": "facility"}


@dataclass(frozen=True)
class Takeover:
    """What changes hands when a version takes effect.

    Attributes
    ----------
    old_id, new_id : str
    starts : datetime
    choice : Choice
    duties : DataFrame
        As ``gridsvc.duties.takeover.hanging``.
    records : DataFrame
        Points, staff posts and facilities that change cells: what, key, name, old_code, new_code.
    hands : DataFrame
        Rows new_code, name, old_codes, role, before, after: who holds the role on that ground
        before and after; ``after`` is empty where it falls vacant.
    """

    old_id: str
    new_id: str
    starts: datetime
    choice: Choice
    duties: pd.DataFrame
    records: pd.DataFrame
    hands: pd.DataFrame

    @property
    def vacant(self) -> pd.DataFrame:
        """Rows of ``hands`` whose role nobody holds any more."""
        return self.hands[self.hands["after"].map(len) == 0]

    def counts(self) -> Json:
        """Return how many of everything."""
        carried = self.duties["takers"].map(len) > 0
        kinds = self.duties["kind"].value_counts()
        return {
            "duties": len(self.duties),
            "duties_carried": int(carried.sum()),
            "duties_ended": int((~carried).sum()),
            "duties_by_kind": {k: int(kinds.get(k, 0)) for k in ("U", "S", "M", "X")},
            **{layer: int((self.records["what"] == what).sum()) for layer, what in _NAMES.items()},
            "roles_changed": len(self.hands),
            "roles_vacant": len(self.vacant),
            "cells_vacant": int(self.vacant["new_code"].nunique()),
        }

    def table(self) -> pd.DataFrame:
        """Return everything in one table, a row for each duty, record and role (``COLUMNS``)."""
        parts = [
            pd.DataFrame(
                {
                    "what": "duty",
                    "key": self.duties.index.astype(str),
                    "name": self.duties["person_id"].fillna(self.duties["unit_id"]).array,
                    "role": self.duties["role"].array,
                    "old_code": self.duties["target_code"].array,
                    "new_codes": [" ".join(codes) for codes in self.duties["successors"]],
                    "kind": self.duties["kind"].array,
                    "becomes": ["carried" if t else "ended" for t in self.duties["takers"]],
                    "before": self.duties["target_code"].array,
                    "after": [" ".join(codes) for codes in self.duties["takers"]],
                },
                dtype=object,
            ),
            self.records.rename(columns={"new_code": "new_codes"}).assign(
                becomes=["moved" if isinstance(c, str) else "outside"
                         for c in self.records["new_code"]],
                before=self.records["old_code"], after=self.records["new_code"],
            ),
            self.hands.assign(
                what="role", key=self.hands["new_code"],
                old_code=[" ".join(codes) for codes in self.hands["old_codes"]],
                new_codes=self.hands["new_code"],
                becomes=["changed" if a else "vacant" for a in self.hands["after"]],
                before=[" ".join(who) for who in self.hands["before"]],
                after=[" ".join(who) for who in self.hands["after"]],
            ),
        ]  # fmt: skip
        whole = pd.concat(
            [part.reindex(columns=list(COLUMNS)).astype(object) for part in parts],
            ignore_index=True,
        )
        return whole.where(whole.notna(), None)


@dataclass(frozen=True)
class Stage:
    """A version with its cells and areas, in the order of time."""

    plan: PlanVersion
    cells: gpd.GeoDataFrame
    areas: gpd.GeoDataFrame

    @classmethod
    def read(cls, work: UnitOfWork, plan: PlanVersion) -> Stage:
        """Read a published version."""
        return cls(plan, work.plans.cells(plan.id), work.plans.areas(plan.id))


def steps(
    chain: Sequence[Stage], descents: Sequence[pd.DataFrame], metric_epsg: int
) -> list[tuple[Boundary, Choice]]:
    """Return what duties go through from the first of several versions to the last.

    Parameters
    ----------
    chain : sequence of Stage
        Consecutive versions; those after the first take effect in turn.
    descents : sequence of DataFrame
        Lineage of the cells from each to the next.
    metric_epsg : int
    """
    found = []
    for number, ((old, new), descent) in enumerate(
        zip(pairwise(chain), descents, strict=True), start=1
    ):
        starts = new.plan.effective_from
        assert starts is not None  # noqa: S101 - published
        ends = chain[number + 1].plan.effective_from if number + 1 < len(chain) else None
        sides = (old.cells, old.areas), (new.cells, new.areas)
        edge = boundary(new.plan, starts, ends, *sides, descent, metric_epsg)
        found.append((edge, choice_of(new.plan)))
    return found


def boundary(
    plan: PlanVersion,
    starts: datetime,
    ends: datetime | None,
    old: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
    new: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
    descent: pd.DataFrame,
    metric_epsg: int,
) -> Boundary:
    """Return what becomes of codes when a plan takes effect.

    Parameters
    ----------
    plan : PlanVersion
    starts, ends : datetime
    old, new : tuple of GeoDataFrame
        Cells and areas (contracts CELLS, AREAS) before and after.
    descent : DataFrame
        Lineage of the cells.
    metric_epsg : int
    """
    codes = [
        {"cell": frozenset(str(c) for c in cells.index)}
        | {level: frozenset(cells[f"{level}_code"].dropna().astype(str)) for level in LEVELS[1:]}
        for cells, _ in (old, new)
    ]
    lines = {"cell": descent}
    for level in LEVELS[1:]:
        if codes[0][level] - codes[1][level]:
            above = [areas[areas["level"] == level].set_index("code") for areas in (old[1], new[1])]
            lines[level] = lineage(above[0], above[1], metric_epsg)
    return Boundary(plan.id, starts, ends, codes[0], codes[1], lines)


def examine(
    work: UnitOfWork,
    old: PlanVersion,
    new: PlanVersion,
    choice: Choice,
    *,
    now: datetime,
    descent: pd.DataFrame | None = None,
) -> Takeover:
    """Return what changes hands from one version to another.

    A draft is taken to take effect now. A version that was published is shown as it was when that
    was done, with the choice made then.

    Parameters
    ----------
    work : UnitOfWork
    old, new : PlanVersion
        Of one scheme.
    choice : Choice
        For a draft.
    now : datetime
        Aware.
    descent : DataFrame, optional
        Lineage of the cells where it is known.

    Raises
    ------
    ConflictError
        If the versions belong to different schemes.
    """
    if old.scheme_id != new.scheme_id:
        raise ConflictError(
            reason_zh=f"两个方案属于不同的网格体系:{old.scheme_id}、{new.scheme_id}",
            reason_en=f"the plans are of different schemes: {old.scheme_id}, {new.scheme_id}",
        )
    scheme = work.plans.scheme(new.scheme_id)
    starts = new.effective_from or now
    duties = pd.DataFrame(work.records("duties").frame())
    if new.published_at is not None:
        choice = choice_of(new)
        duties = as_known_before(duties, new.published_at)
    old_cells, new_cells = work.plans.cells(old.id), work.plans.cells(new.id)
    if descent is None:
        descent = lineage(old_cells, new_cells, scheme.metric_epsg)
    areas = [
        found if len(found) else derive_areas(cells, metric_epsg=scheme.metric_epsg)
        for cells, found in (
            (old_cells, work.plans.areas(old.id)), (new_cells, work.plans.areas(new.id)),
        )
    ]  # fmt: skip
    edge = boundary(
        new, starts, new.effective_to, (old_cells, areas[0]), (new_cells, areas[1]), descent,
        scheme.metric_epsg,
    )  # fmt: skip
    ledger = Ledger(duties, now, "preview")
    found = ledger.take_over(edge, choice)
    return Takeover(
        old.id, new.id, starts, choice, found,
        _records(work, (old, old_cells), (new, new_cells)),
        _hands(old_cells, new_cells, duties, ledger.duties, descent, starts),
    )  # fmt: skip


def version_before(work: UnitOfWork, plan: PlanVersion, at: datetime) -> PlanVersion | None:
    """Return the version that one follows in time, or, for a draft, would follow now."""
    others = [p for p in work.plans.list(plan.scheme_id) if p.id != plan.id]
    if plan.effective_from is not None:
        return next((p for p in others if p.effective_to == plan.effective_from), None)
    return next((p for p in others if p.in_force(at)), None)


def choice_of(plan: PlanVersion) -> Choice:
    """Return how duties were carried over when a version was published."""
    kept = plan.provenance.get("takeover") or {}
    successors = {str(k): tuple(v) for k, v in (kept.get("successors") or {}).items()}
    return Choice(kept.get("carry", "none"), successors)


def as_known_before(duties: pd.DataFrame, instant: datetime) -> pd.DataFrame:
    """Return the duties as they stood just before an instant of record time."""
    then = pd.Timestamp(instant)
    known = duties["recorded_at"] < then
    known &= duties["recorded_to"].isna() | (duties["recorded_to"] >= then)
    before = duties[known].copy()
    before["recorded_to"] = pd.Series(pd.NaT, index=before.index, dtype=duties["recorded_to"].dtype)
    return before


def shift_duties(
    work: UnitOfWork,
    steps: Sequence[tuple[Boundary, Choice]],
    undone: Sequence[PlanVersion],
    *,
    at: datetime,
    tag: str,
) -> None:
    """Write what becomes of duties: undo what plans caused, then take each step.

    Parameters
    ----------
    work : UnitOfWork
        The caller commits it.
    steps : sequence of (Boundary, Choice)
        In order of time.
    undone : sequence of PlanVersion
        In order of time; undone from the last to the first.
    at : datetime
        Record time.
    tag : str
        Marks the keys of new rows.
    """
    repository = work.records("duties")
    ledger = Ledger(pd.DataFrame(repository.frame()), at, tag)
    for plan in reversed(undone):
        ledger.put_back(plan.id)
    for edge, choice in steps:
        ledger.take_over(edge, choice)
    if len(ledger.closed):
        repository.upsert(ledger.closed)
    if len(ledger.added):
        repository.append(ledger.added)


def _records(
    work: UnitOfWork,
    old: tuple[PlanVersion, gpd.GeoDataFrame],
    new: tuple[PlanVersion, gpd.GeoDataFrame],
) -> pd.DataFrame:
    locator_of = _locators({plan.id: cells for plan, cells in (old, new)})
    parts = []
    for layer in PLACED_LAYERS:
        rows = work.records(layer).frame()
        if rows.empty:
            continue
        was, now = (in_plan(rows, plan, locator_of)["cell_code"] for plan, _ in (old, new))
        moved = ~((was == now).fillna(False) | (was.isna() & now.isna()))
        parts.append(
            pd.DataFrame(
                {
                    "what": _NAMES[layer],
                    "key": rows.index[moved].astype(str),
                    "name": rows["name"][moved].array,
                    "old_code": was[moved].array,
                    "new_code": now[moved].array,
                },
                dtype=object,
            )
        )
    columns = ["what", "key", "name", "old_code", "new_code"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return table.astype(object).where(table.notna(), None)


def _locators(cells: dict[str, gpd.GeoDataFrame]) -> LocatorOf:
    made: dict[str, Locator] = {}

    def of(plan_id: str) -> Locator:
        if plan_id not in made:
            # A draft that is not certified yet is only looked at.
            made[plan_id] = Locator.from_cells(cells[plan_id], check=False)
        return made[plan_id]

    return of


def _hands(
    old_cells: gpd.GeoDataFrame,
    new_cells: gpd.GeoDataFrame,
    before: pd.DataFrame,
    after: pd.DataFrame,
    descent: pd.DataFrame,
    starts: datetime,
) -> pd.DataFrame:
    """Return the roles whose holders on the ground of a cell differ."""
    pairs = descent.dropna(subset=["old_code", "new_code"])[["old_code", "new_code"]]
    was = _held(old_cells, before, starts).merge(pairs, left_on="cell", right_on="old_code")
    now = _held(new_cells, after, starts)
    held = _sets(was["new_code"], was), _sets(now["cell"], now)
    froms = {
        str(code): tuple(sorted(str(c) for c in codes))
        for code, codes in pairs.groupby("new_code")["old_code"]
    }
    names = new_cells["name"]
    rows = [
        (code, names.get(code), froms.get(code, ()), role,
         tuple(sorted(held[0].get((code, role), set()))),
         tuple(sorted(held[1].get((code, role), set()))))
        for code, role in sorted({*held[0], *held[1]})
        if held[0].get((code, role)) != held[1].get((code, role))
    ]  # fmt: skip
    columns = ["new_code", "name", "old_codes", "role", "before", "after"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _held(cells: gpd.GeoDataFrame, duties: pd.DataFrame, starts: datetime) -> pd.DataFrame:
    frame = pd.DataFrame(cells.drop(columns="geometry"))
    table = holders(frame, duties[believed(duties)], starts)
    holder = table["person_id"].fillna(table["unit_id"])
    return pd.DataFrame({"cell": table["key"], "role": table["role"], "holder": holder})


def _sets(cells: pd.Series, table: pd.DataFrame) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for cell, role, holder in zip(cells, table["role"], table["holder"], strict=True):
        found.setdefault((str(cell), str(role)), set()).add(str(holder))
    return found
