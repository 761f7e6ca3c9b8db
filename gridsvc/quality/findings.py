"""What can be wrong with a plan: rules, their weight, and findings drawn as geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import STORAGE_EPSG
from gridsvc.phrases import area, fine_length
from gridsvc.ways import Language

Severity = Literal["blocking", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the certificate.

    Attributes
    ----------
    name : str
    test : int
        Number of the test (1 to 6) that it belongs to.
    severity : {"blocking", "warning"}
        A plan with a blocking finding cannot be published.
    unit : str
        Unit of the measure of its findings.
    zh, en : str
        Message templates over ``cells`` (codes), ``measure`` and ``detail``.
    """

    name: str
    test: int
    severity: Severity
    unit: str
    zh: str
    en: str


_RULES = (
    Rule("no_cells", 1, "blocking", "", "方案中没有网格", "the plan holds no cell"),
    Rule(
        "invalid_geometry", 1, "blocking", "m",
        "网格 {cells} 的几何无效:{detail}", "cell {cells} has an invalid shape: {detail}",
    ),
    Rule(
        "empty_geometry", 1, "blocking", "m²",
        "网格 {cells} 没有面积", "cell {cells} has no area",
    ),
    Rule(
        "not_polygon", 1, "blocking", "",
        "网格 {cells} 不是面要素,而是 {detail}", "cell {cells} is not a polygon but a {detail}",
    ),
    Rule(
        "overlap", 2, "blocking", "m²",
        "网格 {cells} 相互重叠 {area}", "cells {cells} overlap by {area}",
    ),
    Rule(
        "unmatched_edge", 2, "blocking", "m",
        "网格 {cells} 的公共边界节点不一致,长 {length}",
        "shared borders of {cells} do not match vertex by vertex over {length}",
    ),
    Rule(
        "sliver", 3, "blocking", "m²",
        "网格 {cells} 之间有窄于 {detail} 米的缝隙,面积 {area}",
        "a sliver narrower than {detail} m ({area}) lies between {cells}",
    ),
    Rule(
        "gap", 4, "blocking", "m²",
        "网格 {cells} 之间有 {area}的空洞未划入任何网格,也未登记为例外",
        "{area} between {cells} lie in no cell and in no registered exclusion",
    ),
    Rule(
        "uncovered_territory", 4, "blocking", "m²",
        "辖区内有 {area}未被网格覆盖(邻近 {cells});请修复后导入或登记例外,"
        "辖区已变时先用 gridsvc scheme territory FILE 声明",
        "{area} of the territory lie in no cell (near {cells}); import with repair or "
        "register an exclusion, or declare the new territory first "
        "(gridsvc scheme territory FILE)",
    ),
    Rule(
        "outside_territory", 4, "blocking", "m²",
        "网格 {cells} 超出辖区 {area};请修复后导入,"
        "辖区已变时先用 gridsvc scheme territory FILE 声明",
        "cell {cells} reaches {area} beyond the territory; import with repair, or "
        "declare the new territory first (gridsvc scheme territory FILE)",
    ),
    Rule(
        "over_exclusion", 4, "warning", "m²",
        "网格 {cells} 与例外区“{detail}”重叠 {area}",
        "cell {cells} covers {area} of the exclusion '{detail}'",
    ),
    Rule(
        "multipart", 5, "blocking", "parts",
        "网格 {cells} 由 {measure:.0f} 块组成且未登记为飞地;如属实,以 registered_parts 登记"
        "(导入修复时自动登记)",
        "cell {cells} has {measure:.0f} parts that are not registered; if they are real, name it "
        "in registered_parts (an import with repair does so)",
    ),
    Rule(
        "hole", 5, "blocking", "m²",
        "网格 {cells} 内有 {area}的洞且未登记;如属实,以 registered_holes 登记"
        "(导入修复时自动登记)",
        "cell {cells} has a hole of {area} that is not registered; if it is real, name "
        "the cell in registered_holes (an import with repair does so)",
    ),
    Rule(
        "duplicate_code", 6, "blocking", "cells",
        "编码 {cells} 出现 {measure:.0f} 次", "code {cells} is used {measure:.0f} times",
    ),
    Rule(
        "bad_code", 6, "blocking", "",
        "编码“{cells}”无效:{detail}", "code '{cells}' is invalid: {detail}",
    ),
    Rule(
        "code_outside_parent", 6, "blocking", "",
        "编码 {cells} 不以其上级代码 {detail} 开头",
        "code {cells} does not begin with its parent's code {detail}",
    ),
    Rule(
        "orphan_parent", 6, "blocking", "",
        "网格 {cells} 没有{detail}", "cell {cells} names no {detail}",
    ),
    Rule(
        "parent_conflict", 6, "blocking", "",
        "社区 {detail} 的网格属于不同街道(如 {cells})",
        "the cells of community {detail} name different subdistricts (such as {cells})",
    ),
    Rule(
        "parent_not_union", 6, "blocking", "m²",
        "上级区域 {detail} 与其下级网格之并相差 {area}",
        "area {detail} differs from the union of its cells by {area}",
    ),
)  # fmt: skip

