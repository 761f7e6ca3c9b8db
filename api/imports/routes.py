"""Upload a file and import it as a job."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import shapely
from fastapi import APIRouter, File, Form, Response, UploadFile

from api.bootstrap import Services
from api.dependencies import LanguageDep, ServicesDep
from api.jobs.routes import RunnerDep
from api.jobs.schemas import JobView, job_view
from api.problems import UploadTooLarge, problem_responses
from geodata.sources import SUFFIXES, open_source
from gridsvc.errors import InputError, NoPlanInForce, UnknownDatum, UnreadableSource
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions, RawLayer
from gridsvc.types import Datum, Progress

router = APIRouter(prefix="/api/v1/imports", tags=["jobs 任务"])
AsLayer = Literal[
    "cells", "exclusions", "streets", "points", "cases", "units", "staff", "duties", "visits",
    "classes", "facilities", "communities", "subdistricts", "network",
]  # fmt: skip
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


class UnreadableMapping(InputError):
    """The field mapping is not a JSON object of texts."""

    zh = 'mapping 应为 JSON 对象,例如 {{"name": "名称"}}'
    en = 'mapping must be a JSON object such as {{"name": "NAME"}}'


def safe_name(name: str | None) -> str:
    r"""Return the last part of an uploaded file's name without anything a file system minds.

    Examples
    --------
    >>> safe_name("../../etc/网格.zip"), safe_name(None), safe_name("a\x00b.shp")
    ('网格.zip', 'upload', 'ab.shp')
    """
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = _UNSAFE.sub("", last).strip(". ")[-120:]
    return cleaned or "upload"


def parse_mapping(text: str | None, field: str) -> dict[str, str]:
    """Return a field of a form that holds a JSON object. Raises ``UnreadableMapping``."""
    if text is None or not text.strip():
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UnreadableMapping(field=field) from None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise UnreadableMapping(field=field)
    return found


def _exclusions(services: Services) -> RawLayer | None:
    """Return the exclusions of the plan in force as an import takes them."""
    try:
        plan = services.locators.plan_at(services.clock())
    except NoPlanInForce:
        return None
    with services.storage.unit_of_work() as work:
        found = work.plans.exclusions(plan.id)
    if found.empty:
        return None
    digest = hashlib.sha256(b"".join(shapely.to_wkb(found.geometry.to_numpy()))).hexdigest()
    return RawLayer(frame=found.reset_index(), source=f"{plan.id}:exclusions", digest=digest)


@router.post(
    "",
    status_code=202,
    responses=problem_responses(UnreadableSource, UnreadableMapping, UnknownDatum, UploadTooLarge),
)
def import_file(
    services: ServicesDep,
    runner: RunnerDep,
    language: LanguageDep,
    response: Response,
    file: Annotated[
        UploadFile,
        File(description="Any readable format; a shapefile as one zip with all its parts."),
    ],
    as_layer: Annotated[AsLayer, Form(alias="as", description="What the rows are.")],
    layer: Annotated[str | None, Form(description="Layer or sheet of the file.")] = None,
    crs: Annotated[str | None, Form(description="For example EPSG:4548.")] = None,
    datum: Annotated[str | None, Form(description="wgs84, cgcs2000, gcj02 or bd09.")] = None,
    encoding: Annotated[str | None, Form(description="For example GBK.")] = None,
    mapping: Annotated[
        str | None, Form(description='JSON: contract field to column, {"name": "名称"}.')
    ] = None,
    decisions: Annotated[
        str | None,
        Form(description='JSON: what a person decided about single codes, {"…": "drop"}.'),
    ] = None,
    keep_exclusions: Annotated[
        bool,
        Form(description="Cells: the exclusions registered in the plan in force stay."),
    ] = True,
    title: Annotated[str, Form(description="Title of the draft plan.")] = "",
    replace: Annotated[bool, Form(description="Replace rows with the same key.")] = False,
    dry_run: Annotated[bool, Form(description="Do everything but keep nothing.")] = False,
) -> JobView:
    """Import a file: all of it or nothing, with a report of every repair and unplaced row.

    The answer is a job; its result is the import report. Cells become a draft plan.
    """
    chosen = None if datum is None or not datum.strip() else Datum.parse(datum)
    options = ImportOptions(
        scheme=services.settings.grid.scheme,
        title=title,
        mapping=parse_mapping(mapping, "mapping"),
        decisions=parse_mapping(decisions, "decisions"),
        exclusions=_exclusions(services) if as_layer == "cells" and keep_exclusions else None,
        replace=replace,
        dry_run=dry_run,
        timezone=services.settings.grid.timezone,
        at=services.clock(),
    )
    name = safe_name(file.filename)
    if not name.lower().endswith(SUFFIXES):
        raise UnreadableSource(
            source=name,
            reason_zh="不支持的文件类型",
            reason_en="the type of file is not supported",
            hint_zh=f"可用:{'、'.join(SUFFIXES)}",
            hint_en=f"use one of {', '.join(SUFFIXES)}",
        )
    folder = Path(tempfile.mkdtemp(prefix="gridsvc-upload-"))
    with (folder / name).open("wb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)

    def work(progress: Progress) -> dict[str, Any]:
        try:
            progress("reading", 0.0)
            raw = open_source(
                folder / name,
                layer=layer or None,
                crs=crs or None,
                datum=chosen,
                encoding=encoding or None,
                max_unpacked_mb=services.settings.server.max_unpacked_mb,
            )
            report = import_layer(services.storage, raw, as_layer, options, progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        document: dict[str, Any] = orjson.loads(
            orjson.dumps(report.as_dict(), option=orjson.OPT_SERIALIZE_NUMPY, default=str)
        )
        return document

    job = runner.submit("import", f"{name} → {as_layer}", work)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return job_view(job, language)
