"""``gridsvc repair`` and ``gridsvc check``: files without a plan, and plans."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import one_of, pairs
from api.cli.state import emit, progress, state_of
from api.cli.texts import certificate_text, repair_lines
from gridsvc.errors import BadOption

if TYPE_CHECKING:
    from gridsvc.quality import Certificate, RepairResult
    from gridsvc.services.raw import RawLayer

_CRS = typer.Option("--crs", help="坐标系,如 EPSG:4528 coordinate system")
_DATUM = typer.Option("--datum", help="wgs84 | cgcs2000 | gcj02 | bd09")
_ENCODING = typer.Option("--encoding", help="文字编码,如 GBK text encoding")
_LAYER = typer.Option("--layer", help="图层或工作表 layer or sheet")
_CODE = typer.Option("--code", help="编码列 column of codes")
_GAP_WIDTH = typer.Option("--gap-width", help="缝宽限值(米)gap width, m")
_EXCLUSIONS = typer.Option("--exclusions", help="例外区域文件 registered exclusions")
ALL = "all"
_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("repair")(repair_command)
    app.command("check")(check_command)


def repair_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="面图层 polygon layer")],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果文件 result")],
    log: Annotated[Path | None, typer.Option("--log", help="修复记录 repairs as a layer")] = None,
    layer: Annotated[str, _LAYER] = "",
    crs: Annotated[str, _CRS] = "",
    datum: Annotated[str, _DATUM] = "",
    encoding: Annotated[str, _ENCODING] = "",
    swap: Annotated[
        str, typer.Option("--swap", help="交换坐标轴 exchange axes: none | rows | all")
    ] = "none",
    code: Annotated[str, _CODE] = "",
    decide: Annotated[
        list[str] | None, typer.Option("--decide", help="编码=决定 CODE=WHAT")
    ] = None,
    wide_gaps: Annotated[
        str, typer.Option("--wide-gaps", help="宽空隙 ask | fill | exclude | leave")
    ] = "ask",
    snap: Annotated[float, typer.Option("--snap", help="捕捉距离(米)snapping, m")] = 0.0,
    gap_width: Annotated[float, _GAP_WIDTH] = 1.0,
    metric_epsg: Annotated[int, typer.Option("--metric-epsg", help="量算坐标系 metric CRS")] = 0,
    exclusions: Annotated[Path | None, _EXCLUSIONS] = None,
    excluded: Annotated[
        Path | None,
        typer.Option("--excluded", help="登记的例外区域写入该文件 write registered exclusions"),
    ] = None,
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
            exclusions=_exclusions(exclusions),
        )  # fmt: skip
    result.require_decided()
    # The log may be refused by its format; the result is written when all else is.
    if log is not None:
        write_layer(result.log, log, name="repairs")
    if excluded is not None:
        write_layer(result.exclusions, excluded, name="exclusions")
    write_layer(result.cells, output, name=output.stem)
    document = {
        "cells": len(result.cells), "repairs": len(result.log), "repair_summary": result.summary,
        "snap_m": result.snap_m, "discrepancy_m": result.discrepancy_m,
        "moved_area_m2": result.moved_area_m2, "moved_share": result.moved_share,
        "registered_parts": list(result.registered_parts),
        "registered_holes": list(result.registered_holes),
        "exclusions": len(result.exclusions), "output": str(output),
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
    language = state_of(context).language
    lines = [zh if language == "zh" else en, *repair_lines(result.log, language)]
    lines += _to_register(result, output, excluded, language)
    emit(context, document, "\n".join(lines))


def _to_register(
    result: RepairResult, output: Path, excluded: Path | None, language: str
) -> list[str]:
    """Return how to check the result: what the repair registered is not in the file."""
    words: list[str] = []
    for option, codes in (("--parts", result.registered_parts),
                          ("--holes", result.registered_holes)):  # fmt: skip
        shown = codes if len(codes) <= _SHOWN else (ALL,)
        words += [f"{option} {shlex.quote(c)}" for c in shown]
    if len(result.exclusions):
        target = "FILE" if excluded is None else shlex.quote(str(excluded))
        words.append(f"--exclusions {target}")
    if not words:
        return []
    typed = f"gridsvc check {shlex.quote(str(output))} " + " ".join(words)
    lines = [
        f"多部件、带洞的网格和例外区域不随文件保存,检查时请写明:{typed}"
        if language == "zh"
        else f"parts, holes and exclusions are not kept in the file; name them to check it: {typed}"
    ]
    if len(result.exclusions) and excluded is None:
        lines.append(
            f"另有 {len(result.exclusions)} 处例外区域未保存,请加 --excluded FILE"
            if language == "zh"
            else f"{len(result.exclusions)} exclusions were not written; add --excluded FILE"
        )
    return lines


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
    code: Annotated[str, _CODE] = "",
    gap_width: Annotated[float, _GAP_WIDTH] = 1.0,
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
    parts: Annotated[
        list[str] | None,
        typer.Option("--parts", help="文件中属实的多部件网格,all=照图 cells of several parts"),
    ] = None,
    holes: Annotated[
        list[str] | None,
        typer.Option("--holes", help="文件中属实的带洞网格,all=照图 cells around others"),
    ] = None,
    exclusions: Annotated[Path | None, _EXCLUSIONS] = None,
) -> None:
    """打印方案或文件的证书;有未通过项时退出码为 4。Print the certificate; exit 4 if it fails."""
    from api.bootstrap import utc_now
    from geodata.export import write_layer
    from gridsvc.quality import certify

    if target and Path(target).suffix:
        from geodata.sources import open_source

        raw = open_source(target, layer=layer or None, crs=crs or None, datum=datum or None,
                          encoding=encoding or None)  # fmt: skip
        cells = polygons_by_code(raw, code)
        codes = [str(c) for c in cells.index]
        certificate = certify(
            cells,
            gap_width_m=gap_width,
            exclusions=_exclusions(exclusions),
            registered_parts=_stated("--parts", parts, codes),
            registered_holes=_stated("--holes", holes, codes),
            at=utc_now(),
        )
        name = raw.source
    else:
        _for_files_only(parts=parts, holes=holes, exclusions=exclusions)
        name, certificate = _certificate_of_plan(target, scheme)
    if findings is not None:
        write_layer(certificate.findings, findings, name="findings")
    language = state_of(context).language
    lines = [certificate_text(name, certificate, language)]
    if not target:
        zh, en = f"(未指明方案,检查的是最新的 {name})", f"(no plan named: the newest, {name})"
        lines.insert(0, zh if language == "zh" else en)
    if target and Path(target).suffix:
        lines += _unregistered(certificate, language)
    if findings is not None:
        count = len(certificate.findings)
        zh, en = f"{count} 项问题 → {findings.name}", f"{count} findings → {findings.name}"
        lines.append(zh if language == "zh" else en)
    emit(context, {"plan": name, **certificate.as_dict()}, "\n".join(lines))
    if not certificate.ok:
        raise typer.Exit(4)


def _exclusions(file: Path | None) -> Any:
    """Return registered exclusions of a file, ``None`` without one."""
    if file is None:
        return None
    from geodata.sources import open_source
    from gridsvc.services.import_cells import read_exclusions
    from gridsvc.services.raw import ImportOptions

    return read_exclusions(open_source(file), ImportOptions())


def _stated(option: str, given: list[str] | None, codes: list[str]) -> Collection[str]:
    """Return the codes that an option names; ``all`` names every one.

    Raises
    ------
    BadOption
        For a code that the file does not have.
    """
    named = given or []
    if ALL in named:
        return codes
    unknown = sorted(set(named) - set(codes))
    if unknown:
        raise BadOption(
            option=option,
            value=unknown[0],
            reason_zh="文件中没有该编码;用 all 表示照图全部登记",
            reason_en="the file has no such code; all registers what is drawn",
        )
    return named


def _for_files_only(**given: Any) -> None:
    for name, value in given.items():
        if value:
            raise BadOption(
                option=f"--{name}",
                value=value if isinstance(value, Path) else value[0],
                reason_zh="只用于检查文件;方案自有登记",
                reason_en="it is for files; a plan has its own register",
            )


def _unregistered(certificate: Certificate, language: str) -> list[str]:
    """Return what to type where parts and holes of a file are real: files hold no register."""
    options = {"multipart": "--parts all", "hole": "--holes all"}
    typed = " ".join(o for rule, o in options.items() if rule in certificate.rules)
    if not typed:
        return []
    return [
        f"文件不带登记,无从知道哪些多部件和洞属实;属实者请加 {typed},或逐个写编码"
        f"(导入时照图自动登记)"
        if language == "zh"
        else f"a file holds no register of parts and holes; where they are real add {typed}, or "
        "name their codes (an import registers what is drawn)"
    ]


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
            return plan_id, planning.certify_plan(work, plan_id, services.clock())
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
