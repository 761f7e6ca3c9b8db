"""``gridsvc import``, ``gridsvc repair`` and ``gridsvc check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import instant, one_of, pairs, services_for_writing
from api.cli.state import emit, progress, state_of
from api.cli.texts import certificate_text, report_text
from gridsvc.errors import BadOption

if TYPE_CHECKING:
    from gridsvc.quality import Certificate
    from gridsvc.services.raw import ImportReport, RawLayer

_CRS = typer.Option("--crs", help="坐标系,如 EPSG:4528 coordinate system")
_DATUM = typer.Option("--datum", help="wgs84 | cgcs2000 | gcj02 | bd09")
_ENCODING = typer.Option("--encoding", help="文字编码,如 GBK text encoding")
_LAYER = typer.Option("--layer", help="图层或工作表 layer or sheet")
_BESIDE = "默认同主文件 as the main file's"
_SWAP = typer.Option("--swap", help="交换坐标轴 exchange axes: none | rows | all")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_command)
    app.command("repair")(repair_command)
    app.command("check")(check_command)


def import_command(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="文件 files")],
    as_layer: Annotated[
        str,
        typer.Option(
            "--as",
            help="cells | communities | subdistricts | streets | points | cases | duties | staff | "
            "units | visits | classes | facilities | network | exclusions",
        ),
    ],
    layer: Annotated[str, _LAYER] = "",
    crs: Annotated[str, _CRS] = "",
    datum: Annotated[str, _DATUM] = "",
    encoding: Annotated[str, _ENCODING] = "",
    swap: Annotated[str, _SWAP] = "none",
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="字段=列名 FIELD=COLUMN")
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="字段=固定值 FIELD=VALUE")
    ] = None,
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
    title: Annotated[str, typer.Option("--title", help="方案名称 title of the plan")] = "",
    parent: Annotated[
        Path | None, typer.Option("--parent", help="上级图层文件 layer of parents")
    ] = None,
    parent_level: Annotated[
        str, typer.Option("--parent-level", help="community | subdistrict")
    ] = "community",
    parent_map: Annotated[
        list[str] | None, typer.Option("--parent-map", help="上级图层的字段=列名 FIELD=COLUMN")
    ] = None,
    parent_layer: Annotated[str, typer.Option("--parent-layer", help=_BESIDE)] = "",
    parent_crs: Annotated[str, typer.Option("--parent-crs", help=_BESIDE)] = "",
    parent_datum: Annotated[str, typer.Option("--parent-datum", help=_BESIDE)] = "",
    parent_encoding: Annotated[str, typer.Option("--parent-encoding", help=_BESIDE)] = "",
    exclusions: Annotated[
        Path | None, typer.Option("--exclusions", help="例外区域文件 registered exclusions")
    ] = None,
    exclusions_layer: Annotated[str, typer.Option("--exclusions-layer", help=_BESIDE)] = "",
    exclusions_crs: Annotated[str, typer.Option("--exclusions-crs", help=_BESIDE)] = "",
    exclusions_datum: Annotated[str, typer.Option("--exclusions-datum", help=_BESIDE)] = "",
    exclusions_encoding: Annotated[str, typer.Option("--exclusions-encoding", help=_BESIDE)] = "",
    decide: Annotated[
        list[str] | None, typer.Option("--decide", help="编码=决定 CODE=WHAT")
    ] = None,
    wide_gaps: Annotated[
        str, typer.Option("--wide-gaps", help="宽空隙 ask | fill | exclude | leave")
    ] = "ask",
    snap: Annotated[float, typer.Option("--snap", help="捕捉距离(米)snapping, m")] = 0.0,
    gap_width: Annotated[float, typer.Option("--gap-width", help="缝宽限值(米)gap width, m")] = 0.0,
    metric_epsg: Annotated[int, typer.Option("--metric-epsg", help="量算坐标系 metric CRS")] = 0,
    code_system: Annotated[str, typer.Option("--code-system", help="auto | cn | free")] = "auto",
    date_order: Annotated[str, typer.Option("--date-order", help="ymd | mdy | dmy")] = "",
    timezone: Annotated[str, typer.Option("--timezone", help="时区 IANA zone")] = "",
    at: Annotated[str, typer.Option("--at", help="按该时刻的方案定位 place by the plan then")] = "",
    replace_rows: Annotated[
        bool, typer.Option("--replace", help="替换相同编号的记录 replace same keys")
    ] = False,
    strict_units: Annotated[
        bool, typer.Option("--strict-units", help="未知单位即报错 refuse unknown units")
    ] = False,
    allow_unknown: Annotated[
        bool,
        typer.Option("--allow-unknown", help="保留目录外的点位类别和案件状态 keep local values"),
    ] = False,
    no_repair: Annotated[bool, typer.Option("--no-repair", help="不修复 take as drawn")] = False,
    drop_exclusions: Annotated[
        bool, typer.Option("--drop-exclusions", help="不沿用现行方案的例外区域 begin without them")
    ] = False,
    number: Annotated[
        bool, typer.Option("--number", help="为无编码的网格编码 issue codes where there is none")
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", help="修复记录导出为图层 repairs as a layer")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查 keep nothing")] = False,
) -> None:
    """导入文件:网格经修复成为草案,其他成为记录。Import files, all or nothing."""
    from api.importing_choices import Beside, ImportChoices
    from api.settings import Settings
    from gridsvc.services.importing import AS_LAYERS, import_layers

    settings = Settings()
    choices = ImportChoices(
        scheme=scheme,
        title=title,
        layer=layer,
        crs=crs,
        datum=datum,
        encoding=encoding,
        swap=one_of("--swap", swap, "none", "rows", "all"),
        mapping=pairs(mapping, "--map"),
        constants=pairs(constants, "--set"),
        decisions=pairs(decide, "--decide"),
        parent_mapping=pairs(parent_map, "--parent-map"),
        parent_level=one_of("--parent-level", parent_level, "community", "subdistrict"),
        wide_gaps=one_of("--wide-gaps", wide_gaps, "ask", "fill", "exclude", "leave"),
        snap_m=snap,
        gap_width_m=gap_width,
        metric_epsg=metric_epsg,
        code_system=one_of("--code-system", code_system, "auto", "cn", "free"),
        date_order=one_of("--date-order", date_order, "ymd", "mdy", "dmy") if date_order else None,
        timezone=timezone,
        at=instant(at, "--at") if at else None,
        replace=replace_rows,
        strict_units=strict_units,
        repair=not no_repair,
        keep_exclusions=not drop_exclusions,
        dry_run=dry_run,
        number=number,
        allow_unknown=allow_unknown,
    )
    one_of("--as", as_layer, *AS_LAYERS)
    if len(files) > 1 and as_layer in ("cells", "communities", "subdistricts"):
        raise BadOption(
            option="as",
            value=as_layer,
            reason_zh="网格请合并为一个文件后导入",
            reason_en="cells come from one file",
        )
    raws = [choices.open(f, settings) for f in files]
    above = Beside(parent_layer, parent_crs, parent_datum, parent_encoding)
    barred = Beside(exclusions_layer, exclusions_crs, exclusions_datum, exclusions_encoding)
    options = choices.options(
        settings,
        parent=None if parent is None else choices.open_beside(parent, settings, above),
        exclusions=None
        if exclusions is None
        else choices.open_beside(exclusions, settings, barred),
    )
    services = services_for_writing()
    try:
        with progress(context) as report_progress:
            reports = import_layers(services.storage, raws, as_layer, options, report_progress)
        for report in reports:
            if log is not None and report.repairs is not None:
                _write_log(report, log)
            emit(context, report.as_dict(), report_text(report, state_of(context).language))
    finally:
        services.close()


def repair_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="面图层 polygon layer")],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果文件 result")],
    log: Annotated[Path | None, typer.Option("--log", help="修复记录 repairs as a layer")] = None,
    layer: Annotated[str, _LAYER] = "",
    crs: Annotated[str, _CRS] = "",
    datum: Annotated[str, _DATUM] = "",
    encoding: Annotated[str, _ENCODING] = "",
    swap: Annotated[str, _SWAP] = "none",
    code: Annotated[str, typer.Option("--code", help="编码列 column of codes")] = "",
    decide: Annotated[
        list[str] | None, typer.Option("--decide", help="编码=决定 CODE=WHAT")
    ] = None,
    wide_gaps: Annotated[
        str, typer.Option("--wide-gaps", help="宽空隙 ask | fill | exclude | leave")
    ] = "ask",
    snap: Annotated[float, typer.Option("--snap", help="捕捉距离(米)snapping, m")] = 0.0,
    gap_width: Annotated[float, typer.Option("--gap-width", help="缝宽限值(米)gap width, m")] = 1.0,
    metric_epsg: Annotated[int, typer.Option("--metric-epsg", help="量算坐标系 metric CRS")] = 0,
) -> None:
    """修复面图层为无缝无叠的覆盖。Repair polygons into an exact coverage."""
    from geodata.export import write_layer
    from geodata.sources import open_source
    from gridsvc.quality import repair

    raw = open_source(
        file,
        layer=layer or None,
        crs=crs or None,
        datum=datum or None,
        encoding=encoding or None,
        swap=one_of("--swap", swap, "none", "rows", "all"),
    )
    cells = polygons_by_code(raw, code)
    with progress(context) as report_progress:
        result = repair(
            cells, metric_epsg=metric_epsg or None, snap_m=snap or None, gap_width_m=gap_width,
            decisions=pairs(decide, "--decide"), progress=report_progress,
            wide_gaps=one_of("--wide-gaps", wide_gaps, "ask", "fill", "exclude", "leave"),
        )  # fmt: skip
    result.require_decided()
    write_layer(result.cells, output, name=output.stem)
    if log is not None:
        write_layer(result.log, log, name="repairs")
    document = {
        "cells": len(result.cells), "repairs": len(result.log), "snap_m": result.snap_m,
        "discrepancy_m": result.discrepancy_m, "moved_area_m2": result.moved_area_m2,
        "moved_share": result.moved_share, "output": str(output),
    }  # fmt: skip
    moved = f"{result.moved_area_m2:,.1f}"
    zh = (
        f"{len(result.cells)} 个面,{len(result.log)} 处修复,移动面积 {moved} 平方米"
        f"({result.moved_share:.6%}),捕捉距离 {result.snap_m:.3f} 米 → {output.name}"
    )
    en = (
        f"{len(result.cells)} polygons, {len(result.log)} repairs, {moved} m² moved "
        f"({result.moved_share:.6%}), snapped within {result.snap_m:.3f} m → {output.name}"
    )
    emit(context, document, zh if state_of(context).language == "zh" else en)


def check_command(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="方案编号或文件 plan id or file")] = "",
    findings: Annotated[
        Path | None, typer.Option("--findings", help="问题导出为图层 findings as a layer")
    ] = None,
    layer: Annotated[str, _LAYER] = "",
    crs: Annotated[str, _CRS] = "",
    datum: Annotated[str, _DATUM] = "",
    encoding: Annotated[str, _ENCODING] = "",
    code: Annotated[str, typer.Option("--code", help="编码列 column of codes")] = "",
    gap_width: Annotated[float, typer.Option("--gap-width", help="缝宽限值(米)gap width, m")] = 1.0,
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
) -> None:
    """打印方案或文件的证书;有未通过项时退出码为 4。Print the certificate; exit 4 if it fails."""
    from geodata.export import write_layer
    from gridsvc.quality import certify

    if target and Path(target).suffix:
        from geodata.sources import open_source

        raw = open_source(target, layer=layer or None, crs=crs or None, datum=datum or None,
                          encoding=encoding or None)  # fmt: skip
        cells = polygons_by_code(raw, code)
        certificate = certify(cells, gap_width_m=gap_width)
        name = raw.source
    else:
        name, certificate = _certificate_of_plan(target, scheme)
    if findings is not None:
        write_layer(certificate.findings, findings, name="findings")
    language = state_of(context).language
    lines = [certificate_text(name, certificate, language)]
    if not target:
        zh, en = f"(未指明方案,检查的是最新的 {name})", f"(no plan named: the newest, {name})"
        lines.insert(0, zh if language == "zh" else en)
    if findings is not None:
        count = len(certificate.findings)
        zh, en = f"{count} 项问题 → {findings.name}", f"{count} findings → {findings.name}"
        lines.append(zh if language == "zh" else en)
    emit(context, {"plan": name, **certificate.as_dict()}, "\n".join(lines))
    if not certificate.ok:
        raise typer.Exit(4)


def _certificate_of_plan(plan_id: str, scheme: str) -> tuple[str, Certificate]:
    from api.bootstrap import open_services
    from gridsvc.errors import UnknownPlan
    from gridsvc.services import planning

    services = open_services()
    try:
        with services.storage.unit_of_work() as work:
            if not plan_id:
                plans = work.plans.list(scheme or services.settings.grid.scheme)
                if not plans:
                    raise UnknownPlan(plan=scheme or services.settings.grid.scheme)
                plan_id = plans[-1].id
            return plan_id, planning.certify_plan(work, plan_id)
    finally:
        services.close()


def polygons_by_code(raw: RawLayer, code: str = "") -> Any:
    """Return a layer's polygons indexed by its code column, or by row number without one.

    Raises
    ------
    RejectedRows
        If it holds no polygons, or a stated column is not there.
    """
    from gridsvc.services.attributes import Reading, read_attributes
    from gridsvc.services.import_shapes import polygons_of
    from gridsvc.services.raw import ImportOptions

    stated = {"code": code} if code else {}
    # Check files of any level: the first level that knows a code column gives it.
    readings: list[Reading] = [
        read_attributes(raw, level, ImportOptions(), mapping=stated)
        for level in ("cells", "communities", "subdistricts")
    ]
    reading = next((r for r in readings if "code" in r.fields), readings[0])
    geometry = polygons_of(raw, reading, "cells")
    reading.refuse()
    frame: Any = raw.frame
    frame = frame.set_geometry(geometry, crs=frame.crs)
    codes = reading.table.get("code")
    column = reading.fields.get("code")
    usable = codes is not None and codes.notna().all()
    if codes is None or column is None or not usable:
        frame.index = [str(i) for i in range(1, len(frame) + 1)]
        frame.index.name = "row"
        return frame
    frame = frame.drop(columns=column)
    frame.index = [str(c) for c in codes]
    frame.index.name = column
    return frame


def _write_log(report: ImportReport, path: Path) -> None:
    from geodata.export import write_layer

    assert report.repairs is not None  # noqa: S101 - the caller looked
    write_layer(report.repairs, path, name="repairs")
