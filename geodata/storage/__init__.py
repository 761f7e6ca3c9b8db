"""Storage of plans and records: one model over SQLite and PostGIS."""

from __future__ import annotations

import sqlalchemy as sa

from gridsvc.errors import StorageError
from gridsvc.services.ports import Storage

__all__ = ["open_storage"]


def open_storage(url: str) -> Storage:
    """Return the storage of a database URL, without touching the database yet.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST:PORT/DATABASE``.

    Raises
    ------
    StorageError
        For any other URL.
    """
    try:
        kind = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise StorageError(
            reason_zh=f"不是数据库地址:{url!r}", reason_en=f"this is no database URL: {url!r}"
        ) from error
    if kind == "sqlite":
        from geodata.storage.embedded import EmbeddedStorage

        return EmbeddedStorage(url)
    if kind == "postgresql":
        from geodata.storage.postgis import PostgisStorage

        return PostgisStorage(url)
    raise StorageError(
        reason_zh=f"不支持的数据库“{kind}”,请用 sqlite:/// 或 postgresql+psycopg://",
        reason_en=f"unsupported database '{kind}', use sqlite:/// or postgresql+psycopg://",
    )