TITLES_ZH: dict[str, str] = {
    "no_cells": "没有网格",
    "invalid_geometry": "几何无效",
    "empty_geometry": "没有面积",
    "not_polygon": "不是面",
    "overlap": "重叠",
    "unmatched_edge": "边界节点不一致",
    "sliver": "窄缝",
    "gap": "空洞",
    "uncovered_territory": "辖区未覆盖",
    "outside_territory": "超出辖区",
    "over_exclusion": "压占例外区",
    "multipart": "多块未登记",
    "hole": "内洞未登记",
    "duplicate_code": "编码重复",
    "bad_code": "编码无效",
    "code_outside_parent": "编码与上级不符",
    "orphan_parent": "缺少上级",
    "parent_conflict": "上级矛盾",
    "parent_not_union": "上级不等于下级之并",
}
"""Short Chinese name of each rule, for messages that list rules."""

RULES: dict[str, Rule] = {rule.name: rule for rule in _RULES}
COLUMNS = ("rule", "severity", "cells", "measure", "unit", "message_zh", "message_en")


def _measures(measure: float, language: Language) -> dict[str, object]:
    """Return a measure as templates may say it: plain, as an area or as a length."""
    said = {"area": area(measure, language), "length": fine_length(measure, language)}
    return {"measure": measure, **said}


@dataclass
class FindingList:
    """Collects findings; ``frame`` gives them in an order that depends on the data only."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        rule: str,
        cells: Sequence[str],
        geometry: Any,
        *,
        measure: float = float("nan"),
        detail: str = "",
        detail_zh: str | None = None,
    ) -> None:
        """Record one finding.

        Parameters
        ----------
        rule : str
            Name in ``RULES``.
        cells : sequence of str
            Codes concerned; messages name the first five.
        geometry : shapely geometry or None
            Where, EPSG:4490.
        measure : float
            In the rule's unit.
        detail, detail_zh : str
            Text for the message; the Chinese one defaults to the other.
        """
        known = RULES[rule]
        codes = [str(c) for c in cells]
        more = len(codes) - 5
        listed = "、".join(codes[:5]) + (f" 等 {len(codes)} 个" if more > 0 else "")
        listed_en = ", ".join(codes[:5]) + (f" and {more} more" if more > 0 else "")
        self.rows.append(
            {
                "rule": rule,
                "severity": known.severity,
                "cells": ",".join(codes),
                "measure": float(measure),
                "unit": known.unit,
                "message_zh": known.zh.format(
                    cells=listed or "—", detail=detail_zh or detail, **_measures(measure, "zh")
                ),
                "message_en": known.en.format(
                    cells=listed_en or "none", detail=detail, **_measures(measure, "en")
                ),
                "geometry": geometry,
            }
        )

    def frame(self) -> gpd.GeoDataFrame:
        """Return the findings ordered by test, rule, cells and place, EPSG:4490."""
        names = list(RULES)

        def key(row: dict[str, Any]) -> tuple[Any, ...]:
            shape = row["geometry"]
            place = () if shape is None or shape.is_empty else shape.bounds
            return (names.index(row["rule"]), row["cells"], place, row["message_en"])

        rows = sorted(self.rows, key=key)
        geometry = np.array([r["geometry"] for r in rows], dtype=object)
        table = pd.DataFrame({c: [r[c] for r in rows] for c in COLUMNS})
        table = table.astype({c: "str" for c in COLUMNS if c != "measure"})
        table["measure"] = table["measure"].astype("float64")
        return gpd.GeoDataFrame(table, geometry=geometry, crs=STORAGE_EPSG)


def place_of(geometry: Any) -> Any:
    """Return a geometry that can be drawn: missing or non-finite ones become ``None``."""
    if geometry is None or shapely.is_empty(geometry):
        return None
    return geometry if np.isfinite(shapely.get_coordinates(geometry)).all() else None
