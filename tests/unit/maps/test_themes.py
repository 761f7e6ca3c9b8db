"""Classes of values: round limits, missing hatched, each value in the class that names it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from maps import themes

values = st.lists(
    st.one_of(st.none(), st.integers(0, 10_000), st.floats(0.001, 1e6)), min_size=1, max_size=60
)


@given(values)
def test_every_value_has_a_class_and_counts_add_up(given_values: list[float | None]) -> None:
    made = themes.sequential("k", "label", pd.Series(given_values, dtype="float64"), zero="0")
    assert len(made["index"]) == len(given_values)
    assert all(0 <= i < len(made["classes"]) for i in made["index"])
    assert sum(one["count"] for one in made["classes"]) == len(given_values)
    for value, i in zip(given_values, made["index"], strict=True):
        one = made["classes"][i]
        if value is None:
            assert one["color"] is None
            assert one["hatch"]
        else:
            assert one["color"] is not None


@given(st.lists(st.floats(0.001, 1e6), min_size=6, max_size=80, unique=True))
def test_limits_ascend_and_none_lies_above_the_least_value(given_values: list[float]) -> None:
    limits = themes.breaks(np.asarray(given_values))
    assert limits == sorted(set(limits))
    assert 1 <= len(limits) <= 5
    assert limits[0] <= min(given_values) * (1 + 1e-9)


def test_nice_floor() -> None:
    given_values = [0, 1, 7.9, 12.3, 99, 1234, 0.026]
    assert [themes.nice_floor(v) for v in given_values] == [0, 1, 6, 10, 80, 1000, 0.025]


def test_few_whole_numbers_get_a_class_each() -> None:
    made = themes.sequential("k", "label", pd.Series([0, 1, 2, 2, None]), zero="none")
    labels = [one["label"] for one in made["classes"]]
    assert labels[0] == "none"
    assert labels[1] == "1"
    assert [one["count"] for one in made["classes"]] == [1, 1, 2, 1]


def test_categories_differ_by_colour_or_shape_and_come_by_frequency() -> None:
    kinds = [f"k{n}" for n in range(18) for _ in range(18 - n)]
    made = themes.categories("c", "label", kinds, kinds)
    looks = [(one["color"], one["shape"]) for one in made["classes"]]
    assert len(set(looks)) == 18
    counts = [one["count"] for one in made["classes"]]
    assert counts == sorted(counts, reverse=True)
