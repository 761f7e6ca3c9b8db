"""Databases of tests: opened beyond the port, or with something between them and the service."""

from __future__ import annotations

from pathlib import Path

from geodata.storage import open_storage
from geodata.storage.base import SqlStorage
from gridsvc.services.ports import Storage, UnitOfWork


def open_sql(url: str) -> SqlStorage:
    """Open a database as what it is beyond the port: an engine with a revision."""
    storage = open_storage(url)
    assert isinstance(storage, SqlStorage)
    return storage


class Forwarding:
    """A storage that hands everything on; tests override what they watch or disturb."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.url = inner.url
        self.kind = inner.kind

    def unit_of_work(self) -> UnitOfWork:
        return self.inner.unit_of_work()

    def upgrade(self) -> None:
        self.inner.upgrade()

    def check(self) -> None:
        self.inner.check()

    def backup(self, target: Path) -> None:
        self.inner.backup(target)

    def restore(self, source: Path) -> None:
        self.inner.restore(source)

    def version_stamp(self) -> str:
        return self.inner.version_stamp()

    def dispose(self) -> None:
        self.inner.dispose()
