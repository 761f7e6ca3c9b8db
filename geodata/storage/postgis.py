"""The production back end: PostgreSQL with PostGIS."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from geodata.storage.base import SqlStorage, engine_options
from geodata.storage.bulk import insert_postgresql
from geodata.storage.faults import translated
from gridsvc.errors import StorageError

_UPGRADE_LOCK = 0x67726964  # any number, but the same for all processes


class PostgisStorage(SqlStorage):
    """A PostgreSQL database with PostGIS.

    Parameters
    ----------
    url : str
        ``postgresql+psycopg://USER@HOST:PORT/DATABASE``; plain ``postgresql://`` means the same.
    """

    kind = "postgis"
    bulk_insert = staticmethod(insert_postgresql)

    def __init__(self, url: str) -> None:
        target = sa.make_url(url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(
            target,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            connect_args={"connect_timeout": 10, "options": "-c timezone=UTC"},
            **engine_options(),
        )
        super().__init__(url, engine)
        self._stamp_lock = threading.Lock()
        self._stamp_connection: psycopg.Connection[Any] | None = None

    def begin_alone(self, connection: Connection) -> None:
        """Begin a transaction that no other upgrade or restoration runs beside."""
        # Two processes may start at once: the second one waits and then finds nothing to do.
        connection.begin()
        with translated():
            lock = sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)
            connection.execute(sa.select(lock))

    def version_stamp(self) -> str:
        """Return a text that changes whenever a plan is published or records change.

        Read on a connection of its own in one round trip: every request asks for it.
        """
        with self._stamp_lock, translated():
            try:
                row = self._read_stamp()
            except psycopg.OperationalError:
                self._close_stamp()  # the server was restarted in between: connect anew, once
                row = self._read_stamp()
        if row is None:
            raise StorageError(reason_zh="缺少 meta.stamp", reason_en="meta.stamp is missing")
        return f"{row[0]}:{row[1]}"

    def _read_stamp(self) -> Any:
        if self._stamp_connection is None:
            plain = sa.make_url(self.url).set(drivername="postgresql")
            self._stamp_connection = psycopg.connect(
                plain.render_as_string(hide_password=False), autocommit=True, connect_timeout=10
            )
        query = "SELECT text, number FROM meta WHERE key = 'stamp'"
        return self._stamp_connection.execute(query).fetchone()

    def _close_stamp(self) -> None:
        if self._stamp_connection is not None:
            self._stamp_connection.close()
            self._stamp_connection = None

    def dispose(self) -> None:
        """Close all connections."""
        with self._stamp_lock:
            self._close_stamp()
        super().dispose()
