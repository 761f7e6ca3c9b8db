"""Who answers for cells and points: duties valid at an instant, vacancies, named persons.

A unit that answers for a point is no named person: the rule that every evaluation point has a
concrete responsible person is counted on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from gridsvc.analysis.territory import share_of
from gridsvc.duties.book import believed
from gridsvc.errors import BadOption
from gridsvc.values import is_missing

DEFAULT_ROLES = ("cell_leader",)
PERSON_BY = ("point", "cell")
"""``responsible_by`` of points that a named person answers for."""
_LEVELS = ("cell", "community", "subdistrict")


def duties_valid(
    duties: pd.DataFrame, at: datetime, *, known_at: datetime | None = None
) -> pd.DataFrame:
    """Return the duties valid at an instant, as known at another (half-open validity).

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES.
    at : datetime
        Aware; ``valid_from`` ≤ at < ``valid_to``.
    known_at : datetime, optional
        What was held to be true then; by default what is now.
    """
    if at.tzinfo is None:
        raise BadOption(
            option="at",
            value=at.isoformat(),
            reason_zh="缺少时区",
            reason_en="it has no time zone",
        )
    keep = (duties["valid_from"] <= at) & (duties["valid_to"].isna() | (duties["valid_to"] > at))
    return duties[keep & believed(duties, known_at)]


def coverage_duties(
    cells: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    *,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    sole_roles: Sequence[str] | None = None,
    known_at: datetime | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Count who holds which role for each cell, and name vacancies and doubles.

    A duty for a community or subdistrict holds for each of its cells.

    Parameters
    ----------
    cells : DataFrame
        Contract CELLS (geometry not needed).
    duties : DataFrame
        Contract DUTIES.
    at, known_at : datetime
        As in ``duties_valid``.
    required_roles : sequence of str
        Roles each cell must have.
    sole_roles : sequence of str, optional
        Roles that only one may hold for a cell; the required ones when not given.

    Returns
    -------
    counts : DataFrame
        Aligned to the cells: ``staff`` (distinct persons), ``role_<role>`` (distinct holders),
        ``vacancies`` (required roles nobody holds).
    vacant : DataFrame
        Rows ``cell_code, name, role``.
    doubled : DataFrame
        Rows ``cell_code, role, count``.
    summary : dict
    """
    sole = tuple(required_roles if sole_roles is None else sole_roles)
    valid = duties_valid(duties, at, known_at=known_at)
    holders = holders_of(cells, valid)
    per_role = holders.groupby(["cell_code", "role"])["holder"].nunique().unstack(fill_value=0)
    roles = sorted(set(per_role.columns) | set(required_roles) | set(sole))
    counts = pd.DataFrame(index=cells.index)
    persons = holders[holders["person"]].groupby("cell_code")["holder"].nunique()
    counts["staff"] = persons.reindex(cells.index, fill_value=0).astype("int64")
    for role in roles:
        column = per_role[role] if role in per_role.columns else pd.Series(dtype="int64")
        counts[f"role_{role}"] = column.reindex(cells.index).fillna(0).astype("int64")
    counts["vacancies"] = sum(
        ((counts[f"role_{role}"] == 0).astype("int64") for role in required_roles),
        pd.Series(0, index=cells.index, dtype="int64"),
    )
    vacant = pd.DataFrame(
        [
            {"cell_code": code, "name": cells.at[code, "name"], "role": role}
            for role in required_roles
            for code in counts.index[counts[f"role_{role}"] == 0]
        ],
        columns=["cell_code", "name", "role"],
    )
    doubled = pd.DataFrame(
        [
            {"cell_code": code, "role": role, "count": int(held)}
            for role in sole
            for code, held in zip(counts.index, counts[f"role_{role}"].to_numpy(), strict=True)
            if held > 1
        ],
        columns=["cell_code", "role", "count"],
    )
    full = int((counts["vacancies"] == 0).sum())
    summary = {
        "cells": len(cells),
        "cells_with_required_roles": full,
        "share": share_of(full, len(cells)),
        "vacancies": len(vacant),
        "doubles": len(doubled),
        "valid_duties": len(valid),
        "by_role": {r: int((counts[f"role_{r}"] > 0).sum()) for r in roles},
    }
    return counts, vacant, doubled, summary


