"""Schemes, plan versions with their layers, record layers."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from geodata.storage.migrations import ddl
from geodata.storage.types import key_text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAN_LAYERS = ("cells", "areas", "exclusions")

# Column, kind, must be filled. The first column is the key.
LAYERS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "cells": (
        ("code", "text", True),
        ("name", "text", True),
        ("kind", "text", False),
        ("community_code", "text", True),
        ("community_name", "text", False),
        ("subdistrict_code", "text", True),
        ("subdistrict_name", "text", False),
        ("population", "integer", False),
        ("households", "integer", False),
        ("area_m2", "number", False),
        ("geometry", "geometry", True),
    ),
    "areas": (
        ("area_key", "text", True),
        ("level", "text", True),
        ("code", "text", True),
        ("name", "text", False),
        ("parent_code", "text", False),
        ("cell_count", "integer", False),
        ("population", "integer", False),
        ("area_m2", "number", False),
        ("geometry", "geometry", True),
    ),
    "exclusions": (
        ("exclusion_id", "text", True),
        ("kind", "text", True),
        ("name", "text", False),
        ("reason", "text", False),
        ("geometry", "geometry", True),
    ),
    "streets": (
        ("street_id", "text", True),
        ("name", "text", False),
        ("highway", "text", True),
        ("bridge", "boolean", True),
        ("tunnel", "boolean", True),
        ("layer", "integer", False),
        ("width_m", "number", False),
        ("geometry", "geometry", True),
    ),
    "points": (
        ("point_id", "text", True),
        ("name", "text", True),
        ("category", "text", True),
        ("address", "text", False),
        ("unit_id", "text", False),
        ("visit_window", "text", False),
        ("visits_per_week", "number", False),
        ("service_minutes", "number", False),
        ("cell_code", "text", False),
        ("plan_id", "text", False),
        ("placement", "text", False),
        ("source_x", "number", False),
        ("source_y", "number", False),
        ("source_datum", "text", False),
        ("geometry", "geometry", False),
    ),
    "cases": (
        ("case_id", "text", True),
        ("class_code", "text", True),
        ("major_code", "text", False),
        ("title", "text", False),
        ("channel", "text", False),
        ("status", "text", False),
        ("reported_at", "instant", True),
        ("deadline", "instant", False),
        ("closed_at", "instant", False),
        ("unit_id", "text", False),
        ("person_id", "text", False),
        ("cell_code", "text", False),
        ("plan_id", "text", False),
        ("placement", "text", False),
        ("reporter", "text", False),
        ("phone", "text", False),
        ("source_x", "number", False),
        ("source_y", "number", False),
        ("source_datum", "text", False),
        ("geometry", "geometry", False),
    ),
    "units": (
        ("unit_id", "text", True),
        ("name", "text", True),
        ("kind", "text", True),
        ("parent_id", "text", False),
        ("area_code", "text", False),
        ("phone", "text", False),
    ),
    "staff": (
        ("person_id", "text", True),
        ("name", "text", True),
        ("role", "text", True),
        ("source", "text", False),
        ("unit_id", "text", False),
        ("phone", "text", False),
        ("cell_code", "text", False),
        ("plan_id", "text", False),
        ("placement", "text", False),
        ("source_x", "number", False),
        ("source_y", "number", False),
        ("source_datum", "text", False),
        ("geometry", "geometry", False),
    ),
    "duties": (
        ("duty_id", "text", True),
        ("person_id", "text", False),
        ("unit_id", "text", False),
        ("role", "text", True),
        ("target_kind", "text", True),
        ("target_code", "text", True),
        ("class_code", "text", False),
        ("valid_from", "instant", True),
        ("valid_to", "instant", False),
        ("recorded_at", "instant", True),
    ),
    "visits": (
        ("visit_id", "text", True),
        ("point_id", "text", True),
        ("person_id", "text", False),
        ("visited_at", "instant", True),
        ("window", "text", False),
        ("kind", "text", False),
        ("passed", "integer", False),
        ("observed", "integer", False),
    ),
    "classes": (
        ("class_code", "text", True),
        ("catalog", "text", True),
        ("namespace", "text", True),
        ("major_code", "text", True),
        ("major_name", "text", True),
        ("name", "text", True),
        ("unit_kind", "text", False),
        ("deadline_hours", "number", False),
        ("clock", "text", False),
    ),
    "facilities": (
        ("facility_id", "text", True),
        ("name", "text", True),
        ("kind", "text", True),
        ("cell_code", "text", False),
        ("plan_id", "text", False),
        ("placement", "text", False),
        ("geometry", "geometry", False),
    ),
}

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


def upgrade() -> None:
    ddl.prepare()
    op.create_table(
        "meta",
        sa.Column("key", key_text(), nullable=False),
        sa.Column("text", sa.String()),
        sa.Column("number", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    stamp = sa.text("INSERT INTO meta (key, text, number) VALUES ('stamp', :text, 0)")
    op.get_bind().execute(stamp, {"text": uuid4().hex})
    op.create_table(
        "schemes",
        ddl.row_number(),
        ddl.column("id", "text", required=True),
        ddl.column("name", "string", required=True),
        ddl.column("metric_epsg", "integer", required=True),
        ddl.column("gap_width_m", "number", required=True),
        ddl.column("code_system", "string", required=True),
        ddl.column("timezone", "string", required=True),
        ddl.column("territory", "geometry"),
        sa.UniqueConstraint("id", name="uq_schemes_id"),
    )
    ddl.spatial_index("schemes", "territory")
    op.create_table(
        "plans",
        sa.Column("id", key_text(), nullable=False),
        sa.Column("scheme_id", key_text(), sa.ForeignKey("schemes.id"), nullable=False),
        ddl.column("number", "integer", required=True),
        ddl.column("title", "string", required=True),
        ddl.column("status", "string", required=True),
        ddl.column("created_at", "instant", required=True),
        ddl.column("cell_count", "integer", required=True),
        sa.Column("base_id", key_text(), sa.ForeignKey("plans.id")),
        ddl.column("effective_from", "instant"),
        ddl.column("effective_to", "instant"),
        ddl.column("published_at", "instant"),
        ddl.column("revision", "integer", required=True),
        ddl.column("certificate", "json"),
        ddl.column("provenance", "json", required=True),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.UniqueConstraint("scheme_id", "number", name="uq_plans_scheme_id_number"),
    )
    op.create_table(
        "lineage",
        ddl.row_number(),
        sa.Column("old_id", key_text(), sa.ForeignKey("plans.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("new_id", key_text(), sa.ForeignKey("plans.id", ondelete="CASCADE"),
                  nullable=False),
        ddl.column("old_code", "text"),
        ddl.column("new_code", "text"),
        ddl.column("kind", "string", required=True),
        ddl.column("share", "number"),
    )
    op.create_index("ix_lineage_plans", "lineage", ["old_id", "new_id"])
    for name, columns in LAYERS.items():
        _layer(name, columns)


def _layer(name: str, columns: tuple[tuple[str, str, bool], ...]) -> None:
    in_plan = name in PLAN_LAYERS
    key = columns[0][0]
    parts = [ddl.row_number()]
    if in_plan:
        plan = sa.ForeignKey("plans.id", ondelete="CASCADE")
        parts.append(sa.Column("plan_id", key_text(), plan, nullable=False))
    parts += [ddl.column(n, kind, required=required) for n, kind, required in columns]
    keys = ["plan_id", key] if in_plan else [key]
    parts.append(sa.UniqueConstraint(*keys, name=f"uq_{name}_{'_'.join(keys)}"))
    op.create_table(name, *parts)
    for indexed in INDEXED.get(name, ()):
        fields = ["plan_id", indexed] if in_plan else [indexed]
        op.create_index(f"ix_{name}_{indexed}", name, fields)
    if any(n == "geometry" for n, _, _ in columns):
        ddl.spatial_index(name)
