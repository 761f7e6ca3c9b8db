"""Tables of both back ends: the layer contracts, and what surrounds them.

The tables here describe the present revision; databases are built and changed by the migrations
only, and a test compares the two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry

from geodata.storage.types import Instant, key_text
from gridsvc.crs import STORAGE_EPSG
from gridsvc.layers import LAYERS, PLAN_LAYERS, RECORD_LAYERS, Layer

HEAD = "0004"
"""Revision of the schema that this version of the program needs."""

GEOMETRY = "geometry"

INSTANT_OF = {"cases": "reported_at", "visits": "visited_at"}
"""The column to which ``since`` and ``until`` apply."""

INDEXED: dict[str, tuple[str, ...]] = {
    "cells": ("community_code", "subdistrict_code"),
    "areas": ("code",),
    "points": ("cell_code", "category", "unit_id"),
    "cases": ("cell_code", "reported_at", "class_code", "major_code", "status", "person_id"),
    "units": ("kind", "parent_id"),
    "staff": ("cell_code", "role", "unit_id"),
    "duties": ("target_code", "person_id", "unit_id", "role"),
    "visits": ("point_id", "visited_at", "person_id"),
    "classes": ("major_code",),
    "facilities": ("cell_code", "kind"),
}
"""Columns with an index besides keys and geometry."""

_TYPES: dict[str, Any] = {
    "text": sa.String,
    "integer": sa.BigInteger,
    "number": sa.Double,
    "boolean": sa.Boolean,
    "instant": Instant,
}

metadata = sa.MetaData(
    naming_convention={"uq": "uq_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)


def geometry_column(name: str = GEOMETRY, *, required: bool = False) -> sa.Column[Any]:
    """Return a column for any two-dimensional geometry in EPSG:4490, with a spatial index."""
    kind = Geometry("GEOMETRY", srid=STORAGE_EPSG, dimension=2, spatial_index=True)
    return sa.Column(name, kind, nullable=not required)


def _row_number() -> sa.Column[int]:
    # SQLite's R*Tree points at rows by number. An explicit integer key is the only one that
    # SQLite promises to keep when a file is vacuumed.
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("fid", kind, sa.Identity(), primary_key=True)


def _layer_table(layer: Layer) -> sa.Table:
    columns: list[Any] = [_row_number()]
    in_plan = layer.name in PLAN_LAYERS
    if in_plan:
        columns.append(
            sa.Column("plan_id", key_text(), sa.ForeignKey("plans.id", ondelete="CASCADE"),
                      nullable=False)
        )  # fmt: skip
    columns.append(sa.Column(layer.key, key_text(), nullable=False))
    for column in layer.columns:
        kind = key_text() if column.kind == "text" else _TYPES[column.kind]()
        required = column.required or column.kind == "boolean"
        columns.append(sa.Column(column.name, kind, nullable=not required))
    if layer.geometry is not None:
        columns.append(geometry_column(required=layer.geometry_required))
    if in_plan:
        columns.append(sa.UniqueConstraint("plan_id", layer.key))
    else:
        batch = sa.ForeignKey("batches.id", deferrable=True, initially="DEFERRED")
        columns += [
            sa.Column("batch_id", key_text(), batch, nullable=True),
            sa.UniqueConstraint(layer.key),
            sa.Index(f"ix_{layer.name}_batch_id", "batch_id"),
        ]
    for name in INDEXED.get(layer.name, ()):
        keys = ("plan_id", name) if in_plan else (name,)
        columns.append(sa.Index(f"ix_{layer.name}_{name}", *keys))
    return sa.Table(layer.name, metadata, *columns)


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", key_text(), primary_key=True),
    sa.Column("text", sa.String(), nullable=True),
    sa.Column("number", sa.BigInteger(), nullable=True),
)
"""``stamp``: an identity given on creation and on restoring, and a counter of commits."""

schemes = sa.Table(
    "schemes",
    metadata,
    _row_number(),
    sa.Column("id", key_text(), nullable=False, unique=True),
    sa.Column("name", sa.String(), nullable=False),
    sa.Column("metric_epsg", sa.BigInteger(), nullable=False),
    sa.Column("gap_width_m", sa.Double(), nullable=False),
    sa.Column("code_system", sa.String(), nullable=False),
    sa.Column("timezone", sa.String(), nullable=False),
    geometry_column("territory"),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("id", key_text(), primary_key=True),
    sa.Column("scheme_id", key_text(), sa.ForeignKey("schemes.id"), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("title", sa.String(), nullable=False),
    sa.Column("status", sa.String(), nullable=False),
    sa.Column("created_at", Instant(), nullable=False),
    sa.Column("cell_count", sa.BigInteger(), nullable=False),
    sa.Column("base_id", key_text(), sa.ForeignKey("plans.id"), nullable=True),
    sa.Column("effective_from", Instant(), nullable=True),
    sa.Column("effective_to", Instant(), nullable=True),
    sa.Column("published_at", Instant(), nullable=True),
    sa.Column("revision", sa.BigInteger(), nullable=False),
    sa.Column("certificate", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("provenance", sa.JSON(none_as_null=True), nullable=False),
    sa.UniqueConstraint("scheme_id", "number"),
    sa.Index(
        "uq_plans_in_force",
        "scheme_id",
        unique=True,
        sqlite_where=sa.text("status IN ('published', 'superseded') AND effective_to IS NULL"),
        postgresql_where=sa.text("status IN ('published', 'superseded') AND effective_to IS NULL"),
    ),
)

lineage = sa.Table(
    "lineage",
    metadata,
    sa.Column("fid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(),
              primary_key=True),
    sa.Column("old_id", key_text(), sa.ForeignKey("plans.id", ondelete="CASCADE"), nullable=False),
    sa.Column("new_id", key_text(), sa.ForeignKey("plans.id", ondelete="CASCADE"), nullable=False),
    sa.Column("old_code", key_text(), nullable=True),
    sa.Column("new_code", key_text(), nullable=True),
    sa.Column("kind", sa.String(), nullable=False),
    sa.Column("share", sa.Double(), nullable=True),
    sa.Index("ix_lineage_plans", "old_id", "new_id"),
)  # fmt: skip

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", key_text(), primary_key=True),
    sa.Column("layer", sa.String(), nullable=False),
    sa.Column("source", sa.String(), nullable=True),
    sa.Column("digest", sa.String(), nullable=True),
    sa.Column("options", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("counts", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("created_at", Instant(), nullable=False),
    sa.Column("details", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("log_form", sa.JSON(none_as_null=True), nullable=True),
)

repairs = sa.Table(
    "repairs",
    metadata,
    _row_number(),
    sa.Column("batch_id", key_text(), sa.ForeignKey("batches.id", ondelete="CASCADE"),
              nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("values", sa.JSON(none_as_null=True), nullable=False),
    geometry_column(),
    sa.UniqueConstraint("batch_id", "number"),
)  # fmt: skip

layer_tables: dict[str, sa.Table] = {name: _layer_table(layer) for name, layer in LAYERS.items()}
"""Tables of the layers by name."""

COPY_ORDER: tuple[sa.Table, ...] = (
    schemes, plans, batches, repairs, lineage,
    *(layer_tables[name] for name in (*PLAN_LAYERS, *RECORD_LAYERS)),
)  # fmt: skip
"""All tables with content, parents before children."""
