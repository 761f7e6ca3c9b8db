"""Words that texts share: kinds of things, states, distances."""

from __future__ import annotations

from typing import Any, Literal

Language = Literal["zh", "en"]

KINDS: dict[str, tuple[str, str]] = {
    "plan": ("方案", "plan"),
    "scheme": ("网格体系", "grid scheme"),
    "cell": ("网格", "cell"),
    "community": ("社区", "community"),
    "subdistrict": ("街道", "subdistrict"),
    "batch": ("导入批次", "import"),
    "job": ("任务", "job"),
    "point": ("测评点位", "evaluation point"),
    "case": ("案件", "case"),
    "duty": ("责任分工", "duty"),
    "record": ("记录", "record"),
    "cells": ("网格", "cell"),
    "communities": ("社区", "community"),
    "subdistricts": ("街道", "subdistrict"),
    "exclusions": ("例外区域", "exclusion"),
    "streets": ("道路", "street"),
    "points": ("测评点位", "evaluation point"),
    "cases": ("案件", "case"),
    "units": ("单位", "unit"),
    "staff": ("人员", "member of staff"),
    "duties": ("责任分工", "duty"),
    "visits": ("走访记录", "visit"),
    "classes": ("问题类别", "issue class"),
    "facilities": ("城市部件", "facility"),
}
# State of a plan or job: how it is now, and what would be done to bring it there.
NOW: dict[str, tuple[str, str]] = {
    "draft": ("是草稿", "is a draft"),
    "in_review": ("正在审查", "is in review"),
    "published": ("已发布", "is published"),
    "superseded": ("已被新版本取代", "is superseded by a later version"),
    "scheduled": ("已发布,尚未生效", "is published and not yet in force"),
    "in_force": ("生效中", "is in force"),
    "discarded": ("已废弃", "is discarded"),
    "queued": ("正在排队", "is queued"),
    "running": ("正在进行", "is running"),
    "done": ("已完成", "is done"),
    "failed": ("已失败", "has failed"),
    "cancelled": ("已取消", "is cancelled"),
}
STATE: dict[str, tuple[str, str]] = {
    "draft": ("草稿", "draft"),
    "in_review": ("审查中", "in review"),
    "scheduled": ("待生效", "scheduled"),
    "in_force": ("生效中", "in force"),
    "superseded": ("已被取代", "superseded"),
    "discarded": ("已废弃", "discarded"),
}
STAGES: dict[str, tuple[str, str]] = {
    "read": ("读取", "reading"),
    "check": ("检查", "checking"),
    "valid": ("检查图形", "checking shapes"),
    "clean": ("修复边界", "repairing borders"),
    "parts": ("检查碎块", "checking parts"),
    "gaps": ("检查缝隙", "checking gaps"),
    "log": ("记录修复", "writing the repair log"),
    "hierarchy": ("确定上级", "finding parents"),
    "certify": ("检验", "certifying"),
    "place": ("落格", "placing in cells"),
    "store": ("保存", "storing"),
    "commit": ("提交", "committing"),
    "file": ("读取文件", "reading the file"),
    "territory": ("核对辖区", "comparing with the territory"),
    "areas": ("汇总区域", "joining areas"),
    "lineage": ("比对沿革", "comparing versions"),
    "search": ("求解路线", "planning rounds"),
    "done": ("完成", "done"),
    "hotspot": ("识别热点", "finding hot spots"),
    "patrol": ("规划巡查", "planning patrols"),
    "coverage": ("统计覆盖", "judging coverage"),
    "plan": ("绘制方案", "drawing the plan"),
    "build": ("生成数据", "building the data"),
    "write": ("写出", "writing"),
    "reading": ("读取", "reading"),
}
"""What long work is doing, by the keys that it reports (``Progress``)."""
DEED: dict[str, tuple[str, str]] = {
    "draft": ("退回草稿", "taken back to draft"),
    "in_review": ("提交审查", "handed in for review"),
    "published": ("发布", "published"),
    "superseded": ("被取代", "superseded"),
    "discarded": ("废弃", "discarded"),
    "withdrawn": ("撤回", "withdrawn"),
    "cancelled": ("取消", "cancelled"),
}


def phrase(table: dict[str, tuple[str, str]], key: Any, language: Language) -> str:
    """Return the words for a key in one language, the key itself where there are none."""
    pair = table.get(str(key))
    return str(key) if pair is None else pair[0 if language == "zh" else 1]


def length(metres: float, language: Language = "zh", digits: int = 0) -> str:
    """Return a distance in metres below 1 km, else in kilometres with one digit.

    Parameters
    ----------
    metres : float
    language : {"zh", "en"}
    digits : int
        Digits after the point of metres.

    Examples
    --------
    >>> length(85.2), length(85.2, "en", 1), length(999.96, "en", 1), length(12_340)
    ('85 米', '85.2 m', '1.0 km', '12.3 千米')
    """
    metric, kilo = ("米", "千米") if language == "zh" else ("m", "km")
    if round(metres, digits) < 1000:
        return f"{metres:.{digits}f} {metric}"
    return f"{metres / 1000:,.1f} {kilo}"


def area(square_metres: float, language: Language = "zh") -> str:
    """Return an area in m², four digits of small ones, from 1 km² on in km².

    Examples
    --------
    >>> area(0.012345), area(4_321.2, "en"), area(4_977_000, "en")
    ('0.01235 平方米', '4,321 m²', '4.98 km²')
    """
    metric, kilo = ("平方米", "平方千米") if language == "zh" else ("m²", "km²")
    if square_metres < 1e6:
        number = f"{square_metres:.4g}" if square_metres < 1e3 else f"{square_metres:,.0f}"
        return f"{number} {metric}"
    return f"{square_metres / 1e6:,.2f} {kilo}"


def fine_length(metres: float, language: Language = "zh") -> str:
    """Return a length with four digits below 1 km, else in kilometres with one digit."""
    if metres >= 999.5:
        return length(metres, language)
    return f"{metres:.4g} {'米' if language == 'zh' else 'm'}"
