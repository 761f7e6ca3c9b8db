"""One connection with one transaction, and the unit of work that owns it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from geodata.storage.batches import SqlBatchRepository
from geodata.storage.faults import translated
from geodata.storage.plans import SqlPlanRepository
from geodata.storage.records import SqlRecordRepository
from geodata.storage.schema import layer_tables, meta
from gridsvc.errors import StorageError
from gridsvc.layers import LAYERS, RECORD_LAYERS
from gridsvc.services.ports import BatchRepository, PlanRepository

BulkInsert = Callable[[Connection, sa.Table, list[str], Iterable[tuple[Any, ...]], str | None], int]
"""``(connection, table, columns, rows, key)``: insert; with ``key`` replace rows of equal key."""


class Session:
    """A connection that begins reading and turns to writing when first asked to.

    Reads before the first write share one snapshot. The first write takes the write lock (SQLite:
    ``BEGIN IMMEDIATE``), waiting for other writers, and from then on sees what they committed, as
    PostgreSQL does under READ COMMITTED. Lost updates are stopped by keys and revisions.

    Parameters
    ----------
    engine : Engine
    bulk_insert : callable
        Fast path of the back end.
    """

    def __init__(self, engine: Engine, bulk_insert: BulkInsert) -> None:
        self._engine = engine
        self._bulk_insert = bulk_insert
        self._connection: Connection | None = None
        self._writing = False
        self.dialect: str = engine.dialect.name

    def read(self) -> Connection:
        """Return the connection, in a transaction."""
        if self._connection is None:
            with translated():
                self._connection = self._engine.connect()
        if not self._connection.in_transaction():
            with translated():
                self._connection.begin()
        return self._connection

    def write(self) -> Connection:
        """Return the connection, in a transaction that may write."""
        if self._writing:
            return self.read()
        if self._connection is None:
            with translated():
                self._connection = self._engine.connect()
        with translated():
            if self.dialect == "sqlite":
                self._connection.rollback()
                self._connection.info["immediate"] = True
                self._connection.begin()
            elif not self._connection.in_transaction():
                self._connection.begin()
        self._writing = True
        return self._connection

    def bulk(
        self,
        table: sa.Table,
        columns: list[str],
        rows: Iterable[tuple[Any, ...]],
        *,
        replace_by: str | None = None,
    ) -> int:
        """Insert rows, all or none of them; with ``replace_by`` replace rows of equal key.

        Driver errors pass through untranslated, with the transaction usable again.
        """
        connection = self.write()
        with connection.begin_nested():
            return self._bulk_insert(connection, table, columns, rows, replace_by)

    def commit(self) -> None:
        """Keep the work and tell readers of ``version_stamp`` that something changed."""
        if self._connection is None or not self._connection.in_transaction():
            return
        with translated():
            if self._writing:
                step = sa.update(meta).where(meta.c.key == "stamp")
                self._connection.execute(step.values(number=meta.c.number + 1))
            try:
                self._connection.commit()
            except sa.exc.SQLAlchemyError:
                # SQLite leaves the transaction open when a deferred check fails on COMMIT.
                self._connection.connection.rollback()
                raise
            finally:
                self._writing = False

    def rollback(self) -> None:
        """Drop the work."""
        if self._connection is not None:
            with translated():
                self._connection.rollback()
        self._writing = False

    def close(self) -> None:
        """Drop what was not committed and give the connection back."""
        connection, self._connection = self._connection, None
        self._writing = False
        if connection is not None:
            with translated():
                connection.close()


class SqlUnitOfWork:
    """One transaction over all repositories (port ``UnitOfWork``)."""

    plans: PlanRepository
    batches: BatchRepository

    def __init__(self, engine: Engine, bulk_insert: BulkInsert) -> None:
        self._session = Session(engine, bulk_insert)
        self._entered = False
        self.plans = SqlPlanRepository(self._session)
        self.batches = SqlBatchRepository(self._session)

    def records(self, layer: str) -> SqlRecordRepository:
        """Return the repository of a record layer (KeyError for other names)."""
        if layer not in RECORD_LAYERS:
            raise KeyError(layer)
        return SqlRecordRepository(self._session, LAYERS[layer], layer_tables[layer])

    def commit(self) -> None:
        """Keep the work. Raises ``StorageError``."""
        if not self._entered:
            raise StorageError(
                reason_zh="不能在工作单元之外提交", reason_en="commit outside a unit of work"
            )
        self._session.commit()

    def rollback(self) -> None:
        """Drop the work."""
        self._session.rollback()

    def __enter__(self) -> Self:
        """Begin."""
        self._entered = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back whatever was not committed, and close."""
        self._entered = False
        self._session.close()
