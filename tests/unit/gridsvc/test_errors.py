"""Every error explains itself in both languages and keeps its facts."""

from __future__ import annotations

import pickle
import string

import pytest

from gridsvc.errors import (
    Fault,
    GridsvcError,
    OutsideCoverage,
    RejectedRows,
)


def all_errors() -> list[type[GridsvcError]]:
    found: list[type[GridsvcError]] = []
    queue = [GridsvcError]
    while queue:
        cls = queue.pop()
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return sorted(found, key=lambda c: c.__name__)


def names(template: str) -> set[str]:
    fields = {f for _, f, _, _ in string.Formatter().parse(template) if f}
    return {f.removesuffix("_zh").removesuffix("_en") for f in fields}


@pytest.mark.parametrize("cls", all_errors())
def test_both_languages_tell_the_same_facts(cls: type[GridsvcError]) -> None:
    assert names(cls.zh) == names(cls.en)
    assert any("一" <= c <= "鿿" for c in cls.zh)
    assert all(ord(c) < 0x3000 for c in cls.en)


def test_facts_are_attributes_and_survive_pickling() -> None:
    error = OutsideCoverage(lon=117.0, lat=26.0, nearest_cell="A", distance_m=12.345)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own object
    assert again.distance_m == 12.345
    assert "12.3 m" in str(again)
    assert "相距 12.3 米" in again.text("zh")


def test_long_lists_of_faults_are_counted_not_dropped() -> None:
    faults = [Fault(i, "f", "v", "错", "wrong", "改", "mend") for i in range(1, 31)]
    error = RejectedRows(source="x.csv", faults=faults)
    assert len(error.faults) == 30
    assert "and 10 more" in str(error)
    assert "row 20" in str(error)
    assert "row 21," not in str(error)
    assert len(pickle.loads(pickle.dumps(error)).faults) == 30  # noqa: S301 - our own object
