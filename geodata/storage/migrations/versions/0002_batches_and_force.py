"""Batches with their repair logs; one version in force per scheme, kept by the database."""

import sqlalchemy as sa
from alembic import op

from geodata.storage.migrations import ddl
from geodata.storage.types import key_text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RECORD_LAYERS = (
    "streets", "points", "cases", "units", "staff", "duties", "visits", "classes", "facilities",
)

VALID = "status IN ('published', 'superseded')"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", key_text(), nullable=False),
        ddl.column("layer", "string", required=True),
        ddl.column("source", "string"),
        ddl.column("digest", "string"),
        ddl.column("options", "json"),
        ddl.column("counts", "json"),
        ddl.column("created_at", "instant", required=True),
        ddl.column("details", "json"),
        ddl.column("log_form", "json"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_table(
        "repairs",
        ddl.row_number(),
        sa.Column("batch_id", key_text(), sa.ForeignKey("batches.id", ondelete="CASCADE"),
                  nullable=False),
        ddl.column("number", "integer", required=True),
        ddl.column("values", "json", required=True),
        ddl.column("geometry", "geometry"),
        sa.UniqueConstraint("batch_id", "number", name="uq_repairs_batch_id_number"),
    )
    ddl.spatial_index("repairs")
    for name in RECORD_LAYERS:
        kind = "VARCHAR" if ddl.is_sqlite() else 'VARCHAR COLLATE "C"'
        op.execute(
            f"ALTER TABLE {name} ADD COLUMN batch_id {kind} "
            "REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED"
        )
        op.create_index(f"ix_{name}_batch_id", name, ["batch_id"])
    op.execute(
        "CREATE UNIQUE INDEX uq_plans_in_force ON plans (scheme_id) "
        f"WHERE {VALID} AND effective_to IS NULL"
    )
    if ddl.is_sqlite():
        _no_overlap_sqlite("INSERT")
        _no_overlap_sqlite("UPDATE")
    else:
        op.execute(
            "ALTER TABLE plans ADD CONSTRAINT ex_plans_in_force EXCLUDE USING gist ("
            "scheme_id WITH =, tstzrange(effective_from, effective_to) WITH &&) "
            f"WHERE ({VALID} AND effective_from IS NOT NULL)"
        )


def _no_overlap_sqlite(action: str) -> None:
    # Half-open periods as in PostgreSQL's tstzrange: an empty one meets nothing, one that ends
    # before it begins is refused.
    op.execute(
        f"CREATE TRIGGER plans_in_force_{action.lower()} AFTER {action} ON plans "
        f"WHEN NEW.{VALID} AND NEW.effective_from IS NOT NULL BEGIN "
        "SELECT RAISE(ABORT, 'plans_period') WHERE NEW.effective_to < NEW.effective_from; "
        "SELECT RAISE(ABORT, 'plans_in_force') WHERE EXISTS ("
        "SELECT 1 FROM plans AS other WHERE other.scheme_id = NEW.scheme_id "
        f"AND other.id <> NEW.id AND other.{VALID} AND other.effective_from IS NOT NULL "
        "AND NEW.effective_from IS NOT NEW.effective_to "
        "AND other.effective_from IS NOT other.effective_to "
        "AND (other.effective_to IS NULL OR NEW.effective_from < other.effective_to) "
        "AND (NEW.effective_to IS NULL OR other.effective_from < NEW.effective_to)); "
        "END"
    )
