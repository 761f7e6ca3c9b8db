"""Repair of drawn layers: what is healed, what is asked, and what is written down."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.errors import CrsMismatch, DecisionNeeded, InputError, Language, RejectedRows
from gridsvc.layers import EXCLUSIONS, normalize
from gridsvc.quality import RepairResult, certify, repair
from gridsvc.quality.discrepancy import Discrepancy, estimate_discrepancy
from gridsvc.quality.repair_log import COLUMNS
from tests.unit.gridsvc.quality_data import EPSG, four, frame, metric, square, stored


def area(result: RepairResult, code: str) -> float:
    return float(to_metric(result.cells.geometry[code], EPSG).area)


def actions(result: RepairResult) -> set[str]:
    return set(result.log["action"])


def certified(result: RepairResult, **options: Any) -> bool:
    return certify(
        result.cells,
        exclusions=result.exclusions,
        registered_parts=result.registered_parts,
        registered_holes=result.registered_holes,
        metric_epsg=EPSG,
        **options,
    ).ok


def keys(result: RepairResult) -> dict[str, str]:
    return {d.key: d.kind for d in result.decisions_needed}


def with_hole(width: float) -> dict[str, Any]:
    """Three by three squares; a rectangle of the given width in the middle belongs to nobody."""
    shapes = {f"{i}{j}": square(100 * i, 100 * j) for i in range(3) for j in range(3)}
    right = 200 - width
    shapes["11"] = metric([(100, 100), (right, 100), (right, 200), (100, 200)])
    shapes["10"] = metric([(100, 0), (200, 0), (200, 100), (right, 100), (100, 100)])
    shapes["12"] = metric([(100, 200), (right, 200), (200, 200), (200, 300), (100, 300)])
    return shapes


def test_a_clean_layer_comes_back_bit_by_bit() -> None:
    cells = frame(four(), name=["甲", "乙", "丙", "丁"])
    result = repair(cells)
    assert len(result.log) == 0
    assert result.moved_area_m2 == 0.0
    assert result.decisions_needed == ()
    assert list(result.cells["name"]) == ["甲", "乙", "丙", "丁"]
    same = shapely.equals_exact(
        shapely.normalize(result.cells.geometry.to_numpy()),
        shapely.normalize(cells.geometry.to_numpy()),
    )
    assert same.all()


def test_an_overlap_goes_to_one_owner_and_is_logged_with_its_area() -> None:
    shapes = four() | {"b": metric([(99, 0), (200, 0), (200, 100), (99, 100)])}
    result = repair(frame(shapes), snap_m=0.01)
    assert certified(result)
    row = result.log[result.log["action"] == "overlap_resolved"].iloc[0]
    assert row["area_m2"] == pytest.approx(100, rel=1e-3)
    assert {row["code"], row["gained_by"]} == {"a", "b"}
    assert row["area_before_m2"] - row["area_after_m2"] == pytest.approx(100, rel=1e-3)
    assert row["width_m"] == pytest.approx(1.0, rel=0.05)
    assert to_metric(row["geometry"], EPSG).area == pytest.approx(100, rel=1e-3)
    assert "重叠" in row["reason_zh"]
    assert result.moved_area_m2 == pytest.approx(100, rel=1e-2)


def test_a_narrow_gap_goes_to_the_neighbour_with_the_longest_border() -> None:
    result = repair(frame(with_hole(0.8)))
    assert certified(result)
    row = result.log[result.log["action"] == "gap_filled"].iloc[0]
    assert row["area_m2"] == pytest.approx(80, rel=1e-2)
    assert row["gained_by"] in {"11", "21"}
    assert result.moved_area_m2 == pytest.approx(80, rel=1e-2)


def test_a_wide_gap_is_asked_and_every_answer_is_obeyed() -> None:
    cells = frame(with_hole(20))
    asked = repair(cells)
    (question,) = asked.decisions_needed
    assert question.kind == "wide_gap"
    assert question.measure == pytest.approx(20, rel=0.01)
    assert not certified(asked)
    with pytest.raises(DecisionNeeded, match="gap@"):
        asked.require_decided()
    filled = repair(cells, decisions={question.key: "fill"})
    assert filled.decisions_needed == ()
    filled.require_decided()
    assert certified(filled)
    assert area(filled, "11") + area(filled, "21") == pytest.approx(20_000, rel=1e-3)
    registered = repair(cells, decisions={question.key: "exclude"})
    assert certified(registered)
    assert list(registered.exclusions["kind"]) == ["gap"]
    assert "gap_excluded" in actions(registered)
    assert len(repair(cells, wide_gaps="exclude").exclusions) == 1
    assert repair(cells, wide_gaps="leave").decisions_needed == ()
    assert certified(repair(cells, fill_width_m=30.0))


def test_a_gap_inside_an_exclusion_stays() -> None:
    river = gpd.GeoDataFrame({"kind": ["water"]}, index=["x1"], crs=4490,
                             geometry=[stored(metric([(180, 100), (200, 100), (200, 200),
                                                      (180, 200)]))])  # fmt: skip
    result = repair(frame(with_hole(20)), exclusions=normalize(river, EXCLUSIONS))
    assert result.decisions_needed == ()
    assert list(result.exclusions.index) == ["x1"]
    assert certified(result)


@pytest.mark.parametrize("width", [0.05, 0.4, 0.9])
def test_an_inlet_at_the_rim_is_closed(width: float) -> None:
    left = metric([(0, 0), (100, 0), (100, 50), (100, 100), (0, 100)])
    right = metric([(100 + width, 0), (200, 0), (200, 100), (100, 100), (100, 50)])
    result = repair(frame({"a": left, "b": right}), snap_m=0.001)
    assert certified(result)
    assert "gap_filled" in actions(result)


def test_a_layer_drawn_half_a_metre_off_is_snapped_as_a_whole() -> None:
    rng = np.random.default_rng(7)
    shapes = {}
    for i in range(6):
        for j in range(6):
            ring = np.array([(0, 0), (50, 0), (100, 0), (100, 50), (100, 100), (50, 100),
                             (0, 100), (0, 50)], dtype=float)  # fmt: skip
            ring += (100 * i, 100 * j)
            shapes[f"{i}{j}"] = metric(
                [tuple(p) for p in ring + rng.uniform(-0.4, 0.4, ring.shape)]
            )
    result = repair(frame(shapes))
    assert 0.2 < result.discrepancy_m < 1.0
    assert result.snap_m <= 2.5 * result.discrepancy_m + 1e-3
    assert result.decisions_needed == ()
    assert certified(result)
    assert result.moved_share < 0.02
    before = to_metric(frame(shapes).geometry.to_numpy(), EPSG)
    after = to_metric(result.cells.geometry.to_numpy(), EPSG)
    assert np.abs(shapely.area(after) / shapely.area(before) - 1).max() < 0.05


def test_few_bad_edges_do_not_snap_the_whole_layer() -> None:
    assert Discrepancy(0.9, 0.001, False).snap_m == 0.01
    assert Discrepancy(0.9, 0.2, False).snap_m == 2.25
    assert Discrepancy(15.0, 0.2, False).snap_m == 0.01
    assert Discrepancy(0.0, 0.0, True).snap_m == 0.001
    shapes = to_metric(frame(four()).geometry.to_numpy(), EPSG)
    assert estimate_discrepancy(shapes) == Discrepancy(0.0, 0.0, True)


def test_a_bow_tie_is_made_valid_and_logged() -> None:
    bow = metric([(0, 0), (100, 100), (100, 0), (0, 100)])
    result = repair(frame({"a": bow, "b": square(100, 0)}))
    row = result.log[result.log["action"] == "made_valid"].iloc[0]
    assert row["code"] == "a"
    assert "Self-intersection" in row["reason_en"]
    assert result.cells.geometry["a"].is_valid


def test_lines_in_a_collection_are_dropped() -> None:
    line = stored(shapely.LineString([(563_000, 2_905_300), (563_400, 2_905_300)]))
    cells = frame(four())
    mixed = shapely.GeometryCollection([cells.geometry["a"], line])
    cells.loc["a", "geometry"] = mixed
    result = repair(cells)
    assert actions(result) == {"lines_dropped"}
    assert area(result, "a") == pytest.approx(10_000, rel=1e-5)


def test_a_covered_cell_vanishes_only_by_decision() -> None:
    cells = frame(four() | {"e": square(20, 20, 10)})
    asked = repair(cells)
    assert keys(asked) == {"e": "vanished"}
    assert asked.cells.geometry["e"].is_empty
    assert len(asked.cells) == 5
    dropped = repair(cells, decisions={"e": "drop"})
    assert "e" not in dropped.cells.index
    assert "dropped" in actions(dropped)
    assert certified(dropped)
    carved = repair(cells, decisions={"e": "carve"})
    assert carved.decisions_needed == ()
    assert area(carved, "e") == pytest.approx(100, rel=1e-3)
    assert area(carved, "a") == pytest.approx(9900, rel=1e-3)


def test_one_of_two_equal_cells_is_asked_about() -> None:
    asked = repair(frame(four() | {"e": square(0, 0)}))
    assert list(keys(asked).values()) == ["vanished"]
    (question,) = asked.decisions_needed
    assert {"a", "e"} - {question.key} < set(
        question.en.replace("(", " ").replace(")", " ").split()
    )


def test_a_cell_that_loses_most_of_its_ground_is_asked_about() -> None:
    shapes = four() | {"e": metric([(150, 195), (250, 195), (250, 205), (150, 205)])}
    shapes["d"] = metric([(100, 100), (240, 100), (240, 200), (100, 200)])
    shapes["e"] = metric([(110, 120), (245, 120), (245, 180), (110, 180)])
    asked = repair(frame(shapes))
    assert keys(asked) == {"e": "shrunk"}
    assert asked.decisions_needed[0].measure < 0.5
    accepted = repair(frame(shapes), decisions={"e": "accept"})
    assert accepted.decisions_needed == ()


def dumbbell() -> dict[str, Any]:
    """A cell with a neck that its neighbours both claim."""
    neck = metric(
        [(0, 0), (100, 0), (100, 45), (200, 45), (200, 0), (300, 0), (300, 100), (200, 100),
         (200, 55), (100, 55), (100, 100), (0, 100)]
    )  # fmt: skip
    south = metric([(100, 0), (200, 0), (200, 51), (100, 51)])
    north = metric([(100, 49), (200, 49), (200, 100), (100, 100)])
    return {"n": neck, "s": south, "t": north}


def test_a_cell_falls_apart_only_by_decision() -> None:
    asked = repair(frame(dumbbell()))
    assert keys(asked) == {"n": "fell_apart"}
    kept = repair(frame(dumbbell()), decisions={"n": "keep_parts"})
    assert kept.decisions_needed == ()
    assert kept.registered_parts == ("n",)
    assert certified(kept)
    largest = repair(frame(dumbbell()), decisions={"n": "keep_largest"})
    assert largest.decisions_needed == ()
    assert largest.registered_parts == ()
    assert shapely.get_num_geometries(largest.cells.geometry["n"]) == 1
    assert certified(largest)
    assert "transferred" in actions(largest)


def test_parts_and_enclaves_of_the_source_are_registered() -> None:
    around = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (20, 30), (30, 30), (30, 20)]
    )
    island = shapely.MultiPolygon([square(100, 0), square(500, 500, 50)])
    result = repair(frame({"a": around, "b": island, "e": square(20, 20, 10)}))
    assert result.registered_parts == ("b",)
    assert result.registered_holes == ("a",)
    assert certified(result)


def test_cells_are_fitted_to_the_declared_territory() -> None:
    territory = stored(metric([(-0.5, 0), (199.2, 0), (199.2, 200), (-0.5, 200)]))
    result = repair(frame(four()), territory=territory)
    assert result.decisions_needed == ()
    assert {"trimmed", "gap_filled"} <= actions(result)
    assert certified(result, territory=territory)
    assert result.moved_area_m2 == pytest.approx(200 * 0.5 + 200 * 0.8, rel=0.02)


def test_a_wide_strip_of_territory_without_cell_is_asked_about() -> None:
    territory = stored(metric([(0, 0), (240, 0), (240, 200), (0, 200)]))
    asked = repair(frame(four()), territory=territory)
    (question,) = asked.decisions_needed
    assert question.kind == "wide_uncovered"
    assert question.measure == pytest.approx(40, rel=0.01)
    filled = repair(frame(four()), territory=territory, decisions={question.key: "fill"})
    assert certified(filled, territory=territory)


def test_the_result_is_the_same_in_every_run_and_on_the_lattice() -> None:
    cells = frame(four() | {"b": metric([(99.3, 0), (200, 0), (200, 100), (99.6, 100)])})
    first, second = repair(cells), repair(cells)
    assert shapely.to_wkb(first.cells.geometry.to_numpy()).tolist() == (
        shapely.to_wkb(second.cells.geometry.to_numpy()).tolist()
    )
    assert first.log.to_json() == second.log.to_json()
    shapes = first.cells.geometry.to_numpy()
    assert shapely.equals_exact(canonical_geometry(shapes), shapes).all()
    again = repair(first.cells)
    assert again.moved_area_m2 == 0.0
    assert len(again.log) == 0


def test_the_log_has_its_columns_and_crs_even_when_empty() -> None:
    log = repair(frame(four())).log
    assert [*COLUMNS, "geometry"] == list(log.columns)
    assert log.crs.to_epsg() == 4490


def test_a_projected_layer_is_accepted_and_one_without_crs_is_not() -> None:
    projected = frame(four()).to_crs(EPSG)
    assert certified(repair(projected))
    with pytest.raises(CrsMismatch):
        repair(projected.set_crs(None, allow_override=True))


def not_a_number() -> shapely.Geometry:
    with np.errstate(invalid="ignore"):
        return shapely.from_wkt("POLYGON ((117 26, NaN 26, 117 27, 117 26))")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "no shape"),
        (shapely.Point(117.6, 26.2), "is a Point"),
        (not_a_number(), "NaN"),
    ],
)
def test_rows_that_cannot_be_cells_are_named(shape: shapely.Geometry | None, words: str) -> None:
    cells = frame(four())
    geometry = cells.geometry.to_numpy().copy()
    geometry[2] = shape
    with pytest.raises(RejectedRows, match=words) as caught:
        repair(gpd.GeoDataFrame(geometry=geometry, index=cells.index, crs=4490))
    assert [f.row for f in caught.value.faults] == [3]
    assert caught.value.faults[0].way_out_zh


def test_repeated_codes_and_empty_layers_are_refused() -> None:
    twice = frame(four()).set_axis(["a", "b", "a", "d"], axis=0)
    with pytest.raises(RejectedRows, match="repeats row 1"):
        repair(twice)
    with pytest.raises(RejectedRows, match="no record"):
        repair(gpd.GeoDataFrame(geometry=[], crs=4490))


def test_a_cell_of_zero_area_is_asked_about() -> None:
    flat = metric([(0, 0), (50, 0), (100, 0)])
    asked = repair(frame(four() | {"z": flat}))
    assert keys(asked) == {"z": "no_area"}
    assert "z" not in repair(frame(four() | {"z": flat}), decisions={"z": "drop"}).cells.index


def test_impossible_answers_are_refused() -> None:
    with pytest.raises(InputError, match="no cell 'q'"):
        repair(frame(four()), decisions={"q": "drop"})
    with pytest.raises(InputError, match="keep_parts"):
        repair(frame(four()), decisions={"a": "burn"})
    with pytest.raises(InputError, match="snap_m"):
        repair(frame(four()), snap_m=-1.0)


def test_progress_runs_from_start_to_end() -> None:
    seen: list[tuple[str, float]] = []
    repair(frame(four()), progress=lambda stage, done: seen.append((stage, done)))
    assert seen[0] == ("valid", 0.0)
    assert seen[-1] == ("done", 1.0)
    assert [d for _, d in seen] == sorted(d for _, d in seen)


def test_the_certificate_takes_the_result_of_a_repair_as_it_is() -> None:
    island = shapely.MultiPolygon([square(100, 0), square(500, 500, 50)])
    around = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (20, 30), (30, 30), (30, 20)]
    )
    result = repair(frame({"a": around, "b": island, "e": square(20, 20, 10)}))
    assert certify(result).ok
    bare = certify(result.cells)
    assert not bare.ok
    assert bare.findings["message_en"].str.contains("registered_(?:parts|holes)").all()
    gaps = repair(frame(with_hole(5)), wide_gaps="exclude")
    assert certify(gaps).ok
    assert not certify(gaps.cells).ok


def test_questions_stand_one_per_line_with_what_to_type() -> None:
    shapes = {f"{i:02d}": square(100 * i, 0) for i in range(25)}
    copies = {f"x{i:02d}": square(100 * i, 0) for i in range(25)}
    result = repair(frame(shapes | copies))
    with pytest.raises(DecisionNeeded) as caught:
        result.require_decided()
    expected: tuple[tuple[Language, str, str], ...] = (
        ("zh", "共 25 项", "另有 5 项"), ("en", "25 open", "5 more"),
    )  # fmt: skip
    for language, first, last in expected:
        lines = caught.value.text(language).splitlines()
        assert first in lines[0]
        assert last in lines[-1]
        assert len(lines) == 22
        for question, line in zip(result.decisions_needed, lines[1:-1], strict=False):
            assert all(f"decisions={question.key}={o}" in line for o in question.options)
            assert "()" not in line
            assert "()" not in line
            assert f"({question.key})" not in line


def test_a_cell_outside_the_territory_says_so() -> None:
    territory = stored(square(0, 0, 200, 100))
    result = repair(
        frame({"a": square(0, 0), "b": square(100, 0), "z": square(200, 0, 0.8, 100)}),
        territory=territory,
    )
    (question,) = result.decisions_needed
    assert (question.key, question.kind) == ("z", "vanished")
    assert "在现行辖区之外" in question.zh
    assert "territory" in question.en
