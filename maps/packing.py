"""Columns of text as the browser receives them: repeated values once.

A class name or a date that thousands of features carry is written once and referred to by its
number; ``unpacked`` of the browser module brings the column back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

SHORT = 200
"""Columns below that are left as they are."""


def packed(values: Sequence[Any]) -> Any:
    """Return a column with repeated values written once, or as it is where that is no gain.

    Parameters
    ----------
    values : sequence
        Texts, texts in both languages, numbers, ``None``.

    Returns
    -------
    list or dict
        ``{"of": distinct values, "at": positions}``; for texts of two words, such as a date and
        a time, ``{"words": [column, column]}``.

    Examples
    --------
    >>> packed(["a", "b"])
    ['a', 'b']
    >>> packed(["a"] * 300)["of"]
    ['a']
    """
    column = list(values)
    if len(column) < SHORT or all(isinstance(v, int | float) for v in column):
        return column
    single = _once(column)
    if single is not None:
        return single
    if all(isinstance(v, str) and v.count(" ") == 1 for v in column):
        parts = [_once(list(part)) for part in zip(*(v.split(" ") for v in column), strict=True)]
        if all(part is not None for part in parts):
            return {"words": parts}
    return column


def _once(column: list[Any]) -> dict[str, list[Any]] | None:
    places: dict[bytes, int] = {}
    of: list[Any] = []
    at: list[int] = []
    for value in column:
        key = orjson.dumps(value)
        place = places.setdefault(key, len(of))
        if place == len(of):
            of.append(value)
        at.append(place)
    return {"of": of, "at": at} if len(of) * 3 < len(column) else None


def pack_features(layer: dict[str, Any]) -> dict[str, Any]:
    """Return a layer of cells or points with the columns of its features packed."""
    made = {**layer, "names": packed(layer["names"])}
    made["rows"] = [{**row, "values": packed(row["values"])} for row in layer["rows"]]
    return made
