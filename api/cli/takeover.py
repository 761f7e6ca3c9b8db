"""What changes hands with a plan, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridsvc.duties.takeover import CARRY, Choice
from gridsvc.errors import BadOption
from gridsvc.services.takeover import Takeover

_SHOWN = 10


def choice_of_options(carry: str, successors: Sequence[str]) -> Choice:
    """Return how duties shall be carried over, from ``--carry`` and ``--successor``.

    Raises
    ------
    BadOption
    """
    rule = next((known for known in CARRY if known == carry), None)
    if rule is None:
        listing = " | ".join(CARRY)
        raise BadOption(
            option="--carry", value=carry, reason_zh=f"应为 {listing}", reason_en=f"use {listing}"
        )
    named: dict[str, tuple[str, ...]] = {}
    for text in successors:
        old, equals, new = text.partition("=")
        if not old.strip() or not equals:
            raise BadOption(
                option="--successor", value=text, reason_zh="应为 旧编码=新编码[,新编码]",
                reason_en="write OLD=NEW[,NEW]",
            )  # fmt: skip
        named[old.strip()] = tuple(code.strip() for code in new.split(",") if code.strip())
    return Choice(rule, named)


def takeover_document(found: Takeover) -> dict[str, Any]:
    """Return what changes hands for ``--json``."""
    return {
        "starts": found.starts, "carry": found.choice.carry, "counts": found.counts(),
        "rows": found.table().to_dict("records"),
    }  # fmt: skip


def takeover_lines(found: Takeover, language: str) -> list[str]:
    """Return what hangs on codes that go, what falls vacant, and the way to all of it."""
    n = found.counts()
    zh = language == "zh"
    lines = [
        f"撤销的编码上有责任 {n['duties']} 项(承接 {n['duties_carried']},到期终止 "
        f"{n['duties_ended']});换网格的点位 {n['points']}、"
        f"岗位 {n['staff']}、部件 {n['facilities']}"
        if zh
        else f"codes that go have {n['duties']} duties ({n['duties_carried']} carried over, "
        f"{n['duties_ended']} end); {n['points']} points, {n['staff']} staff posts and "
        f"{n['facilities']} facilities come into other cells"
    ]
    vacant = found.vacant
    if len(vacant):
        lines.append(
            f"将空缺:{n['cells_vacant']} 个网格、{n['roles_vacant']} 个岗位"
            if zh
            else f"will be vacant: {n['roles_vacant']} roles in {n['cells_vacant']} cells"
        )
        for code, role, before in zip(
            vacant["new_code"].head(_SHOWN), vacant["role"], vacant["before"], strict=False
        ):
            who = ", ".join(before)
            lines.append(
                f"  {code} {role}(原为 {who})" if zh else f"  {code} {role} (held by {who})"
            )
        if len(vacant) > _SHOWN:
            more = len(vacant) - _SHOWN
            lines.append(f"  …… 另有 {more} 个" if zh else f"  … {more} more")
    if n["duties"]:
        command = f"gridsvc diff {found.old_id} {found.new_id} --affected "
        lines.append(f"全部清单:{command}清单.csv" if zh else f"the whole list: {command}list.csv")
    return lines
