"""Packed columns read back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from maps.packing import SHORT, pack_features, packed


def unpacked(column: Any) -> list[Any]:
    """What the browser module does."""
    if isinstance(column, list):
        return column
    if "of" in column:
        return [column["of"][i] for i in column["at"]]
    left, right = (unpacked(part) for part in column["words"])
    return [f"{a} {b}" for a, b in zip(left, right, strict=True)]


MANY = 3 * SHORT
COLUMNS: dict[str, tuple[list[Any], str | None]] = {
    "texts": (["路灯", "井盖"] * MANY, "of"),
    "both": ([{"zh": "是", "en": "yes"}, None, "—"] * MANY, "of"),
    "instants": ([f"2026-11-{d % 28 + 1:02d} {m % 60:02d}:05" for d, m in
                  zip(range(MANY), range(0, 7 * MANY, 7), strict=True)], None),
    "distinct": ([f"C{i}" for i in range(MANY)], None),
    "numbers": ([1, 2] * MANY, None),
    "short": (["x"] * (SHORT - 1), None),
    "two words": ([f"2026-{i % 9} {i % 100}" for i in range(30 * SHORT)], None),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_reads_back(name: str) -> None:
    column, kind = COLUMNS[name]
    made = packed(column)
    assert unpacked(made) == column
    assert (kind is None) or kind in made


def test_a_date_and_a_time_are_packed_apart() -> None:
    column = [f"2026-{i // 1440 % 7} {i % 60}" for i in range(0, 60_000, 13)]
    pairs = [f"d{i % 40} t{i % 41}" for i in range(1640)]
    assert packed(pairs) == {
        "words": [
            {"of": [f"d{i}" for i in range(40)], "at": [i % 40 for i in range(1640)]},
            {"of": [f"t{i}" for i in range(41)], "at": [i % 41 for i in range(1640)]},
        ]
    }
    assert unpacked(packed(column)) == column


def test_features_keep_everything_else() -> None:
    layer = {"names": ["a"] * 300, "rows": [{"label": "l", "values": ["v"] * 300}], "xy": [1, 2]}
    made = pack_features(layer)
    assert made["names"] == {"of": ["a"], "at": [0] * 300}
    assert made["rows"] == [{"label": "l", "values": {"of": ["v"], "at": [0] * 300}}]
    assert made["xy"] == [1, 2]
    assert layer["names"] == ["a"] * 300
