"""Column contracts: what they fill in, what they refuse, and how they say it."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gridsvc.errors import RejectedRows
from gridsvc.layers import CASES, CELLS, LAYERS, POINTS, STREETS, empty, normalize


def points(**columns: list[object]) -> gpd.GeoDataFrame:
    base = {
        "point_id": ["P1", "P2"], "name": ["东门菜市场", "人民路口"],
        "category": ["market", "intersection"],
    }  # fmt: skip
    return gpd.GeoDataFrame(base | columns, geometry=[shapely.Point(117.6, 26.2), None], crs=4490)


def test_defaults_and_types_are_filled_in() -> None:
    got = normalize(points(), POINTS)
    assert list(got.index) == ["P1", "P2"]
    assert got.columns.drop("geometry").tolist() == POINTS.column_names
    assert got["visit_window"].tolist() == ["day", "day"]
    assert got["service_minutes"].tolist() == [10.0, 10.0]
    assert got.geometry.iloc[1] is None
    assert got.crs.to_epsg() == 4490


def test_columns_outside_the_contract_are_dropped_and_input_is_untouched() -> None:
    frame = points(secret=["a", "b"])
    before = frame.copy()
    assert "secret" not in normalize(frame, POINTS).columns
    pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(before))


def test_every_fault_is_named_with_row_field_and_way_out() -> None:
    frame = pd.DataFrame(
        {
            "case_id": ["A", "A", None],
            "class_code": ["01010", "", "01011"],
            "reported_at": ["2024-05-01T08:00:00+08:00", "soon", "2024-05-02"],
        }
    )
    with pytest.raises(RejectedRows) as caught:
        normalize(frame, CASES, source="cases.csv")
    faults = {(f.row, f.field) for f in caught.value.faults}
    assert faults == {(2, "case_id"), (3, "case_id"), (2, "class_code"), (2, "reported_at")}
    zh = caught.value.text("zh")
    assert "第 2 行" in zh
    assert "字段 reported_at" in zh
    assert "请改正" in zh
    assert "row 3, field case_id" in str(caught.value)
    assert "cases.csv" in zh


def test_instants_become_utc() -> None:
    frame = pd.DataFrame(
        {"case_id": ["A"], "class_code": ["01"], "reported_at": ["2024-05-01T08:00:00+08:00"]}
    )
    got = normalize(frame, CASES)["reported_at"].iloc[0]
    assert got == pd.Timestamp("2024-05-01T00:00:00Z")


def test_booleans_of_files_are_read() -> None:
    frame = gpd.GeoDataFrame(
        {"street_id": ["1", "2", "3"], "bridge": ["T", "否", None]},
        geometry=[shapely.LineString([(0, 0), (1, 1)])] * 3, crs=4490,
    )  # fmt: skip
    got = normalize(frame, STREETS)
    assert got["bridge"].tolist() == [True, False, False]
    assert got["highway"].tolist() == ["residential"] * 3


def test_private_columns_are_marked() -> None:
    private = {(n, c.name) for n, la in LAYERS.items() for c in la.columns if c.private}
    assert private == {("cases", "reporter"), ("cases", "phone"), ("staff", "phone"),
                       ("units", "phone")}  # fmt: skip
    assert "phone" not in CASES.public_columns


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_empty_layers_survive_normalizing(name: str) -> None:
    layer = LAYERS[name]
    blank = empty(layer)
    again = normalize(blank, layer)
    assert len(again) == 0
    assert list(again.columns) == list(blank.columns)
    assert again.index.name == layer.key


def test_the_index_may_be_the_key() -> None:
    frame = gpd.GeoDataFrame(
        {"name": ["甲"], "community_code": ["c"], "subdistrict_code": ["s"]},
        index=pd.Index(["350404001001001"], name="code"),
        geometry=[shapely.box(117, 26, 117.1, 26.1)], crs=4490,
    )  # fmt: skip
    assert normalize(frame, CELLS).index.tolist() == ["350404001001001"]


def test_a_missing_shape_is_a_fault_where_the_layer_needs_one() -> None:
    frame = gpd.GeoDataFrame(
        {"code": ["A", "B"], "name": ["甲", "乙"], "community_code": ["c", "c"],
         "subdistrict_code": ["s", "s"]},
        geometry=[shapely.box(117, 26, 117.1, 26.1), None], crs=4490,
    )  # fmt: skip
    with pytest.raises(RejectedRows, match="row 2, field geometry"):
        normalize(frame, CELLS)
