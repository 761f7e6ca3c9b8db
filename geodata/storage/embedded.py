"""The embedded back end: one SQLite file, no server, no native extension."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from geodata.storage.base import SqlStorage, engine_options
from geodata.storage.bulk import insert_sqlite
from geodata.storage.faults import translated
from geodata.storage.schema import HEAD
from geodata.storage.sqlfunctions import register
from gridsvc.errors import SchemaMissing, StorageError

BUSY_SECONDS = 60.0
"""How long a writer waits for another one (an import may hold the lock for long)."""


class EmbeddedStorage(SqlStorage):
    """A SQLite file in WAL mode with shapely-backed SQL functions and R*Tree indices.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE``; a database in memory is refused, as threads would not share it.
    """

    kind = "embedded"
    bulk_insert = staticmethod(insert_sqlite)

    def __init__(self, url: str) -> None:
        name = sa.make_url(url).database
        if not name or name == ":memory:":
            raise StorageError(
                reason_zh="地址中没有文件,请写成 sqlite:///文件",
                reason_en="the address names no file, write sqlite:///FILE",
            )
        self.path = Path(name)
        super().__init__(url, _engine(url))
        self._stamp_lock = threading.Lock()
        self._stamp_connection: sqlite3.Connection | None = None

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to a revision; creates the file and its folder when new."""
        if not self.path.parent.is_dir():
            try:
                self.path.parent.mkdir(parents=True)
            except OSError as error:
                raise StorageError(reason=str(error)) from error
        super().upgrade(revision)

    def begin_alone(self, connection: Connection) -> None:
        """Begin a transaction that no other writer runs beside."""
        connection.info["immediate"] = True
        connection.begin()

    def check(self) -> None:
        """Raise ``SchemaMissing`` or ``StorageError`` unless the database can be used."""
        if not self.path.exists():  # connecting would create it
            raise SchemaMissing(expected=HEAD)
        super().check()

    def version_stamp(self) -> str:
        """Return a text that changes whenever a plan is published or records change.

        Read on a connection of its own, in some microseconds: every request asks for it.
        """
        with self._stamp_lock, translated():
            if self._stamp_connection is None:
                if not self.path.exists():
                    raise SchemaMissing(expected=HEAD)
                self._stamp_connection = sqlite3.connect(
                    self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
                )
            row = self._stamp_connection.execute(
                "SELECT text, number FROM meta WHERE key = 'stamp'"
            ).fetchone()
        if row is None:
            raise StorageError(reason_zh="缺少 meta.stamp", reason_en="meta.stamp is missing")
        return f"{row[0]}:{row[1]}"

    def dispose(self) -> None:
        """Close all connections."""
        with self._stamp_lock:
            if self._stamp_connection is not None:
                self._stamp_connection.close()
                self._stamp_connection = None
        super().dispose()


def _engine(url: str) -> Engine:
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, pool_size=20, max_overflow=40,
        **engine_options(),
    )  # fmt: skip
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin, not by the driver
    register(connection)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA recursive_triggers = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once and waits for it. A reader that turned into a writer later
    # would be refused instead of waiting.
    immediate = connection.info.pop("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
