"""Duties of all times opened at an instant are those in force then, and are read only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from gridsvc.cases.catalogue import Catalogue
from gridsvc.duties import book as books
from gridsvc.duties.book import DutyBook, Place
from gridsvc.duties.history import DutyHistory
from gridsvc.duties.routing import UnitRouter
from gridsvc.layers import CLASSES, DUTIES, UNITS, normalize

T0 = datetime(2018, 1, 1, tzinfo=UTC)
TARGETS = [
    ("cell", "c1"), ("cell", "c2"), ("community", "m1"), ("subdistrict", "s1"), ("class", "01"),
    ("class", "0101"), ("point", "p1"),
]  # fmt: skip
PLACES = [Place("c1", "m1", "s1"), Place("c2", "m1", "s1", "p1"), Place(), Place(None, "m1")]


def random_duties(seed: int, count: int = 300) -> pd.DataFrame:
    """Return duties that begin, end and follow each other within forty days, some withdrawn."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in map(int, rng.permutation(count)):
        kind, code = TARGETS[rng.integers(len(TARGETS))]
        begin = T0 + timedelta(days=int(rng.integers(40)))
        length = int(rng.integers(1, 20))
        end = None if rng.random() < 0.2 else begin + timedelta(days=length, microseconds=i % 2)
        rows.append(
            {
                "duty_id": f"D{i}",
                "person_id": None if rng.random() < 0.5 else f"P{i % 9}",
                "unit_id": f"U{i % 3}",
                "role": ("cell_leader", "cell_officer", "handler")[rng.integers(3)],
                "target_kind": kind,
                "target_code": code,
                "class_code": (None, "01", "0101")[rng.integers(3)],
                "valid_from": begin,
                "valid_to": end,
                "recorded_at": T0,
                "recorded_to": T0 + timedelta(days=5) if rng.random() < 0.2 else None,
            }
        )
    return normalize(pd.DataFrame(rows), DUTIES, source="duties")


def ground() -> tuple[pd.DataFrame, Catalogue]:
    """Return three units and a class."""
    units = pd.DataFrame({"unit_id": ["U0", "U1", "U2"], "name": "x", "kind": "team"})
    row = {
        "class_code": "0101", "catalog": "2018", "kind": "matter", "major_code": "01",
        "major_name": "a", "name": "b", "unit_kind": None, "deadline_hours": 4.0,
        "clock": "work_hour",
    }  # fmt: skip
    classes = normalize(pd.DataFrame([row]), CLASSES, source="classes")
    return normalize(units, UNITS, source="units"), Catalogue.from_frame(classes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("known_at", [None, T0 + timedelta(days=1), T0 + timedelta(days=9)])
def test_a_history_opens_as_the_book_of_each_instant(seed: int, known_at: datetime | None) -> None:
    duties = random_duties(seed)
    units, catalogue = ground()
    history = DutyHistory.from_frame(duties, known_at=known_at)
    router = UnitRouter(units, catalogue, DutyBook((), T0))
    seen = set()
    # The bounds themselves, and instants beside and between them.
    beside = (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(0.5))
    for at in [T0 + timedelta(days=d) + off for d in range(0, 61, 3) for off in beside]:
        plain, opened = DutyBook.from_frame(duties, at, known_at=known_at), history.at(at)
        for place in PLACES:
            for codes in (None, ("0101", "01")):
                reaching = plain.reaching(place, class_codes=codes)
                assert opened.reaching(place, class_codes=codes) == reaching
                seen |= {a.duty.duty_id for a in reaching}
            for code in (None, "0101"):
                chosen = UnitRouter(units, catalogue, plain).route(place, code)
                assert router.with_book(opened).route(place, code) == chosen
        assert opened.all() == plain.all() and len(opened) == len(plain)
    assert len(seen) > 50


def test_opening_reads_no_row_again(monkeypatch: pytest.MonkeyPatch) -> None:
    history = DutyHistory.from_frame(random_duties(0))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("duties were read again")

    monkeypatch.setattr(books, "duty_rows", refuse)
    monkeypatch.setattr(books, "duties_in_force", refuse)
    assert len(history.at(T0 + timedelta(days=20))) > 50
