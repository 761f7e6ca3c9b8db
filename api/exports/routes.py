"""Whole layers as files for other programs, without private columns."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from api import dependencies
from api.dependencies import InstantDep, ServicesDep
from api.geojson import not_modified, request_etag
from api.plans.repairs import REPAIRS
from api.problems import problem_responses
from geodata.export import WRITTEN_ON, write_layer
from gridsvc.errors import InputError, NoPlanInForce, UnknownPlan
from gridsvc.layers import LAYERS, PLAN_LAYERS
from gridsvc.plan.version import PlanVersion
from gridsvc.services.exporting import NothingToExport, require_rows
from gridsvc.services.placing import PLACED_LAYERS, in_plan
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.repairs import repairs_of_plan

router = APIRouter(prefix="/api/v1/exports", tags=["exports 导出"])
LayerName = Literal[
    "cells", "areas", "exclusions", "streets", "points", "cases", "units", "staff", "duties",
    "visits", "classes", "facilities", "repairs",
]  # fmt: skip
FileFormat = Literal["gpkg", "geojson", "fgb", "shp", "kml", "parquet", "csv", "xlsx"]
MEDIA_TYPES: dict[str, str] = {
    "gpkg": "application/geopackage+sqlite3",
    "geojson": "application/geo+json",
    "fgb": "application/flatgeobuf",
    "shp": "application/zip",
    "kml": "application/vnd.google-earth.kml+xml",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class NoGeometry(InputError):
    """The layer has no geometry, which the format needs."""

    zh = "图层 {layer} 没有图形,请导出为 csv、xlsx 或 parquet"
    en = "layer {layer} has no geometry; export it as csv, xlsx or parquet"


@router.get(
    "/{layer}",
    response_class=Response,
    responses={
        200: {
            "description": "The layer as a file; a shapefile comes as a zip.",
            "content": {
                kind.split(";")[0]: {"schema": {"type": "object"}} if "json" in kind else _BINARY
                for kind in MEDIA_TYPES.values()
            },
            "headers": {"ETag": {"schema": {"type": "string"}}},
        },
        304: {"description": "The client has it already"},
        **problem_responses(UnknownPlan, NoPlanInForce, NoGeometry, NothingToExport),
    },
)
def export_layer(
    layer: LayerName,
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    plan: Annotated[
        str | None,
        Query(
            description="Plan version of cells, areas, exclusions, repairs, and of the cells "
            "of points, staff, facilities; by default the one in force."
        ),
    ] = None,
    file_format: Annotated[FileFormat, Query(alias="format")] = "gpkg",
    encoding: Annotated[
        Literal["UTF-8", "GBK"], Query(description="Attributes of a shapefile.")
    ] = "UTF-8",
) -> Response:
    """Return a whole layer; cells, areas, exclusions and repairs are those of the plan.

    Repairs are the log of the import that the plan came from: ground, lines and nodes in one
    layer, which a shapefile cannot hold. Points, staff and facilities are in the cells of the plan,
    by default the one in force at `at`. They and all other layers can be had before one is.
    """
    contract = REPAIRS if layer == "repairs" else LAYERS[layer]
    if contract.geometry is None and file_format not in ("csv", "xlsx", "parquet"):
        raise NoGeometry(layer=layer)
    found: PlanVersion | None = None
    if plan or layer in (*PLAN_LAYERS, "repairs"):
        found = dependencies.plan(services, at, plan)
    elif layer in PLACED_LAYERS:
        found = dependencies.plan_or_none(services, at)
    plan_id = "" if found is None else found.id
    etag = request_etag(request, services.storage.version_stamp(), plan_id)
    known = not_modified(request, etag)
    if known is not None:
        return known
    with services.storage.unit_of_work() as work:
        frame = _frame(work, layer, plan_id)
    if layer in PLACED_LAYERS:
        frame = in_plan(frame, found, services.locators.of)
    require_rows(frame, layer)
    public = frame.drop(columns=[c.name for c in contract.columns if c.private])
    folder = Path(tempfile.mkdtemp(prefix="gridsvc-export-"))
    try:
        path = write_layer(public, folder / f"{layer}.{file_format}", name=layer, encoding=encoding)
        if file_format == "shp":
            path = _zipped(folder, layer)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[file_format],
        filename=path.name,
        headers={"ETag": etag, "Cache-Control": "private, no-cache"},
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _frame(work: UnitOfWork, layer: str, plan_id: str) -> pd.DataFrame:
    found: pd.DataFrame = (
        repairs_of_plan(work, plan_id)
        if layer == "repairs"
        else getattr(work.plans, layer)(plan_id)
        if layer in PLAN_LAYERS
        else work.records(layer).frame()
    )
    return found


def _zipped(folder: Path, layer: str) -> Path:
    target = folder / f"{layer}.zip"
    parts = sorted(p for p in folder.iterdir() if p.stem == layer)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            # As what was put into it, the archive does not tell when it was written.
            info = zipfile.ZipInfo(part.name, (*WRITTEN_ON.timetuple()[:3], 0, 0, 0))
            archive.writestr(info, part.read_bytes(), zipfile.ZIP_DEFLATED)
    return target
