"""The peer of one locate request: PostGIS with the whole city in it, asked once per request.

The answer has the same content as ours: cell, chain, persons with their unit, distance to the
boundary, neighbours at that distance and the nearest point. Metric geometries are stored and
indexed, so that no polygon is transformed per request.
"""

from __future__ import annotations

from typing import Any

import shapely

METRIC = 4548
CELL = (
    "SELECT code FROM bench_cells "
    "WHERE ST_Covers(geom, ST_SetSRID(ST_MakePoint(%s, %s), 4490)) ORDER BY code LIMIT 1"
)
TABLES = ("bench_cells", "bench_staff", "bench_duties", "bench_units", "bench_points")
ANSWER = f"""
WITH place AS MATERIALIZED (
  SELECT p, ST_Transform(p, {METRIC}) AS m
  FROM (SELECT ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) AS p) AS given
), cell AS MATERIALIZED (
  SELECT c.*, ST_Distance(c.border, place.m) AS gap
  FROM bench_cells c, place WHERE ST_Covers(c.geom, place.p) ORDER BY c.code LIMIT 1
)
SELECT json_build_object(
  'lon', %(lon)s::float8, 'lat', %(lat)s::float8, 'at', now(),
  'cell_code', cell.code,
  'chain', json_build_array(
    json_build_object('level', 'cell', 'code', cell.code, 'name', cell.name),
    json_build_object('level', 'community', 'code', cell.community_code,
                      'name', cell.community_name),
    json_build_object('level', 'subdistrict', 'code', cell.subdistrict_code,
                      'name', cell.subdistrict_name)),
  'boundary_distance_m', round(cell.gap::numeric, 2),
  'neighbours', (
    SELECT json_agg(json_build_object(
      'code', n.code, 'name', n.name,
      'distance_m', round(ST_Distance(n.metric, place.m)::numeric, 2)))
    FROM bench_cells n
    WHERE n.code <> cell.code AND ST_DWithin(n.metric, place.m, cell.gap + 1e-6)),
  'persons', (
    SELECT json_agg(json_build_object(
      'role', d.role, 'person_id', s.person_id, 'name', s.name, 'unit_id', u.unit_id,
      'unit_name', u.name, 'target_code', d.target_code, 'valid_from', d.valid_from))
    FROM bench_duties d JOIN bench_staff s USING (person_id) JOIN bench_units u USING (unit_id)
    WHERE d.target_code = cell.code AND d.valid_from <= now()),
  'nearest_point', (
    SELECT json_build_object('point_id', t.point_id, 'name', t.name, 'category', t.category,
                             'distance_m', round(ST_Distance(t.metric, place.m)::numeric, 2))
    FROM bench_points t ORDER BY t.metric <-> place.m LIMIT 1)
)::text
FROM cell, place
"""


_TABLES = """
CREATE TABLE bench_cells (code text PRIMARY KEY, name text, community_code text,
  community_name text, subdistrict_code text, subdistrict_name text, geom geometry,
  metric geometry, border geometry);
CREATE TABLE bench_staff (person_id text PRIMARY KEY, name text, unit_id text);
CREATE TABLE bench_duties (role text, person_id text, target_code text, valid_from timestamptz);
CREATE TABLE bench_units (unit_id text PRIMARY KEY, name text);
CREATE TABLE bench_points (point_id text PRIMARY KEY, name text, category text, geom geometry,
  metric geometry);
"""


def drop(connection: Any) -> None:
    """Remove the tables."""
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def load(connection: Any, city: Any) -> None:
    """Write a ``City`` into tables with the indexes that the questions use."""
    drop(connection)
    connection.execute(_TABLES)
    parents = ["name", "community_code", "community_name", "subdistrict_code", "subdistrict_name"]
    rows = (
        ("bench_cells", ["code", *parents, "geom"], city.cells.reset_index()),
        ("bench_staff", ["person_id", "name", "unit_id"], city.staff),
        ("bench_duties", ["role", "person_id", "target_code", "valid_from"], city.duties),
        ("bench_units", ["unit_id", "name"], city.units),
        ("bench_points", ["point_id", "name", "category", "geom"], city.points),
    )
    for table, columns, frame in rows:
        values = [
            shapely.to_wkb(
                shapely.set_srid(frame.geometry.to_numpy(), 4490), hex=True, include_srid=True
            )
            if column == "geom"
            else frame[column].tolist()
            for column in columns
        ]
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with connection.cursor().copy(statement) as copy:
            for row in zip(*values, strict=True):
                copy.write_row(row)
    for statement in (
        f"UPDATE bench_cells SET metric = ST_Transform(geom, {METRIC})",
        "UPDATE bench_cells SET border = ST_Boundary(metric)",
        f"UPDATE bench_points SET metric = ST_Transform(geom, {METRIC})",
        "CREATE INDEX ON bench_cells USING gist (geom)",
        "CREATE INDEX ON bench_cells USING gist (metric)",
        "CREATE INDEX ON bench_points USING gist (metric)",
        "CREATE INDEX ON bench_duties (target_code)",
        *(f"VACUUM ANALYZE {table}" for table in TABLES),
    ):
        connection.execute(statement)
