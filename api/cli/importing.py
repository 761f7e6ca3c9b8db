"""``gridsvc import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import instant, one_of, pairs, services_for_writing
from api.cli.state import emit, progress, state_of
from api.cli.texts import report_text
from gridsvc.errors import BadOption

if TYPE_CHECKING:
    from gridsvc.services.raw import ImportReport, RawLayer

_CRS = typer.Option("--crs", help="坐标系,如 EPSG:4528 coordinate system")
_DATUM = typer.Option("--datum", help="wgs84 | cgcs2000 | gcj02 | bd09")
_ENCODING = typer.Option("--encoding", help="文字编码,如 GBK text encoding")
_LAYER = typer.Option("--layer", help="图层或工作表 layer or sheet")
_BESIDE = "默认同主文件 as the main file's"
_ABOVE = f"{_BESIDE}; communities=A;subdistricts=B"
_SWAP = typer.Option("--swap", help="交换坐标轴 exchange axes: none | rows | all")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_command)


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
    city: Annotated[
        str, typer.Option("--city", help="新体系的城市名称 name of a new scheme's city")
    ] = "",
    parent: Annotated[
        Path | None, typer.Option("--parent", help="上级图层文件 layer of parents")
    ] = None,
    communities: Annotated[
        Path | None, typer.Option("--communities", help="社区图层文件 layer of communities")
    ] = None,
    subdistricts: Annotated[
        Path | None, typer.Option("--subdistricts", help="街道图层文件 layer of subdistricts")
    ] = None,
    parent_level: Annotated[
        str, typer.Option("--parent-level", help="community | subdistrict")
    ] = "community",
    parent_map: Annotated[
        list[str] | None, typer.Option("--parent-map", help="上级图层的字段=列名 FIELD=COLUMN")
    ] = None,
    parent_layer: Annotated[str, typer.Option("--parent-layer", help=_ABOVE)] = "",
    parent_crs: Annotated[str, typer.Option("--parent-crs", help=_ABOVE)] = "",
    parent_datum: Annotated[str, typer.Option("--parent-datum", help=_ABOVE)] = "",
    parent_encoding: Annotated[str, typer.Option("--parent-encoding", help=_ABOVE)] = "",
    exclusions: Annotated[
        Path | None, typer.Option("--exclusions", help="例外区域文件 registered exclusions")
    ] = None,
    exclusions_layer: Annotated[str, typer.Option("--exclusions-layer", help=_BESIDE)] = "",
    exclusions_crs: Annotated[str, typer.Option("--exclusions-crs", help=_BESIDE)] = "",
    exclusions_datum: Annotated[str, typer.Option("--exclusions-datum", help=_BESIDE)] = "",
    exclusions_encoding: Annotated[str, typer.Option("--exclusions-encoding", help=_BESIDE)] = "",
    decide: Annotated[
        list[str] | None,
        typer.Option("--decide", help="编码=决定,未知编号可 keep CODE=WHAT"),
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
        typer.Option(
            "--allow-unknown",
            help="保留目录外的值和尚未录入的人员、单位、对象(不计为任职)"
            " keep values outside the lists and ids that are not known yet",
        ),
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
        city=city,
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

    def beside(path: Path | None, stated: Beside) -> RawLayer | None:
        return None if path is None else choices.open_beside(path, settings, stated)

    options = choices.options(
        settings,
        parent=beside(parent, above),
        communities=beside(communities, above.of("communities")),
        subdistricts=beside(subdistricts, above.of("subdistricts")),
        exclusions=beside(exclusions, barred),
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


def _write_log(report: ImportReport, path: Path) -> None:
    from geodata.export import write_layer

    assert report.repairs is not None  # noqa: S101 - the caller looked
    write_layer(report.repairs, path, name="repairs")
