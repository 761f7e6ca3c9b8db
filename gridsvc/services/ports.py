"""What the use cases ask of storage: protocols that both back ends fulfil unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import geopandas as gpd
import pandas as pd

from gridsvc.plan.version import GridScheme, PlanVersion
from gridsvc.types import BoundingBox, Period


class PlanRepository(Protocol):
    """Schemes, plan versions, their cells, exclusions and derived areas."""

    def add_scheme(self, scheme: GridScheme) -> None:
        """Insert a scheme. Raises ``DuplicateKey``."""

    def save_scheme(self, scheme: GridScheme, *, expected: GridScheme | None = None) -> None:
        """Replace a scheme's attributes. Raises ``NotFoundError``.

        With ``expected``, raises ``StaleVersion`` unless the stored one equals it; nobody else can
        change it until this unit of work ends.
        """

    def scheme(self, scheme_id: str) -> GridScheme:
        """Return a scheme. Raises ``NotFoundError``."""

    def schemes(self) -> list[GridScheme]:
        """Return all schemes ordered by id."""

    def add(
        self,
        plan: PlanVersion,
        cells: gpd.GeoDataFrame,
        exclusions: gpd.GeoDataFrame | None = None,
    ) -> None:
        """Insert a plan version with its cells (contract CELLS). Raises ``DuplicateKey``."""

    def get(self, plan_id: str) -> PlanVersion:
        """Return a plan version. Raises ``UnknownPlan``."""

    def list(self, scheme_id: str | None = None) -> list[PlanVersion]:
        """Return plan versions ordered by scheme and number."""

    def save(self, plan: PlanVersion, *, expected_revision: int) -> None:
        """Replace a plan's attributes. Raises ``StaleVersion`` if the revision moved on."""

    def cells(
        self,
        plan_id: str,
        *,
        bbox: BoundingBox | None = None,
        codes: Sequence[str] | None = None,
        community: str | None = None,
        subdistrict: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> gpd.GeoDataFrame:
        """Return cells ordered by code (contract CELLS); ``bbox`` keeps those that intersect."""

    def exclusions(self, plan_id: str) -> gpd.GeoDataFrame:
        """Return the registered exclusions of a plan (contract EXCLUSIONS)."""

    def put_areas(self, plan_id: str, areas: gpd.GeoDataFrame) -> None:
        """Replace the materialised communities, subdistricts and city (contract AREAS)."""

    def areas(self, plan_id: str, level: str | None = None) -> gpd.GeoDataFrame:
        """Return materialised areas ordered by level and code."""

    def put_lineage(self, old_id: str, new_id: str, lineage: pd.DataFrame) -> None:
        """Replace the lineage rows between two plans: columns old_code, new_code, kind, share."""

    def lineage(self, old_id: str, new_id: str) -> pd.DataFrame:
        """Return lineage rows between two plans ordered by old_code, new_code."""


class RecordRepository(Protocol):
    """One of the record layers (points, cases, staff, duties, …), frames in and frames out."""

    def append(self, frame: pd.DataFrame, *, batch_id: str | None = None) -> int:
        """Insert rows in contract form; returns their number. Raises ``DuplicateKey``."""

    def upsert(self, frame: pd.DataFrame, *, batch_id: str | None = None) -> int:
        """Insert rows or replace those with the same key; returns their number."""

    def get(self, key: str) -> pd.Series:
        """Return one row. Raises ``NotFoundError``."""

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
        """Return rows ordered by key, in contract form.

        ``where`` maps columns to a value or a list of values (``None`` tests for null).
        ``since``/``until`` (half-open) apply to the layer's instant: ``reported_at`` of cases,
        ``visited_at`` of visits. ``visited`` keeps points with a visit in a period, ``unvisited``
        those without one. ``bbox`` keeps points inside the closed box, lines that meet it.
        ``after``/``limit`` page by key.
        """

    def count(self, *, where: dict[str, Any] | None = None) -> int:
        """Return the number of rows."""


class BatchRepository(Protocol):
    """Imports: what came in, from where, with which options, and what the repair did."""

    def add(self, batch: dict[str, Any], log: gpd.GeoDataFrame | None = None) -> None:
        """Insert a batch (id, layer, source, digest, options, counts, created_at) and its log."""

    def get(self, batch_id: str) -> dict[str, Any]:
        """Return one batch. Raises ``NotFoundError``."""

    def list(self) -> list[dict[str, Any]]:
        """Return batches, newest first."""

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
        """Return rows of the repair log of a batch, indexed by their number in it, from 0.

        ``cell`` keeps rows of which it is the ``code`` or that it ``gained_by``, ``bbox`` rows
        whose geometry meets the closed box; ``after``/``limit`` page by number.
        """


class UnitOfWork(Protocol):
    """One transaction: everything inside is kept by ``commit`` or nothing is."""

    plans: PlanRepository
    batches: BatchRepository

    def records(self, layer: str) -> RecordRepository:
        """Return the repository of a record layer (KeyError for other names)."""

    def commit(self) -> None:
        """Keep the work. Raises ``StorageError``."""

    def rollback(self) -> None:
        """Drop the work."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back whatever was not committed, and close."""


class Storage(Protocol):
    """A database of one of the two kinds."""

    url: str
    kind: str

    def unit_of_work(self) -> UnitOfWork:
        """Return a new unit of work, to be used as a context manager."""

    def upgrade(self) -> None:
        """Bring the schema to the present revision (creates it when new)."""

    def check(self) -> None:
        """Raise ``SchemaOutdated`` or ``StorageError`` unless the database can be used."""

    def backup(self, target: Path) -> None:
        """Write a consistent copy while the service runs."""

    def restore(self, source: Path) -> None:
        """Replace the content by a backup, all or nothing."""

    def version_stamp(self) -> str:
        """Return a text that changes whenever a plan is published or records change."""

    def dispose(self) -> None:
        """Close all connections."""
