"""Options of several commands: pairs, instants, choices, and the database to write to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gridsvc.errors import BadOption, SchemaMissing

if TYPE_CHECKING:
    from api.bootstrap import Services
    from gridsvc.plan.version import PlanVersion


def services_for_writing() -> Services:
    """Open the database of the settings, creating it when it is new; old ones are refused."""
    from api.bootstrap import open_services

    try:
        return open_services()
    except SchemaMissing:
        return open_services(upgrade=True)


def pairs(values: list[str] | None, option: str) -> dict[str, str]:
    """Return ``A=B`` options as a mapping.

    Raises
    ------
    BadOption
        If one has no ``=``.
    """
    result: dict[str, str] = {}
    for value in values or []:
        left, sign, right = value.rpartition("=") if option == "--decide" else value.partition("=")
        if not sign or not left:
            raise BadOption(
                option=option, value=value, reason_zh="应为 名称=值", reason_en="write NAME=VALUE"
            )
        result[left.strip()] = right.strip()
    return result


def instant(text: str, option: str) -> datetime:
    """Return an aware instant of an ISO text; without offset it is in the city's zone.

    Raises
    ------
    BadOption
    """
    from zoneinfo import ZoneInfo

    from api.settings import Settings

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadOption(
            option=option,
            value=text,
            reason_zh="应为 2026-01-31 或 2026-01-31T08:00+08:00",
            reason_en="write 2026-01-31 or 2026-01-31T08:00+08:00",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(Settings().grid.timezone))
    return moment.astimezone(UTC)


def plan_at(services: Services, plan_id: str | None, at: datetime | None = None) -> PlanVersion:
    """Return the plan that was named, else the one in force at an instant (now when not given).

    Raises
    ------
    UnknownPlan, NoPlanInForce
    """
    if not plan_id:
        return services.locators.plan_at(at or services.clock())
    with services.storage.unit_of_work() as work:
        return work.plans.get(plan_id)


def one_of(option: str, value: str, *allowed: str) -> Any:
    """Return the value if it is allowed.

    Raises
    ------
    BadOption
    """
    if value not in allowed:
        listing = ", ".join(allowed)
        raise BadOption(
            option=option, value=value, reason_zh=f"可用 {listing}", reason_en=f"use {listing}"
        )
    return value
