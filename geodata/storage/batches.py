"""Imports: what came in, from where, and what the repair did."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import sqlalchemy as sa

from geodata.storage import frames
from geodata.storage.faults import translated
from geodata.storage.schema import batches, repairs
from geodata.storage.spatial import as_wkb, meets_box
from geodata.storage.types import dump_json
from gridsvc.crs import STORAGE_EPSG, require_geographic
from gridsvc.errors import NotFoundError
from gridsvc.types import BoundingBox

if TYPE_CHECKING:
    from geodata.storage.session import Session

_COLUMNS = ("id", "layer", "source", "digest", "options", "counts", "created_at")


class SqlBatchRepository:
    """Batches of both back ends (port ``BatchRepository``)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, batch: dict[str, Any], log: gpd.GeoDataFrame | None = None) -> None:
        """Insert a batch and its log.

        Parameters
        ----------
        batch : dict
            id, layer, source, digest, options, counts, created_at (aware); further entries are
            kept as they are, in JSON.
        log : GeoDataFrame, optional
            Any columns of text, numbers and instants, one geometry (EPSG:4490).

        Raises
        ------
        DuplicateKey
        """
        row = {name: batch.get(name) for name in _COLUMNS}
        row["details"] = {k: v for k, v in batch.items() if k not in _COLUMNS} or None
        row["log_form"] = None if log is None else _form(log)
        connection = self._session.write()
        with translated(kind="batch", key=str(batch["id"])), connection.begin_nested():
            connection.execute(sa.insert(batches).values(row))
        if log is not None and len(log):
            self._put_log(str(batch["id"]), log)

    def _put_log(self, batch_id: str, log: gpd.GeoDataFrame) -> None:
        if log.crs is not None:
            require_geographic(log.crs)
        plain = [name for name in log.columns if name != _geometry_name(log)]
        columns = [[_json_value(v) for v in log[name]] for name in plain]
        values = [dump_json(list(row)) for row in zip(*columns, strict=True)]
        if not plain:
            values = ["[]"] * len(log)
        geometries = [None] * len(log)
        if isinstance(log, gpd.GeoDataFrame) and _geometry_name(log) is not None:
            geometries = frames.encode_geometry(log.geometry.to_numpy(), self._session.dialect)
        rows = zip([batch_id] * len(log), range(len(log)), values, geometries, strict=True)
        with translated(kind="repairs", key=batch_id):
            self._session.bulk(repairs, ["batch_id", "number", "values", "geometry"], rows)

    def get(self, batch_id: str) -> dict[str, Any]:
        """Return one batch. Raises ``NotFoundError``."""
        found = self._batches(batches.c.id == batch_id)
        if not found:
            raise NotFoundError(kind="batch", key=batch_id)
        return found[0]

    def list(self) -> builtins.list[dict[str, Any]]:
        """Return batches, newest first."""
        return self._batches()

    def _batches(self, *conditions: sa.ColumnElement[bool]) -> builtins.list[dict[str, Any]]:
        columns = [*(batches.c[name] for name in _COLUMNS), batches.c.details]
        query = sa.select(*columns).where(*conditions)
        query = query.order_by(batches.c.created_at.desc(), batches.c.id)
        with translated():
            rows = self._session.read().execute(query).mappings().fetchall()
        return [{**{n: r[n] for n in _COLUMNS}, **(r["details"] or {})} for r in rows]

    def log(
        self,
        batch_id: str,
        *,
        action: str | None = None,
        cell: str | None = None,
        bbox: BoundingBox | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return rows of the repair log of a batch, in the order and form they were given.

        Parameters
        ----------
        batch_id : str
        action : str, optional
            Only rows of this ``action``.
        cell : str, optional
            Only rows whose ``code`` or ``gained_by`` is this cell.
        bbox : BoundingBox, optional
            Only rows whose geometry meets the closed box.
        after : int, optional
            Only rows that stand behind the one of this number.
        limit : int, optional
            So many rows at most.

        Returns
        -------
        GeoDataFrame
            Indexed by the number of the row in the whole log, from 0, EPSG:4490.

        Raises
        ------
        NotFoundError
        """
        connection = self._session.read()
        with translated():
            batch = connection.execute(
                sa.select(batches.c.log_form).where(batches.c.id == batch_id)
            ).first()
            if batch is None:
                raise NotFoundError(kind="batch", key=batch_id)
            form = batch[0] or {"columns": [], "geometry": "geometry"}
            conditions = [repairs.c.batch_id == batch_id]
            if action is not None:
                conditions.append(_says(form, ["action"], action))
            if cell is not None:
                conditions.append(_says(form, ["code", "gained_by"], cell))
            if bbox is not None:
                conditions.append(meets_box(repairs, bbox, self._session.dialect))
            if after is not None:
                conditions.append(repairs.c.number > after)
            geometry = as_wkb(repairs.c.geometry, self._session.dialect)
            query = sa.select(repairs.c.number, repairs.c["values"], geometry).where(*conditions)
            rows = connection.execute(query.order_by(repairs.c.number).limit(limit)).fetchall()
        data = {
            name: _restore([row[1][i] for row in rows], kind)
            for i, (name, kind) in enumerate(form["columns"])
        }
        table = pd.DataFrame(data, index=pd.RangeIndex(len(rows)))
        table[form["geometry"]] = frames.decode_geometry([row[2] for row in rows])
        table.index = pd.Index([row[0] for row in rows], dtype="int64")
        return gpd.GeoDataFrame(table, geometry=form["geometry"], crs=STORAGE_EPSG)


def _says(form: dict[str, Any], names: Sequence[str], value: str) -> sa.ColumnElement[bool]:
    """Return the condition that one of the columns of a log, as far as it has them, is a text."""
    places = {name: i for i, (name, _) in enumerate(form["columns"])}
    return sa.or_(
        sa.false(),
        *(repairs.c["values"][places[n]].as_string() == value for n in names if n in places),
    )


def _geometry_name(log: gpd.GeoDataFrame) -> str | None:
    return log.active_geometry_name if isinstance(log, gpd.GeoDataFrame) else None


def _form(log: gpd.GeoDataFrame) -> dict[str, Any]:
    geometry = _geometry_name(log)
    columns = [[name, str(log[name].dtype)] for name in log.columns if name != geometry]
    return {"columns": columns, "geometry": geometry or "geometry"}


def _json_value(value: Any) -> Any:
    if isinstance(value, (list, tuple, dict, np.ndarray)):
        return value
    return None if pd.isna(value) else value


def _restore(values: builtins.list[Any], kind: str) -> Any:
    if kind == "object":
        objects = np.empty(len(values), dtype=object)
        objects[:] = values
        return objects
    column: Any = pd.Series(values, dtype=object)
    if kind.startswith("datetime64"):
        column = pd.Series(pd.to_datetime(values, format="ISO8601"))
    return column.astype(kind)
