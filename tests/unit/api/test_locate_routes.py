from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from api.locate import readers
from api.locate.bulk import ARROW, CSV, JSON, PARQUET, UnknownMediaType, media_type_of
from api.locate.routes import router
from gridsvc.datum import convert
from tests.unit.api.locate_app import serve
from tests.unit.locate_city import code

PATH = "/api/v1/locate"
LON = [117.605, 117.61, 118.0, math.nan, 999.0]
LAT = [26.205, 26.205, 26.205, 26.205, 26.205]
CODES = [code(1), code(1), None, None, None]
BORDER = [False, True, False, False, False]
PLACEMENT = ["placed", "on_border", "outside", "no_coordinates", "invalid_coordinates"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serve(tmp_path_factory.mktemp("bulk")) as (client, _):
        yield client


def post(
    client: TestClient, body: bytes, kind: str, accept: str | None = None, **query: str
) -> Response:
    headers = {"Content-Type": kind, "Accept": accept or "*/*"}
    return client.post(PATH, content=body, headers=headers, params=query)


def arrow(**columns: Any) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_arrow(body: bytes) -> pa.Table:
    with pa.ipc.open_stream(body) as stream:
        return stream.read_all()


def columns(table: pa.Table) -> tuple[list[Any], ...]:
    names = ("cell_code", "on_border", "placement")
    return tuple(table.column(n).to_pylist() for n in names)


def without_nan(values: list[float]) -> list[float | None]:
    return [None if math.isnan(v) else v for v in values]


def rejected(response: Response, status: int = 422) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    return document


# --- the four kinds ------------------------------------------------------------------------------


def test_column_json(client: TestClient) -> None:
    response = client.post(PATH, json={"lon": without_nan(LON), "lat": LAT})
    assert response.status_code == 200
    assert response.headers["content-type"] == JSON
    document = response.json()
    assert document["cell_code"] == CODES
    assert document["on_border"] == BORDER
    assert document["placement"] == PLACEMENT
    assert document["count"] == 5
    assert document["plan"]["id"] == "main-2"


def test_csv_keeps_columns_and_rows(client: TestClient) -> None:
    body = "\ufeffid,经度,lat,note\n" + "".join(
        f'{i},{"" if math.isnan(x) else x},{y},"a,b\n网"\n'
        for i, (x, y) in enumerate(zip(LON, LAT, strict=True))
    )
    response = post(client, body.encode(), CSV)
    assert response.status_code == 200, response.text
    table = pd.read_csv(io.BytesIO(response.content), dtype={"cell_code": str, "id": str})
    assert table["id"].tolist() == ["0", "1", "2", "3", "4"]
    assert table["note"].tolist() == ["a,b\n网"] * 5
    assert (
        table["cell_code"].astype(object).where(table["cell_code"].notna(), None).tolist() == CODES
    )
    assert table["on_border"].tolist() == BORDER
    assert table["placement"].tolist() == PLACEMENT


def test_arrow_stream(client: TestClient) -> None:
    response = post(client, arrow(lon=LON, lat=LAT, id=list(range(5))), ARROW)
    assert response.headers["content-type"] == ARROW
    table = read_arrow(response.content)
    assert columns(table) == (CODES, BORDER, PLACEMENT)
    meta = json.loads(table.schema.metadata[b"gridsvc"])
    assert meta["plan"]["id"] == "main-2"


def test_arrow_with_nulls_integers_and_several_batches(client: TestClient) -> None:
    schema = pa.schema({"lon": pa.float32(), "lat": pa.int32()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for lon in ([117.5, None], [], [118.0]):
            values = [pa.array(lon, pa.float32()), pa.array([26] * len(lon), pa.int32())]
            writer.write_batch(pa.record_batch(values, schema=schema))
    table = read_arrow(post(client, sink.getvalue(), ARROW).content)
    assert table.column("placement").to_pylist() == ["outside", "no_coordinates", "outside"]


def test_geoparquet_round_trip(client: TestClient) -> None:
    points = gpd.points_from_xy(LON[:3], LAT[:3])
    frame = gpd.GeoDataFrame({"id": ["a", "b", "c"]}, geometry=points, crs=4490)
    sink = io.BytesIO()
    frame.to_parquet(sink)
    response = post(client, sink.getvalue(), PARQUET)
    assert response.headers["content-type"] == PARQUET
    sink = io.BytesIO(response.content)
    assert columns(pa.parquet.read_table(sink)) == (CODES[:3], BORDER[:3], PLACEMENT[:3])
    sink.seek(0)
    geo = json.loads(pa.parquet.read_schema(sink).metadata[b"geo"])
    assert geo["primary_column"] == "geometry"


def test_geoparquet_with_missing_empty_and_three_dimensional_points(client: TestClient) -> None:
    points = [shapely.Point(117.605, 26.205, 9.0), None, shapely.Point()]
    sink = io.BytesIO()
    gpd.GeoDataFrame(geometry=points, crs=4326).to_parquet(sink)
    table = pa.parquet.read_table(io.BytesIO(post(client, sink.getvalue(), PARQUET).content))
    assert columns(table)[0] == [code(1), None, None]
    assert columns(table)[2] == ["placed", "no_coordinates", "no_coordinates"]


def test_plain_parquet_becomes_geoparquet_only_when_it_was(client: TestClient) -> None:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({"lon": LON, "lat": LAT}), sink)
    response = post(client, sink.getvalue(), PARQUET)
    assert columns(pa.parquet.read_table(io.BytesIO(response.content)))[0] == CODES


@pytest.mark.parametrize("accept", [JSON, CSV, ARROW, PARQUET])
@pytest.mark.parametrize("kind", [JSON, CSV, ARROW, PARQUET])
def test_any_kind_can_be_answered_in_any_other(client: TestClient, kind: str, accept: str) -> None:
    lon, lat = LON[:3], LAT[:3]
    sink = io.BytesIO()
    gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs=4490).to_parquet(sink)
    bodies = {
        JSON: json.dumps({"lon": lon, "lat": lat}).encode(),
        CSV: pd.DataFrame({"lon": lon, "lat": lat}).to_csv(index=False).encode(),
        ARROW: arrow(lon=lon, lat=lat),
        PARQUET: sink.getvalue(),
    }
    response = post(client, bodies[kind], kind, accept)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].split(";")[0] == accept
    if accept == JSON:
        found = response.json()["cell_code"]
    elif accept == CSV:
        table = pd.read_csv(io.BytesIO(response.content), dtype=str)
        found = table["cell_code"].astype(object).where(table["cell_code"].notna(), None).tolist()
    elif accept == ARROW:
        found = columns(read_arrow(response.content))[0]
    else:
        found = columns(pa.parquet.read_table(io.BytesIO(response.content)))[0]
    assert found == CODES[:3]


