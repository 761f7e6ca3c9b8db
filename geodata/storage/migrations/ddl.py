"""Pieces of DDL that both back ends need, spelled for each of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

from geodata.storage.types import Instant, key_text

SRID = 4490


class GeometryColumn(UserDefinedType[Any]):
    """``geometry(Geometry,4490)`` in PostGIS, a blob named GEOMETRY in SQLite."""

    cache_ok = True


@compiles(GeometryColumn, "sqlite")
def _sqlite_geometry(_type: GeometryColumn, _compiler: Any, **_kw: Any) -> str:
    return "GEOMETRY"


@compiles(GeometryColumn, "postgresql")
def _postgresql_geometry(_type: GeometryColumn, _compiler: Any, **_kw: Any) -> str:
    return f"geometry(Geometry,{SRID})"


def is_sqlite() -> bool:
    """Return whether the migration runs on SQLite."""
    return bool(op.get_bind().dialect.name == "sqlite")


def column(name: str, kind: str, *, required: bool = False) -> sa.Column[Any]:
    """Return a column of a contract kind, or of kind ``string`` (no sort order) or ``geometry``."""
    types: dict[str, Any] = {
        "text": key_text(),
        "string": sa.String(),
        "integer": sa.BigInteger(),
        "number": sa.Double(),
        "boolean": sa.Boolean(),
        "instant": Instant(),
        "json": sa.JSON(none_as_null=True),
        "geometry": GeometryColumn(),
    }
    return sa.Column(name, types[kind], nullable=not required)


def row_number() -> sa.Column[Any]:
    """Return the integer key that spatial indices of SQLite point at."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("fid", kind, sa.Identity(), primary_key=True)


def prepare() -> None:
    """Create what spatial columns need: extensions, or the register of geometry columns."""
    if not is_sqlite():
        op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        return
    op.execute(
        "CREATE TABLE IF NOT EXISTS geometry_columns ("
        "f_table_name TEXT NOT NULL, f_geometry_column TEXT NOT NULL, "
        "geometry_type INTEGER NOT NULL, coord_dimension INTEGER NOT NULL, "
        "srid INTEGER NOT NULL, spatial_index_enabled INTEGER NOT NULL, "
        "PRIMARY KEY (f_table_name, f_geometry_column))"
    )


def spatial_index(table: str, name: str = "geometry") -> None:
    """Index a geometry column: GiST, or an R*Tree kept by triggers in SpatiaLite's layout."""
    index = f"idx_{table}_{name}"
    if not is_sqlite():
        op.execute(f'CREATE INDEX {index} ON "{table}" USING gist ("{name}")')
        return
    op.execute(f"INSERT INTO geometry_columns VALUES ('{table}', '{name}', 0, 2, {SRID}, 1)")
    op.execute(f"CREATE VIRTUAL TABLE {index} USING rtree(pkid, xmin, xmax, ymin, ymax)")
    new = f'NEW."{name}"'
    put = (
        f"INSERT INTO {index} SELECT NEW.fid, MbrMinX({new}), MbrMaxX({new}), "
        f"MbrMinY({new}), MbrMaxY({new}) WHERE MbrMinX({new}) IS NOT NULL;"
    )
    drop = f"DELETE FROM {index} WHERE pkid = OLD.fid;"
    op.execute(f'CREATE TRIGGER gii_{table}_{name} AFTER INSERT ON "{table}" BEGIN {put} END')
    op.execute(
        f'CREATE TRIGGER giu_{table}_{name} AFTER UPDATE OF "{name}", fid ON "{table}" '
        f"BEGIN {drop} {put} END"
    )
    op.execute(f'CREATE TRIGGER gid_{table}_{name} AFTER DELETE ON "{table}" BEGIN {drop} END')
