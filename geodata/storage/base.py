"""What both back ends have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from geodata.storage.faults import require_text, translated
from geodata.storage.schema import HEAD, meta, metadata
from geodata.storage.session import BulkInsert, SqlUnitOfWork
from gridsvc.errors import SchemaMissing, SchemaOutdated, StorageError
from gridsvc.services.ports import UnitOfWork

VERSION_TABLE = "alembic_version"


class SqlStorage:
    """A database reached through SQLAlchemy (port ``Storage``, but for what differs by kind).

    Attributes
    ----------
    url : str
        As given.
    kind : str
        ``embedded`` or ``postgis``.
    engine : Engine
    """

    kind = ""
    bulk_insert: BulkInsert

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self.engine = engine
        sa.event.listen(engine, "before_cursor_execute", _refuse_nul)

    def unit_of_work(self) -> UnitOfWork:
        """Return a new unit of work, to be used as a context manager."""
        return SqlUnitOfWork(self.engine, self.bulk_insert)

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to a revision, all or nothing; creates it in an empty database.

        Parameters
        ----------
        revision : str
            ``head`` or an earlier one.

        Raises
        ------
        StorageError
            If the database cannot be reached, or was left by a newer version of the program.
        """
        found = self.revision()
        self._refuse_strangers(found)
        with translated(), self.engine.connect() as connection:
            self.begin_alone(connection)
            migrate(connection, revision)
            connection.commit()

    def begin_alone(self, connection: Connection) -> None:
        """Begin a transaction that no other upgrade or restoration runs beside."""
        connection.begin()

    def revision(self) -> str | None:
        """Return the revision of the schema, ``None`` when there is none."""
        with translated(), self.engine.connect() as connection:
            if not sa.inspect(connection).has_table(VERSION_TABLE):
                return None
            found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))
            return found.scalar_one_or_none()

    def check(self) -> None:
        """Raise ``SchemaOutdated`` or ``StorageError`` unless the database can be used."""
        found = self.revision()
        if found == HEAD:
            return
        self._refuse_strangers(found)
        if found is None:
            raise SchemaMissing(expected=HEAD)
        raise SchemaOutdated(found=found, expected=HEAD)

    def _refuse_strangers(self, found: str | None) -> None:
        """Refuse databases of newer versions and those that another program keeps."""
        if found is None:
            with translated(), self.engine.connect() as connection:
                there = set(sa.inspect(connection).get_table_names()) & set(metadata.tables)
            # Asked again: another process may just have made these tables, and the version.
            if there and self.revision() is None:
                raise _strange("、".join(sorted(there)[:3]), ", ".join(sorted(there)[:3]))
        elif not re.fullmatch(r"\d{4}", found):
            raise _strange(VERSION_TABLE, VERSION_TABLE)
        elif found > HEAD:
            raise _newer(found)

    def version_stamp(self) -> str:
        """Return a text that changes whenever a plan is published or records change."""
        query = sa.select(meta.c.text, meta.c.number).where(meta.c.key == "stamp")
        with translated(), self.engine.connect() as connection:
            row = connection.execute(query).one()
        return f"{row[0]}:{row[1]}"

    def backup(self, target: Path) -> None:
        """Write a consistent copy while the service runs, as a file of the embedded kind.

        Raises
        ------
        StorageError
            If the target cannot be written; what stood there before is left untouched.
        """
        from geodata.storage.backup import write_backup

        write_backup(self, Path(target))

    def restore(self, source: Path) -> None:
        """Replace the content by a backup of either kind of database, all or nothing.

        Backups of older versions are upgraded on the way.

        Raises
        ------
        StorageError
            If the file is no backup, is damaged, or comes from a newer version.
        """
        from geodata.storage.backup import read_backup

        read_backup(self, Path(source))

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _refuse_nul(
    _connection: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, many: bool
) -> None:
    """Refuse texts that one kind of database takes and the other does not."""
    for row in parameters if many else (parameters,):
        for value in row.values() if isinstance(row, dict) else row:
            for text in value if isinstance(value, list) else (value,):
                require_text(text)


def migrate(connection: Connection, revision: str) -> None:
    """Run the migrations in the transaction of a connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _newer(found: str) -> StorageError:
    return StorageError(
        reason_zh=f"数据库由更新的程序版本({found})留下,本程序为 {HEAD};请升级程序",
        reason_en=f"the database was left by a newer program (revision {found}, known {HEAD}); "
        "upgrade the program",
    )


def _strange(tables_zh: str, tables_en: str) -> StorageError:
    return StorageError(
        reason_zh=f"这是其他程序的数据库(已有表 {tables_zh});请在 GRIDSVC_DATABASE_URL 中指明空的或"
        "本程序的数据库",
        reason_en=f"another program keeps this database (it has the table {tables_en}); name an "
        "empty one or one of gridsvc in GRIDSVC_DATABASE_URL",
    )


def engine_options() -> dict[str, Any]:
    """Return options that both engines share."""
    from geodata.storage.types import dump_json, load_json

    return {"json_serializer": dump_json, "json_deserializer": load_json}
