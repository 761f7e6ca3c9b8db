"""Upload a file and import it as a job."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from api.dependencies import LanguageDep, ServicesDep, UnreadableInstant, parse_instant
from api.importing_choices import Beside, CodeSystem, ImportChoices, ParentLevel, Swap, WideGaps
from api.jobs.routes import RunnerDep
from api.jobs.schemas import JobView, job_view
from api.languages import surface_of
from api.problems import UploadTooLarge, problem_responses
from geodata.sources import SUFFIXES
from gridsvc.errors import ConflictError, InputError, UnknownDatum, UnreadableSource
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import RawLayer
from gridsvc.types import Datum, Progress

router = APIRouter(prefix="/api/v1/imports", tags=["jobs 任务"])
AsLayer = Literal[
    "cells", "exclusions", "streets", "points", "cases", "units", "staff", "duties", "visits",
    "classes", "facilities", "communities", "subdistricts", "network",
]  # fmt: skip
_ABOVE = "Of the parents; as the file if empty; communities=A;subdistricts=B for two layers."
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


class UnreadableMapping(InputError):
    """A field of the form is not a JSON object of texts."""

    zh = '{field} 应为 JSON 对象,例如 {{"name": "名称"}}'
    en = '{field} must be a JSON object such as {{"name": "NAME"}}'


class UploadsNeedOneProcess(ConflictError):
    """Several processes serve, and the next question about a job may reach another one."""

    zh = (
        "服务以 {workers} 个进程运行,上传任务的进度只在一个进程内可见;"
        "请用 gridsvc import 导入,或设 GRIDSVC_WORKERS=1 后重新启动"
    )
    en = (
        "the service runs as {workers} processes and a job is known to one of them only; import "
        "with gridsvc import, or start the service again with GRIDSVC_WORKERS=1"
    )


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


def parse_mapping(text: str, field: str) -> dict[str, str]:
    """Return a field of a form that holds a JSON object. Raises ``UnreadableMapping``."""
    if not text.strip():
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UnreadableMapping(field=field) from None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise UnreadableMapping(field=field)
    return found


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploaded files in a folder of their own, which the job deletes."""

    folder: Path
    file: Path
    beside: dict[str, Path]
    """Files that came with it, by the field of the form."""


def _keep(file: UploadFile, **beside: UploadFile | None) -> Uploads:
    """Write the uploads to a new folder.

    Raises
    ------
    UnreadableSource
        If one is of a type that cannot be read; nothing is kept then.
    """
    parts = {"file": file, **beside}
    # A form of a browser sends a part without a name where no file was chosen.
    given = {k: v for k, v in parts.items() if v is not None and (k == "file" or v.filename)}
    names = {part: _readable_name(upload) for part, upload in given.items()}
    folder = Path(tempfile.mkdtemp(prefix="gridsvc-upload-"))
    kept: dict[str, Path] = {}
    for part, upload in given.items():
        kept[part] = folder / part / names[part]
        kept[part].parent.mkdir()
        with kept[part].open("wb") as target:
            shutil.copyfileobj(upload.file, target, 1 << 20)
    return Uploads(folder, kept.pop("file"), kept)


def _readable_name(upload: UploadFile) -> str:
    name = safe_name(upload.filename)
    if not name.lower().endswith(SUFFIXES):
        raise UnreadableSource(
            source=name,
            reason_zh="不支持的文件类型",
            reason_en="the type of file is not supported",
            hint_zh=f"可用:{'、'.join(SUFFIXES)}",
            hint_en=f"use one of {', '.join(SUFFIXES)}",
        )
    return name


