"""``gridsvc map coverage|hotspot|patrol|plan``: maps as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import plan_at
from api.cli.state import emit, progress, state_of
from gridsvc.errors import BadOption, UnreadableSource

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.maps.pictures import Frame
    from gridsvc.errors import Language
    from gridsvc.plan.version import PlanVersion
    from maps import OfflineMap
    from maps.page import Text

Output = Annotated[Path, typer.Option("-o", "--output", help="FILE.html")]
Inline = Annotated[
    bool,
    typer.Option("--inline/--linked", help="单文件,可邮寄 one file · 引用 /static served assets"),
]
PlanOption = Annotated[str, typer.Option("--plan", help="方案,默认当前 plan, default in force")]
AtOption = Annotated[
    str, typer.Option("--at", help="时刻,决定方案与责任 instant: its plan and duties")
]
WINDOWS = ("day", "night")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="地图 · maps as files", no_args_is_help=True)
    app.add_typer(group, name="map")

    @group.command()
    def coverage(
        context: typer.Context,
        output: Output,
        plan: PlanOption = "",
        at: AtOption = "",
        known_at: Annotated[
            str, typer.Option("--known-at", help="按该时刻已登记的责任 duties as recorded then")
        ] = "",
        inline: Inline = True,
    ) -> None:
        """覆盖图 · who covers what, and what nobody covers."""
        from api.maps.pictures import draw_coverage

        def draw(services: Services, found: PlanVersion, frame: Frame) -> OfflineMap:
            moment = _instant(services, at, "at") or services.clock()
            known = _instant(services, known_at, "known_at")
            return draw_coverage(services, found, moment, frame, known)

        _write(context, "coverage", output, plan, at, inline, draw)

    @group.command()
    def hotspot(
        context: typer.Context,
        output: Output,
        plan: PlanOption = "",
        at: AtOption = "",
        since: Annotated[str, typer.Option("--since", help="起始 from")] = "",
        until: Annotated[str, typer.Option("--until", help="截止(不含) before")] = "",
        issue_class: Annotated[str, typer.Option("--class", help="问题类别 issue class")] = "",
        denominator: Annotated[
            str, typer.Option("--denominator", help="none | area_km2 | population")
        ] = "none",
        keep_piles: Annotated[
            bool, typer.Option("--keep-piles", help="计入默认坐标堆 count default coordinates")
        ] = False,
        inline: Inline = True,
    ) -> None:
        """热点图 · where reports are significantly frequent."""
        from api.maps.pictures import HotspotChoice, draw_hotspot
        from gridsvc.analysis.hotspots import DENOMINATORS

        for known in DENOMINATORS:
            if known == denominator:
                divisor = known
                break
        else:
            raise _unknown("--denominator", denominator, DENOMINATORS)

        def draw(services: Services, found: PlanVersion, frame: Frame) -> OfflineMap:
            choice = HotspotChoice(
                since=_instant(services, since, "since"),
                until=_instant(services, until, "until"),
                issue_class=issue_class,
                denominator=divisor,
                set_aside=not keep_piles,
            )
            return draw_hotspot(services, found, choice, frame)

        _write(context, "hotspot", output, plan, at, inline, draw)

    @group.command()
    def patrol(
        context: typer.Context,
        output: Output,
        plan: PlanOption = "",
        at: AtOption = "",
        cell: Annotated[str, typer.Option("--cell", help="网格 cell code")] = "",
        community: Annotated[str, typer.Option("--community", help="社区 community code")] = "",
        subdistrict: Annotated[str, typer.Option("--subdistrict", help="街道 subdistrict")] = "",
        inspectors: Annotated[
            int, typer.Option("--inspectors", min=1, max=20, help="人数 rounds at most")
        ] = 1,
        window: Annotated[str, typer.Option("--window", help="day | night")] = "",
        seed: Annotated[int, typer.Option("--seed", min=0, help="随机种子 seed")] = 0,
        inline: Inline = True,
    ) -> None:
        """巡查路线图 · rounds over the evaluation points of an area."""
        from api.maps.pictures import PatrolChoice, draw_patrol

        if window not in ("", *WINDOWS):
            raise _unknown("--window", window, WINDOWS)
        choice = PatrolChoice(
            cell=cell,
            community=community,
            subdistrict=subdistrict,
            inspectors=inspectors,
            window="day" if window == "day" else "night" if window == "night" else None,
            seed=seed,
        )

        def draw(services: Services, found: PlanVersion, frame: Frame) -> OfflineMap:
            dated = replace(choice, at=_instant(services, at, "at"))
            return draw_patrol(services, found, dated, frame)

        _write(context, "patrol", output, plan, at, inline, draw)

    @group.command(name="plan")
    def plan_command(
        context: typer.Context,
        output: Output,
        plan: Annotated[str, typer.Argument(help="方案 plan id")] = "",
        at: AtOption = "",
        inline: Inline = True,
    ) -> None:
        """方案图 · the cells of a plan and what its certificate finds."""
        from api.maps.pictures import draw_plan

        _write(context, "plan", output, plan, at, inline, draw_plan)


def _write(
    context: typer.Context,
    kind: str,
    output: Path,
    plan_id: str,
    at: str,
    inline: bool,
    draw: Callable[[Services, PlanVersion, Frame], OfflineMap],
) -> None:
    from api.bootstrap import open_services
    from api.maps.pictures import Frame
    from maps import render_html

    if not output.parent.is_dir():
        raise UnreadableSource(
            source=str(output),
            reason_zh="目标文件夹不存在",
            reason_en="its folder does not exist",
            hint_zh="请先建立文件夹",
            hint_en="create the folder first",
        )
    state = state_of(context)
    services = open_services()
    try:
        with progress(context) as report:
            report(kind, 0.1)
            found = plan_at(services, plan_id, _instant(services, at, "at"))
            frame = Frame(language=state.language, assets="inline" if inline else "url")
            drawn = draw(services, found, frame)
            report(kind, 0.8)
            html = render_html(drawn)
            output.write_text(html, encoding="utf-8")
            report(kind, 1.0)
    finally:
        services.close()
    said = _figures(drawn, state.language)
    document: dict[str, Any] = {
        "map": kind,
        "plan": found.id,
        "output": str(output),
        "bytes": len(html.encode()),
        "self_contained": inline,
        "figures": said,
    }
    size = f"{document['bytes'] / 1e6:.1f} MB"
    text = f"已写入 {output}（{size}）" if state.language == "zh" else f"wrote {output} ({size})"
    lines = [f"  {one['label']} {one['value']} {one['note']}".rstrip() for one in said]
    emit(context, document, "\n".join([text, *lines]))


def _figures(drawn: OfflineMap, language: Language) -> list[dict[str, str]]:
    """Return the large figures of a map as text."""

    def text(value: Text) -> str:
        return value if isinstance(value, str) else value[language]

    return [
        {key: text(one.get(key, "")) for key in ("label", "value", "note")}
        for one in (drawn.document or {}).get("figures", [])
    ]


def _instant(services: Services, text: str, field: str) -> datetime | None:
    if not text:
        return None
    from api.dependencies import parse_instant

    return parse_instant(text, services.settings.grid.timezone, field=field)


def _unknown(option: str, value: str, known: tuple[str, ...]) -> BadOption:
    return BadOption(
        option=option,
        value=value,
        reason_zh="可用 " + "、".join(known),
        reason_en="use " + ", ".join(known),
    )
