"""Classing of values for the legend: round breaks, five classes, missing hatched, never white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from maps import palette
from maps.messages import both
from maps.page import Text

Theme = dict[str, Any]
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def theme(
    key: str,
    label: Text,
    classes: Sequence[dict[str, Any]],
    index: Sequence[int],
    *,
    unit: Text | None = None,
    sequential: bool = False,
) -> Theme:
    """Return a theme document; the count of each class is filled in."""
    table = np.bincount(np.asarray(index, dtype=np.int64), minlength=len(classes))
    document: Theme = {
        "key": key,
        "label": label,
        "classes": [{**one, "count": int(n)} for one, n in zip(classes, table, strict=True)],
        "index": [int(i) for i in index],
        "sequential": sequential,
    }
    if unit is not None:
        document["unit"] = unit
    return document


def nice_floor(value: float) -> float:
    """Return the largest round number (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 × 10ⁿ) not above a value."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    mantissa = max(m for m in _NICE if m <= value / power * (1 + 1e-12))
    return float(f"{mantissa * power:.6g}")


def breaks(values: np.ndarray[Any, np.dtype[np.float64]], count: int = 5) -> list[float]:
    """Return ascending lower limits of at most ``count`` classes at round numbers."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return []
    whole = bool(np.all(positive == np.round(positive)))
    distinct = np.unique(positive)
    if len(distinct) <= count:
        return [float(v) for v in distinct]
    cuts = np.quantile(positive, np.linspace(0, 1, count + 1)[:-1])
    limits = [nice_floor(float(v)) for v in cuts]
    if whole:
        limits = [max(1.0, float(math.floor(v))) for v in limits]
    return sorted(set(limits))


def sequential(
    key: str,
    label: Text,
    values: pd.Series,
    *,
    unit: Text | None = None,
    zero: Text | None = None,
    digits: int = 0,
) -> Theme:
    """Return a choropleth of one hue with classes at round numbers.

    Parameters
    ----------
    key, label, unit
    values : Series
        Aligned to the cells; missing values are hatched.
    zero : str or dict, optional
        How a class of its own for zero is called (a vacancy, for example).
    digits : int
        Decimals of the limits shown.
    """
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    limits = breaks(numbers)
    classes: list[dict[str, Any]] = []
    whole = bool(np.all(numbers[np.isfinite(numbers)] == np.round(numbers[np.isfinite(numbers)])))
    if zero is not None:
        classes.append({"label": zero, "color": palette.OVERDUE, "hatch": "diagonal"})
    ramp = _ramp(len(limits))
    for i, low in enumerate(limits):
        high = limits[i + 1] if i + 1 < len(limits) else None
        classes.append({"label": _range(low, high, digits, whole), "color": ramp[i]})
    hole = len(classes)
    classes.append({"label": both("no_data"), "color": None, "hatch": "back"})
    offset = 1 if zero is not None else 0
    index = np.full(len(numbers), hole, dtype=np.int64)
    seen = np.isfinite(numbers)
    if limits:
        place = np.searchsorted(np.asarray(limits), numbers[seen], side="right") - 1
        index[seen] = np.maximum(place, 0) + offset
    if zero is not None:
        index[seen & (np.nan_to_num(numbers) <= 0)] = 0
    elif not limits:
        index[seen] = hole
    made = theme(key, label, classes, index.tolist(), unit=unit, sequential=True)
    return _without_empty_last(made)


def _without_empty_last(made: Theme) -> Theme:
    if made["classes"] and made["classes"][-1]["count"] == 0:
        made["classes"] = made["classes"][:-1]
    return made


def _ramp(count: int) -> list[str]:
    colors = palette.SEQUENTIAL
    if count <= 1:
        return [colors[2]] * count
    return [colors[round(i * (len(colors) - 1) / (count - 1))] for i in range(count)]


def _range(low: float, high: float | None, digits: int, whole: bool) -> Text:
    show = f"{{:,.{digits}f}}".format
    if high is None:
        return both("class_open", low=show(low))
    if whole and digits == 0:
        last = high - 1
        if last <= low:
            return show(low)
        return both("class_range", low=show(low), high=show(last))
    return both("class_range", low=show(low), high=show(high))


def categories(key: str, label: Text, values: Sequence[str], names: Sequence[Text]) -> Theme:
    """Return a theme with one colour and shape per category, ordered by frequency.

    Parameters
    ----------
    values : sequence of str
        Category of each point.
    names : sequence
        Its display name, aligned with ``values``.
    """
    counts = pd.Series(list(values), dtype="object").value_counts()
    order = sorted(counts.index, key=lambda v: (-int(counts[v]), str(v)))
    shown = dict(zip(values, names, strict=True))
    place = {value: i for i, value in enumerate(order)}
    colors, shapes = palette.POINT_COLORS, palette.POINT_SHAPES
    classes = [
        {
            "label": shown[value],
            "color": colors[i % len(colors)],
            "shape": shapes[(i // len(colors)) % len(shapes)],
        }
        for i, value in enumerate(order)
    ]
    return theme(key, label, classes, [place[v] for v in values])
