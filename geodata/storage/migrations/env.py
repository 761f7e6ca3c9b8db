"""Alembic's entry: runs the migrations on the connection that the storage hands over."""

from __future__ import annotations

from alembic import context

from geodata.storage.schema import metadata

connection = context.config.attributes["connection"]
# The storage has begun the transaction and commits it: DDL is transactional on both back ends.
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
