"""Bodies of bulk locating that lie about themselves: each is refused, none harms the process."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely
from httpx2 import Response
from starlette.testclient import TestClient

from api.locate import readers
from api.locate.bulk import ARROW, CSV, JSON, PARQUET
from tests.unit.api.locate_app import serve

KINDS = (JSON, CSV, ARROW, PARQUET)
LON, LAT = [117.641, 117.642, 117.643], [26.261, 26.262, 26.263]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serve(tmp_path_factory.mktemp("hostile")) as (client, _):
        # A crash is an answer here, as in production, so that it can be counted.
        yield TestClient(client.app, raise_server_exceptions=False)


def post(client: TestClient, body: bytes, kind: str, accept: str) -> Response:
    headers = {"Content-Type": kind, "Accept": accept}
    return client.post("/api/v1/locate", content=body, headers=headers)


def refused(response: Response) -> str:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["detail"])


def stream(table: pa.Table | pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


def with_column(name: str, column: Any) -> bytes:
    names, columns = ["lon", "lat", name], [pa.array(LON), pa.array(LAT), column]
    return stream(pa.RecordBatch.from_arrays(columns, names=names))


def text_with_offsets(*offsets: int) -> Any:
    buffers = [None, pa.py_buffer(struct.pack("<4i", *offsets)), pa.py_buffer(b"abcdefghi")]
    return pa.Array.from_buffers(pa.string(), 3, buffers)


def index_beyond(index: int) -> Any:
    return pa.DictionaryArray.from_arrays(
        pa.array([0, index, 1], pa.int32()), pa.array(["a", "b"]), safe=False
    )


@pytest.mark.parametrize("accept", [CSV, PARQUET])
@pytest.mark.parametrize(
    "column",
    [
        text_with_offsets(0, 3, -500_000_000, 9),
        text_with_offsets(0, 3, 2_000_000_000, 9),
        text_with_offsets(0, 6, 3, 9),
        index_beyond(90_000_000),
        index_beyond(-7),
        pa.Array.from_buffers(
            pa.string(), 3,
            [None, pa.py_buffer(struct.pack("<4i", 0, 1, 2, 3)), pa.py_buffer(b"\xff\xfe\xfd")],
        ),
    ],
    ids=["before", "behind", "descending", "index", "negative", "no-text"],
)  # fmt: skip
def test_arrow_columns_are_proven_before_they_are_carried(
    client: TestClient, column: Any, accept: str
) -> None:
    refused(post(client, with_column("note", column), ARROW, accept))


@pytest.mark.parametrize("accept", [JSON, ARROW])
def test_columns_that_no_answer_carries_are_not_looked_at(client: TestClient, accept: str) -> None:
    body = with_column("note", text_with_offsets(0, 3, -500_000_000, 9))
    assert post(client, body, ARROW, accept).status_code == 200


def test_parquet_can_carry_what_was_proven(client: TestClient) -> None:
    body = parquet(pa.table({"lon": LON, "lat": LAT, "note": ["甲", "乙", None]}))
    answer = post(client, body, PARQUET, CSV)
    assert answer.status_code == 200
    assert "乙" in answer.text


@pytest.mark.parametrize(
    "crs", [5, "nonsense", [1], {"a": 1}, True, 1.5, "EPSG:0", "+init=/etc/hostname:x"]
)
def test_geoparquet_with_a_crs_that_is_none(client: TestClient, crs: Any) -> None:
    refused(post(client, geoparquet(crs=crs), PARQUET, JSON))


@pytest.mark.parametrize("column", ["", 0, None, [1], {"a": 1}, "missing"])
def test_geoparquet_whose_metadata_name_no_column(client: TestClient, column: Any) -> None:
    refused(post(client, geoparquet(primary=column), PARQUET, JSON))


def test_geoparquet_whose_points_are_no_bytes(client: TestClient) -> None:
    refused(post(client, geoparquet(points=pa.array([1, 2, 3])), PARQUET, JSON))


def test_geoparquet_with_collections_nested_without_end(client: TestClient) -> None:
    nested = struct.pack("<BII", 1, 7, 1) * 300_000 + struct.pack("<BIdd", 1, 1, 1.0, 2.0)
    points = pa.array([nested, shapely.to_wkb(shapely.Point(1, 2)), None], pa.binary())
    refused(post(client, geoparquet(points=points), PARQUET, JSON))


def geoparquet(*, crs: Any = None, primary: Any = "geometry", points: Any = None) -> bytes:
    if points is None:
        points = pa.array(shapely.to_wkb(shapely.points(LON, LAT)).tolist(), pa.binary())
    column = {"encoding": "WKB", "geometry_types": ["Point"]} | ({"crs": crs} if crs else {})
    geo = {"version": "1.1.0", "primary_column": primary, "columns": {"geometry": column}}
    meta = {b"geo": json.dumps(geo).encode()}
    return parquet(pa.table({"geometry": points}).replace_schema_metadata(meta))


def test_the_same_name_twice(client: TestClient) -> None:
    assert "lon" in refused(post(client, b"lon,lat,lon\n1,2,3\n", CSV, JSON))
    twice = pa.table([pa.array(LON), pa.array(LAT), pa.array(LON)], names=["lon", "lat", "lon"])
    for accept in KINDS:
        assert "lon" in refused(post(client, stream(twice), ARROW, accept))
    other = pa.table([pa.array(LON)] * 4, names=["lon", "lat", "a", "a"])
    assert post(client, stream(other), ARROW, JSON).status_code == 200
    refused(post(client, stream(other), ARROW, CSV))


def test_integers_that_no_double_holds(client: TestClient) -> None:
    large = pa.table({"lon": pa.array([2**60 + 1, 2**64 - 1], pa.uint64()), "lat": [1.0, 2.0]})
    answer = post(client, stream(large), ARROW, JSON)
    assert answer.status_code == 200
    assert answer.json()["placement"] == ["invalid_coordinates"] * 2


def test_a_time_zone_that_nobody_knows(client: TestClient) -> None:
    when = pa.array([0, 1, 2], pa.timestamp("s", tz="Mars/Olympus_Mons"))
    assert "CSV" in refused(post(client, with_column("when", when), ARROW, CSV)).upper()


def test_columns_are_limited(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_COLUMNS", 2)
    wide = pa.table({"lon": LON, "lat": LAT, "a": LON})
    for body, kind in (
        (stream(wide), ARROW),
        (parquet(wide), PARQUET),
        (b"lon,lat,a\n1,2,3\n", CSV),
    ):
        assert post(client, body, kind, CSV).status_code == 413
        assert post(client, body, kind, JSON).status_code == 200


def test_dictionaries_count_as_large_as_they_unfold(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_BYTES", 100_000)
    bomb = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(1000, np.int8)), pa.array(["x" * 10_000])
    )
    body = stream(pa.table({"lon": [1.0] * 1000, "lat": [2.0] * 1000, "note": bomb}))
    assert len(body) < 100_000
    assert post(client, body, ARROW, CSV).status_code == 413


def samples() -> dict[str, bytes]:
    table = pa.table(
        {
            "lon": LON,
            "lat": LAT,
            "note": ["a", None, "三"],
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
            "when": pa.array([0, 1, 2], pa.timestamp("ms", tz="UTC")),
            "list": [[1], None, [2, 3]],
        }
    )
    points = io.BytesIO()
    gpd.GeoDataFrame({"id": [1, 2, 3]}, geometry=shapely.points(LON, LAT), crs=4490).to_parquet(
        points
    )
    return {
        "json": json.dumps({"lon": LON, "lat": LAT}).encode(),
        "csv": 'id,lon,lat,note\n1,117.64,26.26,"a,b"\n2,,,\n3,1e2,2,三\n'.encode(),
        "arrow": stream(table),
        "plain": parquet(table),
        "geo": points.getvalue(),
    }


def mutated(body: bytes, rng: random.Random) -> bytes:
    """Return the body with a few bytes changed, some cut out, or a stretch doubled."""
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(changed))
        what = rng.random()
        if what < 0.5:
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what < 0.7:
            changed[at] ^= 1 << rng.randrange(8)
        elif what < 0.85:
            value = rng.choice((-1, 2**31 - 1, -(2**31), 500_000_000, 3))
            changed[at : at + 4] = struct.pack("<i", value)
        elif what < 0.95:
            del changed[at : at + rng.randrange(1, 9)]
        else:
            changed[at:at] = changed[at : at + 16]
        if not changed:
            return b""
    return bytes(changed)


@pytest.mark.parametrize("name", ["json", "csv", "arrow", "plain", "geo"])
def test_damaged_bodies_are_answered_or_refused(client: TestClient, name: str) -> None:
    kind = {"json": JSON, "csv": CSV, "arrow": ARROW}.get(name, PARQUET)
    body, rng = samples()[name], random.Random(name)
    seen: dict[int, int] = {}
    for _ in range(400):
        damaged, accept = mutated(body, rng), rng.choice(KINDS)
        status = post(client, damaged, kind, accept).status_code
        seen[status] = seen.get(status, 0) + 1
        assert status == 200 or 400 <= status < 500, (status, accept, damaged.hex())
    assert seen.get(200, 0) > 0, "no damaged body could still be read"
    assert seen.get(422, 0) > 0
