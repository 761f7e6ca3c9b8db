"""The SQL functions that a plain SQLite connection gets, as GeoAlchemy2 uses them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from geoalchemy2 import WKBElement, WKTElement
from geoalchemy2.shape import from_shape, to_shape

from geodata.storage.schema import schemes
from geodata.storage.sqlfunctions import register
from tests.databases import open_sql

SHAPE = shapely.Polygon([(117.1, 26.1), (117.9 + 1e-13, 26.1), (117.9, 26.7)])
ROW = {"metric_epsg": 4548, "gap_width_m": 1.0, "code_system": "cn", "timezone": "UTC", "name": "n"}


@pytest.fixture
def plain() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    register(connection)
    yield connection
    connection.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    storage = open_sql(f"sqlite:///{tmp_path / 'x.db'}")
    storage.upgrade()
    yield storage.engine
    storage.dispose()


@pytest.mark.parametrize(
    "value",
    [
        from_shape(SHAPE, srid=4490),
        from_shape(SHAPE, srid=4490, extended=True),
        WKTElement(shapely.to_wkt(SHAPE, rounding_precision=-1), srid=4490),
        f"SRID=4490;{shapely.to_wkt(SHAPE, rounding_precision=-1)}",
    ],
    ids=["wkb", "ewkb", "wkt", "ewkt"],
)
def test_geoalchemy_writes_and_reads_through_the_functions(
    engine: sa.Engine, value: WKBElement | WKTElement | str
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(schemes).values(id="a", territory=value, **ROW))
        found = connection.execute(sa.select(schemes.c.territory)).scalar_one()
        indexed = connection.exec_driver_sql("SELECT xmin, ymax FROM idx_schemes_territory").one()
    assert isinstance(found, WKBElement)
    assert found.srid == 4490
    assert shapely.to_wkb(to_shape(found)) == shapely.to_wkb(SHAPE)
    assert indexed[0] <= 117.1
    assert indexed[1] >= 26.7


def test_index_follows_updates_and_deletions(engine: sa.Engine) -> None:
    count = "SELECT count(*), max(xmax) FROM idx_schemes_territory"
    with engine.begin() as connection:
        connection.execute(sa.insert(schemes).values(id="a", territory=None, **ROW))
        assert connection.exec_driver_sql(count).one() == (0, None)
        moved = from_shape(shapely.Point(3, 4), srid=4490)
        connection.execute(sa.update(schemes).values(territory=moved))
        assert connection.exec_driver_sql(count).one() == (1, 3.0)
        connection.execute(sa.update(schemes).values(territory=None))
        assert connection.exec_driver_sql(count).one() == (0, None)
        connection.execute(sa.update(schemes).values(territory=moved))
        connection.execute(sa.delete(schemes))
        assert connection.exec_driver_sql(count).one() == (0, None)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ST_Intersects", 1), ("ST_Contains", 0), ("ST_Covers", 1), ("ST_Touches", 1),
        ("ST_Within", 0), ("ST_CoveredBy", 0), ("ST_Disjoint", 0), ("ST_Equals", 0),
    ],
)  # fmt: skip
def test_predicates_answer_like_shapely_and_null_for_null(
    plain: sqlite3.Connection, name: str, wanted: int
) -> None:
    query = f"SELECT {name}(GeomFromEWKT(?), GeomFromEWKT(?))"
    box, corner = "SRID=4490;POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))", "SRID=4490;POINT (1 1)"
    assert plain.execute(query, (box, corner)).fetchone() == (wanted,)
    assert plain.execute(query, (box, None)).fetchone() == (None,)
    assert plain.execute(query, (None, corner)).fetchone() == (None,)


def test_measures(plain: sqlite3.Connection) -> None:
    names = ["ST_SRID", "ST_AsText", "ST_IsValid", "ST_GeometryType", "AsGeoJSON", "MbrMinX",
             "MbrMaxX", "MbrMinY", "MbrMaxY"]  # fmt: skip
    query = "SELECT " + ", ".join(f"{n}(g)" for n in names) + " FROM (SELECT GeomFromEWKT(?) AS g)"
    found = plain.execute(query, ("SRID=4490;LINESTRING (1 2, 3 5)",)).fetchone()
    line = '{"type":"LineString","coordinates":[[1.0,2.0],[3.0,5.0]]}'
    assert found == (4490, "LINESTRING (1 2, 3 5)", 1, "ST_LineString", line, 1, 3, 2, 5)
    assert set(plain.execute(query, (None,)).fetchone()) == {None}


@pytest.mark.parametrize("srid", [None, 4490])
def test_bounds_of_points_are_exact(plain: sqlite3.Connection, srid: int | None) -> None:
    rng = np.random.default_rng(2)
    for x, y in rng.uniform(-180, 180, (50, 2)):
        blob = shapely.to_wkb(
            shapely.set_srid(shapely.Point(x, y), srid or 0), include_srid=srid is not None
        )
        query = "SELECT MbrMinX(?1), MbrMaxX(?1), MbrMinY(?1), MbrMaxY(?1)"
        assert plain.execute(query, (blob,)).fetchone() == (x, x, y, y)


def test_empty_geometry_has_no_bounds(plain: sqlite3.Connection) -> None:
    for shape in (shapely.Point(), shapely.Polygon(), shapely.MultiPoint()):
        blob = shapely.to_wkb(shape)
        assert plain.execute("SELECT MbrMinX(?)", (blob,)).fetchone() == (None,)


def test_transform_projects_and_marks(plain: sqlite3.Connection) -> None:
    query = "SELECT ST_SRID(g), ST_AsText(g) FROM (SELECT ST_Transform(GeomFromEWKT(?), 4548) AS g)"
    srid, text = plain.execute(query, ("SRID=4490;POINT (117 26)",)).fetchone()
    point = shapely.from_wkt(text)
    assert srid == 4548
    assert point.x == pytest.approx(500_000, abs=1e-3)
    assert point.y == pytest.approx(2_876_700, abs=2_000)
    assert plain.execute(query, (None,)).fetchone() == (None, None)


def test_garbage_is_an_error_not_a_crash(plain: sqlite3.Connection) -> None:
    for blob in (
        b"",
        b"\x01",
        b"\x01\x03\x00\x00\x00\xff\xff\xff\x7f",
        b"\x01\x01\x00\x00\x00\x00",
    ):
        with pytest.raises(sqlite3.OperationalError, match="user-defined function"):
            plain.execute("SELECT MbrMinX(?)", (blob,)).fetchone()
