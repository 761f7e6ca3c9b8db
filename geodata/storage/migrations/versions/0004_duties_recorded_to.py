"""Duties keep until when a row was held to be true, and which plan made it."""

from alembic import op

from geodata.storage.migrations import ddl

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("duties", ddl.column("recorded_to", "instant"))
    text = "VARCHAR" if ddl.is_sqlite() else 'VARCHAR COLLATE "C"'
    for name in ("replaces", "cause_plan"):
        op.execute(f"ALTER TABLE duties ADD COLUMN {name} {text}")
