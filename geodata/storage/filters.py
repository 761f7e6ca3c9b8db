"""Filters of the ports as SQL conditions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from geodata.storage.faults import require_text
from geodata.storage.schema import INSTANT_OF, layer_tables
from geodata.storage.types import dump_json
from gridsvc.errors import InputError
from gridsvc.layers import POINTS, VISITS, Layer
from gridsvc.types import Period

_MANY = 200


def any_of(column: sa.ColumnElement[Any], values: list[Any], dialect: str) -> Any:
    """Return the condition that a column has one of the values, however many there are."""
    if len(values) <= _MANY or not all(isinstance(v, str) for v in values):
        return column.in_(values)
    # One parameter for the whole list: drivers limit the number of parameters.
    if dialect == "sqlite":
        for value in values:
            require_text(value)  # JSON would hide it
        listed = sa.func.json_each(dump_json(values)).table_valued("value")
        return column.in_(sa.select(listed.c.value))
    array = sa.bindparam(None, values, sa.ARRAY(sa.String()))
    return column == sa.any_(array)


def matches(
    table: sa.Table, layer: Layer, where: dict[str, Any] | None, dialect: str
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of ``where``: values, lists of values, ``None`` for null.

    Raises
    ------
    InputError
        For a column that the layer does not have.
    """
    found: list[sa.ColumnElement[bool]] = []
    for name, wanted in (where or {}).items():
        if name not in layer.column_names and name not in (layer.key, "batch_id"):
            raise InputError(
                reason_zh=f"图层 {layer.name} 没有字段“{name}”",
                reason_en=f"layer {layer.name} has no column '{name}'",
            )
        column = table.c[name]
        if wanted is None:
            found.append(column.is_(None))
        elif isinstance(wanted, (list, tuple, set, frozenset, pd.Series, pd.Index)):
            found.append(_one_of(column, wanted, dialect))
        else:
            found.append(column == _plain(wanted))
    return found


def _one_of(column: sa.Column[Any], wanted: Iterable[Any], dialect: str) -> Any:
    values = [_plain(v) for v in wanted]
    filled = [v for v in values if v is not None]
    condition = any_of(column, filled, dialect)
    if len(filled) == len(values):
        return condition
    return sa.or_(condition, column.is_(None))


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def since_until(
    table: sa.Table, layer: Layer, since: datetime | None, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the half-open period on the layer's instant.

    Raises
    ------
    InputError
        If the layer has no instant, or an end of the period has no time zone.
    """
    if since is None and until is None:
        return []
    if layer.name not in INSTANT_OF:
        raise InputError(
            reason_zh=f"图层 {layer.name} 没有时间字段,不能按时段筛选",
            reason_en=f"layer {layer.name} has no instant and cannot be filtered by a period",
        )
    for end in (since, until):
        if end is not None and end.tzinfo is None:
            raise InputError(
                reason_zh=f"时间缺少时区:{end.isoformat()}",
                reason_en=f"the instant has no time zone: {end.isoformat()}",
            )
    column = table.c[INSTANT_OF[layer.name]]
    found: list[sa.ColumnElement[bool]] = []
    if since is not None:
        found.append(column >= since)
    if until is not None:
        found.append(column < until)
    return found


def has_visit(table: sa.Table, layer: Layer, period: Period) -> sa.ColumnElement[bool]:
    """Return the condition that an evaluation point was visited in a half-open period.

    Raises
    ------
    InputError
        If the layer is not that of the points, or an end of the period has no time zone.
    """
    if layer.name != POINTS.name:
        raise InputError(
            reason_zh=f"图层 {layer.name} 没有考察记录,不能按考察时间筛选",
            reason_en=f"layer {layer.name} has no visits and cannot be filtered by them",
        )
    visits = layer_tables[VISITS.name]
    inside = since_until(visits, VISITS, period.since, period.until)
    return sa.exists().where(visits.c[POINTS.key] == table.c[POINTS.key], *inside)
