"""Backup and restoration: one file of the embedded kind, whichever back end it comes from.

A backup of PostGIS can be restored into SQLite and the other way round. Both directions are all
or nothing: a file is written beside its target and put in place in one step, a database is
replaced in one transaction.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.engine import Connection

from geodata.storage import frames
from geodata.storage.base import VERSION_TABLE, SqlStorage
from geodata.storage.embedded import BUSY_SECONDS, EmbeddedStorage
from geodata.storage.faults import DRIVER_ERRORS, explain, translated
from geodata.storage.postgis import PostgisStorage
from geodata.storage.schema import COPY_ORDER, HEAD, meta
from geodata.storage.spatial import as_ewkb
from geodata.storage.types import Instant, dump_json, from_micros
from gridsvc.errors import StorageError

_CHUNK = 5000
_MAGIC = b"SQLite format 3\x00"


def write_backup(storage: SqlStorage, target: Path) -> None:
    """Write all content of a database, as of one instant, to a file.

    Parameters
    ----------
    storage : SqlStorage
        At the present revision; other processes may go on reading and writing.
    target : Path
        Replaced if it exists, once the copy is complete.

    Raises
    ------
    StorageError
    """
    storage.check()
    if isinstance(storage, EmbeddedStorage) and _same_file(storage.path, target):
        raise StorageError(
            reason_zh="备份目标是数据库本身", reason_en="the target is the database itself"
        )
    with _files(), _workspace(target.parent) as folder:
        copy = folder / "copy.db"
        if isinstance(storage, EmbeddedStorage):
            _copy_file(storage.path, copy)
        else:
            _export(storage, copy)
        _make_portable(copy)
        os.replace(copy, target)  # noqa: PTH105 - the atomic step, named as the system names it
        _sync_folder(target.parent)


def read_backup(storage: SqlStorage, source: Path) -> None:
    """Replace all content of a database by a backup, all or nothing.

    Parameters
    ----------
    storage : SqlStorage
        Needs no schema yet.
    source : Path
        Left untouched.

    Raises
    ------
    StorageError
    """
    _require_backup(source)
    if isinstance(storage, EmbeddedStorage) and _same_file(storage.path, source):
        raise StorageError(
            reason_zh="备份就是数据库本身", reason_en="the backup is the database itself"
        )
    with _files(), _workspace(None) as folder:
        staged = folder / "staged.db"
        _copy_file(source, staged)
        stage = EmbeddedStorage(f"sqlite:///{staged}")
        try:
            stage.upgrade()
            _new_stamp(stage)
            if isinstance(storage, EmbeddedStorage):
                storage.upgrade()
                _copy_file(staged, storage.path)
            elif isinstance(storage, PostgisStorage):
                storage.upgrade()
                _import(stage, storage)
        finally:
            stage.dispose()


# --- files ----------------------------------------------------------------------------------


@contextmanager
def _files() -> Iterator[None]:
    try:
        with translated():
            yield
    except OSError as error:
        raise StorageError(reason=str(error)) from error


@contextmanager
def _workspace(beside: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".gridsvc-", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _copy_file(source: Path, target: Path) -> None:
    """Copy a database page by page in one transaction of the target."""
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as reading,
        closing(sqlite3.connect(target, timeout=BUSY_SECONDS)) as writing,
    ):
        writing.execute("PRAGMA synchronous = FULL")
        reading.backup(writing)


def _make_portable(path: Path) -> None:
    """Fold the write-ahead log in, so that the one file is everything, and force it to disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(what: str) -> StorageError:
    return StorageError(reason_zh=f"备份已损坏:{what}", reason_en=f"the backup is damaged: {what}")


