"""Opening, refusing and explaining: URLs, missing and damaged files, drivers' errors."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from geodata.storage import open_storage
from geodata.storage.faults import explain, translated
from geodata.storage.schema import HEAD
from geodata.storage.types import Instant, from_micros, to_micros
from gridsvc.errors import SchemaOutdated, StorageError
from gridsvc.layers import RECORD_LAYERS
from tests.databases import open_sql

DIALECTS = [
    sa.create_mock_engine(f"{name}://", print).dialect for name in ("sqlite", "postgresql+psycopg")
]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "no database URL"),
        ("mysql://localhost/x", "unsupported database 'mysql'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_other_urls_are_refused(url: str, reason: str) -> None:
    with pytest.raises(StorageError, match=reason):
        open_storage(url)


def test_kinds() -> None:
    assert open_storage("sqlite:///x.db").kind == "embedded"
    assert open_storage("postgresql://u@127.0.0.1:1/x").kind == "postgis"


def test_missing_file_is_not_created_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    storage = open_storage(f"sqlite:///{path}")
    with pytest.raises(SchemaOutdated):
        storage.check()
    with pytest.raises(SchemaOutdated):
        storage.version_stamp()
    storage.dispose()
    assert not path.exists()


def test_upgrade_makes_the_folder(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'a' / 'b' / 'city.db'}")
    storage.upgrade()
    storage.check()
    storage.dispose()


def test_unreachable_places_are_typed_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for url in (f"sqlite:///{tmp_path / 'file' / 'x.db'}", "postgresql://nobody@127.0.0.1:1/x"):
        storage = open_storage(url)
        with pytest.raises(StorageError):
            storage.upgrade()
        storage.dispose()


def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("certainly no database, however long one may look at it " * 40)
    storage = open_storage(f"sqlite:///{path}")
    for use in (storage.check, storage.upgrade, storage.version_stamp):
        with pytest.raises(StorageError, match="not a database"):
            use()
    storage.dispose()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE points (x)",
        "CREATE TABLE alembic_version AS SELECT 'a1b2c3d4e5f6' AS version_num",
    ],
)
def test_the_database_of_another_program_is_named_and_left_alone(
    tmp_path: Path, script: str
) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    storage = open_storage(f"sqlite:///{path}")
    for use in (storage.check, storage.upgrade):
        with pytest.raises(StorageError, match="another program") as caught:
            use()
        assert "其他程序" in caught.value.text("zh")
    storage.dispose()
    with closing(sqlite3.connect(path)) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert len(tables) == 1


def test_what_sqlite_says_is_told_in_the_language_asked_for() -> None:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DIRECTORY
    told = explain(error)
    assert told.text("zh") == "数据库错误:数据库文件只读;请检查权限"
    assert told.text("en").endswith("read-only; check its permissions")


def test_pragmas_of_every_connection(tmp_path: Path) -> None:
    storage = open_sql(f"sqlite:///{tmp_path / 'x.db'}")
    storage.upgrade()
    with storage.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 60_000,
    }  # fmt: skip
    storage.dispose()


def test_head_is_the_newest_migration(tmp_path: Path) -> None:
    import geodata.storage.migrations as package

    versions = sorted((Path(package.__file__).parent / "versions").glob("[0-9]*.py"))
    assert versions[-1].name.startswith(f"{HEAD}_")
    storage = open_sql(f"sqlite:///{tmp_path / 'x.db'}")
    storage.upgrade()
    assert storage.revision() == HEAD
    storage.dispose()


def test_upgrade_that_fails_leaves_the_old_revision(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    storage = open_sql(f"sqlite:///{path}")
    storage.upgrade("0001")
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE repairs (x)")  # in the way of 0002
    with pytest.raises(StorageError, match="repairs"):
        storage.upgrade()
    assert storage.revision() == "0001"
    with storage.engine.begin() as connection:
        assert not sa.inspect(connection).has_table("batches")
        connection.exec_driver_sql("DROP TABLE repairs")
    storage.upgrade()
    storage.check()
    storage.dispose()


def test_writers_are_told_that_the_database_is_busy() -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    found = explain(error)
    assert isinstance(found, StorageError)
    assert "busy" in found.text("en")
    assert "占用" in found.text("zh")


def test_other_exceptions_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        1 / 0  # noqa: B018
    with pytest.raises(StorageError, match="disk full") as caught, translated():
        raise sqlite3.OperationalError("disk full\nsecond line")
    assert "second" not in str(caught.value)


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2262, 4, 12, 0, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 6, 1, 8, 30, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_instants_are_exact_on_both_back_ends(instant: datetime) -> None:
    assert from_micros(to_micros(instant)) == instant
    for dialect in DIALECTS:
        bound = Instant().process_bind_param(instant, dialect)
        found = Instant().process_result_value(bound, dialect)
        assert found == instant
        assert found.utcoffset() == timedelta(0)
    assert Instant().process_bind_param(None, DIALECTS[0]) is None
    assert Instant().process_result_value(None, DIALECTS[0]) is None


def test_instants_without_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="without time zone"):
        to_micros(datetime(2024, 1, 1))  # noqa: DTZ001


def test_every_record_layer_has_a_batch() -> None:
    from geodata.storage.schema import layer_tables

    assert all("batch_id" in layer_tables[name].c for name in RECORD_LAYERS)