def coverage_points(
    points: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    *,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    cells: pd.DataFrame | None = None,
    known_at: datetime | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return for each point whether a person or, failing that, a unit answers for it.

    A person answers through a duty for the point itself, or else as holder of a required role for
    the cell that the point lies in. A unit answers through ``unit_id`` of the point or a duty for
    the point without a person.

    Returns
    -------
    answer : DataFrame
        Aligned to the points: ``responsible`` (bool), ``responsible_by`` (``point``, ``cell``,
        ``unit`` or missing; the first that holds), ``answering_unit`` (the unit, person or not).
    summary : dict
        ``points``, ``responsible`` (person or unit) with its ``share``, ``with_person`` (also
        ``by_person_duty``: ``by_point_duty`` + ``by_cell_duty``) with its ``person_share``,
        ``without_person`` = ``by_unit`` (a unit and no person) + ``none``. ``points`` =
        ``with_person`` + ``without_person``.
    """
    valid = duties_valid(duties, at, known_at=known_at)
    named = valid[valid["person_id"].notna()]
    direct = points.index.isin(named.loc[named["target_kind"] == "point", "target_code"])
    of_unit = valid[valid["unit_id"].notna() & (valid["target_kind"] == "point")]
    unit = pd.Series(None, index=points.index, dtype="str")
    if "unit_id" in points.columns:
        own = points["unit_id"]
        unit = own.where(~is_missing(own).to_numpy(dtype=bool)).astype("str")
    by_duty = of_unit.drop_duplicates("target_code").set_index("target_code")["unit_id"]
    unit = unit.where(unit.notna(), by_duty.reindex(points.index).astype("str"))
    has_unit = unit.notna().to_numpy(dtype=bool)
    through = np.zeros(len(points), dtype=bool)
    if cells is not None:
        holders = holders_of(cells, named[named["role"].isin(list(required_roles))])
        through = points["cell_code"].isin(set(holders["cell_code"])).to_numpy()
    answer = pd.DataFrame(index=points.index)
    person = direct | through
    answer["responsible"] = person | has_unit
    by = np.select([direct, through, has_unit], ["point", "cell", "unit"], default="")
    answer["responsible_by"] = pd.array([b or None for b in by.tolist()], dtype="str")
    answer["answering_unit"] = unit
    held, named_ones = int((person | has_unit).sum()), int(person.sum())
    return answer, {
        "points": len(points),
        "with_person": named_ones,
        "without_person": len(points) - named_ones,
        "person_share": share_of(named_ones, len(points)),
        "by_point_duty": int(direct.sum()),
        "by_cell_duty": int((through & ~direct).sum()),
        "by_person_duty": named_ones,
        "by_unit": int((has_unit & ~person).sum()),
        "none": len(points) - held,
        "responsible": held,
        "share": share_of(held, len(points)),
    }


def holders_of(cells: pd.DataFrame, duties: pd.DataFrame) -> pd.DataFrame:
    """Return rows cell_code, role, holder, person: who holds what for each cell."""
    codes = pd.Series(cells.index.to_numpy(), index=cells.index)
    targets = {"cell": codes}
    for level in _LEVELS[1:]:
        targets[level] = cells[f"{level}_code"]
    parts = []
    person = duties["person_id"].notna()
    holder = duties["person_id"].where(person, duties["unit_id"])
    rows = duties.assign(holder=holder, person=person)[holder.notna()]
    for level, column in targets.items():
        own = rows[rows["target_kind"] == level]
        if own.empty:
            continue
        members = pd.DataFrame({"cell_code": codes.to_numpy(), "target_code": column.to_numpy()})
        joined = own[["target_code", "role", "holder", "person"]].merge(members, on="target_code")
        parts.append(joined[["cell_code", "role", "holder", "person"]])
    if not parts:
        return pd.DataFrame(
            {
                "cell_code": pd.Series(dtype="str"),
                "role": pd.Series(dtype="str"),
                "holder": pd.Series(dtype="str"),
                "person": pd.Series(dtype="bool"),
            }
        )
    return pd.concat(parts, ignore_index=True).drop_duplicates()
