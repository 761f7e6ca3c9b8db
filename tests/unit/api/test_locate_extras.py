"""What bulk locating adds when asked: the same as the answer to each place alone."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely
from starlette.testclient import TestClient

from api.locate.bulk import ARROW, CSV, JSON, PARQUET
from geodata.sources import open_source
from gridsvc.errors import RejectedRows
from gridsvc.services.rows import metres_of
from tests.unit.api.locate_app import serve
from tests.unit.locate_city import code

PATH = "/api/v1/locate"
KINDS = (JSON, CSV, ARROW, PARQUET)
LON = [117.6051, 117.6099, 117.61, 117.7, None, 0.0, 117.6251]
LAT = [26.2050, 26.2050, 26.205, 26.205, None, 0.0, 26.2050]
PLACEMENT = [
    "placed", "placed", "on_border", "outside", "no_coordinates", "invalid_coordinates", "placed",
]  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serve(tmp_path_factory.mktemp("extras")) as (client, _):
        yield client


def body_of(kind: str, columns: dict[str, list[Any]]) -> bytes:
    if kind == JSON:
        return json.dumps(columns).encode()
    sink = io.BytesIO()
    if kind == CSV:
        pd.DataFrame(columns).to_csv(sink, index=False)
    elif kind == ARROW:
        table = pa.table(columns)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        others = {k: v for k, v in columns.items() if k not in ("lon", "lat")}
        points = [
            None if x is None else shapely.Point(x, y)
            for x, y in zip(columns["lon"], columns["lat"], strict=True)
        ]
        gpd.GeoDataFrame(others, geometry=points, crs=4490).to_parquet(sink)
    return sink.getvalue()


def rows_of(kind: str, body: bytes) -> dict[str, list[Any]]:
    if kind == JSON:
        document = json.loads(body)
        return {k: v for k, v in document.items() if isinstance(v, list)}
    if kind == CSV:
        texts = {"point_id", "cell_code", "nearest_code", "community_code", "subdistrict_code"}
        frame = pd.read_csv(io.BytesIO(body), dtype=dict.fromkeys(texts, str))
        table = frame.astype(object).where(frame.notna(), None)
        return {str(k): v.tolist() for k, v in table.items()}
    if kind == ARROW:
        with pa.ipc.open_stream(body) as stream:
            found: dict[str, list[Any]] = stream.read_all().to_pydict()
        return found
    read: dict[str, list[Any]] = pyarrow.parquet.read_table(io.BytesIO(body)).to_pydict()
    return read


def ask(
    client: TestClient, kind: str, columns: dict[str, list[Any]], **query: str
) -> dict[str, list[Any]]:
    response = client.post(
        PATH, content=body_of(kind, columns), headers={"Content-Type": kind}, params=query
    )
    assert response.status_code == 200, response.text
    assert b"13800000000" not in response.content
    assert b"0598-1" not in response.content
    rows = rows_of(kind, response.content)
    assert rows["placement"] == PLACEMENT[: len(rows["placement"])]
    return rows


def plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["accuracy", "accuracy_m", ""])
def test_accuracy_of_rows_or_for_all(client: TestClient, kind: str, name: str) -> None:
    columns: dict[str, list[Any]] = {"lon": LON, "lat": LAT}
    query = {"datum": "cgcs2000"}
    accuracy: list[float | None]
    if name:
        accuracy = [100.0, 100.0, 5.0, 8000.0, 10.0, 10.0, None]
        columns[name] = accuracy
    else:
        accuracy = [40.0] * len(LON)
        query["accuracy"] = "40"
    rows = ask(client, kind, columns, **query)
    for row, (lon, lat) in enumerate(zip(LON, LAT, strict=True)):
        given = {"accuracy": accuracy[row]} if accuracy[row] is not None else {}
        if lon is None or lon == 0.0:
            assert plain(rows["boundary_distance_m"][row]) is None
            assert plain(rows["nearest_code"][row]) is None
            assert rows["ambiguous"][row] is None
            continue
        answer = client.get(PATH, params={"lon": lon, "lat": lat, **given})
        one = answer.json()
        if answer.status_code == 404:
            assert rows["nearest_code"][row] == one["nearest_cell"]
            assert rows["nearest_distance_m"][row] == pytest.approx(one["distance_m"], abs=0.006)
            assert rows["ambiguous"][row] is (accuracy[row] == 8000.0)
            assert plain(rows["boundary_distance_m"][row]) is None
            continue
        assert rows["ambiguous"][row] is one["ambiguous"]
        metres = rows["boundary_distance_m"][row]
        assert metres == pytest.approx(one["boundary_distance_m"], abs=0.006)
        assert plain(rows["nearest_code"][row]) is None
    assert True in rows["ambiguous"]
    assert False in rows["ambiguous"]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_questions_get_no_more_than_before(client: TestClient, kind: str) -> None:
    rows = ask(client, kind, {"lon": LON, "lat": LAT}, datum="cgcs2000")
    assert "boundary_distance_m" not in rows
    assert "nearest_code" not in rows


@pytest.mark.parametrize("kind", KINDS)
def test_persons_unit_and_chain_of_every_row(client: TestClient, kind: str) -> None:
    classes = ["0101", None, "0101", "0101", None, None, None]
    points = ["T2", None, None, "T1", None, None, "T1"]
    columns: dict[str, list[Any]] = {"lon": LON, "lat": LAT, "point_id": points, "小类": classes}
    rows = ask(
        client, kind, columns,
        **{"with": "persons, unit,chain", "category_column": "小类", "datum": "cgcs2000"},
    )  # fmt: skip
    for row, (lon, lat) in enumerate(zip(LON, LAT, strict=True)):
        if PLACEMENT[row] not in ("placed", "on_border"):
            for name in ("grid_worker", "sponsor_leader", "responsible_unit_id", "community_code"):
                assert rows[name][row] is None
            continue
        given = {"category": classes[row]} if classes[row] else {}
        one = client.get(PATH, params={"lon": lon, "lat": lat, **given}).json()
        held = one["persons"].get("grid_worker", [])
        assert (rows["grid_worker"][row] or "") == "; ".join(p["name"] for p in held)
        assert (rows["grid_worker_id"][row] or "") == "; ".join(p["person_id"] for p in held)
        unit = one["responsible_unit"]
        assert rows["responsible_unit_id"][row] == unit["unit_id"]
        assert rows["responsible_unit_name"][row] == unit["name"]
        assert rows["responsible_unit_rule"][row] == unit["rule"]
        levels = {level["level"]: level for level in one["chain"]}
        assert rows["community_code"][row] == levels["community"]["code"]
        assert rows["subdistrict_name"][row] == levels["subdistrict"]["name"]
        assert rows["community_leader"][row] == "王五"
    assert rows["sponsor_leader"] == ["赵六", None, None, None, None, None, None]
    assert rows["sponsor_leader_id"][0] == "P4"
    assert rows["responsible_unit_id"][0] == "U1"
    assert rows["responsible_unit_id"][1] == "U2"


def test_distance_and_nearest_alone(client: TestClient) -> None:
    rows = ask(client, JSON, {"lon": LON, "lat": LAT}, **{"with": "distance"})
    assert rows["boundary_distance_m"][2] == 0.0
    assert rows["ambiguous"] == [False, False, True, None, None, None, False]
    assert "nearest_code" not in rows
    rows = ask(client, JSON, {"lon": LON, "lat": LAT}, **{"with": "nearest"})
    assert rows["nearest_code"] == [None, None, None, code(3), None, None, None]
    assert "ambiguous" not in rows


@pytest.mark.parametrize(
    ("columns", "query", "word"),
    [
        ({"color": [1]}, {}, "color"),
        ({"category": ["0101"]}, {}, "category"),
        ({"accuracy": [-1]}, {}, "accuracy"),
        ({"accuracy_m": ["far"]}, {}, "far"),
        ({"accuracy_m": [1, 2]}, {}, "accuracy_m"),
        ({}, {"with": "phones"}, "phones"),
        ({}, {"with": "unit", "category": "9999"}, "9999"),
        ({"k": ["9999"]}, {"with": "unit", "category_column": "k"}, "9999"),
        ({}, {"with": "unit", "category_column": "k"}, "k"),
        ({}, {"accuracy": "-1"}, "accuracy"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: TestClient, columns: dict[str, Any], query: dict[str, str], word: str
) -> None:
    body = json.dumps({"lon": [117.605], "lat": [26.205], **columns})
    response = client.post(PATH, content=body, headers={"Content-Type": JSON}, params=query)
    assert response.status_code == 422, response.text
    assert word in response.text


@pytest.mark.parametrize("kind", (CSV, ARROW, PARQUET))
def test_bad_accuracy_names_its_row(client: TestClient, kind: str) -> None:
    columns: dict[str, list[Any]] = {
        "lon": [117.605] * 3,
        "lat": [26.205] * 3,
        "accuracy": [5.0, -2.0, None],
    }
    response = client.post(PATH, content=body_of(kind, columns), headers={"Content-Type": kind})
    assert response.status_code == 422, response.text
    assert "2" in response.json()["detail"]
    assert "accuracy" in response.text


def test_accuracy_column_of_names_or_twice_is_refused(client: TestClient) -> None:
    body = b"lon,lat,accuracy,accuracy\n117.605,26.205,1,2\n"
    response = client.post(PATH, content=body, headers={"Content-Type": CSV, "Accept": JSON})
    assert response.status_code == 422
    columns: dict[str, list[Any]] = {"lon": [117.605], "lat": [26.205], "accuracy": [[1.0]]}
    response = client.post(PATH, content=body_of(ARROW, columns), headers={"Content-Type": ARROW})
    assert response.status_code == 422


def test_known_at_leaves_out_what_was_recorded_later(client: TestClient) -> None:
    columns: dict[str, list[Any]] = {"lon": [117.605], "lat": [26.205]}
    now = ask(client, JSON, columns, **{"with": "persons"})
    assert now["grid_worker"] == ["张三"]
    before = ask(client, JSON, columns, **{"with": "persons", "known_at": "2017-01-01"})
    assert before.get("grid_worker", [None]) == [None]


def test_metres_of_texts_and_constants() -> None:
    texts = pd.Series([" 5 ", "", None, "7.5"], name="精度")
    assert metres_of(texts, 30.0, 4) == pytest.approx(np.array([5.0, 30.0, 30.0, 7.5]))
    assert metres_of(None, None, 4) is None
    with pytest.raises(RejectedRows) as caught:
        metres_of(pd.Series([1.0, math.inf], name="精度"), None, 2)
    assert caught.value.fields["faults"][0].row == 2


def test_table_in_geopackage_and_csv_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.api.test_locate_cli import run_json
    from tests.unit.locate_city import open_filled

    open_filled(tmp_path).dispose()
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", f"sqlite:///{tmp_path / 'city.db'}")
    source = tmp_path / "in.csv"
    source.write_text(
        "point_id,lon,lat,精度,小类\nT2,117.6051,26.205,,0101\nT9,117.6099,26.205,100,\n"
        "T8,0,0,5,\nT7,117.7,26.205,,\n",
        encoding="utf-8",
    )
    for target in (tmp_path / "out.csv", tmp_path / "out.gpkg"):
        document = run_json(
            "--file", str(source), "-o", str(target), "--datum", "cgcs2000", "--at", "2019-06-01",
            "--with", "persons,unit,chain", "--category-column", "小类", "--accuracy", "20",
        )  # fmt: skip
        assert document["counts"]["total"] == 4
        assert document["counts"]["invalid_coordinates"] == 1
        assert document["ambiguous"] == 1
        table = (
            pd.read_csv(target, dtype=str)
            if target.suffix == ".csv"
            else pd.DataFrame(open_source(target).frame.drop(columns="geometry"))
        )
        assert len(table) == 4
        assert table["placement"].tolist() == [
            "placed", "placed", "invalid_coordinates", "outside",
        ]  # fmt: skip
        assert table["sponsor_leader"].iloc[0] == "赵六"
        assert table["sponsor_leader"].iloc[1:].isna().all()
        assert table["responsible_unit_id"].fillna("").tolist() == ["U1", "U2", "", ""]
        assert table["nearest_code"].iloc[3] == code(3)
        assert table["community_name"].iloc[1] == "东街社区"
        assert "13800000000" not in table.to_csv()
