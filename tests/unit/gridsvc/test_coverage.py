from __future__ import annotations

from datetime import timedelta
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridsvc import layers
from gridsvc.analysis import (
    coverage,
    coverage_duties,
    coverage_points,
    coverage_territory,
    coverage_visits,
)
from gridsvc.analysis.coverage_people import duties_valid
from gridsvc.errors import InputError
from tests.unit.gridsvc.analysis_data import NOON, centres, lattice

CELLS = lattice(3, 3)
C = list(CELLS.index)
YEAR_AGO = NOON - timedelta(days=365)


def duties(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows person, role, target_kind, target_code[, valid_from, valid_to, unit]."""
    records = []
    for i, row in enumerate(rows):
        person, role, kind, code, *rest = row
        start = rest[0] if rest else YEAR_AGO
        records.append(
            {
                "duty_id": f"d{i}", "person_id": person, "role": role, "target_kind": kind,
                "target_code": code, "valid_from": start,
                "valid_to": rest[1] if len(rest) > 1 else None,
                "unit_id": rest[2] if len(rest) > 2 else None, "recorded_at": start,
            }
        )  # fmt: skip
    return layers.normalize(pd.DataFrame(records).set_index("duty_id"), layers.DUTIES)


def points(**columns: Any) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(
        {"name": ["市场", "公园", "车站"], "category": ["market", "park", "station"], **columns},
        index=pd.Index(["P1", "P2", "P3"], name="point_id"),
    )
    frame["cell_code"] = [C[0], C[4], C[8]]
    return layers.normalize(
        gpd.GeoDataFrame(frame, geometry=shapely.points(centres(CELLS)[[0, 4, 8]]), crs=4490),
        layers.POINTS,
    )


def visits(*rows: tuple[str, float, str]) -> pd.DataFrame:
    """Rows point, days ago, window."""
    frame = pd.DataFrame(
        {
            "point_id": [r[0] for r in rows],
            "visited_at": [NOON - timedelta(days=r[1]) for r in rows],
            "window": [r[2] for r in rows],
        },
        index=pd.Index([f"v{i}" for i in range(len(rows))], name="visit_id"),
    )
    return layers.normalize(frame, layers.VISITS)


def test_whole_territory_is_covered() -> None:
    territory = shapely.union_all(CELLS.geometry.to_numpy())
    uncovered, figures = coverage_territory(CELLS, territory)
    assert len(uncovered) == 0
    assert figures["share"] == 1.0
    assert figures["territory_m2"] == pytest.approx(CELLS.to_crs(4548).area.sum(), rel=1e-9)


def test_missing_cells_are_named_piece_by_piece_and_exclusions_do_not_count() -> None:
    territory = shapely.union_all(CELLS.geometry.to_numpy())
    kept = CELLS.drop(index=[C[0], C[8], C[4]])
    lake = gpd.GeoDataFrame({"kind": ["lake"]}, geometry=[CELLS.geometry.loc[C[4]]], crs=4490)
    uncovered, figures = coverage_territory(kept, territory, lake)
    assert len(uncovered) == 2
    metric = CELLS.to_crs(4548).area
    assert sorted(uncovered["area_m2"]) == pytest.approx(sorted(metric[[C[0], C[8]]]), rel=1e-9)
    assert figures["share"] == pytest.approx(6 / 8, rel=1e-4)
    assert figures["excluded_m2"] == pytest.approx(metric[C[4]], rel=1e-9)


def test_vacancies_and_doubles_are_listed() -> None:
    table = duties(
        ("a", "cell_leader", "cell", C[0]),
        ("b", "cell_leader", "cell", C[1]),
        ("c", "cell_leader", "cell", C[1]),
        ("c", "cleaner", "cell", C[2]),
    )
    counts, vacant, doubled, figures = coverage_duties(CELLS, table, NOON)
    assert vacant["cell_code"].tolist() == C[2:]
    assert set(vacant["role"]) == {"cell_leader"}
    assert doubled.to_dict("records") == [{"cell_code": C[1], "role": "cell_leader", "count": 2}]
    assert counts["staff"].tolist()[:4] == [1, 2, 1, 0]
    assert counts["role_cleaner"].tolist()[:4] == [0, 0, 1, 0]
    assert (figures["cells_with_required_roles"], figures["share"]) == (2, 2 / 9)


def test_duty_for_a_community_holds_for_its_cells() -> None:
    community = CELLS["community_code"].iloc[3]
    counts, vacant, _, _ = coverage_duties(
        CELLS, duties(("a", "cell_leader", "community", community)), NOON
    )
    assert counts.index[counts["role_cell_leader"] == 1].tolist() == C[3:6]
    assert len(vacant) == 6


def test_unit_fills_a_role_but_is_no_person() -> None:
    table = duties((None, "cell_leader", "cell", C[0], YEAR_AGO, None, "u1"))
    counts, vacant, _, _ = coverage_duties(CELLS, table, NOON)
    assert (counts.at[C[0], "staff"], counts.at[C[0], "role_cell_leader"]) == (0, 1)
    assert C[0] not in set(vacant["cell_code"])


def test_validity_is_half_open_and_records_are_bitemporal() -> None:
    ended = duties(("a", "cell_leader", "cell", C[0], YEAR_AGO, NOON))
    assert len(duties_valid(ended, NOON)) == 0
    assert len(duties_valid(ended, NOON - timedelta(microseconds=1))) == 1
    assert len(duties_valid(ended, YEAR_AGO)) == 1
    before = YEAR_AGO - timedelta(days=1)
    assert len(duties_valid(ended, YEAR_AGO, known_at=before)) == 0
    with pytest.raises(InputError, match="time zone"):
        duties_valid(ended, NOON.replace(tzinfo=None))


def test_points_have_a_person_or_else_a_unit() -> None:
    table = duties(
        ("a", "point_leader", "point", "P1"),
        (None, "point_leader", "point", "P3", YEAR_AGO, None, "u1"),
        ("b", "cell_leader", "cell", C[4]),
        ("b", "cleaner", "cell", C[8]),
    )
    answer, figures = coverage_points(points(), table, NOON, cells=CELLS)
    assert answer["responsible"].tolist() == [True, True, True]
    assert answer["responsible_by"].tolist() == ["point", "cell", "unit"]
    assert (figures["by_point_duty"], figures["by_cell_duty"], figures["share"]) == (1, 1, 1.0)
    assert (figures["by_person_duty"], figures["by_unit"], figures["none"]) == (2, 1, 0)
    past, none = coverage_points(points(), table, YEAR_AGO - timedelta(days=1), cells=CELLS)
    assert not past["responsible"].any()
    assert past["responsible_by"].isna().all()
    assert (none["none"], none["share"]) == (3, 0.0)


def test_the_unit_on_a_point_is_responsible_for_it() -> None:
    table = duties(("a", "point_leader", "point", "P1"))
    own = points(unit_id=["49 分隊", "49 分隊", None])
    answer, figures = coverage_points(own, table, NOON, cells=CELLS)
    assert answer["responsible"].tolist() == [True, True, False]
    assert answer["responsible_by"].fillna("").tolist() == ["point", "unit", ""]
    assert figures == {
        "points": 3, "with_person": 1, "by_point_duty": 1, "by_cell_duty": 0,
        "by_person_duty": 1, "by_unit": 1, "none": 1, "responsible": 2, "share": 2 / 3,
        "without_person": 2, "person_share": 1 / 3,
    }  # fmt: skip
    assert answer["answering_unit"].fillna("").tolist() == ["49 分隊", "49 分隊", ""]
    whole = coverage(CELLS, own, table, as_of=NOON)
    # A unit is no named person: both points without one are listed, with the unit where one is.
    assert whole.points_without_person.index.tolist() == ["P2", "P3"]
    assert whole.points_without_person["answering_unit"].fillna("").tolist() == ["49 分隊", ""]
    assert whole.cells.loc[[C[0], C[4], C[8]], "points_without_person"].tolist() == [0, 1, 1]
    assert whole.summary["points"]["person_share"] == 1 / 3
    assert coverage(CELLS, own, as_of=NOON).summary["points"]["person_share"] is None


def test_a_unit_holds_a_point_by_its_duty_where_the_point_names_none() -> None:
    table = duties(
        (None, "point_leader", "point", "P1", YEAR_AGO, None, "u1"),
        (None, "point_leader", "point", "P2", YEAR_AGO, None, "u2"),
    )
    answer, figures = coverage_points(points(unit_id=["u9", None, None]), table, NOON)
    assert answer["answering_unit"].fillna("").tolist() == ["u9", "u2", ""]
    assert (figures["by_unit"], figures["without_person"], figures["none"]) == (2, 3, 1)


def test_due_follows_frequency_and_window() -> None:
    table = points(visits_per_week=[1.0, 7.0, 1.0], visit_window=["day", "night", "both"])
    seen = visits(("P1", 6.5, "day"), ("P2", 0.5, "day"), ("P3", 1.0, "day"), ("P3", 2.0, "night"))
    state, figures = coverage_visits(table, seen, NOON)
    assert state["due"].tolist() == [False, True, False]
    assert state["days_since"].tolist() == pytest.approx([6.5, 0.5, 1.0])
    assert (figures["in_time"], figures["due"], figures["never_visited"]) == (2, 1, 0)
    later, _ = coverage_visits(table, seen, NOON + timedelta(days=0.6))
    assert later["due"].tolist() == [True, True, False]
    day_only = visits(("P3", 1.0, "day"))
    state, _ = coverage_visits(table, day_only, NOON)
    assert state["due"].tolist() == [True, True, True]


def test_visits_after_the_instant_do_not_count_and_zero_frequency_is_never_due() -> None:
    table = points(visits_per_week=[0.0, 1.0, 1.0])
    state, figures = coverage_visits(table, visits(("P2", -1.0, "day")), NOON)
    assert state["due"].tolist() == [False, True, True]
    assert state["last_visit"].isna().all()
    assert figures["with_frequency"] == 2


def test_nothing_over_nothing_is_null() -> None:
    none = points().iloc[:0]
    _, figures = coverage_visits(none, visits(("P1", 1.0, "day")), NOON)
    assert figures["share"] is None


def test_whole_result() -> None:
    result = coverage(
        CELLS,
        points(),
        duties(("a", "cell_leader", "cell", C[0])),
        visits(("P1", 1.0, "day")),
        plan_id="p1",
        as_of=NOON,
        territory=shapely.union_all(CELLS.geometry.to_numpy()),
    )
    assert result.cells.loc[C[0], ["points", "points_visited", "staff", "vacancies"]].tolist() == [
        1, 1, 1, 0,
    ]  # fmt: skip
    assert result.cells["points"].sum() == 3
    assert result.points_not_visited.index.tolist() == ["P2", "P3"]
    assert result.points_without_person.index.tolist() == ["P2", "P3"]
    assert len(result.vacant_cells) == 8
    assert result.summary["territory"]["share"] == 1.0
    assert result.required_roles == ("cell_leader",)
    for name in ("areas", "exclusions", "streets", "uncovered_territory"):
        assert isinstance(getattr(result, name), gpd.GeoDataFrame)
    assert result.loaded == {"duties": True, "visits": True, "staff": True}
    assert result.summary["loaded"] == result.loaded


def test_what_was_never_loaded_has_no_share() -> None:
    result = coverage(CELLS, points(), as_of=NOON)
    assert result.loaded == {"duties": False, "visits": False, "staff": False}
    shares = {k: result.summary[k]["share"] for k in ("duties", "points", "visits")}
    assert shares == {"duties": None, "points": None, "visits": None}
    assert result.summary["territory"]["share"] == 1.0
    ended = duties(("a", "cell_leader", "cell", C[0], YEAR_AGO, NOON))
    vacant = coverage(CELLS, points(), ended, visits(("P1", 90.0, "day")), as_of=NOON)
    assert vacant.loaded == {"duties": True, "visits": True, "staff": True}
    assert [vacant.summary[k]["share"] for k in ("duties", "points", "visits")] == [0.0, 0.0, 0.0]
    known = coverage(CELLS, points(), as_of=NOON, loaded={"staff": True, "visits": True})
    assert known.loaded == {"duties": False, "visits": True, "staff": True}
    assert known.summary["visits"]["share"] == 0.0


def test_bare_frames_are_enough_for_coverage() -> None:
    cells = gpd.GeoDataFrame({"code": C}, geometry=CELLS.geometry.to_numpy(), crs=4326)
    spots = gpd.GeoDataFrame(geometry=shapely.points(centres(CELLS)[[0, 4, 4]]), crs=4326)
    held = pd.DataFrame({"person_id": ["a"], "role": ["cell_leader"], "target_kind": ["cell"]})
    held = held.assign(target_code=C[4], valid_from=pd.Timestamp("2024-01-01", tz="UTC"))
    result = coverage(cells, spots, held, as_of="2024-05-01")
    assert result.as_of == NOON.replace(hour=16, day=30, month=4)
    assert result.cells["points"].tolist() == [1, 0, 0, 0, 2, 0, 0, 0, 0]
    assert result.points["responsible_by"].fillna("").tolist() == ["", "cell", "cell"]
    assert result.points["visit_window"].tolist() == ["day"] * 3
    assert len(result.points_not_visited) == 3
    assert coverage(cells, spots).as_of.tzinfo is not None
    for frames in ((cells.to_crs(4548), spots), (cells, spots.to_crs(4548))):
        with pytest.raises(InputError, match=r"\.to_crs\(4490\)"):
            coverage(*frames)
