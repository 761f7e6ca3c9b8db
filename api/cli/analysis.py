"""Commands ``gridsvc hotspot`` and ``gridsvc patrol``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import plan_at
from api.cli.state import emit, progress, state_of
from gridsvc.errors import BadOption, NothingToWorkOn

if TYPE_CHECKING:
    from api.bootstrap import Services
    from gridsvc.analysis.results import HotspotResult, PatrolPlan

_HOT_SHOWN = 15


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("hotspot", help="热点网格 · hot and cold cells (Gi*, FDR)")(hotspot)
    app.command("patrol", help="巡查路线 · rounds over the points of an area")(patrol)


def hotspot(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="起(含)· from, 2025-01-01")] = None,
    until: Annotated[str | None, typer.Option(help="止(不含)· before")] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="大类或小类 · class code, repeatable")
    ] = None,
    denominator: Annotated[str, typer.Option(help="none | area_km2 | population")] = "none",
    set_aside: Annotated[
        bool, typer.Option("--set-aside/--no-set-aside", help="剔除默认坐标堆 · default piles")
    ] = True,
    permutations: Annotated[int, typer.Option(min=0, help="0 = 解析 analytic")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    bandwidth: Annotated[float, typer.Option(min=1.0, help="米 metres")] = 300.0,
    plan: Annotated[str | None, typer.Option(help="方案 · plan version")] = None,
    at: Annotated[str | None, typer.Option(help="该时刻的方案 · plan in force then")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help=".geojson | .html")] = None,
) -> None:
    """Find hot and cold cells and write them as GeoJSON or as a map."""
    from api.analysis.documents import hotspot_summary, hotspots_geojson
    from api.bootstrap import open_services
    from gridsvc.services.hotspots import hotspots

    kind = _kind(output, (".geojson", ".json", ".html"))
    services = open_services()
    try:
        with progress(context) as report:
            report("hotspot", 0.1)
            found = plan_at(services, plan, _instant(services, at, "at"))
            period = _instant(services, since, "since"), _instant(services, until, "until")
            divisor = _denominator(denominator)
            result = hotspots(
                services.storage,
                services.locators,
                found,
                updated_at=services.clock(),
                since=period[0],
                until=period[1],
                classes=tuple(classes or ()),
                denominator=divisor,
                set_aside=set_aside,
                permutations=permutations,
                seed=seed,
                bandwidth_m=bandwidth,
            )
            report("hotspot", 0.9)
            if output is not None and kind == ".html":
                from api.maps.pictures import Frame, HotspotChoice, picture_of_hotspots
                from maps import render_html

                chosen = HotspotChoice(
                    since=period[0],
                    until=period[1],
                    issue_class=", ".join(classes or ()),
                    denominator=divisor,
                    set_aside=set_aside,
                )
                frame = Frame(language=state_of(context).language, assets="inline")
                drawn = picture_of_hotspots(services, found, result, chosen, frame)
                output.write_text(render_html(drawn), encoding="utf-8")
            elif output is not None:
                output.write_bytes(hotspots_geojson(result))
    finally:
        services.close()
    document = hotspot_summary(result)
    if output is not None:
        document["output"] = str(output)
    zone = services.settings.grid.timezone
    emit(context, document, _hotspot_text(result, output, state_of(context).language, zone))


def patrol(
    context: typer.Context,
    cell: Annotated[str | None, typer.Option(help="网格编码 · cell code")] = None,
    community: Annotated[str | None, typer.Option(help="社区编码 · community code")] = None,
    subdistrict: Annotated[str | None, typer.Option(help="街道编码 · subdistrict code")] = None,
    inspectors: Annotated[int, typer.Option(min=1, max=100, help="人数 · rounds at most")] = 1,
    start: Annotated[
        str | None, typer.Option(help="起点 lon,lat;默认最近的站点 nearest post")
    ] = None,
    datum: Annotated[str, typer.Option(help="起点基准 · datum of the start")] = "cgcs2000",
    speed: Annotated[float, typer.Option(help="米/秒 · m/s")] = 1.2,
    window: Annotated[str | None, typer.Option(help="day | night")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="最长时长 · longest round")] = None,
    max_snap: Annotated[float, typer.Option(help="离路最远 · metres off the network")] = 100.0,
    iterations: Annotated[int | None, typer.Option(min=1, help="搜索迭代次数")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    plan: Annotated[str | None, typer.Option(help="方案 · plan version")] = None,
    at: Annotated[
        str | None, typer.Option(help="该时刻的方案与责任 · plan and duties of that instant")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=".gpx | .kml | .geojson | .html")
    ] = None,
) -> None:
    """Plan rounds over the points of one area and write them as GPX, KML, GeoJSON or a map."""
    from api.bootstrap import open_services
    from api.patrols.routes import parse_place
    from gridsvc.patrol import to_geojson_text, to_gpx, to_kml
    from gridsvc.patrol.gpx import summary
    from gridsvc.services.patrols import PatrolArea, plan_patrol

    kind = _kind(output, (".gpx", ".kml", ".geojson", ".json", ".html"))
    if sum(code is not None for code in (cell, community, subdistrict)) != 1:
        raise NothingToWorkOn(
            reason_zh="请给出 {way:cell}、{way:community} 或 {way:subdistrict} 之一",
            reason_en="give one of {way:cell}, {way:community} or {way:subdistrict}",
        )
    language = state_of(context).language
    services = open_services()
    try:
        with progress(context) as report:
            report("patrol", 0.1)
            moment = _instant(services, at, "at")
            found = plan_at(services, plan, moment)
            shift = _window(window)
            result = plan_patrol(
                services.storage,
                services.locators,
                found,
                PatrolArea(cell=cell, community=community, subdistrict=subdistrict),
                created_at=services.clock(),
                duties_at=moment,
                inspectors=inspectors,
                start=None if start is None else parse_place(start, datum),
                speed_m_s=speed,
                window=shift,
                max_duration_s=None if max_minutes is None else max_minutes * 60.0,
                max_snap_m=max_snap,
                iterations=iterations,
                seed=seed,
            )
            report("patrol", 0.9)
            if output is not None and kind == ".html":
                from api.maps.pictures import Frame, PatrolChoice, picture_of_patrol
                from maps import render_html

                chosen = PatrolChoice(
                    cell=cell or "",
                    community=community or "",
                    subdistrict=subdistrict or "",
                    inspectors=inspectors,
                    window=shift,
                    seed=seed,
                )
                frame = Frame(language=language, assets="inline")
                drawn = picture_of_patrol(services, found, result, chosen, frame)
                output.write_text(render_html(drawn), encoding="utf-8")
            elif output is not None:
                write = {".gpx": to_gpx, ".kml": to_kml}.get(kind, to_geojson_text)
                output.write_text(write(result), encoding="utf-8")
    finally:
        services.close()
    document = summary(result)
    if output is not None:
        document["output"] = str(output)
    emit(context, document, _patrol_text(result, output, language))


def _kind(output: Path | None, allowed: tuple[str, ...]) -> str:
    if output is None:
        return ""
    kind = output.suffix.lower()
    if kind not in allowed:
        endings = ", ".join(allowed)
        raise BadOption(
            option="-o",
            value=output.name,
            reason_zh=f"文件名应以 {endings} 结尾",
            reason_en=f"the name must end in {endings}",
        )
    return kind


def _instant(services: Services, text: str | None, field: str) -> datetime | None:
    from api.dependencies import parse_instant

    if text is None:
        return None
    return parse_instant(text, services.settings.grid.timezone, field=field)


def _denominator(text: str) -> Any:
    from gridsvc.analysis.hotspots import DENOMINATORS

    if text not in DENOMINATORS:
        known = ", ".join(DENOMINATORS)
        raise BadOption(
            option="--denominator", value=text, reason_zh=f"可用 {known}", reason_en=f"use {known}"
        )
    return text


def _window(text: str | None) -> Any:
    if text not in (None, "day", "night"):
        raise BadOption(
            option="--window",
            value=text,
            reason_zh="可用 day、night",
            reason_en="use day or night",
        )
    return text


def _one(text: Any, zh: bool) -> str:
    return text if isinstance(text, str) else str(text["zh" if zh else "en"])


def _hotspot_text(result: HotspotResult, output: Path | None, language: str, zone: str) -> str:
    from api.analysis.documents import hotspot_summary
    from maps import formats
    from maps.messages import MESSAGES
    from maps.wording import method

    zh = language == "zh"

    def named(kind: str) -> str:
        known = MESSAGES.get(kind)
        return kind if known is None else known[0 if zh else 1]

    found = hotspot_summary(result)
    period = f"{found['since'] or '…'} – {found['until'] or '…'}"
    if result.first is not None and result.last is not None:
        ends = [formats.instant(at, zone) for at in (result.first, result.last)]
        span = " – ".join(ends)
        period += f"  {'首末案件' if zh else 'first and last report'} {span}"
    ways = f"{_one(method(result.weights), zh)}  {_one(method(result.correction), zh)}"
    aside = f"{'剔除' if zh else 'set aside'} {result.n_set_aside}"
    unplaced = f"{'未落格' if zh else 'unplaced'} {result.n_unplaced}"
    lines = [
        f"{'方案' if zh else 'plan'} {result.plan_id}  n={result.n}  {aside}  {unplaced}",
        f"{'期间' if zh else 'period'} {period}  {ways}",
        "  ".join(f"{named(name)} {count}" for name, count in found["cells"].items()),
    ]
    lines += [
        f"{'默认坐标堆' if zh else 'default-geocode pile'} {p.lon}, {p.lat}: {p.count} "
        f"({p.share:.1%}), {p.distinct_classes} {'类' if zh else 'classes'}, {p.cell_code}"
        for p in result.piles
    ]
    hot = result.cells[result.cells["hotspot"].str.startswith("hot")]
    for code, row in hot.sort_values("z", ascending=False).head(_HOT_SHOWN).iterrows():
        lines.append(
            f"{named(row['hotspot'])}  {code}  {row['name']}  {row['count']}  z={row['z']:.2f}"
        )
    lines += [f"! {note.text('zh' if zh else 'en')}" for note in result.notes]
    if output is not None:
        lines.append(f"→ {output}")
    return "\n".join(lines)


def _patrol_text(plan: PatrolPlan, output: Path | None, language: str) -> str:
    from gridsvc.patrol import reason_text

    zh = language == "zh"
    bound = "" if plan.lower_bound_m is None else f" (≥ {plan.lower_bound_m:.0f} m)"
    made = f"{plan.solver}  seed {plan.seed}  {plan.iterations} it"
    lines = [f"{plan.area_name} {plan.area_code}  {plan.total_m:.0f} m{bound}  {made}"]
    for walked in plan.rounds:
        who = walked.person_name or "—"
        lines.append(
            f"{'第' if zh else 'round '}{walked.number}{'轮' if zh else ''}  {who}  "
            f"{len(walked.stops)} {'点' if zh else 'points'}  {walked.length_m:.0f} m  "
            f"{walked.duration_s / 60:.0f} min"
        )
        lines += [
            f"  {s.order:>3}  {s.name}  +{s.walk_m:.0f} m  {s.arrive_s / 60:.0f} min"
            for s in walked.stops
        ]
    label = "未安排" if zh else "dropped"
    for point_id, name, reason in plan.dropped.itertuples(index=False):
        lines.append(f"{label} {point_id} {name}: {reason_text(reason, 'zh' if zh else 'en')}")
    if plan.verified:
        lines += [f"! {finding}" for finding in plan.verified]
    else:
        lines.append("✓ " + ("独立核验通过" if zh else "verified independently"))
    lines += [f"· {note.text('zh' if zh else 'en')}" for note in plan.notes]
    if output is not None:
        lines.append(f"→ {output}")
    return "\n".join(lines)
