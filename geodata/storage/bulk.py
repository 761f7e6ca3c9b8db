"""Bulk insertion past the object layer: executemany for SQLite, COPY for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

Row = tuple[Any, ...]


def insert_sqlite(
    connection: Connection, table: sa.Table, columns: list[str], rows: Iterable[Row],
    key: str | None,
) -> int:  # fmt: skip
    """Insert rows with one prepared statement; with ``key`` replace rows of equal key."""
    names = ", ".join(f'"{c}"' for c in columns)
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
    if key is not None:
        statement += f' ON CONFLICT ("{key}") DO UPDATE SET {_replacement(table, columns, key)}'
    counted = _Counted(rows)
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(statement, cast(Any, counted))  # any iterator will do
    finally:
        cursor.close()
    return counted.number


def insert_postgresql(
    connection: Connection, table: sa.Table, columns: list[str], rows: Iterable[Row],
    key: str | None,
) -> int:  # fmt: skip
    """Copy rows in; with ``key`` through a temporary table, replacing rows of equal key."""
    target = table.name
    driver: Any = connection.connection.driver_connection
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with driver.cursor() as cursor:
        if key is not None:
            target = f"incoming_{table.name}"
            cursor.execute(
                sql.SQL(
                    "CREATE TEMPORARY TABLE {t} ON COMMIT DROP AS SELECT {n} FROM {s} WHERE false"
                ).format(t=sql.Identifier(target), n=names, s=sql.Identifier(table.name))
            )
        counted = _Counted(rows)
        statement = sql.SQL("COPY {t} ({n}) FROM STDIN").format(t=sql.Identifier(target), n=names)
        with cursor.copy(statement) as copy:
            for row in counted:
                copy.write_row(row)
        if key is not None:
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {s} ({n}) SELECT {n} FROM {t} ON CONFLICT ({k}) DO UPDATE SET "
                ).format(
                    s=sql.Identifier(table.name), n=names, t=sql.Identifier(target),
                    k=sql.Identifier(key),
                )
                + sql.SQL(_replacement(table, columns, key))
            )  # fmt: skip
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(target)))
    return counted.number


def _replacement(table: sa.Table, columns: list[str], key: str) -> Any:
    steps = []
    for name in columns:
        if name == "batch_id":
            steps.append(f'batch_id = coalesce(excluded.batch_id, "{table.name}".batch_id)')
        elif name != key:
            steps.append(f'"{name}" = excluded."{name}"')
    return ", ".join(steps)


class _Counted(Iterator[Row]):
    """Passes rows on and counts them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.number = 0

    def __next__(self) -> Row:
        row = next(self._rows)
        self.number += 1
        return row
