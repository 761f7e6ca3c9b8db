"""The production back end: PostgreSQL with PostGIS."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from geodata.storage.base import SqlStorage, engine_options
from geodata.storage.bulk import insert_postgresql
from geodata.storage.faults import translated

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

    def begin_alone(self, connection: Connection) -> None:
        """Begin a transaction that no other upgrade or restoration runs beside."""
        # Two processes may start at once: the second one waits and then finds nothing to do.
        connection.begin()
        with translated():
            lock = sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)
            connection.execute(sa.select(lock))