def test_empty_questions_get_empty_answers(client: TestClient) -> None:
    assert client.post(PATH, json={"lon": [], "lat": []}).json()["count"] == 0
    none = pa.array([], pa.float64())
    assert read_arrow(post(client, arrow(lon=none, lat=none), ARROW).content).num_rows == 0
    assert post(client, b"lon,lat\n", CSV).status_code == 200


def test_datum_and_instant_hold_for_all_rows(client: TestClient) -> None:
    lon, lat = convert(np.array([117.605, 117.615]), np.array([26.205, 26.205]), "wgs84", "bd09")
    body = json.dumps({"lon": lon.tolist(), "lat": lat.tolist()}).encode()
    document = post(client, body, JSON, datum="bd09").json()
    assert document["cell_code"] == [code(1), code(2)]
    document = post(client, body, JSON, datum="bd09", at="2018-06-01").json()
    assert document["cell_code"] == [code(1), code(1)]
    assert document["plan"]["id"] == "main-1"


def test_bulk_agrees_with_single_answers(client: TestClient) -> None:
    rng = np.random.default_rng(4)
    lon, lat = rng.uniform(117.6, 117.63, 50), rng.uniform(26.2, 26.22, 50)
    document = client.post(PATH, json={"lon": lon.tolist(), "lat": lat.tolist()}).json()
    for x, y, found in zip(lon.tolist(), lat.tolist(), document["cell_code"], strict=True):
        assert client.get(PATH, params={"lon": x, "lat": y}).json()["cell_code"] == found


# --- what cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"[[1,2]]", b'{"lon":[1]}', b'{"lon":1,"lat":2}', b'{"points":[[1,2]]}'],
)
def test_json_of_another_form(client: TestClient, body: bytes) -> None:
    document = rejected(post(client, body, JSON))
    assert document["type"].endswith("unreadable-source")
    assert "lon" in document["detail"]


def test_json_columns_of_unequal_length(client: TestClient) -> None:
    document = rejected(client.post(PATH, json={"lon": [1, 2, 3], "lat": [1, 2]}))
    assert (document["lon_count"], document["lat_count"]) == (3, 2)


