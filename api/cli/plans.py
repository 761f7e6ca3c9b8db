"""``gridsvc plans``, ``publish``, ``diff``, ``export`` and ``sample``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from api.cli.options import instant, plan_at
from api.cli.state import emit, progress, state_of
from api.cli.takeover import choice_of_options, takeover_document, takeover_lines
from gridsvc.errors import BadOption, NoPlanInForce, NothingToWorkOn
from gridsvc.phrases import STATE, phrase
from gridsvc.plan.version import PlanVersion

if TYPE_CHECKING:
    from api.bootstrap import Services


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("plans")(plans_command)
    app.command("publish")(publish_command)
    app.command("diff")(diff_command)
    app.command("export")(export_command)
    app.command("sample")(sample_command)


def plans_command(
    context: typer.Context,
    scheme: Annotated[str, typer.Option("--scheme", help="网格体系 grid scheme")] = "",
) -> None:
    """列出网格方案版本。List plan versions."""
    from api.bootstrap import open_services

    services = open_services()
    try:
        with services.storage.unit_of_work() as work:
            plans = work.plans.list(scheme or None)
    finally:
        services.close()
    zone = ZoneInfo(services.settings.grid.timezone)

    def day(moment: datetime | None) -> str:
        return "—" if moment is None else moment.astimezone(zone).isoformat(timespec="minutes")

    now, language = services.clock(), state_of(context).language
    lines = [
        f"{p.id}  {phrase(STATE, (p.standing(now) or p.status).value, language):<10} "
        f"{p.cell_count:>6}  {day(p.effective_from)} … {day(p.effective_to)}  {p.title}"
        for p in plans
    ]
    document = [
        {
            "id": p.id, "scheme": p.scheme_id, "number": p.number, "title": p.title,
            "status": p.as_of(now).status.value, "standing": p.standing(now),
            "cells": p.cell_count, "base": p.base_id,
            "effective_from": p.effective_from, "effective_to": p.effective_to,
            "published_at": p.published_at, "revision": p.revision,
        }
        for p in plans
    ]  # fmt: skip
    nothing = "没有方案" if state_of(context).language == "zh" else "no plans"
    emit(context, document, "\n".join(lines) or nothing)


def publish_command(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help="方案编号 plan id")],
    start: Annotated[str, typer.Option("--from", help="生效时间 effective from, ISO 8601")],
    carry: Annotated[
        str,
        typer.Option(
            "--carry",
            help="撤销网格的责任由谁承接 duties of cells that go: none | merged | all",
        ),
    ] = "none",
    successor: Annotated[
        list[str] | None,
        typer.Option("--successor", help="逐个指定 旧编码=新编码[,…] OLD=NEW[,…], repeatable"),
    ] = None,
) -> None:
    """发布方案;证书有未通过项时拒绝。Publish a plan, refused while a finding stands."""
    from api.bootstrap import open_services
    from gridsvc.services import planning
    from gridsvc.services.takeover import examine, version_before

    choice = choice_of_options(carry, successor or ())
    services = open_services()
    try:
        now = services.clock()
        with progress(context) as report:
            published = planning.publish(
                services.storage,
                plan,
                instant(start, "--from"),
                now,
                choice=choice,
                progress=report,
            )
        with services.storage.unit_of_work() as work:
            before = version_before(work, published, now)
            found = None if before is None else examine(work, before, published, choice, now=now)
    finally:
        services.close()
    assert published.effective_from is not None  # noqa: S101 - publication sets it
    zone = ZoneInfo(services.settings.grid.timezone)
    moment = published.effective_from.astimezone(zone).isoformat()
    zh = f"方案 {published.id} 已发布,{published.cell_count} 个网格,{moment} 起生效"
    en = f"plan {published.id} is published, {published.cell_count} cells, in force from {moment}"
    if found is not None:
        zh, en = (
            "\n".join([said, *takeover_lines(found, language)])
            for said, language in ((zh, "zh"), (en, "en"))
        )
    document = {
        "id": published.id,
        "status": published.status.value,
        "standing": published.standing(now),
        "takeover": None if found is None else takeover_document(found),
        "effective_from": moment,
        "cells": published.cell_count,
    }
    emit(context, document, zh if state_of(context).language == "zh" else en)


def diff_command(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="旧方案 old plan")],
    new: Annotated[str, typer.Argument(help="新方案 new plan")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="转移的地块导出 moved ground as a layer")
    ] = None,
    affected: Annotated[
        Path | None,
        typer.Option(
            "--affected", help="受影响的责任、点位、岗位导出 what changes hands, .csv or .xlsx"
        ),
    ] = None,
    carry: Annotated[
        str, typer.Option("--carry", help="按此方式承接 as if published so: none | merged | all")
    ] = "none",
) -> None:
    """比较两个方案:增减改形、沿革、易手的责任与点位。Compare two plans, what changes hands."""
    from api.bootstrap import open_services
    from geodata.export import write_layer
    from gridsvc.services import planning
    from gridsvc.services.takeover import examine

    choice = choice_of_options(carry, ())
    services = open_services()
    try:
        with services.storage.unit_of_work() as work:
            found = planning.compare(work, old, new)
            hands = examine(
                work, work.plans.get(old), work.plans.get(new), choice, now=services.clock(),
                descent=found.lineage,
            )  # fmt: skip
    finally:
        services.close()
    if output is not None:
        write_layer(found.ground, output, name="moved_ground")
    if affected is not None:
        write_layer(hands.table().set_index("what"), affected, name="affected")
    kinds = {str(k): int(v) for k, v in found.lineage["kind"].value_counts().sort_index().items()}
    area = float(found.ground["area_m2"].sum()) if len(found.ground) else 0.0
    document: dict[str, Any] = {
        "old": old, "new": new, "added": list(found.added), "removed": list(found.removed),
        "reshaped": list(found.reshaped), "attributes": found.attributes.to_dict("records"),
        "lineage": found.lineage.to_dict("records"), "lineage_kinds": kinds, "moved_area_m2": area,
        "takeover": takeover_document(hands),
    }  # fmt: skip
    counts = (len(found.added), len(found.removed), len(found.reshaped), len(found.attributes))
    told = ", ".join(f"{k} {v}" for k, v in kinds.items())
    zh = (
        f"{old} → {new}:新增 {counts[0]},撤销 {counts[1]},改形 {counts[2]},属性变更 {counts[3]};"
        f"易手面积 {area:,.1f} 平方米;沿革 {told}"
    )
    en = (
        f"{old} → {new}: {counts[0]} added, {counts[1]} removed, {counts[2]} reshaped, "
        f"{counts[3]} attributes changed; {area:,.1f} m² changed hands; lineage {told}"
    )
    language = state_of(context).language
    lines = [zh if language == "zh" else en, *takeover_lines(hands, language)]
    emit(context, document, "\n".join(lines))


def export_command(
    context: typer.Context,
    layer: Annotated[
        str, typer.Argument(help="cells | areas | exclusions | findings | repairs | points | …")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果文件 file")],
    plan: Annotated[str, typer.Option("--plan", help="方案编号 plan id")] = "",
    at: Annotated[str, typer.Option("--at", help="该时刻的方案 plan in force then, ISO 8601")] = "",
    batch: Annotated[str, typer.Option("--batch", help="导入批次(repairs)import batch")] = "",
    level: Annotated[
        str, typer.Option("--level", help="areas 的层级 city | subdistrict | community")
    ] = "",
    crs: Annotated[str, typer.Option("--crs", help="坐标系 coordinate system")] = "",
    datum: Annotated[str, typer.Option("--datum", help="cgcs2000 | gcj02 | bd09")] = "cgcs2000",
    encoding: Annotated[str, typer.Option("--encoding", help="Shapefile: UTF-8 | GBK")] = "UTF-8",
    private: Annotated[
        bool, typer.Option("--private", help="含个人信息 with personal data")
    ] = False,
) -> None:
    """导出图层,格式由扩展名决定。Export a layer, the suffix names the format."""
    from api.bootstrap import open_services
    from geodata.export import write_layer
    from gridsvc.services import planning
    from gridsvc.services.exporting import require_rows
    from gridsvc.services.placing import PLACED_LAYERS, in_plan

    moment = instant(at, "--at") if at else None
    services = open_services()
    try:
        with services.storage.unit_of_work() as work:
            if layer in ("cells", "areas", "exclusions", "findings"):
                plan_id = plan or plan_at(services, "", moment).id
                frame = {
                    "cells": lambda: work.plans.cells(plan_id),
                    "areas": lambda: work.plans.areas(plan_id, level or None),
                    "exclusions": lambda: work.plans.exclusions(plan_id),
                    "findings": lambda: planning.findings_layer(work, plan_id),
                }[layer]()
            elif layer == "repairs":
                frame = work.batches.log(
                    batch or _batch_of_repairs(work, plan or _named_by(services, moment))
                )
            else:
                frame = _records(work, layer)
                if layer in PLACED_LAYERS:
                    frame = in_plan(frame, _plan_of(services, plan, moment), services.locators.of)
    finally:
        services.close()
    if layer != "repairs":
        require_rows(frame, layer)
    elif frame.empty:
        raise NothingToWorkOn(
            reason_zh=f"导入批次 {batch or plan or '(最近一次)'} 没有修复记录;"
            "请用 {way:plan} 或 {way:batch} 指明",
            reason_en=f"import {batch or plan or '(the newest)'} made no repair; "
            "name another with {way:plan} or {way:batch}",
        )
    path = write_layer(
        frame, output, name=layer, crs=crs or None, datum=datum, encoding=encoding, private=private
    )
    document = {"layer": layer, "rows": len(frame), "output": str(path)}
    zh, en = f"{layer}:{len(frame)} 行 → {path.name}", f"{layer}: {len(frame)} rows → {path.name}"
    emit(context, document, zh if state_of(context).language == "zh" else en)


def _batch_of_repairs(work: Any, plan_id: str) -> str:
    """Return the import that a plan came from, without a plan the newest import of cells."""
    if plan_id:
        found = work.plans.get(plan_id).provenance.get("batch_id")
        batches = [] if found is None else [str(found)]
    else:
        drawn = ("cells", "communities", "subdistricts")
        batches = [str(b["id"]) for b in work.batches.list() if b["layer"] in drawn]
    if not batches:
        raise NothingToWorkOn(
            reason_zh="没有导入批次;请先导入网格({way:as=cells})",
            reason_en="there is no import; import cells first ({way:as=cells})",
        )
    return batches[0]


def _named_by(services: Services, at: datetime | None) -> str:
    """Return the plan in force at an instant, nothing when no instant was given."""
    return "" if at is None else plan_at(services, "", at).id


def _plan_of(services: Services, plan_id: str, at: datetime | None) -> PlanVersion | None:
    """Return the plan that was named, else the one in force at an instant, by default now."""
    try:
        return plan_at(services, plan_id, at)
    except NoPlanInForce:
        if at is not None:
            raise
        return None


def _records(work: Any, layer: str) -> Any:
    from gridsvc.layers import RECORD_LAYERS

    if layer not in RECORD_LAYERS:
        listing = ", ".join(("cells", "areas", "exclusions", "findings", "repairs", *RECORD_LAYERS))
        raise BadOption(
            option="LAYER", value=layer, reason_zh=f"可导出 {listing}", reason_en=f"use {listing}"
        )
    return work.records(layer).frame()


def sample_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="目录 folder")] = Path("sample"),
    cells: Annotated[int, typer.Option("--cells", min=20, help="网格数 cells")] = 702,
    seed: Annotated[int, typer.Option("--seed", help="随机种子 seed")] = 20181122,
    messy: Annotated[bool, typer.Option("--messy", help="带有真实缺陷 with defects")] = False,
) -> None:
    """生成样例城市的文件。Write the files of the sample city."""
    from geodata.sample import build_city, write_city

    with progress(context) as report:
        report("build", 0.1)
        city = build_city(seed=seed, cells=cells)
        report("write", 0.8)
        written = write_city(city, out, messy=messy)
    names = [str(path) for path in written]
    zh = f"样例城市 {len(city.cells)} 个网格 → {out}"
    en = f"sample city of {len(city.cells)} cells → {out}"
    emit(context, {"cells": len(city.cells), "seed": seed, "messy": messy, "files": names},
         zh if state_of(context).language == "zh" else en)  # fmt: skip
