"""Databases whose engine and revision a test looks at."""

from __future__ import annotations

from geodata.storage import open_storage
from geodata.storage.base import SqlStorage


def open_sql(url: str) -> SqlStorage:
    """Open a database as what it is beyond the port: an engine with a revision."""
    storage = open_storage(url)
    assert isinstance(storage, SqlStorage)
    return storage
