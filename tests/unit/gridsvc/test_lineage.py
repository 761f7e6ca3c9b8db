"""Lineage U/S/M/X and the difference of two versions."""

from __future__ import annotations

import importlib
import json

import geopandas as gpd
import pytest
import shapely

from gridsvc.plan import diff_plans, lineage
from tests.unit.gridsvc.quality_data import EPSG, four, frame, metric, square


def kinds(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> dict[tuple[str | None, str | None], str]:
    table = lineage(old, new, EPSG).astype(object)
    table = table.where(table.notna(), None)
    return {
        (o, n): k
        for o, n, k in zip(table["old_code"], table["new_code"], table["kind"], strict=True)
    }


def halves() -> dict[str, object]:
    south = metric([(0, 0), (100, 0), (100, 50), (0, 50)])
    north = metric([(0, 50), (100, 50), (100, 100), (0, 100)])
    return {"a1": south, "a2": north}


def test_nothing_changed_is_unchanged_whatever_the_ring_order() -> None:
    old = frame(four())
    new = old.set_geometry(shapely.reverse(old.geometry.to_numpy()))
    assert set(kinds(old, new).values()) == {"U"}
    assert lineage(old, new, EPSG)["share"].tolist() == [1.0] * 4


def test_a_new_code_for_the_same_shape_is_still_unchanged() -> None:
    old = frame(four())
    assert kinds(old, old.rename(index={"a": "x"}))["a", "x"] == "U"


def test_split_and_merge_are_told_with_shares() -> None:
    whole = frame(four())
    shapes = four()
    del shapes["a"]
    split = frame(shapes | halves())
    table = lineage(whole, split, EPSG).set_index(["old_code", "new_code"])
    assert table.loc[("a", "a1"), "kind"] == "S"
    assert table.loc[("a", "a1"), "share"] == pytest.approx(0.5, abs=1e-4)
    assert table.loc[("b", "b"), "kind"] == "U"
    back = kinds(split, whole)
    assert back["a1", "a"] == back["a2", "a"] == "M"


def test_a_moved_border_is_irregular_for_both_sides() -> None:
    moved = four() | {
        "a": metric([(0, 0), (90, 0), (100, 100), (0, 100)]),
        "b": metric([(90, 0), (200, 0), (200, 100), (100, 100)]),
    }
    found = kinds(frame(four()), frame(moved))
    assert found == {
        ("a", "a"): "X", ("a", "b"): "X", ("b", "b"): "X", ("c", "c"): "U", ("d", "d"): "U",
    }  # fmt: skip


def test_lost_and_new_ground_has_no_counterpart() -> None:
    shapes = four()
    del shapes["d"]
    found = kinds(frame(four()), frame(shapes | {"e": square(500, 500)}))
    assert found["d", None] == "X"
    assert found[None, "e"] == "X"


def test_a_split_that_also_loses_ground_is_irregular() -> None:
    shapes = four()
    del shapes["a"]
    parts = halves() | {"a2": metric([(0, 50), (100, 50), (100, 100), (40, 100)])}
    found = kinds(frame(four()), frame(shapes | parts))
    assert found["a", "a1"] == found["a", "a2"] == "X"


def test_difference_lists_ground_attributes_and_codes() -> None:
    old = frame(four(), name=["甲", "乙", "丙", "丁"], population=[1, 2, 3, 4])
    moved = four() | {
        "a": metric([(0, 0), (90, 0), (100, 100), (0, 100)]),
        "b": metric([(90, 0), (200, 0), (200, 100), (100, 100)]),
    }
    del moved["d"]
    new = frame(moved | {"e": square(100, 100)}, name=["甲", "乙二", "丙", "戊"],
                population=[1, 2, None, 4])  # fmt: skip
    diff = diff_plans(old, new, metric_epsg=EPSG)
    assert (diff.added, diff.removed, diff.reshaped) == (("e",), ("d",), ("a", "b"))
    ground = diff.ground.set_index(["old_code", "new_code"])["area_m2"]
    assert ground["a", "b"] == pytest.approx(500, rel=1e-3)
    assert ground["d", "e"] == pytest.approx(10_000, rel=1e-3)
    assert diff.moved_area_m2 == pytest.approx(10_500, rel=1e-3)
    changes = {(r["code"], r["field"]): (r["old"], r["new"])
               for r in diff.attributes.to_dict("records")}  # fmt: skip
    assert changes["b", "name"] == ("乙", "乙二")
    assert changes["c", "population"][1] is None
    assert not shapely.is_empty(diff.ground.geometry.to_numpy()).any()
    assert json.loads(json.dumps(diff.as_dict()))["lineage"] == {"U": 2, "S": 0, "M": 0, "X": 3}


def test_two_equal_plans_do_not_differ() -> None:
    cells = frame(four(), name=list("甲乙丙丁"))
    diff = diff_plans(cells, cells)
    assert (diff.added, diff.removed, diff.reshaped) == ((), (), ())
    assert diff.attributes.empty
    assert diff.ground.empty


def test_a_cell_that_goes_over_whole_has_a_share_of_exactly_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("gridsvc.plan.lineage")
    real = module.changed_overlaps

    def rounded_up(*arguments: object) -> gpd.GeoDataFrame:
        found = real(*arguments)
        return found.assign(area=found["area"] * (1 + 4e-16))

    monkeypatch.setattr(module, "changed_overlaps", rounded_up)
    shapes = four()
    del shapes["a"]
    shares = lineage(frame(shapes | halves()), frame(four()), EPSG)["share"]
    assert set(shares) == {1.0}
