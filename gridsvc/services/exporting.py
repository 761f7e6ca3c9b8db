"""What an export refuses: a layer without a row, of which a file would say nothing."""

from __future__ import annotations

from collections.abc import Sized

from gridsvc.errors import NothingToWorkOn
from gridsvc.phrases import KINDS, phrase
from gridsvc.ways import way


class NothingToExport(NothingToWorkOn):
    """A layer holds no row."""

    zh = "没有{kind_zh}可导出;{hint_zh}"
    en = "there is no {kind_en} to export; {hint_en}"


_KINDS = KINDS | {
    "areas": ("社区和街道", "area"),
    "findings": ("未通过项", "finding"),
    "repairs": ("修复记录", "repair"),
}
_HINTS = {
    "areas": (
        "社区和街道在方案发布时生成,请先发布方案",
        "areas come with publication: publish first",
    ),
    "findings": ("方案符合证书的全部规则", "the plan meets every rule of the certificate"),
    "exclusions": (
        "该方案没有登记例外区域;导入网格时可用 {way:exclusions} 给出",
        "the plan registers none; give them with {way:exclusions} when cells are imported",
    ),
    "repairs": (
        "该方案的导入没有修复记录;请用 {way:plan} 指明另一个方案",
        "the import of this plan made no repair; name another one with {way:plan}",
    ),
}


def require_rows(frame: Sized, layer: str) -> None:
    """Raise ``NothingToExport`` for a layer without a row, with what to do about it.

    Parameters
    ----------
    frame : DataFrame
    layer : str
        Name of the layer, also ``areas``, ``findings``, ``repairs``.
    """
    if len(frame):
        return
    first = way("as", layer)
    zh, en = _HINTS.get(layer, (f"请先导入({first})", f"import some first ({first})"))
    raise NothingToExport(
        layer=layer,
        kind_zh=phrase(_KINDS, layer, "zh"),
        kind_en=phrase(_KINDS, layer, "en"),
        hint_zh=zh,
        hint_en=en,
    )
