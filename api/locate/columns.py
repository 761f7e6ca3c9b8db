"""Columns of bulk questions besides the coordinates: accuracy, class of cases, evaluation point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from gridsvc.errors import UnreadableSource
from gridsvc.services.rows import ACCURACY_NAMES, POINT_NAMES

NAMES = {"accuracy": ACCURACY_NAMES, "point": POINT_NAMES}
"""How such columns may be called; the one of classes is named by the request."""

Columns = Mapping[str, pd.Series]
"""``accuracy``, ``category`` and ``point`` as far as a question has them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for besides coordinates (accuracy always)."""

    category: str = ""
    point: bool = False

    def find(self, names: list[str], source: str) -> dict[str, str]:
        """Return the column of each field that is there.

        Raises
        ------
        UnreadableSource
            If the column of classes is missing, or one that is found stands twice.
        """
        lower = {name.lower(): name for name in reversed(names)}
        found: dict[str, str] = {}
        for field, aliases in NAMES.items():
            if field == "point" and not self.point:
                continue
            name = next((lower[a] for a in aliases if a in lower), None)
            if name is not None:
                found[field] = name
        if self.category:
            if self.category not in names:
                listing = ", ".join(names)[:120]
                raise UnreadableSource(
                    source=source,
                    reason_zh=f"没有类别列 {self.category[:80]}(现有:{listing})",
                    reason_en=f"there is no column {self.category[:80]} of classes "
                    f"(there are: {listing})",
                    hint_zh="请用 category_column 指明已有的列",
                    hint_en="name an existing column in category_column",
                )
            found["category"] = self.category
        seen = Counter(names)
        for name in found.values():
            if seen[name] > 1:
                raise UnreadableSource(
                    source=source,
                    reason_zh=f"列名 {name[:80]} 出现了 {seen[name]} 次",
                    reason_en=f"the column {name[:80]} is there {seen[name]} times",
                    hint_zh="列名不能重复",
                    hint_en="give each column a name of its own",
                )
        return found

    def known(self) -> list[str]:
        """Return the names that column JSON may have besides lon and lat."""
        return [*NAMES["accuracy"], *NAMES["point"], *filter(None, [self.category])]


def from_table(table: pa.Table, found: Mapping[str, str], source: str) -> dict[str, pd.Series]:
    """Return the columns found in a table.

    Raises
    ------
    UnreadableSource
        If one is neither of numbers nor of texts.
    """
    return {field: _series(table.column(name), name, source) for field, name in found.items()}


def _series(column: Any, name: str, source: str) -> pd.Series:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    if not (
        numeric
        or pa.types.is_null(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    ):
        raise UnreadableSource(
            source=source,
            reason_zh=f"列 {name[:80]} 的类型是 {kind}",
            reason_en=f"column {name[:80]} has type {kind}",
            hint_zh="应为数字或文字",
            hint_en="numbers or texts are expected",
        )
    return pd.Series(column.to_pylist(), name=name, dtype=object)


def from_arrays(
    document: Mapping[str, Any], found: Mapping[str, str], count: int
) -> dict[str, pd.Series]:
    """Return the arrays found in column JSON.

    Raises
    ------
    UnreadableSource
        If one is no array of as many numbers, texts and nulls as there are coordinates.
    """
    result = {}
    for field, name in found.items():
        values = document[name]
        fits = isinstance(values, list) and len(values) == count
        if not fits or not set(map(type, values)) <= {float, int, str, type(None)}:
            raise UnreadableSource(
                source="JSON",
                reason_zh=f"{name} 不是与 lon 等长的数字或文字数组",
                reason_en=f"{name} is no array of numbers or texts as long as lon",
                hint_zh="每行一个值,没有则留空值",
                hint_en="give one value for each row, null where there is none",
            )
        result[field] = pd.Series(values, name=name, dtype=object)
    return result


def require_known(names: Iterable[str], wish: Wish) -> None:
    """Refuse arrays of column JSON that nobody reads.

    Raises
    ------
    UnreadableSource
    """
    known = ["lon", "lat", *wish.known()]
    for name in names:
        if name not in known:
            raise UnreadableSource(
                source="JSON",
                reason_zh=f"没有名为 {str(name)[:80]} 的列",
                reason_en=f"there is no column {str(name)[:80]}",
                hint_zh=f"可用:{'、'.join(known)};要保留其他列请用 CSV 或 GeoParquet",
                hint_en=f"use {', '.join(known)}; CSV and GeoParquet carry other columns through",
            )


def unreadable(kind: str, error: Exception, hint_zh: str, hint_en: str) -> UnreadableSource:
    """Return the error for a body that a library could not read, in the library's words."""
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return UnreadableSource(
        source=kind, reason_zh=text, reason_en=text, hint_zh=hint_zh, hint_en=hint_en
    )
