"""What drivers raise, told in the project's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

from gridsvc.errors import ConflictError, DuplicateKey, GridsvcError, InputError, StorageError

_SQLITE_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_SQLITE_SAID = {
    sqlite3.SQLITE_BUSY: ("数据库正被占用,请稍后重试", "the database is busy, try again"),
    sqlite3.SQLITE_NOTADB: (
        "该文件不是数据库;请检查路径", "the file is not a database; check its path",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "数据库文件已损坏;请从备份恢复(gridsvc db restore)",
        "the file of the database is damaged; restore a backup (gridsvc db restore)",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "无法打开数据库文件;请检查路径和权限",
        "the file of the database cannot be opened; check its path and permissions",
    ),
    sqlite3.SQLITE_READONLY: (
        "数据库文件只读;请检查权限",
        "the file of the database is read-only; check its permissions",
    ),
    sqlite3.SQLITE_FULL: ("磁盘已满", "the disk is full"),
}  # fmt: skip
DRIVER_ERRORS = (sa.exc.SQLAlchemyError, sqlite3.Error, psycopg.Error)
"""What may come out of a database call."""

IN_FORCE = ("uq_plans_in_force", "ex_plans_in_force", "plans_in_force", "plans.scheme_id")


def explain(error: Exception, *, kind: str = "row", key: str = "") -> GridsvcError:
    """Return the typed error for what a driver raised.

    Parameters
    ----------
    error : Exception
        From SQLAlchemy, sqlite3 or psycopg.
    kind, key : str
        What was being written.
    """
    origin: Any = getattr(error, "orig", None) or error
    text = str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
    if isinstance(origin, (sqlite3.IntegrityError, psycopg.errors.IntegrityError)):
        constraint = _constraint(origin, text)
        if _overlaps(constraint):
            return ConflictError(
                reason_zh=f"同一时刻只能有一个生效方案({key})",
                reason_en=f"only one plan may be in force at a time ({key})",
            )
        if _is_duplicate(origin):
            return DuplicateKey(kind=kind, key=key)
    said = _SQLITE_SAID.get(getattr(origin, "sqlite_errorcode", 0) & 0xFF)
    if said is not None:
        return StorageError(reason_zh=said[0], reason_en=said[1])
    return StorageError(reason=text)


def is_duplicate(error: Exception) -> bool:
    """Return whether a driver's error says that a key exists already."""
    origin: Any = getattr(error, "orig", None) or error
    return _is_duplicate(origin) and not _overlaps(_constraint(origin, str(origin)))


def _is_duplicate(origin: Any) -> bool:
    if isinstance(origin, psycopg.errors.UniqueViolation):
        return True
    return getattr(origin, "sqlite_errorcode", None) in _SQLITE_UNIQUE


def _constraint(origin: Any, text: str) -> str:
    name = getattr(getattr(origin, "diag", None), "constraint_name", None)
    return name if isinstance(name, str) else text.rsplit(": ", 1)[-1]


def _overlaps(constraint: str) -> bool:
    return constraint in IN_FORCE


def require_text(value: Any) -> None:
    """Refuse a text with NUL, which SQLite takes and PostgreSQL does not.

    Raises
    ------
    InputError
    """
    if isinstance(value, str) and "\x00" in value:
        raise InputError(
            reason_zh=f"文本含有空字符 NUL,请去掉:{value[:80]!r}",
            reason_en=f"a text holds the character NUL, leave it out: {value[:80]!r}",
        )


@contextmanager
def translated(*, kind: str = "row", key: str = "") -> Iterator[None]:
    """Turn what drivers raise inside into typed errors."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise explain(error, kind=kind, key=key) from error
