"""Creating, upgrading, checking, backing up and restoring, on both back ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from geodata.storage.base import SqlStorage
from geodata.storage.schema import HEAD, layer_tables, metadata
from gridsvc.errors import ConflictError, SchemaOutdated, StorageError
from gridsvc.layers import LAYERS, RECORD_LAYERS
from gridsvc.plan.version import PlanStatus
from tests.contract import data
from tests.contract.data import DAY, T0, assert_same
from tests.databases import open_sql

NewStorage = Callable[[], SqlStorage]


def fill(storage: SqlStorage) -> None:
    """Put something into every table."""
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        exclusions = data.layer_rows(LAYERS["exclusions"], 6)
        old = data.plan("p1", 1, PlanStatus.SUPERSEDED, effective_from=T0, effective_to=T0 + DAY)
        new = data.plan(
            "p0", 2, PlanStatus.PUBLISHED, base_id="p1", effective_from=T0 + DAY,
            certificate={"ok": True}, provenance={"z": 1, "a": "网"},
        )  # fmt: skip
        work.plans.add(old, data.cells(5))
        work.plans.add(new, data.cells(4), exclusions)
        work.plans.put_areas("p0", data.layer_rows(LAYERS["areas"], 6))
        pair = {"old_code": ["c1", None], "new_code": ["c2", "c3"], "kind": "M", "share": [0.1, 1]}
        work.plans.put_lineage("p1", "p0", pd.DataFrame(pair))
        log = exclusions[["kind", "geometry"]]
        work.batches.add({"id": "b1", "layer": "cases", "created_at": T0, "counts": {"n": 1}}, log)
        for name in RECORD_LAYERS:
            batch = "b1" if name == "cases" else None
            work.records(name).append(data.layer_rows(LAYERS[name], 40), batch_id=batch)
        work.commit()


def assert_filled(storage: SqlStorage) -> None:
    """Check that everything of ``fill`` is there, and nothing else."""
    with storage.unit_of_work() as work:
        assert [s.id for s in work.plans.schemes()] == ["main"]
        assert work.plans.scheme("main").territory.equals_exact(data.scheme().territory)
        assert [p.id for p in work.plans.list()] == ["p1", "p0"]
        assert work.plans.get("p0").base_id == "p1"
        assert list(work.plans.get("p0").provenance) == ["z", "a"]
        assert_same(work.plans.cells("p1"), data.cells(5))
        assert_same(work.plans.cells("p0"), data.cells(4))
        assert_same(work.plans.exclusions("p0"), data.layer_rows(LAYERS["exclusions"], 6))
        assert_same(work.plans.areas("p0").sort_index(), data.layer_rows(LAYERS["areas"], 6))
        assert len(work.plans.lineage("p1", "p0")) == 2
        assert work.batches.get("b1")["counts"] == {"n": 1}
        assert len(work.batches.log("b1")) == 6
        for name in RECORD_LAYERS:
            assert_same(work.records(name).frame(), data.layer_rows(LAYERS[name], 40))
        assert work.records("cases").count(where={"batch_id": "b1"}) == 40


def test_new_database_is_outdated_until_upgraded(new_storage: NewStorage) -> None:
    storage = new_storage()
    with pytest.raises(SchemaOutdated, match="gridsvc db upgrade"):
        storage.check()
    storage.upgrade()
    storage.check()
    stamp = storage.version_stamp()
    storage.upgrade()
    storage.check()
    assert storage.version_stamp() == stamp


def test_database_of_an_older_version_is_upgraded_with_its_data(new_storage: NewStorage) -> None:
    storage = new_storage()
    storage.upgrade("0001")
    with pytest.raises(SchemaOutdated) as caught:
        storage.check()
    assert (caught.value.found, caught.value.expected) == ("0001", HEAD)
    point = "X'0101000020 8A110000 0000000000405D40 0000000000003A40'".replace(" ", "")
    if storage.kind == "postgis":
        point = point[2:-1].join("''")
    instant = "1600000000123457"
    if storage.kind == "postgis":
        instant = "'2020-09-13T12:26:40.123457Z'"
    with storage.engine.begin() as connection:
        for statement in (
            (
                "INSERT INTO schemes (id, name, metric_epsg, gap_width_m, code_system, timezone) "
                "VALUES ('main', '三明', 4548, 1.0, 'cn', 'Asia/Shanghai')"
            ),
            (
                "INSERT INTO plans (id, scheme_id, number, title, status, created_at, cell_count, "
                "effective_from, revision, provenance) VALUES ('p1', 'main', 1, 't', 'published', "
                f"{instant}, 1, {instant}, 1, '{{}}')"
            ),
            (
                "INSERT INTO cases (case_id, class_code, reported_at, geometry) "
                f"VALUES ('k1', '0101', {instant}, {point})"
            ),
        ):
            connection.exec_driver_sql(statement)
    storage.upgrade()
    storage.check()
    with storage.unit_of_work() as work:
        case = work.records("cases").get("k1")
        assert case["reported_at"].isoformat() == "2020-09-13T12:26:40.123457+00:00"
        assert (case["geometry"].x, case["geometry"].y) == (117.0, 26.0)
        assert work.plans.get("p1").effective_from == case["reported_at"].to_pydatetime()
        clash = data.plan("p2", 2, PlanStatus.PUBLISHED, effective_from=T0 + DAY)
        with pytest.raises(ConflictError, match="in force"):
            work.plans.add(clash, data.cells())
        work.batches.add({"id": "b", "layer": "cases", "created_at": T0})
        work.records("cases").append(data.layer_rows(LAYERS["cases"], 9), batch_id="b")
        work.commit()


def test_database_of_a_newer_version_is_refused(new_storage: NewStorage) -> None:
    storage = new_storage()
    storage.upgrade()
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for use in (storage.check, storage.upgrade):
        with pytest.raises(StorageError, match="newer") as caught:
            use()
        assert not isinstance(caught.value, SchemaOutdated)


def test_migrations_build_exactly_the_tables_of_the_schema(storage: SqlStorage) -> None:
    with storage.engine.connect() as connection:
        inspector = sa.inspect(connection)
        dialect = connection.dialect
        for table in metadata.sorted_tables:
            found = {c["name"]: c for c in inspector.get_columns(table.name)}
            assert set(found) == set(table.columns.keys()), table.name
            for column in table.columns:
                there = found[column.name]
                assert there["nullable"] == column.nullable, f"{table.name}.{column.name}"
                if column.name in ("geometry", "territory"):
                    continue
                wanted = column.type.compile(dialect)
                assert there["type"].compile(dialect) == wanted, f"{table.name}.{column.name}"
            uniques = {
                tuple(u["column_names"]) for u in inspector.get_unique_constraints(table.name)
            }
            assert uniques == {
                tuple(c.name for c in u.columns)
                for u in table.constraints
                if isinstance(u, sa.UniqueConstraint)
            } | {(c.name,) for c in table.columns if c.unique}, table.name
            indexed = {i["name"]: i["column_names"] for i in inspector.get_indexes(table.name)}
            for index in table.indexes:
                assert index.name is not None
                if index.name.startswith("idx_") and dialect.name == "sqlite":
                    assert inspector.has_table(index.name), index.name
                    continue
                assert indexed[index.name] == [c.name for c in index.columns], index.name
            parents = {k["referred_table"] for k in inspector.get_foreign_keys(table.name)}
            assert parents == {k.column.table.name for k in table.foreign_keys}, table.name


def test_every_spatial_column_has_an_index(storage: SqlStorage) -> None:
    wanted = {"schemes.territory", "repairs.geometry"}
    wanted |= {f"{n}.geometry" for n, layer in LAYERS.items() if layer.geometry}
    with storage.engine.connect() as connection:
        if storage.kind == "postgis":
            rows = connection.exec_driver_sql(
                "SELECT f_table_name, f_geometry_column FROM geometry_columns "
                "JOIN pg_indexes ON tablename = f_table_name WHERE srid = 4490 "
                "AND indexdef LIKE '%%gist (' || f_geometry_column || ')'"
            )
        else:
            rows = connection.exec_driver_sql(
                "SELECT f_table_name, f_geometry_column FROM geometry_columns JOIN sqlite_master "
                "ON name = 'idx_' || f_table_name || '_' || f_geometry_column WHERE srid = 4490"
            )
        assert {f"{t}.{c}" for t, c in rows} == wanted


@pytest.mark.postgis
@pytest.mark.parametrize("source_kind", ["embedded", "postgis"])
def test_backup_restores_into_either_kind(
    source_kind: str,
    new_storage: NewStorage,
    new_postgis_database: Callable[[], str],
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'source.db'}"
    if source_kind == "postgis":
        url = new_postgis_database()
    source = open_sql(url)
    source.upgrade()
    fill(source)
    copy = tmp_path / "copy.gridsvc"
    source.backup(copy)
    source.dispose()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(("copy", "."))] == [copy.name]

    target = new_storage()
    target.restore(copy)
    target.check()
    assert_filled(target)
    with target.unit_of_work() as work:  # the restored database goes on working
        work.records("units").upsert(data.layer_rows(LAYERS["units"], 50, seed=1))
        work.commit()
        assert work.records("units").count() == 50


def test_restore_replaces_what_was_there_under_open_readers(
    storage: SqlStorage, tmp_path: Path
) -> None:
    fill(storage)
    copy = tmp_path / "copy.db"
    storage.backup(copy)
    before = storage.version_stamp()
    with storage.unit_of_work() as work:
        work.records("units").upsert(data.layer_rows(LAYERS["units"], 60, seed=2))
        work.plans.add(data.plan("p3", 3), data.cells())
        work.commit()
    changed = storage.version_stamp()
    storage.restore(copy)
    assert_filled(storage)
    assert storage.version_stamp() not in (before, changed)


def test_backup_while_somebody_writes_holds_whole_transactions(
    storage: SqlStorage, tmp_path: Path
) -> None:
    units = data.layer_rows(LAYERS["units"], 20)
    with storage.unit_of_work() as work:
        work.records("units").append(units.iloc[:5])
        work.commit()
        work.records("units").append(units.iloc[5:])
        storage.backup(tmp_path / "copy.db")
        work.commit()
    restored = open_sql(f"sqlite:///{tmp_path / 'copy.db'}")
    with restored.unit_of_work() as work:
        assert work.records("units").count() == 5
    restored.dispose()


def test_backup_of_an_older_version_is_upgraded_on_restoring(
    new_storage: NewStorage, tmp_path: Path
) -> None:
    old = open_sql(f"sqlite:///{tmp_path / 'old.db'}")
    old.upgrade("0001")
    old.dispose()
    target = new_storage()
    target.restore(tmp_path / "old.db")
    target.check()
    again = open_sql(f"sqlite:///{tmp_path / 'old.db'}")
    with pytest.raises(SchemaOutdated):  # the backup itself is left as it was
        again.check()
    again.dispose()


def test_bad_backups_are_refused_and_leave_everything(
    storage: SqlStorage, tmp_path: Path, damaged: Callable[[Path], Path]
) -> None:
    fill(storage)
    good = tmp_path / "good.db"
    storage.backup(good)
    (tmp_path / "text.db").write_text("not a database, but long enough to be read as one" * 9)
    (tmp_path / "empty.db").write_bytes(b"")
    (tmp_path / "cut.db").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with sqlite3.connect(tmp_path / "foreign.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    newer = tmp_path / "newer.db"
    newer.write_bytes(good.read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with storage.unit_of_work() as work:
        work.plans.add(data.plan("p3", 3), data.cells())
        work.commit()
    stamp = storage.version_stamp()
    for path, message in [
        (tmp_path / "none.db", "there is no backup"),
        (tmp_path / "text.db", "is no backup"),
        (tmp_path / "empty.db", "is no backup"),
        (tmp_path / "cut.db", "damaged"),
        (tmp_path / "foreign.db", "is no backup"),
        (newer, "newer"),
        (damaged(good), "damaged"),
    ]:
        with pytest.raises(StorageError, match=message):
            storage.restore(path)
    assert storage.version_stamp() == stamp
    with storage.unit_of_work() as work:
        assert [p.id for p in work.plans.list()] == ["p1", "p0", "p3"]


def test_backup_that_cannot_be_written_keeps_the_old_one(
    storage: SqlStorage, tmp_path: Path
) -> None:
    with pytest.raises(StorageError):
        storage.backup(tmp_path / "no-such-folder" / "copy.db")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("kept")
    with pytest.raises(StorageError):
        storage.backup(tmp_path / "taken")
    assert (tmp_path / "taken" / "file").read_text() == "kept"
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".gridsvc")] == []


def test_tables_and_contracts_have_the_same_columns() -> None:
    for name, layer in LAYERS.items():
        extra = {"fid", layer.key, "plan_id" if name in ("cells", "areas", "exclusions") else
                 "batch_id"}  # fmt: skip
        extra |= {"geometry"} if layer.geometry else set()
        assert set(layer_tables[name].columns.keys()) == {*layer.column_names, *extra}
