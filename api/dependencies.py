"""Query parameters as finished values, one small function each."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request

from api.bootstrap import Services
from api.languages import language_of as _language_of
from gridsvc.errors import InputError, Language, NoPlanInForce
from gridsvc.plan.version import PlanVersion
from gridsvc.types import BoundingBox
from gridsvc.ways import way

_LOST_PLUS = re.compile(r"(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)\Z")


def services_of(request: Request) -> Services:
    """Return what routes work with, opened at the start of the application."""
    services: Services = request.app.state.services
    return services


def language_of(request: Request) -> Language:
    """Return the language that the request asks for."""
    return _language_of(request)


ServicesDep = Annotated[Services, Depends(services_of)]
LanguageDep = Annotated[Language, Depends(language_of)]


class UnreadableInstant(InputError):
    """A text is not an instant or a date."""

    zh = "{named} 的值“{value}”不是时间;请用 2018-11-22 或 2018-11-22T08:00:00+08:00"
    en = "{named} '{value}' is not an instant; write 2018-11-22 or 2018-11-22T08:00:00+08:00"

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with the parameter as a way that each surface calls its own."""
        return super().words(language) | {"named": way(self.fields["field"])}


class UnreadableBox(InputError):
    """A text is not a bounding box."""

    zh = "bbox “{value}”应为 西,南,东,北 四个数(度)"
    en = "bbox '{value}' must be four numbers west,south,east,north in degrees"


class EmptyPeriod(InputError):
    """A period ends where it begins, or before."""

    zh = "时段为空:{last}({until})应晚于 {first}({since});终点不计入,只查一天时请写次日"
    en = (
        "the period is empty: {last} ({until}) must be later than {first} ({since}); the end does "
        "not belong to it, so for a single day write the next one"
    )

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with both parameters as ways that each surface calls its own."""
        ends = {"first": way(self.fields["start"]), "last": way(self.fields["end"])}
        return super().words(language) | ends


def parse_instant(text: str, zone: str, *, field: str = "at") -> datetime:
    """Return the instant a text means, aware and in UTC.

    A date alone is its first moment in the city's zone; a time without zone is taken in that zone
    as well. A blank where ``+`` was lost in the address is read as ``+``.

    Parameters
    ----------
    text : str
    zone : str
        IANA name.
    field : str
        Name of the parameter in messages.

    Raises
    ------
    UnreadableInstant

    Examples
    --------
    >>> parse_instant("2018-11-22", "Asia/Shanghai").isoformat()
    '2018-11-21T16:00:00+00:00'
    """
    value = _LOST_PLUS.sub(r"\1+\2", text.strip())
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            found = datetime.combine(date.fromisoformat(value), time())
        else:
            found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableInstant(field=field, value=text[:80]) from None


def require_span(
    since: datetime, until: datetime, *, start: str = "since", end: str = "until"
) -> None:
    """Refuse a period that holds no instant.

    Parameters
    ----------
    since, until : datetime
        Aware; the period is half-open.
    start, end : str
        Names of the parameters in messages.

    Raises
    ------
    EmptyPeriod
    """
    if until <= since:
        raise EmptyPeriod(start=start, since=since.isoformat(), end=end, until=until.isoformat())


def bbox(
    bbox: Annotated[
        str | None,
        Query(description="west,south,east,north in degrees", examples=["117.6,26.2,117.7,26.3"]),
    ] = None,
) -> BoundingBox | None:
    """Return the box of ``?bbox=``."""
    if bbox is None or not bbox.strip():
        return None
    parts = bbox.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise UnreadableBox(value=bbox[:80]) from None
    if len(numbers) != 4:
        raise UnreadableBox(value=bbox[:80])
    return BoundingBox(*numbers)


def instant(
    services: ServicesDep,
    at: Annotated[
        str | None, Query(description="Instant asked for (ISO 8601); now when not given.")
    ] = None,
) -> datetime:
    """Return the instant of ``?at=``, now when not given."""
    if at is None or not at.strip():
        now: datetime = services.clock()
        return now
    return parse_instant(at, services.settings.grid.timezone)


def known_at(
    services: ServicesDep,
    known_at: Annotated[
        str | None,
        Query(
            description="Duties as they were known at this instant of record time (ISO 8601); "
            "all that is known now when not given."
        ),
    ] = None,
) -> datetime | None:
    """Return the instant of ``?known_at=``."""
    if known_at is None or not known_at.strip():
        return None
    return parse_instant(known_at, services.settings.grid.timezone, field="known_at")


def since(
    services: ServicesDep,
    since: Annotated[str | None, Query(description="From this instant on (ISO 8601).")] = None,
) -> datetime | None:
    """Return the instant of ``?since=``."""
    if since is None or not since.strip():
        return None
    return parse_instant(since, services.settings.grid.timezone, field="since")


def until(
    services: ServicesDep,
    since: Annotated[datetime | None, Depends(since)],
    until: Annotated[str | None, Query(description="Before this instant (ISO 8601).")] = None,
) -> datetime | None:
    """Return the instant of ``?until=`` (exclusive)."""
    if until is None or not until.strip():
        return None
    end = parse_instant(until, services.settings.grid.timezone, field="until")
    if since is not None:
        require_span(since, end)
    return end


def unvisited_since(
    services: ServicesDep,
    unvisited_since: Annotated[
        str | None,
        Query(
            description="Points without a visit from this instant on (ISO 8601), up to `at`. "
            "With `since`/`until`: visited then, but not since this instant."
        ),
    ] = None,
) -> datetime | None:
    """Return the instant of ``?unvisited_since=``."""
    if unvisited_since is None or not unvisited_since.strip():
        return None
    zone = services.settings.grid.timezone
    return parse_instant(unvisited_since, zone, field="unvisited_since")


def plan(
    services: ServicesDep,
    at: Annotated[datetime, Depends(instant)],
    plan: Annotated[
        str | None, Query(description="Plan version; the one in force at `at` when not given.")
    ] = None,
) -> PlanVersion:
    """Return the plan of ``?plan=`` or the one in force at ``?at=``."""
    if plan:
        with services.storage.unit_of_work() as work:
            return work.plans.get(plan)
    return services.locators.plan_at(at)


def plan_or_none(services: Services, at: datetime) -> PlanVersion | None:
    """Return the plan in force at an instant, ``None`` where none is."""
    try:
        return services.locators.plan_at(at)
    except NoPlanInForce:
        return None


BoxDep = Annotated[BoundingBox | None, Depends(bbox)]
InstantDep = Annotated[datetime, Depends(instant)]
KnownDep = Annotated[datetime | None, Depends(known_at)]
SinceDep = Annotated[datetime | None, Depends(since)]
UntilDep = Annotated[datetime | None, Depends(until)]
UnvisitedDep = Annotated[datetime | None, Depends(unvisited_since)]
PlanDep = Annotated[PlanVersion, Depends(plan)]


def filters(**columns: Any) -> dict[str, Any]:
    """Return the ``where`` of a repository: the columns that were asked for."""
    return {name: value for name, value in columns.items() if value is not None}