@router.post(
    "",
    status_code=202,
    responses=problem_responses(
        UnreadableSource,
        UnreadableMapping,
        UnknownDatum,
        UnreadableInstant,
        UploadTooLarge,
        UploadsNeedOneProcess,
    ),
)
def import_file(
    request: Request,
    services: ServicesDep,
    runner: RunnerDep,
    language: LanguageDep,
    response: Response,
    file: Annotated[
        UploadFile,
        File(description="Any readable format; a shapefile as one zip with all its parts."),
    ],
    as_layer: Annotated[AsLayer, Form(alias="as", description="What the rows are (--as).")],
    parent: Annotated[
        UploadFile | None,
        File(description="Cells: layer of parents, taken by largest overlap (--parent)."),
    ] = None,
    communities: Annotated[
        UploadFile | None,
        File(description="Cells: communities, taken by largest overlap (--communities)."),
    ] = None,
    subdistricts: Annotated[
        UploadFile | None,
        File(description="Cells: subdistricts, taken by largest overlap (--subdistricts)."),
    ] = None,
    exclusions: Annotated[
        UploadFile | None,
        File(description="Cells: registered exclusions, rivers, airfields (--exclusions)."),
    ] = None,
    layer: Annotated[str, Form(description="Layer or sheet of the file (--layer).")] = "",
    crs: Annotated[str, Form(description="For example EPSG:4548 (--crs).")] = "",
    datum: Annotated[str, Form(description="wgs84, cgcs2000, gcj02 or bd09 (--datum).")] = "",
    encoding: Annotated[str, Form(description="For example GBK (--encoding).")] = "",
    swap: Annotated[
        Swap, Form(description="Exchange the axes of no row, swapped rows, all rows (--swap).")
    ] = "none",
    mapping: Annotated[
        str,
        Form(
            description='JSON: contract field to column, {"name": "名称"}; for tables also lon, '
            "lat, wkt and datum (--map name=名称)."
        ),
    ] = "",
    constants: Annotated[
        str, Form(description='JSON: a value that every row gets, {"role": "…"} (--set).')
    ] = "",
    decisions: Annotated[
        str,
        Form(
            description='JSON: what a person decided about single codes, {"…": "drop"} (--decide).'
        ),
    ] = "",
    parent_level: Annotated[
        ParentLevel, Form(description="What the parents are (--parent-level).")
    ] = "community",
    parent_mapping: Annotated[
        str,
        Form(
            description="JSON: field to column of the parents; communities.code and "
            "subdistricts.code for one of two layers (--parent-map)."
        ),
    ] = "",
    parent_layer: Annotated[str, Form(description=f"{_ABOVE} (--parent-layer)")] = "",
    parent_crs: Annotated[str, Form(description=f"{_ABOVE} (--parent-crs)")] = "",
    parent_datum: Annotated[str, Form(description=f"{_ABOVE} (--parent-datum)")] = "",
    parent_encoding: Annotated[str, Form(description=f"{_ABOVE} (--parent-encoding)")] = "",
    exclusions_layer: Annotated[
        str, Form(description="Of the exclusions; as the file if empty (--exclusions-layer).")
    ] = "",
    exclusions_crs: Annotated[
        str, Form(description="Of the exclusions; as the file if empty (--exclusions-crs).")
    ] = "",
    exclusions_datum: Annotated[
        str, Form(description="Of the exclusions; as the file if empty (--exclusions-datum).")
    ] = "",
    exclusions_encoding: Annotated[
        str,
        Form(description="Of the exclusions; as the file if empty (--exclusions-encoding)."),
    ] = "",
    allow_unknown: Annotated[
        bool,
        Form(description="Keep unknown kinds, and ids not there yet (--allow-unknown)."),
    ] = False,
    number: Annotated[
        bool, Form(description="Issue codes to cells without one (--number).")
    ] = False,
    wide_gaps: Annotated[
        WideGaps, Form(description="Gaps too wide to be closed unasked (--wide-gaps).")
    ] = "ask",
    snap_m: Annotated[
        float, Form(ge=0, le=100, description="Snapping, metres; 0 estimates it (--snap).")
    ] = 0.0,
    gap_width_m: Annotated[
        float,
        Form(
            ge=0,
            le=1000,
            description="Narrower gaps are closed, metres; 0 = as the scheme says (--gap-width).",
        ),
    ] = 0.0,
    metric_epsg: Annotated[
        int, Form(ge=0, description="Metric CRS of a new scheme; 0 chooses (--metric-epsg).")
    ] = 0,
    code_system: Annotated[
        CodeSystem, Form(description="Of a new scheme (--code-system).")
    ] = "auto",
    date_order: Annotated[
        Literal["", "ymd", "mdy", "dmy"],
        Form(description="Of dates that could mean two days (--date-order)."),
    ] = "",
    at: Annotated[
        str, Form(description="Instant whose plan places rows; now when empty (--at).")
    ] = "",
    scheme: Annotated[str, Form(description="Grid scheme (--scheme).")] = "",
    keep_exclusions: Annotated[
        bool,
        Form(description="Exclusions of the plan in force stay (false: --drop-exclusions)."),
    ] = True,
    title: Annotated[str, Form(description="Title of the draft plan (--title).")] = "",
    city: Annotated[
        str, Form(max_length=60, description="Name of the city of a new scheme (--city).")
    ] = "",
    replace: Annotated[
        bool, Form(description="Replace rows with the same key (--replace).")
    ] = False,
    strict_units: Annotated[
        bool, Form(description="Refuse unknown units instead of adding them (--strict-units).")
    ] = False,
    repair: Annotated[bool, Form(description="Repair cells (false: --no-repair).")] = True,
    dry_run: Annotated[
        bool, Form(description="Do everything but keep nothing (--dry-run).")
    ] = False,
) -> JobView:
    """Import a file: all of it or nothing, with a report of every repair and unplaced row.

    The answer is a job; its result is the import report. Cells become a draft plan.

    A problem names row, field and way out; ways out are fields of this form.
    """
    settings = services.settings
    if settings.server.workers > 1:
        raise UploadsNeedOneProcess(workers=settings.server.workers)
    choices = ImportChoices(
        scheme=scheme,
        title=title,
        city=city,
        layer=layer,
        crs=crs,
        datum=Datum.parse(datum).value if datum.strip() else "",
        encoding=encoding,
        swap=swap,
        mapping=parse_mapping(mapping, "mapping"),
        constants=parse_mapping(constants, "constants"),
        decisions=parse_mapping(decisions, "decisions"),
        parent_mapping=parse_mapping(parent_mapping, "parent_mapping"),
        parent_level=parent_level,
        wide_gaps=wide_gaps,
        snap_m=snap_m,
        gap_width_m=gap_width_m,
        metric_epsg=metric_epsg,
        code_system=code_system,
        date_order=date_order or None,
        at=parse_instant(at, settings.grid.timezone) if at.strip() else services.clock(),
        replace=replace,
        strict_units=strict_units,
        repair=repair,
        keep_exclusions=keep_exclusions,
        dry_run=dry_run,
        number=number,
        allow_unknown=allow_unknown,
    )
    uploads = _keep(
        file, parent=parent, communities=communities, subdistricts=subdistricts,
        exclusions=exclusions,
    )  # fmt: skip

    above = Beside(parent_layer, parent_crs, parent_datum, parent_encoding)
    barred = Beside(exclusions_layer, exclusions_crs, exclusions_datum, exclusions_encoding)

    def beside(field: str, stated: Beside) -> RawLayer | None:
        path = uploads.beside.get(field)
        return None if path is None else choices.open_beside(path, settings, stated)

    def work(progress: Progress) -> dict[str, Any]:
        progress("reading", 0.0)
        raw = choices.open(uploads.file, settings)
        options = choices.options(
            settings,
            parent=beside("parent", above),
            communities=beside("communities", above.of("communities")),
            subdistricts=beside("subdistricts", above.of("subdistricts")),
            exclusions=beside("exclusions", barred),
        )
        report = import_layer(services.storage, raw, as_layer, options, progress)
        services.locators.refresh()
        document: dict[str, Any] = orjson.loads(
            orjson.dumps(report.as_dict(), option=orjson.OPT_SERIALIZE_NUMPY, default=str)
        )
        return document

    def tidy() -> None:
        shutil.rmtree(uploads.folder, ignore_errors=True)

    job = runner.submit("import", f"{uploads.file.name} → {as_layer}", work, afterwards=tidy)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return job_view(job, language, surface_of(request))
