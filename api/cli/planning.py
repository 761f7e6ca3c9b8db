"""``gridsvc plan`` and ``gridsvc scheme``: the states of a plan, the territory of a scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.state import emit, state_of
from gridsvc.errors import InputError
from gridsvc.ways import way

_PLAN = typer.Argument(help="方案编号 plan id")


def register(app: typer.Typer) -> None:
    """Add the groups of commands."""
    plan = typer.Typer(help="方案的送审、撤回与作废。States of a plan.", no_args_is_help=True)
    plan.command("submit")(submit_command)
    plan.command("take-back")(take_back_command)
    plan.command("discard")(discard_command)
    plan.command("withdraw")(withdraw_command)
    app.add_typer(plan, name="plan")
    scheme = typer.Typer(help="网格体系。Grid schemes.", no_args_is_help=True)
    scheme.command("territory")(territory_command)
    scheme.command("name")(name_command)
    app.add_typer(scheme, name="scheme")


def submit_command(context: typer.Context, plan: Annotated[str, _PLAN]) -> None:
    """把草案送审。Hand a draft in for review."""
    _move(context, plan, "submit", "已送审", "is in review")


def take_back_command(context: typer.Context, plan: Annotated[str, _PLAN]) -> None:
    """把送审的方案撤回为草案。Return a plan in review to draft."""
    _move(context, plan, "take_back", "已撤回为草案", "is a draft again")


def discard_command(context: typer.Context, plan: Annotated[str, _PLAN]) -> None:
    """作废草案或送审中的方案。Discard a draft or a plan in review."""
    _move(context, plan, "discard", "已作废", "is discarded")


def withdraw_command(
    context: typer.Context,
    plan: Annotated[str, _PLAN],
    reason: Annotated[str, typer.Option("--reason", help="原因 why")],
    by: Annotated[str, typer.Option("--by", help="何人 who")] = "",
) -> None:
    """撤回已发布而尚未生效的方案。Take back a plan that is published for a later date."""
    from api.bootstrap import open_services
    from gridsvc.services.withdrawing import withdraw

    services = open_services()
    try:
        moved = withdraw(services.storage, plan, services.clock(), reason=reason, by=by or None)
    finally:
        services.close()
    document = {"id": moved.id, "status": moved.status.value, "revision": moved.revision,
                "withdrawal": moved.provenance["withdrawals"][-1]}  # fmt: skip
    zh, en = f"方案 {moved.id} 已撤回为草案", f"{moved.id} is withdrawn and a draft again"
    emit(context, document, zh if state_of(context).language == "zh" else en)


def _move(context: typer.Context, plan: str, step: str, zh: str, en: str) -> None:
    from api.bootstrap import open_services
    from gridsvc.services import planning

    steps = {
        "submit": planning.submit,
        "take_back": planning.take_back,
        "discard": planning.discard,
    }
    services = open_services()
    try:
        moved = steps[step](services.storage, plan)
    finally:
        services.close()
    document = {"id": moved.id, "status": moved.status.value, "revision": moved.revision}
    told = f"方案 {moved.id} {zh}" if state_of(context).language == "zh" else f"{moved.id} {en}"
    emit(context, document, told)


def territory_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="辖区面图层 polygons of the territory")],
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
    layer: Annotated[str, typer.Option("--layer", help="图层 layer")] = "",
    crs: Annotated[str, typer.Option("--crs", help="坐标系 coordinate system")] = "",
    datum: Annotated[str, typer.Option("--datum", help="wgs84 | cgcs2000 | gcj02 | bd09")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="文字编码 text encoding")] = "",
) -> None:
    """申报辖区,此后的方案须铺满它。Declare the territory that later plans have to fill."""
    import geopandas as gpd
    import numpy as np
    import shapely

    from api.bootstrap import open_services
    from geodata.sources import open_source
    from gridsvc.crs import to_metric
    from gridsvc.services import planning

    raw = open_source(
        file,
        layer=layer or None,
        crs=crs or None,
        datum=datum or None,
        encoding=encoding or None,
    )
    if not isinstance(raw.frame, gpd.GeoDataFrame):
        raise InputError(
            reason_zh=f"{raw.source} 中没有面", reason_en=f"{raw.source} holds no polygons"
        )
    shapes = np.asarray(raw.frame.geometry.array, dtype=object)
    kinds = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    if not np.isin(shapely.get_type_id(shapes), kinds).all() or not shapely.is_valid(shapes).all():
        raise InputError(
            reason_zh=f"{raw.source}:辖区的每一行必须是有效的面;请先修复({way('repair')})",
            reason_en=f"{raw.source}: every row of a territory must be a valid polygon; "
            f"mend it first ({way('repair')})",
        )
    services = open_services()
    try:
        found = planning.declare_territory(
            services.storage, scheme or services.settings.grid.scheme, shapely.union_all(shapes)
        )
    finally:
        services.close()
    ground = to_metric(np.array([found.territory], dtype=object), found.metric_epsg)
    area = float(shapely.area(ground)[0])
    document = {"scheme": found.id, "area_m2": area, "rows": len(shapes)}
    zh = f"体系 {found.id} 的辖区:{area / 1e6:,.3f} 平方公里"
    en = f"territory of scheme {found.id}: {area / 1e6:,.3f} km²"
    emit(context, document, zh if state_of(context).language == "zh" else en)


def name_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="城市名称,空则取消 name of the city, '' for none")],
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
) -> None:
    """给城市命名,用于定位结果、地图和页面。Name the city in answers, maps and pages."""
    from api.bootstrap import open_services
    from gridsvc.services.naming import name_city

    services = open_services()
    try:
        found = name_city(services.storage, scheme or services.settings.grid.scheme, name)
    finally:
        services.close()
    zh = f"体系 {found.id} 的城市:{found.city or '(无名称)'}"
    en = f"city of scheme {found.id}: {found.city or '(no name)'}"
    emit(context, {"scheme": found.id, "city": found.city},
         zh if state_of(context).language == "zh" else en)  # fmt: skip
