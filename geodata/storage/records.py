"""Record layers: points, cases, staff, duties and the others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import sqlalchemy as sa

from geodata.storage import frames
from geodata.storage.faults import DRIVER_ERRORS, explain, is_duplicate, translated
from geodata.storage.filters import any_of, has_visit, matches, since_until
from geodata.storage.spatial import meets_box
from gridsvc.errors import DuplicateKey, InputError, NotFoundError
from gridsvc.layers import Layer
from gridsvc.types import BoundingBox, Period

if TYPE_CHECKING:
    from geodata.storage.session import Session


class SqlRecordRepository:
    """One record layer (port ``RecordRepository``)."""

    def __init__(self, session: Session, layer: Layer, table: sa.Table) -> None:
        self._session = session
        self._layer = layer
        self._table = table
        self._key = table.c[layer.key]

    def append(self, frame: pd.DataFrame, *, batch_id: str | None = None) -> int:
        """Insert rows in contract form, all or none; returns their number.

        Raises
        ------
        DuplicateKey
            Naming the first key that exists.
        RejectedRows
            If the frame is not in contract form and cannot be brought there.
        StorageError
        """
        return self._insert(frame, batch_id, replace=False)

    def upsert(self, frame: pd.DataFrame, *, batch_id: str | None = None) -> int:
        """Insert rows or replace those with the same key; returns their number.

        A replaced row keeps its batch when no ``batch_id`` is given.
        """
        return self._insert(frame, batch_id, replace=True)

    def _insert(self, frame: pd.DataFrame, batch_id: str | None, *, replace: bool) -> int:
        frame = frames.conform(frame, self._layer)
        if len(frame) == 0:
            return 0
        names, rows = frames.rows(frame, self._layer, self._session.dialect, batch_id=batch_id)
        try:
            return self._session.bulk(
                self._table, names, rows, replace_by=self._layer.key if replace else None
            )
        except DRIVER_ERRORS as error:
            if is_duplicate(error):
                key = self._first_existing(frame.index)
                raise DuplicateKey(kind=self._layer.name, key=key) from error
            raise explain(error, kind=self._layer.name) from error

    def _first_existing(self, keys: Iterable[str]) -> str:
        query = sa.select(sa.func.min(self._key)).where(
            any_of(self._key, list(keys), self._session.dialect)
        )
        with translated():
            return str(self._session.read().execute(query).scalar_one())

    def get(self, key: str) -> pd.Series:
        """Return one row as a series named by its key. Raises ``NotFoundError``."""
        found = self._select(self._key == key)
        if len(found) == 0:
            raise NotFoundError(kind=self._layer.name, key=key)
        return found.iloc[0]

    def frame(
        self,
        *,
        where: dict[str, Any] | None = None,
        bbox: BoundingBox | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        visited: Period | None = None,
        unvisited: Period | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> gpd.GeoDataFrame | pd.DataFrame:
        """Return rows ordered by key, in contract form (filters as in the port).

        Raises
        ------
        InputError
            For a column that the layer does not have, a box over a layer without geometry, a
            period over a layer without an instant, or visits of what is not visited.
        """
        dialect = self._session.dialect
        conditions = matches(self._table, self._layer, where, dialect)
        conditions += since_until(self._table, self._layer, since, until)
        if visited is not None:
            conditions.append(has_visit(self._table, self._layer, visited))
        if unvisited is not None:
            conditions.append(~has_visit(self._table, self._layer, unvisited))
        if bbox is not None:
            if self._layer.geometry is None:
                raise InputError(
                    reason_zh=f"图层 {self._layer.name} 没有图形,不能按范围筛选",
                    reason_en=f"layer {self._layer.name} has no geometry and no bounding box",
                )
            conditions.append(meets_box(self._table, bbox, dialect))
        if after is not None:
            conditions.append(self._key > after)
        return self._select(*conditions, limit=limit)

    def _select(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> gpd.GeoDataFrame | pd.DataFrame:
        columns = frames.selection(self._table, self._layer, self._session.dialect)
        query = sa.select(*columns).where(*conditions).order_by(self._key).limit(limit)
        with translated():
            rows = self._session.read().execute(query).fetchall()
        return frames.build(rows, self._layer)

    def count(self, *, where: dict[str, Any] | None = None) -> int:
        """Return the number of rows."""
        conditions = matches(self._table, self._layer, where, self._session.dialect)
        query = sa.select(sa.func.count()).select_from(self._table).where(*conditions)
        with translated():
            return int(self._session.read().execute(query).scalar_one())
