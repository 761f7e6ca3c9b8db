"""Responsibility as JSON: never a phone number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from gridsvc.duties.book import Assignment
from gridsvc.duties.standing import unknown_holders
from gridsvc.errors import Language
from gridsvc.services.responsibility import Responsible


class PersonInRole(BaseModel):
    """A person or unit in a role, and the level it is inherited from."""

    role: str
    person_id: str | None
    person_name: str | None
    unit_id: str | None
    unit_name: str | None
    via: str = Field(description="point, road, river, cell, community, subdistrict or city.")
    target_code: str
    duty_id: str
    valid_from: datetime
    valid_to: datetime | None


class UnknownHolder(BaseModel):
    """A duty whose person or unit is not there: nobody holds the role by it."""

    role: str
    person_id: str | None
    unit_id: str | None
    via: str
    target_code: str
    duty_id: str
    reason: str


class ResponsibleUnit(BaseModel):
    """The unit that answers for the class here, and the rule that chose it."""

    unit_id: str | None
    name: str | None
    rule: str = Field(description="place_and_class, class, unit_kind, territory or none.")
    reason: str
    duty_id: str | None


class ResponsibleView(BaseModel):
    """Who is responsible for a place at an instant."""

    cell_code: str | None
    community_code: str | None
    subdistrict_code: str | None
    point_id: str | None
    plan_id: str
    at: datetime
    class_code: str | None
    class_name: str | None
    deadline_hours: float | None
    clock: str | None
    persons: list[PersonInRole]
    unknown_holders: list[UnknownHolder]
    responsible_unit: ResponsibleUnit


class GapsView(BaseModel):
    """Required roles nobody holds, and sole roles held more than once.

    `unknown_holders` are duties in force for these roles whose person or unit is not there; they
    do not count.
    """

    plan_id: str
    at: datetime
    roles: list[str]
    cells: int
    vacancies: list[dict[str, Any]]
    doubles: list[dict[str, Any]]
    unknown_holders: list[UnknownHolder]


def unknown_views(assignments: Iterable[Assignment], language: Language) -> list[UnknownHolder]:
    """Return duties of nobody known with the reason in one language."""
    return [
        UnknownHolder(
            **{k: v for k, v in row.items() if not k.startswith("reason_")},
            reason=row[f"reason_{language}"],
        )
        for row in unknown_holders(assignments)
    ]


def responsible_view(found: Responsible, plan_id: str, language: Language) -> ResponsibleView:
    """Return an answer about responsibility as JSON."""
    persons = []
    for assignment in found.assignments:
        duty = assignment.duty
        person = found.persons.get(duty.person_id or "", {})
        unit = duty.unit_id or person.get("unit_id")
        persons.append(
            PersonInRole(
                role=duty.role,
                person_id=duty.person_id,
                person_name=person.get("name"),
                unit_id=unit,
                unit_name=found.units.get(unit or ""),
                via=assignment.via,
                target_code=duty.target_code,
                duty_id=duty.duty_id,
                valid_from=duty.valid_from,
                valid_to=duty.valid_to,
            )
        )
    cls = found.case_class
    return ResponsibleView(
        cell_code=found.place.cell_code,
        community_code=found.place.community_code,
        subdistrict_code=found.place.subdistrict_code,
        point_id=found.place.point_id,
        plan_id=plan_id,
        at=found.at,
        class_code=None if cls is None else cls.code,
        class_name=None if cls is None else cls.name,
        deadline_hours=None if cls is None else cls.deadline_hours,
        clock=None if cls is None else cls.clock,
        persons=persons,
        unknown_holders=unknown_views(found.unknown, language),
        responsible_unit=ResponsibleUnit(
            unit_id=found.unit.unit_id,
            name=found.units.get(found.unit.unit_id or ""),
            rule=found.unit.rule,
            reason=found.unit.reason(language),
            duty_id=found.unit.duty_id,
        ),
    )
