"""Plan versions as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.geojson import matches
from api.problems import PreconditionMissing
from gridsvc.errors import StaleVersion
from gridsvc.plan.version import PlanVersion


class PlanView(BaseModel):
    """A plan version; `effective_from`/`effective_to` are half-open valid time."""

    id: str
    scheme_id: str
    number: int
    title: str
    status: Literal["draft", "in_review", "published", "superseded", "discarded"] = Field(
        description="At this moment: a published version is superseded when its time is over."
    )
    standing: Literal["scheduled", "in_force", "superseded"] | None = Field(
        description="Where a published version stands now: before, within or after its time."
    )
    cell_count: int
    base_id: str | None
    created_at: datetime
    published_at: datetime | None
    effective_from: datetime | None
    effective_to: datetime | None
    revision: int = Field(description="Counts changes; the ETag of the plan is made of it.")
    certified: bool | None = Field(description="Whether its certificate has no blocking finding.")
    links: dict[str, str]


class PlanList(BaseModel):
    """Plan versions by scheme and number."""

    plans: list[PlanView]


class PublishRequest(BaseModel):
    """From when on the plan is in force; now when not given."""

    effective_from: str | None = Field(
        None,
        description="ISO 8601 instant or date in the city's zone.",
        examples=["2018-11-22", "2018-11-22T00:00:00+08:00"],
    )

    carry: Literal["none", "merged", "all"] = Field(
        "none",
        description="Which duties of cells that go are carried over: none; those of renamed and "
        "merged cells; all, those of split cells to every successor.",
    )
    successors: dict[str, list[str]] = Field(
        default_factory=dict,
        description="What a person decided: old code to the new codes that take its duties over.",
        examples=[{"350404001001001": ["350404001001003"]}],
    )


class LineageRow(BaseModel):
    """How a cell of one plan went into a cell of another: U same, S split, M merged, X other."""

    old_code: str | None
    new_code: str | None
    kind: Literal["U", "S", "M", "X"]
    share: float | None = Field(description="Share of the old cell's area.")


class Lineage(BaseModel):
    """Lineage between two versions, with the count of each kind."""

    old_plan: str
    new_plan: str
    counts: dict[str, int]
    rows: list[LineageRow]


class CertificateView(BaseModel):
    """The machine-made certificate of a plan, as it was stored: what, when, with which digest."""

    plan: str
    ok: bool = Field(description="Whether no blocking finding stood.")
    at: datetime | None = Field(description="When it was made.")
    digest: str | None = Field(description="Digest of the cells' arcs that were certified.")
    certificate: dict[str, Any]


def plan_view(plan: PlanVersion, now: datetime) -> PlanView:
    """Return a plan version as JSON, with the status that it has now."""
    standing = plan.standing(now)
    here = f"/api/v1/plans/{plan.id}"
    return PlanView(
        id=plan.id,
        scheme_id=plan.scheme_id,
        number=plan.number,
        title=plan.title,
        status=plan.as_of(now).status.value,
        standing=None if standing is None else standing.value,
        cell_count=plan.cell_count,
        base_id=plan.base_id,
        created_at=plan.created_at,
        published_at=plan.published_at,
        effective_from=plan.effective_from,
        effective_to=plan.effective_to,
        revision=plan.revision,
        certified=None if plan.certificate is None else bool(plan.certificate.get("ok", False)),
        links={
            "self": here,
            "certificate": f"{here}/certificate",
            "findings": f"{here}/findings",
            "cells": f"/api/v1/cells?plan={plan.id}",
            "areas": f"{here}/areas",
        },
    )


def plan_etag(plan: PlanVersion, now: datetime) -> str:
    """Return the ETag that ``If-Match`` has to repeat before a change.

    It also changes when the version takes effect and when its time is over.
    """
    standing = plan.standing(now)
    state = "" if standing is None else f".{standing.value}"
    return f'W/"{plan.id}-{plan.revision}{state}"'


def require_match(if_match: str | None, plan: PlanVersion, now: datetime) -> None:
    """Raise unless the client has seen the plan as it is.

    Raises
    ------
    PreconditionMissing, StaleVersion
    """
    if if_match is None:
        raise PreconditionMissing
    if not matches(if_match, plan_etag(plan, now)):
        raise StaleVersion(kind="plan", key=plan.id, current=plan.revision, given=if_match[:60])
