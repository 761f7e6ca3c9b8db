"""Which parent a cell gets, and what is said when that is not clear."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest

from gridsvc.errors import InputError
from gridsvc.plan import assign_hierarchy, derive_areas
from gridsvc.quality import certify
from tests.unit.gridsvc.quality_data import EPSG, four, frame, metric, square


def parents(**shapes: object) -> gpd.GeoDataFrame:
    layer = frame(shapes)
    layer["name"] = [f"名{c}" for c in layer.index]
    return layer


def test_columns_are_taken_when_they_are_there() -> None:
    cells = frame(four(), community_code=["k1", "k1", "k2", "k2"], subdistrict_code=["s"] * 4)
    result = assign_hierarchy(cells)
    assert list(result.cells["community_code"]) == ["k1", "k1", "k2", "k2"]
    assert result.orphans == ()
    assert result.ambiguous.empty
    assert result.conflicts.empty


def test_prefixes_give_community_and_subdistrict() -> None:
    cells = frame({"350404001002003": square(0, 0), "350404001003001": square(100, 0)})
    result = assign_hierarchy(cells)
    assert list(result.cells["community_code"]) == ["350404001002", "350404001003"]
    assert set(result.cells["subdistrict_code"]) == {"350404001"}
    tracts = assign_hierarchy(cells, method="prefix", community_digits=11, subdistrict_digits=6)
    assert list(tracts.cells["community_code"]) == ["35040400100", "35040400100"]


def test_the_largest_overlap_decides_and_shares_are_listed() -> None:
    west = metric([(0, 0), (130, 0), (130, 200), (0, 200)])
    east = metric([(130, 0), (200, 0), (200, 200), (130, 200)])
    result = assign_hierarchy(
        frame(four()),
        communities=parents(w=west, e=east),
        subdistricts=parents(s=square(0, 0, 200)),
    )
    assert result.cells["community_code"].to_dict() == {"a": "w", "b": "e", "c": "w", "d": "e"}
    assert set(result.cells["community_name"]) == {"名w", "名e"}
    assert set(result.cells["subdistrict_name"]) == {"名s"}
    listed = result.ambiguous.set_index("code")
    assert set(listed.index) == {"b", "d"}
    assert listed.loc["b", "first"] == "e"
    assert listed.loc["b", "first_share"] == pytest.approx(0.7, abs=1e-3)
    assert listed.loc["b", "second_share"] == pytest.approx(0.3, abs=1e-3)


def test_the_threshold_decides_what_is_ambiguous() -> None:
    west = metric([(0, 0), (103, 0), (103, 200), (0, 200)])
    east = metric([(103, 0), (200, 0), (200, 200), (103, 200)])
    layers = {"communities": parents(w=west, e=east), "subdistricts": parents(s=square(0, 0, 200))}
    assert assign_hierarchy(frame(four()), **layers).ambiguous.empty
    assert len(assign_hierarchy(frame(four()), second_share=0.01, **layers).ambiguous) == 2


def test_a_community_goes_to_one_subdistrict_and_its_dissenters_are_listed() -> None:
    community = parents(k=metric([(0, 0), (200, 0), (200, 200), (0, 200)]))
    north = metric([(0, 100), (200, 100), (200, 200), (0, 200)])
    corner = square(0, 0)
    rest = square(100, 0)
    result = assign_hierarchy(
        frame(four()), communities=community, subdistricts=parents(n=north, c=corner, r=rest)
    )
    assert set(result.cells["subdistrict_code"]) == {"n"}
    conflicts = result.conflicts.set_index("code")
    assert conflicts["own"].to_dict() == {"a": "c", "b": "r"}
    assert conflicts["chosen_share"].iloc[0] == pytest.approx(0.5, abs=1e-3)
    assert list(result.ambiguous["level"]) == ["community"]
    assert certify(result.cells).ok


def test_the_community_layer_may_name_its_subdistrict() -> None:
    community = parents(k=square(0, 0, 200)).assign(
        subdistrict_code="s9", subdistrict_name="列东街道"
    )
    result = assign_hierarchy(frame(four()), communities=community)
    assert set(result.cells["subdistrict_code"]) == {"s9"}
    assert set(result.cells["subdistrict_name"]) == {"列东街道"}


def test_cells_outside_every_parent_are_orphans() -> None:
    cells = frame(four() | {"z": square(900, 900)})
    result = assign_hierarchy(
        cells,
        communities=parents(k=square(0, 0, 200)),
        subdistricts=parents(s=square(0, 0, 200)),
    )
    assert result.orphans == ("z",)
    assert certify(result.cells).rules == ("orphan_parent",)


def test_a_forced_method_needs_its_input() -> None:
    with pytest.raises(InputError, match="community_code"):
        assign_hierarchy(frame(four()), method="columns")
    with pytest.raises(InputError, match="no parent layer"):
        assign_hierarchy(frame(four()), method="overlap")


def test_areas_are_unions_with_counts_and_parents() -> None:
    cells = frame(
        four(),
        community_code=["k1", "k1", "k2", "k2"],
        community_name=["甲", "甲", "乙", "乙"],
        subdistrict_code=["s"] * 4,
        population=pd.array([1, 2, None, 4], dtype="Int64"),
    )
    areas = derive_areas(cells, metric_epsg=EPSG, city_name="三明")
    assert list(areas.index) == ["city:city", "subdistrict:s", "community:k1", "community:k2"]
    assert areas.loc["community:k1", "parent_code"] == "s"
    assert areas.loc["subdistrict:s", "parent_code"] == "city"
    assert areas.loc["city:city", "name"] == "三明"
    assert list(areas["cell_count"]) == [4, 4, 2, 2]
    assert list(areas["population"]) == [7, 7, 3, 4]
    assert areas["area_m2"].tolist() == pytest.approx([40_000, 40_000, 20_000, 20_000], rel=1e-5)
