"""Where a plan version belongs in time among the others of its scheme."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from zoneinfo import ZoneInfo

from gridsvc.errors import ConflictError, StaleVersion
from gridsvc.plan.version import EFFECTIVE, PlanVersion, Standing, in_force_at


@dataclass(frozen=True, slots=True)
class Place:
    """A version's neighbours in time: who is in force before it, and who takes effect after."""

    before: PlanVersion | None
    after: PlanVersion | None

    def require_same(self, now: Place) -> None:
        """Raise ``StaleVersion`` unless the neighbours are still what they were."""
        for seen, found in ((self.before, now.before), (self.after, now.after)):
            _require_same(seen, found)


def place_of(
    plan: PlanVersion, others: list[PlanVersion], start: datetime, now: datetime, timezone: str
) -> Place:
    """Return the neighbours of a version that is to take effect at an instant.

    It may begin at any time after the version in force began, also before one that is only
    scheduled; the time of that one is not touched.

    Raises
    ------
    ConflictError
        If the version in force began then or later, or another one is scheduled for that instant.
    """
    known = [p for p in others if p.id != plan.id and _start(p) is not None]
    current = in_force_at(known, now)
    if current is not None and current.effective_from is not None:
        earliest = current.effective_from
        if start <= earliest:
            given, first = day(start, timezone), day(earliest, timezone)
            raise ConflictError(
                reason_zh=f"方案 {plan.id} 的生效时间 {given} "
                f"应晚于现行方案 {current.id} 的 {first}",
                reason_en=f"plan {plan.id} is to take effect on {given}; choose a date after "
                f"{first}, since when {current.id} is in force ({timezone})",
            )
    for other in known:
        if other.effective_from == start and other.effective_to != start:
            given = day(start, timezone)
            raise ConflictError(
                reason_zh=f"方案 {other.id} 已定于 {given} 生效;请另选日期,"
                f"或先撤回它({{way:withdraw={other.id}}})",
                reason_en=f"plan {other.id} is scheduled to take effect on {given}; choose another "
                f"date or withdraw it first ({{way:withdraw={other.id}}})",
            )
    later = [p for p in known if p.effective_from is not None and p.effective_from > start]
    after = min(later, key=lambda p: p.effective_from or start, default=None)
    return Place(in_force_at(known, start), after)


def scheduled(plans: list[PlanVersion], now: datetime, after: datetime) -> list[PlanVersion]:
    """Return the versions whose time has yet to come and begins after an instant, in order."""
    found = [
        p for p in plans
        if p.standing(now) is Standing.SCHEDULED
        and p.effective_from is not None and p.effective_from > after
    ]  # fmt: skip
    return sorted(found, key=lambda p: p.effective_from or after)


def require_same_versions(seen: list[PlanVersion], found: list[PlanVersion]) -> None:
    """Raise ``StaleVersion`` unless versions are still what they were."""
    for one, two in zip_longest(seen, found):
        _require_same(one, two)


def _require_same(seen: PlanVersion | None, found: PlanVersion | None) -> None:
    one = None if seen is None else (seen.id, seen.revision)
    two = None if found is None else (found.id, found.revision)
    if one != two:
        who = found or seen
        raise StaleVersion(
            kind="plan",
            key="" if who is None else who.id,
            current="–" if found is None else found.revision,
            given="–" if seen is None else seen.revision,
        )


def day(instant: datetime, timezone: str) -> str:
    """Return an instant as people of the city write it: the date, with the time unless midnight."""
    local = instant.astimezone(ZoneInfo(timezone))
    midnight = local.time().isoformat() == "00:00:00"
    return f"{local:%Y-%m-%d}" if midnight else f"{local:%Y-%m-%d %H:%M:%S}"


def _start(plan: PlanVersion) -> datetime | None:
    return plan.effective_from if plan.status in EFFECTIVE else None
