"""``gridsvc locate``: one coordinate on the command line, or a file of them."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from api.cli.locating_tables import TableOptions, locate_file
from api.cli.options import instant
from api.cli.state import emit, state_of
from gridsvc.errors import BadOption, InvalidCoordinate, Language


def register(app: typer.Typer) -> None:
    """Add the command."""
    # Western longitudes begin with a minus sign and are no options.
    app.command("locate", context_settings={"ignore_unknown_options": True})(locate_command)


def locate_command(
    context: typer.Context,
    lon: Annotated[str, typer.Argument(help="经度 longitude")] = "",
    lat: Annotated[str, typer.Argument(help="纬度 latitude")] = "",
    datum: Annotated[str, typer.Option("--datum", help="wgs84 | cgcs2000 | gcj02 | bd09")] = "",
    at: Annotated[str, typer.Option("--at", help="时刻 instant, ISO 8601")] = "",
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", help="坐标精度(米)accuracy in metres")
    ] = None,
    category: Annotated[str, typer.Option("--category", help="案件类别 class of cases")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="待定位文件 file of places")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="输出文件 output file")] = None,
    crs: Annotated[str, typer.Option("--crs", help="文件坐标系 system of the file")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="文字编码 text encoding")] = "",
    layer: Annotated[str, typer.Option("--layer", help="图层 layer")] = "",
    extras: Annotated[
        str,
        typer.Option("--with", help="文件加列 columns: distance,nearest,chain,persons,unit"),
    ] = "",
    category_column: Annotated[
        str, typer.Option("--category-column", help="文件的类别列 column of classes")
    ] = "",
    known_at: Annotated[
        str, typer.Option("--known-at", help="按该时刻已登记的责任 duties as recorded then")
    ] = "",
) -> None:
    """定位:坐标所在网格、责任人、责任单位。Locate a coordinate, or all rows of a file."""
    language = state_of(context).language
    if file is not None:
        if lon or lat or out is None:
            raise BadOption(
                option="--file",
                value=file.name,
                reason_zh="需要 -o 且不与坐标同用",
                reason_en="it needs -o and no coordinates",
            )
        options = TableOptions(
            datum, crs, encoding, layer, at, known_at, extras, accuracy, category, category_column
        )
        locate_file(context, file, out, options)
        return
    for option, value in (("--with", extras), ("--category-column", category_column)):
        if value:
            raise BadOption(
                option=option, value=value, reason_zh="只用于 --file",
                reason_en="it is for --file only",
            )  # fmt: skip
    x, y = _place(lon, lat, out)
    _locate_one(context, x, y, datum, at, known_at, accuracy, category, language)


def _place(lon: str, lat: str, out: Path | None) -> tuple[float, float]:
    """Return longitude and latitude of one or two arguments, comma or blank between them."""
    from geodata.sources.tables import degrees

    parts = [p for p in re.split(r"[,;\uff0c\uff1b\s]+", f"{lon} {lat}".strip()) if p]
    if len(parts) != 2 or out is not None:
        raise InvalidCoordinate(
            lon=lon or "—",
            lat=lat or "—",
            hint_zh="请给出 经度 纬度,或 --file 输入 -o 输出",
            hint_en="give LON LAT, or --file IN -o OUT",
        )
    try:
        x, y = (degrees(p) for p in parts)
    except ValueError:
        x = y = None
    if x is None or y is None:
        raise InvalidCoordinate(
            lon=parts[0],
            lat=parts[1],
            hint_zh="应为小数度或度分秒,例如 117.63 26.26 或 E117°38'1.7\" N26°15'40\"",
            hint_en="write decimal degrees or degrees, minutes and seconds, "
            "like 117.63 26.26 or E117°38'1.7\" N26°15'40\"",
        )
    if re.match(r"\s*[NS南北]", parts[0], re.IGNORECASE):
        x, y = y, x
    return x, y


def _locate_one(
    context: typer.Context,
    lon: float,
    lat: float,
    datum: str,
    at: str,
    known_at: str,
    accuracy: float | None,
    category: str,
    language: Language,
) -> None:
    from api.bootstrap import open_services
    from gridsvc.datum import convert
    from gridsvc.types import Datum, LonLat

    LonLat(lon, lat)
    given = Datum.parse(datum) if datum else Datum.WGS84
    x, y = (float(v) for v in convert(lon, lat, given, Datum.CGCS2000))
    services = open_services()
    try:
        moment = instant(at, "--at") if at else services.clock()
        known = instant(known_at, "--known-at") if known_at else None
        document = services.desk.answer(
            x, y, moment, accuracy_m=accuracy, category=category or None, known_at=known
        )
    finally:
        services.close()
    document = {**document, "lon": lon, "lat": lat, "datum": given.value}
    document["stored"] = {"lon": x, "lat": y, "crs": "EPSG:4490"}
    emit(context, document, answer_text(document, language), ways=False)


_VIA = {
    "cell": "网格",
    "community": "社区",
    "subdistrict": "街道",
    "city": "全市",
    "point": "点位",
    "class": "类别",
    "road": "道路",
    "river": "河道",
}


def _via(kind: str, zh: bool) -> str:
    return _VIA.get(kind, kind) if zh else kind


def _role_name(role: str, zh: bool) -> str:
    from geodata.reference import roles

    names = {term.key: term.zh if zh else term.en for term in roles()}
    return names.get(role, role)


def _area(area: dict[str, Any], zh: bool) -> str:
    """Return one level of the chain; the whole has no code that anybody knows it by."""
    if area["level"] == "city":
        return area["name"] or ("全域" if zh else "whole territory")
    return f"{area['name'] or ''} {area['code'] or ''}".strip()


def answer_text(answer: dict[str, Any], language: Language) -> str:
    """Return an answer as lines for people."""
    zh = language == "zh"

    def line(chinese: str, english: str, value: str) -> str:
        return f"{chinese if zh else english:<10} {value}"

    metres = "米" if zh else "m"
    levels = " › ".join(_area(a, zh) for a in answer["chain"][::-1])
    lines = [line("网格", "cell", levels)]
    if answer["on_border"]:
        note = "在边界上,编码最小者负责" if zh else "on a border: the lowest code answers"
        lines.append(line("边界", "border", f"{note} ({', '.join(answer['covering'])})"))
    else:
        lines.append(line("距边界", "to border", f"{answer['boundary_distance_m']:.1f} {metres}"))
    if answer["ambiguous"] and not answer["on_border"]:
        note = "坐标精度不足以确定网格" if zh else "the accuracy does not decide the cell"
        lines.append(line("注意", "note", note))
    for beside in answer["beside"]:
        kinds = {"road": ("沿路", "road"), "river": ("沿河", "river")}[beside["kind"]]
        text = f"{beside['name'] or beside['code']} {beside['distance_m']:.1f} {metres}"
        lines.append(line(*kinds, text))
    for neighbour in answer["neighbours"]:
        far = f"{neighbour['distance_m']:.1f} {metres}"
        text = f"{neighbour['name'] or ''} {neighbour['code']} {far}"
        lines.append(line("邻格", "neighbour", text.strip()))
    for role, people in answer["persons"].items():
        names = ", ".join(
            f"{p['name'] or p['unit_name'] or '—'} ({_via(p['via'], zh)})" for p in people
        )
        lines.append(f"{_role_name(role, zh):<10} {names}")
    for nobody in answer["unknown_holders"]:
        said = nobody["reason_zh"] if zh else nobody["reason_en"]
        lines.append(f"{_role_name(nobody['role'], zh):<10} {said}")
    unit = answer["responsible_unit"]
    reason = unit["reason_zh"] if zh else unit["reason_en"]
    lines.append(line("责任单位", "unit", f"{unit['name'] or '—'} ({reason})"))
    deadline = answer["deadline"]
    if deadline is not None:
        lines.append(line("处置时限", "due", due_text(deadline, language)))
    point = answer["nearest_point"]
    if point is not None:
        text = f"{point['name']} {point['point_id']} {point['distance_m']:.1f} {metres}"
        if point["unit"] is not None:
            text += f" ({point['unit']['name'] or point['unit']['unit_id']})"
        lines.append(line("最近点位", "point", text))
    plan = answer["plan"]
    lines.append(line("方案", "plan", f"{plan['id']} {plan['title']} ({plan['effective_from']} …)"))
    return "\n".join(lines)


def due_text(deadline: dict[str, Any], language: Language) -> str:
    """Return a deadline in the city's time and the rule behind it."""
    reason: str = deadline[f"reason_{language}"]
    if deadline["due_at"] is None:
        return reason
    zone = ZoneInfo(deadline["timezone"])
    local = datetime.fromisoformat(deadline["due_at"]).astimezone(zone)
    text = f"{local:%Y-%m-%d %H:%M} {deadline['timezone']}"
    return f"{text}:{reason}" if language == "zh" else f"{text}: {reason}"
