"""Cases remember which of their values as of filing were derived."""

from alembic import op

from geodata.storage.migrations import ddl

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = "VARCHAR" if ddl.is_sqlite() else 'VARCHAR COLLATE "C"'
    op.execute(f"ALTER TABLE cases ADD COLUMN derived {kind}")
