"""Is the service alive, and what does it serve."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import ServicesDep
from api.problems import problem_responses
from gridsvc.errors import NoPlanInForce

router = APIRouter(tags=["health 状态"])


class Health(BaseModel):
    """State of the service: it answers, the database answers, which plan is in force."""

    status: Literal["ok"]
    version: str
    storage: str
    scheme: str
    plan_id: str | None
    cells: int


@router.get("/healthz", responses=problem_responses())
def health(services: ServicesDep) -> Health:
    """Say whether the service works; 503 when the database is away."""
    services.storage.check()
    plan_id, cells = None, 0
    try:
        plan = services.locators.plan_at(services.clock())
    except NoPlanInForce:
        pass
    else:
        plan_id, cells = plan.id, plan.cell_count
    return Health(
        status="ok",
        version=version("gridsvc"),
        storage=services.storage.kind,
        scheme=services.settings.grid.scheme,
        plan_id=plan_id,
        cells=cells,
    )
