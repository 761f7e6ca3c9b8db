"""The one place where spatial SQL is written.

PostGIS uses its index for a bare predicate, SQLite never does: there a bare ``ST_Intersects``
joins every row with every row. All spatial conditions therefore come from here, where each one
carries the index test of its back end followed by the exact predicate. A test forbids ``ST_``
functions elsewhere.
"""

from __future__ import annotations

from typing import Any, Literal

import shapely
import sqlalchemy as sa
from sqlalchemy import func

from gridsvc.crs import STORAGE_EPSG
from gridsvc.types import BoundingBox

Predicate = Literal["intersects", "contains", "within", "covers", "covered_by", "touches"]
_FUNCTION: dict[str, str] = {
    "intersects": "ST_Intersects",
    "contains": "ST_Contains",
    "within": "ST_Within",
    "covers": "ST_Covers",
    "covered_by": "ST_CoveredBy",
    "touches": "ST_Touches",
}


def box_geometry(box: BoundingBox) -> Any:
    """Return the closed box as a geometry; a box without width is a line or a point."""
    west, south, east, north = box.as_tuple()
    if west == east and south == north:
        return shapely.Point(west, south)
    if west == east or south == north:
        return shapely.LineString([(west, south), (east, north)])
    return shapely.box(west, south, east, north)


def meets_box(
    table: sa.Table, box: BoundingBox, dialect: str, *, column: str = "geometry"
) -> sa.ColumnElement[bool]:
    """Return the condition that a row's geometry meets a closed lon/lat box (EPSG:4490).

    Parameters
    ----------
    table : Table
        With a spatial index on ``column``.
    box : BoundingBox
    dialect : str
        ``sqlite`` or ``postgresql``.
    column : str
    """
    geometry = table.c[column]
    window = shapely.to_wkb(box_geometry(box), byte_order=1)
    exact = func.ST_Intersects(
        geometry, func.ST_GeomFromWKB(sa.literal(window, sa.LargeBinary()), STORAGE_EPSG)
    )
    if dialect == "postgresql":
        return exact  # PostGIS adds the index test itself
    index = _rtree(table, column)
    candidates = sa.select(index.c.pkid).where(
        index.c.xmin <= box.east,
        index.c.xmax >= box.west,
        index.c.ymin <= box.north,
        index.c.ymax >= box.south,
    )
    return sa.and_(table.c.fid.in_(candidates), exact)


def pairs(
    left: sa.Table, right: sa.Table, dialect: str, *, predicate: Predicate = "intersects"
) -> sa.Select[tuple[int, int]]:
    """Return the query of all pairs ``(left.fid, right.fid)`` whose geometries fit a predicate.

    Parameters
    ----------
    left, right : Table
        Two different tables with a spatial index on ``geometry``.
    dialect : str
        ``sqlite`` or ``postgresql``.
    predicate : str
        Relation of the left geometry to the right one.
    """
    exact = getattr(func, _FUNCTION[predicate])(left.c.geometry, right.c.geometry)
    query = sa.select(left.c.fid.label("left_fid"), right.c.fid.label("right_fid"))
    if dialect == "postgresql":
        return query.select_from(left.join(right, exact))
    a = _rtree(left, "geometry").alias("a")
    b = _rtree(right, "geometry").alias("b")
    boxes_meet = sa.and_(
        a.c.xmin <= b.c.xmax, a.c.xmax >= b.c.xmin, a.c.ymin <= b.c.ymax, a.c.ymax >= b.c.ymin
    )
    source = (
        a.join(b, boxes_meet)
        .join(left, left.c.fid == a.c.pkid)
        .join(right, right.c.fid == b.c.pkid)
    )
    return query.select_from(source).where(exact)


def as_wkb(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """Return the expression that reads a geometry column as WKB, double by double."""
    if dialect == "postgresql":
        return sa.type_coerce(func.ST_AsBinary(column, "NDR"), sa.LargeBinary())
    return sa.type_coerce(column, sa.LargeBinary())


def as_ewkb(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """Return the expression that reads a geometry column as it is kept: WKB with its SRID."""
    if dialect == "postgresql":
        return sa.type_coerce(func.ST_AsEWKB(column, "NDR"), sa.LargeBinary())
    return sa.type_coerce(column, sa.LargeBinary())


def _rtree(table: sa.Table, column: str) -> sa.TableClause:
    names = ("pkid", "xmin", "xmax", "ymin", "ymax")
    return sa.table(f"idx_{table.name}_{column}", *(sa.column(n) for n in names))
