"""Both back ends, each as an empty database at the present revision."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from geodata.storage.base import SqlStorage
from geodata.storage.schema import COPY_ORDER
from tests.databases import open_sql

BACK_ENDS = [
    "embedded",
    pytest.param("postgis", marks=pytest.mark.postgis),
]


@pytest.fixture(scope="session")
def embedded_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "empty.db"
    storage = open_sql(f"sqlite:///{path}")
    storage.upgrade()
    storage.dispose()
    return path


@pytest.fixture(scope="session")
def postgis_storage(postgis_url: str) -> Iterator[SqlStorage]:
    storage = open_sql(postgis_url)
    storage.upgrade()
    yield storage
    storage.dispose()


@pytest.fixture(params=BACK_ENDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    """An empty database of each kind."""
    if request.param == "embedded":
        template = request.getfixturevalue("embedded_template")
        shutil.copyfile(template, tmp_path / "test.db")
        found = open_sql(f"sqlite:///{tmp_path / 'test.db'}")
        yield found
        found.dispose()
        return
    shared: SqlStorage = request.getfixturevalue("postgis_storage")
    engine = sa.create_engine(shared.engine.url)
    with engine.begin() as connection:
        for table in reversed(COPY_ORDER):
            connection.execute(sa.delete(table))
    engine.dispose()
    yield shared


@pytest.fixture(params=BACK_ENDS)
def new_storage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], SqlStorage]]:
    """Make storages over databases that hold nothing at all yet."""
    made: list[SqlStorage] = []

    def make() -> SqlStorage:
        if request.param == "embedded":
            url = f"sqlite:///{tmp_path / f'new{len(made)}.db'}"
        else:
            url = request.getfixturevalue("new_postgis_database")()
        made.append(open_sql(url))
        return made[-1]

    yield make
    for storage in made:
        storage.dispose()


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a copy of an SQLite file with a page of the middle overwritten."""

    def make(source: Path) -> Path:
        target = tmp_path / "damaged.db"
        with sqlite3.connect(source) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (root,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'cells'"
            ).fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.close()
        content = bytearray(source.read_bytes())
        start = (root - 1) * size
        content[start : start + size] = b"\xa5" * size
        target.write_bytes(content)
        return target

    return make
