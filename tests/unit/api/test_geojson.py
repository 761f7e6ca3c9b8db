"""Frames as GeoJSON and CSV: exact coordinates, no private column, nothing that runs."""

from __future__ import annotations

import csv
import io

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon, box

from api.geojson import csv_bytes, etag_of, feature_collection, matches, plain_records
from gridsvc.crs import canonical
from gridsvc.layers import CASES, CELLS, normalize

degrees = st.floats(-180, 180, allow_nan=False)


@given(st.lists(st.tuples(degrees, st.floats(-90, 90)), min_size=1, max_size=20))
def test_canonical_coordinates_come_back_bit_by_bit(pairs: list[tuple[float, float]]) -> None:
    xy = canonical(np.array(pairs)) + 0.0
    frame = gpd.GeoDataFrame(index=[str(i) for i in range(len(xy))], geometry=shapely.points(xy))
    document = orjson.loads(feature_collection(frame, []))
    got = np.array([f["geometry"]["coordinates"] for f in document["features"]])
    assert np.array_equal(got, xy)


def cases() -> gpd.GeoDataFrame:
    frame = normalize(
        gpd.GeoDataFrame(
            {
                "case_id": ["c1", "c2"],
                "class_code": ["0101", "0102"],
                "title": ['=HYPERLINK("http://x")', "井盖,\n破损"],
                "reported_at": ["2018-02-01T00:00:00Z", "2018-02-01T08:30:00+08:00"],
                "reporter": ["张三", "李四"],
                "phone": ["13900000000", "13900000001"],
            },
            geometry=[Point(117.5, 26.25), None],
            crs=4490,
        ),
        CASES,
    )
    assert isinstance(frame, gpd.GeoDataFrame)
    return frame


def test_public_columns_only_and_missing_geometry_is_null() -> None:
    body = feature_collection(cases(), CASES.public_columns, extra={"numberReturned": 2})
    document = orjson.loads(body)
    assert document["numberReturned"] == 2
    first, second = document["features"]
    assert first["id"] == "c1"
    assert second["geometry"] is None
    assert second["properties"]["reported_at"] == "2018-02-01T00:30:00Z"
    assert first["properties"]["deadline"] is None
    assert "139" not in body.decode()
    assert "张三" not in body.decode()


def test_outer_rings_run_counterclockwise() -> None:
    clockwise = Polygon([(0, 0), (0, 1), (1, 1), (1, 0)])
    frame = gpd.GeoDataFrame(index=["a"], geometry=[clockwise], crs=4490)
    ring = orjson.loads(feature_collection(frame, []))["features"][0]["geometry"]["coordinates"][0]
    assert shapely.LinearRing(ring).is_ccw
    assert sorted(map(tuple, ring)) == sorted(clockwise.exterior.coords)


def test_csv_runs_no_formula_and_survives_commas_and_lines() -> None:
    text = csv_bytes(cases(), CASES.public_columns).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["title"].startswith("'=")
    assert rows[1]["title"] == "井盖,\n破损"
    assert (rows[0]["lon"], rows[0]["lat"]) == ("117.5", "26.25")
    assert rows[1]["lon"] == ""
    assert "phone" not in rows[0]


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_each_way_to_start_a_formula_is_disarmed(start: str) -> None:
    frame = pd.DataFrame({"name": [start]}, index=pd.Index(["k"], name="key"))
    row = next(csv.DictReader(io.StringIO(csv_bytes(frame, ["name"]).decode(), newline="")))
    assert row["name"] == "'" + start


def test_negative_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"x": [-1.5]}, index=pd.Index(["k"], name="key"))
    assert b"k,-1.5" in csv_bytes(frame, ["x"])


def test_polygons_are_well_known_text_in_csv() -> None:
    frame = normalize(
        gpd.GeoDataFrame(
            {"code": ["a"], "name": ["甲"], "community_code": ["c"], "subdistrict_code": ["s"]},
            geometry=[box(0, 0, 1, 1)],
            crs=4490,
        ),
        CELLS,
    )
    row = next(csv.DictReader(io.StringIO(csv_bytes(frame, ["name"]).decode())))
    assert shapely.from_wkt(row["wkt"]).equals(box(0, 0, 1, 1))


def test_missing_values_are_null() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "f": [1.5, float("nan")],
            "t": pd.array(["x", None], dtype="str"),
            "b": [True, False],
        }
    )
    assert plain_records(frame, ["i", "f", "t", "b"]) == [
        {"i": 1, "f": 1.5, "t": "x", "b": True},
        {"i": None, "f": None, "t": None, "b": False},
    ]
    assert plain_records(frame, []) == [{}, {}]
    assert plain_records(frame.iloc[:0], ["i"]) == []


def test_etags_compare_weakly() -> None:
    tag = etag_of("stamp", "/path")
    assert tag.startswith('W/"')
    assert matches(tag, tag)
    assert matches(f'"x", {tag.removeprefix("W/")}', tag)
    assert matches("*", tag)
    assert not matches('W/"other"', tag)
    assert not matches(None, tag)
    assert etag_of("stamp", "/other") != tag
