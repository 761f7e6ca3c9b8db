"""Duties in force at an instant and how they reach cells and points."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from gridsvc.cases import Catalogue
from gridsvc.duties import DutyBook, Place, UnitRouter, duties_in_force
from gridsvc.duties.book import doubles, holders, vacancies
from gridsvc.errors import UnknownClass
from gridsvc.layers import CLASSES, DUTIES, UNITS, normalize
from gridsvc.services.joining import responsible

COMMUNITY = "350424001001"
OTHER = "350424001002"
AT = datetime(2018, 6, 1, tzinfo=UTC)


def duties(*rows: dict[str, object]) -> pd.DataFrame:
    base = {"valid_from": "2018-01-01T00:00:00Z", "recorded_at": "2018-01-01T00:00:00Z"}
    table = pd.DataFrame([{"duty_id": f"d{i}", **base, **row} for i, row in enumerate(rows)])
    return normalize(table, DUTIES)


def duty(
    kind: str, code: str, role: str, person: str | None = "p", **more: object
) -> dict[str, object]:
    return {"target_kind": kind, "target_code": code, "role": role, "person_id": person, **more}


CELLS = pd.DataFrame(
    {
        "name": ["一", "二", "三"],
        "community_code": [COMMUNITY, COMMUNITY, OTHER],
        "subdistrict_code": ["350424001"] * 3,
    },
    index=pd.Index([COMMUNITY + "001", COMMUNITY + "002", OTHER + "001"], name="code"),
)


def place(i: int, point: str | None = None) -> Place:
    row = CELLS.iloc[i]
    return Place(str(CELLS.index[i]), row["community_code"], row["subdistrict_code"], point)


@pytest.mark.parametrize(
    ("instant", "held"),
    [
        ("2017-12-31T23:59:59.999999Z", False),
        ("2018-01-01T00:00:00Z", True),
        ("2018-06-30T23:59:59.999999Z", True),
        ("2018-07-01T00:00:00Z", False),
    ],
)
def test_validity_is_half_open(instant: str, held: bool) -> None:
    table = duties(duty("cell", "c", "worker", valid_to="2018-07-01T00:00:00Z"))
    assert bool(len(duties_in_force(table, datetime.fromisoformat(instant)))) is held


def test_what_was_recorded_later_was_not_known() -> None:
    table = duties(
        duty("cell", "c", "worker"), duty("cell", "c", "police", recorded_at="2018-09-01T00:00:00Z")
    )
    assert len(duties_in_force(table, AT)) == 2
    known = duties_in_force(table, AT, known_at=datetime(2018, 8, 1, tzinfo=UTC))
    assert list(known["role"]) == ["worker"]


def test_the_most_specific_target_wins_for_each_role() -> None:
    table = duties(
        duty("subdistrict", "350424001", "leader", "s"),
        duty("community", COMMUNITY, "worker", "c"),
        duty("cell", COMMUNITY + "001", "worker", "own"),
        duty("point", "P1", "sponsor_leader", "sponsor"),
    )
    book = DutyBook.from_frame(table, AT)

    def who(p: Place) -> dict[str, tuple[str | None, str]]:
        return {a.duty.role: (a.duty.person_id, a.via) for a in book.reaching(p)}

    assert who(place(0)) == {"worker": ("own", "cell"), "leader": ("s", "subdistrict")}
    assert who(place(1)) == {"worker": ("c", "community"), "leader": ("s", "subdistrict")}
    assert who(place(2)) == {"leader": ("s", "subdistrict")}
    assert who(place(1, "P1"))["sponsor_leader"] == ("sponsor", "point")


def test_what_is_bound_to_the_city_reaches_every_cell_and_nothing_outside() -> None:
    table = duties(
        duty("city", "city", "mayor", "m"),
        duty("city", "city", "worker", "w"),
        duty("cell", str(CELLS.index[0]), "worker", "own"),
    )
    book = DutyBook.from_frame(table, AT)
    for i in range(3):
        held = {a.duty.role: (a.duty.person_id, a.via) for a in book.reaching(place(i))}
        assert held == {
            "mayor": ("m", "city"),
            "worker": ("own", "cell") if i == 0 else ("w", "city"),
        }
    assert not book.reaching(Place())
    found = holders(CELLS, table, AT)
    assert found.groupby("key")["person_id"].agg(set).tolist() == [
        {"m", "own"}, {"m", "w"}, {"m", "w"}
    ]  # fmt: skip


def test_whole_tables_agree_with_single_places() -> None:
    table = duties(
        duty("subdistrict", "350424001", "leader", "s"),
        duty("community", COMMUNITY, "worker", "c"),
        duty("cell", COMMUNITY + "001", "worker", "own"),
        duty("cell", COMMUNITY + "001", "worker", "second"),
        duty("cell", COMMUNITY + "002", "worker", "only-for-a-class", class_code="0101"),
        duty("cell", OTHER + "001", "worker", "gone", valid_to="2018-02-01T00:00:00Z"),
    )
    book = DutyBook.from_frame(table, AT)
    single = {
        (str(CELLS.index[i]), a.duty.role, a.duty.person_id, a.via)
        for i in range(3)
        for a in book.reaching(place(i))
    }
    many = holders(CELLS, table, AT)
    assert (
        set(zip(many["key"], many["role"], many["person_id"], many["via"], strict=True)) == single
    )
    assert len(many) == len(single) == 6
    placed = pd.DataFrame({"cell_code": [COMMUNITY + "002", None]}, index=["x", "y"])
    joined = responsible(placed, table, AT, cells=CELLS)
    assert set(zip(joined["key"], joined["role"], joined["person_id"], strict=True)) == {
        ("x", "worker", "c"),
        ("x", "leader", "s"),
    }


def test_vacancies_and_doubles_are_named() -> None:
    table = duties(
        duty("cell", COMMUNITY + "001", "worker", "a"),
        duty("cell", COMMUNITY + "001", "worker", "b"),
        duty("cell", COMMUNITY + "002", "worker", "c"),
    )
    missing = vacancies(CELLS, table, AT, ["worker"])
    assert missing.values.tolist() == [[OTHER + "001", "三", "worker"]]
    assert doubles(CELLS, table, AT, ["worker"]).values.tolist() == [
        [COMMUNITY + "001", "worker", 2]
    ]


def test_a_person_for_one_class_is_found_only_for_it() -> None:
    book = DutyBook.from_frame(
        duties(duty("cell", COMMUNITY + "001", "inspector", "i", class_code="01")), AT
    )
    assert book.reaching(place(0)) == ()
    found = book.reaching(place(0), class_codes=("0101", "01"))
    assert [a.duty.person_id for a in found] == ["i"]
    assert book.reaching(place(0), class_codes=("0201", "02")) == ()


# --- responsible unit ---------------------------------------------------------------------------

CATALOGUE = Catalogue.from_frame(
    normalize(
        pd.DataFrame(
            [
                ("0101", "01", "市容", "乱堆物料", "urban_management"),
                ("0102", "01", "市容", "暴露垃圾", None),
                ("0201", "02", "设施", "井盖破损", "water"),
            ],
            columns=["class_code", "major_code", "major_name", "name", "unit_kind"],
        ).assign(catalog="test"),
        CLASSES,
    )
)
UNITS_FRAME = normalize(
    pd.DataFrame(
        [
            ("um-city", "城管局", "urban_management", "350424"),
            ("um-street", "城管中队", "urban_management", "350424001"),
            ("um-else", "别处中队", "urban_management", "350424002"),
            ("office", "街道办", "subdistrict", "350424001"),
            ("committee", "社区居委会", "community", COMMUNITY),
        ],
        columns=["unit_id", "name", "kind", "area_code"],
    ),
    UNITS,
)


def router(*rows: dict[str, object]) -> UnitRouter:
    table = duties(*rows) if rows else duties(duty("cell", "elsewhere", "worker"))
    return UnitRouter(UNITS_FRAME, CATALOGUE, DutyBook.from_frame(table, AT))


def unit(kind: str, code: str, unit_id: str, **more: object) -> dict[str, object]:
    return duty(kind, code, "responsible_unit", None, unit_id=unit_id, **more)


@pytest.mark.parametrize(
    ("rows", "class_code", "at", "unit_id", "rule"),
    [
        ([], "0101", 0, "um-street", "unit_kind"),
        ([], "0102", 0, "committee", "territory"),
        ([], "0102", 2, "office", "territory"),
        ([], "0201", 0, "committee", "territory"),
        ([], None, 2, "office", "territory"),
        ([unit("class", "02", "water-co")], "0201", 0, "water-co", "class"),
        ([unit("class", "02", "a"), unit("class", "0201", "b")], "0201", 0, "b", "class"),
        (
            [unit("class", "0201", "b"), unit("community", COMMUNITY, "own", class_code="02")],
            "0201",
            0,
            "own",
            "place_and_class",
        ),
        ([unit("cell", COMMUNITY + "001", "estate")], "0102", 0, "estate", "territory"),
        ([unit("cell", COMMUNITY + "001", "estate")], "0101", 0, "um-street", "unit_kind"),
        ([duty("class", "0201", "r", "person", unit_id="x")], "0201", 0, "committee", "territory"),
    ],
)  # fmt: skip
def test_the_rule_that_chose_the_unit(
    rows: list[dict[str, object]], class_code: str | None, at: int, unit_id: str, rule: str
) -> None:
    choice = router(*rows).route(place(at), class_code)
    assert (choice.unit_id, choice.rule) == (unit_id, rule)
    assert choice.reason("zh") != choice.reason("en")


def test_nobody_is_an_answer_and_an_unknown_class_is_not() -> None:
    nowhere = Place("999999001001001", "999999001001", "999999001")
    assert router().route(nowhere, "0102").rule == "none"
    with pytest.raises(UnknownClass, match="0101"):
        router().route(place(0), "0111")
    with pytest.raises(UnknownClass, match="major class"):
        router().route(place(0), "01")


def test_major_codes_stand_for_their_minors() -> None:
    assert CATALOGUE.expand(["01", "0201"]) == ("0101", "0102", "0201")
    assert CATALOGUE.majors == {"01": "市容", "02": "设施"}
    with pytest.raises(UnknownClass):
        CATALOGUE.expand(["01", "nothing"])


def test_a_road_and_a_river_have_their_own_chiefs() -> None:
    table = duties(
        duty("road", "环城路", "road_chief", "r"),
        duty("river", "x-1", "river_chief", "v"),
        duty("cell", COMMUNITY + "001", "worker", "w"),
        duty("road", "环城路", "worker", "street-worker"),
    )
    book = DutyBook.from_frame(table, AT)
    here = Place(COMMUNITY + "001", COMMUNITY, "350424001", road_name="环城路", river_id="x-1")
    found = {a.duty.role: (a.duty.person_id, a.via) for a in book.reaching(here)}
    assert found == {
        "road_chief": ("r", "road"),
        "river_chief": ("v", "river"),
        "worker": ("street-worker", "road"),
    }
    away = {a.duty.person_id for a in book.reaching(place(0))}
    assert away == {"w"}