def _require_backup(source: Path) -> None:
    name = source.name
    if not source.is_file():
        raise StorageError(reason_zh=f"没有备份文件 {name}", reason_en=f"there is no backup {name}")
    with source.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StorageError(reason_zh=f"{name} 不是备份文件", reason_en=f"{name} is no backup")
    uri = f"{source.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            tables = {r[0] for r in connection.execute("SELECT name FROM sqlite_master")}
            if VERSION_TABLE not in tables or "meta" not in tables:
                raise StorageError(
                    reason_zh=f"{name} 不是本程序的备份",
                    reason_en=f"{name} is no backup of gridsvc",
                )
            damage = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchone()
            found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    except sqlite3.Error as error:
        raise _damaged(str(error)) from error
    if damage != "ok" or orphans is not None:
        raise _damaged(str(damage))
    if found is None or found[0] > HEAD:
        revision = None if found is None else found[0]
        raise StorageError(
            reason_zh=f"备份来自更新的程序版本:{revision},本程序为 {HEAD}",
            reason_en=f"the backup is of a newer program: {revision}, this one knows {HEAD}",
        )


def _new_stamp(stage: EmbeddedStorage) -> None:
    # An identity never seen before: caches that knew the old content cannot take it for current.
    with stage.engine.connect() as connection:
        stage.begin_alone(connection)
        step = sa.update(meta).where(meta.c.key == "stamp")
        connection.execute(step.values(text=uuid4().hex, number=0))
        connection.commit()


# --- between the two kinds ------------------------------------------------------------------


def _export(storage: SqlStorage, path: Path) -> None:
    target = EmbeddedStorage(f"sqlite:///{path}")
    try:
        target.upgrade()
        with storage.engine.connect() as source, target.engine.connect() as sink:
            snapshot = source.execution_options(isolation_level="REPEATABLE READ")
            target.begin_alone(sink)
            sink.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for table in COPY_ORDER:
                _copy_table(snapshot, sink, table, target)
            sink.commit()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        target.dispose()


def _import(stage: SqlStorage, storage: SqlStorage) -> None:
    try:
        with stage.engine.connect() as source, storage.engine.connect() as sink:
            storage.begin_alone(sink)
            names = ", ".join(f'"{table.name}"' for table in (*COPY_ORDER, meta))
            sink.exec_driver_sql(f"TRUNCATE {names}")
            for table in (*COPY_ORDER, meta):
                _copy_table(source, sink, table, storage)
            sink.commit()
    except DRIVER_ERRORS as error:
        raise explain(error) from error


def _copy_table(source: Connection, sink: Connection, table: sa.Table, storage: SqlStorage) -> None:
    columns = [c for c in table.columns if c.name != "fid"]
    order = table.c.fid if "fid" in table.c else next(iter(table.primary_key))
    query = sa.select(*(_portable(c, source.dialect.name) for c in columns)).order_by(order)
    found = source.execution_options(yield_per=_CHUNK).execute(query)
    rows = _converted(found, columns, sink.dialect.name)
    storage.bulk_insert(sink, table, [c.name for c in columns], rows, None)


def _portable(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[Any]:
    if isinstance(column.type, Instant):
        return frames.as_micros(column, dialect)
    if isinstance(column.type, Geometry):
        return as_ewkb(column, dialect).label(column.name)
    return column


def _converted(
    found: Iterable[Sequence[Any]], columns: Sequence[sa.Column[Any]], dialect: str
) -> Iterator[tuple[Any, ...]]:
    """Yield rows as the driver of a dialect takes them."""
    steps = [
        (place, step)
        for place, column in enumerate(columns)
        if (step := _conversion(column.type, dialect)) is not None
    ]
    for row in found:
        values = list(row)
        for place, step in steps:
            if values[place] is not None:
                values[place] = step(values[place])
        yield tuple(values)


def _conversion(kind: Any, dialect: str) -> Callable[[Any], Any] | None:
    if isinstance(kind, Geometry):
        return bytes if dialect == "sqlite" else lambda value: bytes(value).hex()
    if isinstance(kind, Instant) and dialect == "postgresql":
        return from_micros
    if isinstance(kind, sa.JSON):
        return dump_json
    return None
