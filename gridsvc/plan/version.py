"""Grid schemes and their plan versions in time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from gridsvc.errors import IllegalTransition

CodeSystem = Literal["cn", "free"]


class PlanStatus(StrEnum):
    """Life of a plan version."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"


class Standing(StrEnum):
    """Where a published version stands at an instant: before, within or after its time."""

    SCHEDULED = "scheduled"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"


EFFECTIVE = (PlanStatus.PUBLISHED, PlanStatus.SUPERSEDED)
"""Statuses of versions that have, had or will have their time."""

# Each arrow with its reason; statuses are never skipped. Only a withdrawal, before its time, takes
# a published version back to draft (``gridsvc.services.withdrawing``).
TRANSITIONS: dict[PlanStatus, tuple[PlanStatus, ...]] = {
    PlanStatus.DRAFT: (PlanStatus.IN_REVIEW, PlanStatus.PUBLISHED, PlanStatus.DISCARDED),
    PlanStatus.IN_REVIEW: (PlanStatus.DRAFT, PlanStatus.PUBLISHED, PlanStatus.DISCARDED),
    PlanStatus.PUBLISHED: (PlanStatus.SUPERSEDED,),
    PlanStatus.SUPERSEDED: (),
    PlanStatus.DISCARDED: (),
}


@dataclass(frozen=True, slots=True)
class GridScheme:
    """One division of one territory (网格体系).

    Attributes
    ----------
    id : str
        Short identifier, for example ``main``.
    name : str
        Of the city or territory; empty where none was given.
    metric_epsg : int
        Metric CRS in which areas, lengths and tolerances are computed.
    gap_width_m : float
        Gaps and slivers narrower than this are faults of a certificate.
    code_system : {"cn", "free"}
        ``cn``: 14/15-digit cell codes; ``free``: any unique text (imported foreign layers).
    territory : shapely Polygon or MultiPolygon or None
        Declared territory without exclusions taken out, EPSG:4490; ``None`` until the first
        publication declares it.
    timezone : str
        IANA name of the city's zone.
    """

    id: str
    name: str
    metric_epsg: int
    gap_width_m: float = 1.0
    code_system: CodeSystem = "cn"
    territory: Any = None
    timezone: str = "Asia/Shanghai"

    @property
    def city(self) -> str | None:
        """The name of the city, ``None`` where none was given.

        Schemes of older versions carry their identifier for want of a name.
        """
        return self.name if self.name not in ("", self.id) else None


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One version of a scheme's cells.

    ``status`` is what was written: a version that was followed by another one stays
    ``published`` until its time is over, which only a clock can tell (``as_of``).
    ``effective_from``/``effective_to`` are valid time (half-open, aware UTC);
    ``created_at``/``published_at`` are record time. ``revision`` counts changes for optimistic
    locking. ``certificate`` and ``provenance`` are JSON documents.
    """

    id: str
    scheme_id: str
    number: int
    title: str
    status: PlanStatus
    created_at: datetime
    cell_count: int
    base_id: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    published_at: datetime | None = None
    revision: int = 1
    certificate: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def to(self, status: PlanStatus, **changes: Any) -> PlanVersion:
        """Return the version in another status.

        Raises
        ------
        IllegalTransition
            If no arrow of ``TRANSITIONS`` leads there.
        """
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(
                kind="plan", key=self.id, current=self.status.value, target=status.value
            )
        return replace(self, status=status, revision=self.revision + 1, **changes)

    def standing(self, at: datetime) -> Standing | None:
        """Return where the version stands at an instant, ``None`` if it was never published."""
        if self.status not in EFFECTIVE or self.effective_from is None:
            return None
        if at < self.effective_from:
            return Standing.SCHEDULED
        if self.effective_to is None or at < self.effective_to:
            return Standing.IN_FORCE
        return Standing.SUPERSEDED

    def as_of(self, now: datetime) -> PlanVersion:
        """Return the version with the status that it has at an instant.

        A version is ``published`` from its publication until its time is over, and
        ``superseded`` from then on, whatever was written when its successor was published.
        """
        standing = self.standing(now)
        if standing is None:
            return self
        over = standing is Standing.SUPERSEDED
        status = PlanStatus.SUPERSEDED if over else PlanStatus.PUBLISHED
        return self if status is self.status else replace(self, status=status)

    def in_force(self, at: datetime) -> bool:
        """Return whether this version was or is the one in force at an instant."""
        return self.standing(at) is Standing.IN_FORCE


def in_force_at(plans: list[PlanVersion], at: datetime) -> PlanVersion | None:
    """Return the version in force at an instant, the latest effective one, or ``None``."""
    found = [p for p in plans if p.in_force(at)]
    return max(found, key=lambda p: (p.effective_from, p.number), default=None)
