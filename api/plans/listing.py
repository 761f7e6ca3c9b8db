"""Plan versions as lists: which of them are asked for, and as features."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import geopandas as gpd
import pandas as pd
from fastapi import Query, Request

from api.geojson import GEOJSON, feature_collection
from api.plans.schemas import PlanView, plan_view
from gridsvc.plan.version import PlanVersion
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import BoundingBox

PlanFormDep = Annotated[
    Literal["json", "geojson"] | None,
    Query(alias="f", description="json | geojson; otherwise `Accept` decides."),
]
ETAG_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"schema": {"type": "string"}}}},
    304: {"description": "The client has it already"},
}
OUTLINE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        **ETAG_RESPONSES[200],
        "content": {GEOJSON: {"schema": {"$ref": "#/components/schemas/GeoJsonCollection"}}},
    },
    304: ETAG_RESPONSES[304],
}


def as_features(request: Request, asked: Literal["json", "geojson"] | None) -> bool:
    """Return whether plans are asked for as GeoJSON: by ``f=``, else by ``Accept``."""
    if asked is not None:
        return asked == "geojson"
    return "geo+json" in request.headers.get("accept", "")


def plans_of(
    work: UnitOfWork,
    *,
    scheme: str | None,
    status: str | None,
    at: datetime | None,
    cell: str | None,
    bbox: BoundingBox | None,
    now: datetime,
    standing: str | None = None,
) -> list[PlanVersion]:
    """Return plan versions by scheme and number.

    Parameters
    ----------
    work : UnitOfWork
    scheme, status : str or None
    at : datetime or None
        Instant at which they are in force.
    cell : str or None
        Code of a cell that they have.
    bbox : BoundingBox or None
        Box that one of their cells meets.
    now : datetime
        Instant of ``status`` and ``standing``.
    standing : str or None
        scheduled, in_force or superseded.
    """
    return [
        plan
        for plan in work.plans.list(scheme)
        if status in (None, plan.as_of(now).status.value)
        and (standing is None or plan.standing(now) == standing)
        and (at is None or plan.in_force(at))
        and (cell is None or len(work.plans.cells(plan.id, codes=[cell], limit=1)))
        and (bbox is None or len(work.plans.cells(plan.id, bbox=bbox, limit=1)))
    ]


def plan_features(work: UnitOfWork, plans: list[PlanVersion], now: datetime) -> bytes:
    """Return plan versions as features with the outline of the city.

    Outlines are derived on publication: a draft has none yet.
    """
    rows = [plan_view(plan, now).model_dump(mode="json") for plan in plans]
    outlines = [work.plans.areas(plan.id, "city").geometry for plan in plans]
    frame = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=list(PlanView.model_fields), dtype=object),
        geometry=[found.iloc[0] if len(found) else None for found in outlines],
        crs=4490,
    )
    frame.index = pd.Index([plan.id for plan in plans])
    extra = {"numberReturned": len(plans), "links": []}
    return feature_collection(frame, list(PlanView.model_fields), extra=extra)
