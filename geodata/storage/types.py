"""Column types that mean the same on both back ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(value: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00Z of an aware instant, without rounding."""
    if value.tzinfo is None:
        raise ValueError(f"an instant without time zone: {value!r}")
    return (value - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return the aware UTC instant of microseconds since 1970-01-01T00:00Z."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC: ``timestamptz`` in PostgreSQL, integer microseconds in SQLite."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the back end."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Hand an aware instant to the driver."""
        if value is None:
            return None
        micros = to_micros(value)
        return from_micros(micros) if dialect.name == "postgresql" else micros

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return what the driver gives as aware UTC."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return from_micros(int(value))


def key_text() -> sa.String:
    """Return text that sorts by code point on both back ends."""
    text = sa.String()
    return text.with_variant(sa.String(collation="C"), "postgresql")


def dump_json(value: Any) -> str:
    """Return JSON text; numpy scalars and arrays become numbers and lists."""
    return orjson.dumps(
        value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    ).decode()


def load_json(text: str | bytes) -> Any:
    """Return the value of JSON text."""
    return orjson.loads(text)