def test_json_values_that_are_no_numbers_are_named_by_row(client: TestClient) -> None:
    body = {"lon": [117.6, "x", True], "lat": [26.2, 26.2, [1]]}
    document = rejected(client.post(PATH, json=body))
    found = [(e["row"], e["field"]) for e in document["errors"]]
    assert found == [(2, "lon"), (3, "lon"), (3, "lat")]
    assert document["errors"][0]["way_out"]


def test_csv_values_that_are_no_numbers_are_named_by_row(client: TestClient) -> None:
    document = rejected(post(client, b"lon,lat\n117.6,26.2\n117.6E,26.2\n,\n", CSV))
    (fault,) = document["errors"]
    assert (fault["row"], fault["field"], fault["value"]) == (2, "lon", "117.6E")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"name,city\na,b\n", "name, city"),
        (b"lon,lat\n1,2,3\n", "CSV"),
        ("lon,lat,名称\n1,2,三\n".encode("gbk"), "UTF-8"),
        (b"", "lon"),
    ],
)
def test_csv_of_another_form(client: TestClient, body: bytes, word: str) -> None:
    document = rejected(post(client, body, CSV))
    assert word in document["detail"]


@pytest.mark.parametrize("body", [b"", b"not arrow", arrow(lon=[1.0], lat=[2.0])[:-40]])
def test_arrow_that_cannot_be_read(client: TestClient, body: bytes) -> None:
    rejected(post(client, body, ARROW))


def test_arrow_without_numbers(client: TestClient) -> None:
    document = rejected(post(client, arrow(lon=["a"], lat=["b"]), ARROW))
    assert "float64" in document["detail"]
    rejected(post(client, arrow(a=[1.0], b=[2.0]), ARROW))


def test_parquet_that_cannot_be_read(client: TestClient) -> None:
    rejected(post(client, b"PAR1", PARQUET))


def test_parquet_in_metres_or_with_lines(client: TestClient) -> None:
    sink = io.BytesIO()
    gpd.GeoDataFrame(geometry=[shapely.Point(1, 2)], crs=4548).to_parquet(sink)
    assert rejected(post(client, sink.getvalue(), PARQUET))["type"].endswith("crs-mismatch")
    sink = io.BytesIO()
    line = shapely.LineString([(0, 0), (1, 1)])
    gpd.GeoDataFrame(geometry=[line], crs=4490).to_parquet(sink)
    document = rejected(post(client, sink.getvalue(), PARQUET))
    assert document["errors"][0]["row"] == 1


def test_unknown_kinds(client: TestClient) -> None:
    assert "text/csv" in rejected(post(client, b"<a/>", "text/xml"), 415)["detail"]
    body = b'{"lon":[],"lat":[]}'
    rejected(post(client, body, JSON, "image/png"), 415)


def test_too_many_rows(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_ROWS", 3)
    many = [117.605] * 4
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({"lon": many, "lat": many}), sink)
    for body, kind in (
        (json.dumps({"lon": many, "lat": many}).encode(), JSON),
        (b"lon,lat\n" + b"1,2\n" * 4, CSV),
        (arrow(lon=many, lat=many), ARROW),
        (sink.getvalue(), PARQUET),
    ):
        document = rejected(post(client, body, kind), 413)
        assert (document["count"], document["limit"]) == (4, 3)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ARROW),
        ("*/*", ARROW),
        ("text/csv; charset=utf-8", CSV),
        ("text/html, application/json;q=0.9, */*;q=0.1", JSON),
        ("application/x-parquet", PARQUET),
        ("text/csv;q=0, application/json", JSON),
        ("text/csv;q=x, application/json;q=0.1", JSON),
    ],
)
def test_media_types(header: str | None, expected: str) -> None:
    assert media_type_of(header, ARROW) == expected


def test_media_type_that_nobody_speaks() -> None:
    with pytest.raises(UnknownMediaType):
        media_type_of("text/html", JSON)


def test_routes_are_documented() -> None:
    app = FastAPI()
    app.include_router(router)
    document = app.openapi()
    operations = document["paths"][PATH]
    assert set(operations) == {"get", "post"}
    assert {"200", "404", "422", "503"} <= set(operations["get"]["responses"])
    assert set(operations["post"]["requestBody"]["content"]) == {JSON, CSV, ARROW, PARQUET}
    assert {"404", "413", "415", "422"} <= set(operations["post"]["responses"])
    names = {p["name"] for p in operations["get"]["parameters"]}
    assert names == {"lon", "lat", "datum", "accuracy", "at", "known_at", "category"}
