"""Grid schemes, plan versions, their cells, exclusions, areas and lineage."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import sqlalchemy as sa

from geodata.storage import frames
from geodata.storage.faults import DRIVER_ERRORS, explain, is_duplicate, translated
from geodata.storage.filters import any_of
from geodata.storage.schema import layer_tables, lineage, plans, schemes
from geodata.storage.spatial import as_wkb, meets_box
from gridsvc.errors import DuplicateKey, NotFoundError, StaleVersion, UnknownPlan
from gridsvc.layers import LAYERS
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from gridsvc.types import BoundingBox

if TYPE_CHECKING:
    from geodata.storage.session import Session

_PLAN_FIELDS = tuple(c.name for c in plans.columns)
_SCHEME_FIELDS = tuple(c.name for c in schemes.columns if c.name not in ("fid", "territory"))
_LINEAGE = ("old_code", "new_code", "kind", "share")


class SqlPlanRepository:
    """Plans of both back ends (port ``PlanRepository``)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- schemes ---

    def add_scheme(self, scheme: GridScheme) -> None:
        """Insert a scheme. Raises ``DuplicateKey``."""
        self._keep("scheme", scheme.id, sa.insert(schemes).values(self._scheme_row(scheme)))

    def save_scheme(self, scheme: GridScheme, *, expected: GridScheme | None = None) -> None:
        """Replace a scheme's attributes, those of ``expected`` only if it is given.

        Raises
        ------
        NotFoundError, StaleVersion
        """
        step = sa.update(schemes).where(schemes.c.id == scheme.id)
        if expected is not None:
            # A change of nothing takes the lock, after which what is read stays.
            self._keep("scheme", scheme.id, step.values(id=scheme.id))
            if self.scheme(scheme.id) != expected:
                raise StaleVersion(kind="scheme", key=scheme.id, current="…", given="…")
        if not self._keep("scheme", scheme.id, step.values(self._scheme_row(scheme))):
            raise NotFoundError(kind="scheme", key=scheme.id)

    def scheme(self, scheme_id: str) -> GridScheme:
        """Return a scheme. Raises ``NotFoundError``."""
        found = self._schemes(schemes.c.id == scheme_id)
        if not found:
            raise NotFoundError(kind="scheme", key=scheme_id)
        return found[0]

    def schemes(self) -> builtins.list[GridScheme]:
        """Return all schemes ordered by id."""
        return self._schemes()

    def _scheme_row(self, scheme: GridScheme) -> dict[str, Any]:
        row: dict[str, Any] = {name: getattr(scheme, name) for name in _SCHEME_FIELDS}
        (row["territory"],) = frames.encode_geometry([scheme.territory], self._session.dialect)
        if row["territory"] is not None:
            row["territory"] = sa.type_coerce(row["territory"], self._raw_geometry)
        return row

    @property
    def _raw_geometry(self) -> Any:
        # Already encoded: the geometry type's own conversion would encode it a second time.
        return sa.LargeBinary() if self._session.dialect == "sqlite" else sa.types.NullType()

    def _schemes(self, *conditions: sa.ColumnElement[bool]) -> builtins.list[GridScheme]:
        columns = [schemes.c[name] for name in _SCHEME_FIELDS]
        territory = as_wkb(schemes.c.territory, self._session.dialect)
        query = sa.select(*columns, territory).where(*conditions).order_by(schemes.c.id)
        with translated():
            rows = self._session.read().execute(query).fetchall()
        return [
            GridScheme(
                **dict(zip(_SCHEME_FIELDS, row[:-1], strict=True)),
                territory=frames.decode_geometry([row[-1]])[0],
            )
            for row in rows
        ]

    # --- plan versions ---

    def add(
        self,
        plan: PlanVersion,
        cells: gpd.GeoDataFrame,
        exclusions: gpd.GeoDataFrame | None = None,
    ) -> None:
        """Insert a plan version with its cells (contract CELLS), all or nothing.

        Raises
        ------
        DuplicateKey
            If the id, or the number within the scheme, or a cell code is there twice.
        RejectedRows
            If a frame is not in contract form and cannot be brought there.
        ConflictError
            If the version would be in force at the same time as another one.
        """
        cells = frames.conform(cells, LAYERS["cells"])
        if exclusions is not None:
            exclusions = frames.conform(exclusions, LAYERS["exclusions"])
        self._keep("plan", plan.id, sa.insert(plans).values(_plan_row(plan)))
        self._put("cells", plan.id, cells)
        if exclusions is not None:
            self._put("exclusions", plan.id, exclusions)

    def get(self, plan_id: str) -> PlanVersion:
        """Return a plan version. Raises ``UnknownPlan``."""
        found = self._plans(plans.c.id == plan_id)
        if not found:
            raise UnknownPlan(plan=plan_id)
        return found[0]

    def list(self, scheme_id: str | None = None) -> builtins.list[PlanVersion]:
        """Return plan versions ordered by scheme and number."""
        return self._plans() if scheme_id is None else self._plans(plans.c.scheme_id == scheme_id)

    def save(self, plan: PlanVersion, *, expected_revision: int) -> None:
        """Replace a plan's attributes if it is still at a revision.

        The stored revision always moves on, also when the caller did not count it up.

        Raises
        ------
        StaleVersion
            If somebody else saved it in between.
        UnknownPlan
        ConflictError
            If the version would be in force at the same time as another one.
        """
        row = _plan_row(plan)
        row["revision"] = max(plan.revision, expected_revision + 1)
        step = sa.update(plans).where(plans.c.id == plan.id, plans.c.revision == expected_revision)
        if self._keep("plan", plan.id, step.values(row)):
            return
        current = self.get(plan.id).revision
        raise StaleVersion(kind="plan", key=plan.id, current=current, given=expected_revision)

    def _plans(self, *conditions: sa.ColumnElement[bool]) -> builtins.list[PlanVersion]:
        query = sa.select(plans).where(*conditions).order_by(plans.c.scheme_id, plans.c.number)
        with translated():
            rows = self._session.read().execute(query).mappings().fetchall()
        return [PlanVersion(**{**row, "status": PlanStatus(row["status"])}) for row in rows]

    def _keep(self, kind: str, key: str, statement: Any) -> int:
        """Run one statement, alone undone if it fails; returns the number of rows."""
        connection = self._session.write()
        with translated(kind=kind, key=key), connection.begin_nested():
            return int(connection.execute(statement).rowcount)

    # --- layers of a plan ---

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
        """Return cells ordered by code (contract CELLS); ``bbox`` keeps those that intersect.

        Raises
        ------
        UnknownPlan
        """
        table = layer_tables["cells"]
        conditions: list[sa.ColumnElement[bool]] = []
        if bbox is not None:
            conditions.append(meets_box(table, bbox, self._session.dialect))
        if codes is not None:
            conditions.append(any_of(table.c.code, [*codes], self._session.dialect))
        if community is not None:
            conditions.append(table.c.community_code == community)
        if subdistrict is not None:
            conditions.append(table.c.subdistrict_code == subdistrict)
        if after is not None:
            conditions.append(table.c.code > after)
        return self._layer("cells", plan_id, *conditions, order=[table.c.code], limit=limit)

    def exclusions(self, plan_id: str) -> gpd.GeoDataFrame:
        """Return the registered exclusions of a plan (contract EXCLUSIONS) ordered by id."""
        order = [layer_tables["exclusions"].c.exclusion_id]
        return self._layer("exclusions", plan_id, order=order)

    def put_areas(self, plan_id: str, areas: gpd.GeoDataFrame) -> None:
        """Replace the materialised communities, subdistricts and city (contract AREAS).

        Raises
        ------
        UnknownPlan
        """
        areas = frames.conform(areas, LAYERS["areas"])
        table = layer_tables["areas"]
        self._require_plan(plan_id)
        self._keep("areas", plan_id, sa.delete(table).where(table.c.plan_id == plan_id))
        self._put("areas", plan_id, areas)

    def areas(self, plan_id: str, level: str | None = None) -> gpd.GeoDataFrame:
        """Return materialised areas ordered by level and code. Raises ``UnknownPlan``."""
        table = layer_tables["areas"]
        conditions = [] if level is None else [table.c.level == level]
        order = [table.c.level, table.c.code]
        return self._layer("areas", plan_id, *conditions, order=order)

    def _layer(
        self,
        name: str,
        plan_id: str,
        *conditions: sa.ColumnElement[bool],
        order: Sequence[sa.ColumnElement[Any]],
        limit: int | None = None,
    ) -> gpd.GeoDataFrame:
        table, layer = layer_tables[name], LAYERS[name]
        columns = frames.selection(table, layer, self._session.dialect)
        query = (
            sa.select(*columns)
            .where(table.c.plan_id == plan_id, *conditions)
            .order_by(*order)
            .limit(limit)
        )
        with translated():
            rows = self._session.read().execute(query).fetchall()
        if not rows:
            self._require_plan(plan_id)
        return frames.build(rows, layer)

    def _require_plan(self, plan_id: str) -> None:
        query = sa.select(plans.c.id).where(plans.c.id == plan_id)
        with translated():
            found = self._session.read().execute(query).first()
        if found is None:
            raise UnknownPlan(plan=plan_id)

    def _put(self, name: str, plan_id: str, frame: gpd.GeoDataFrame) -> None:
        if len(frame) == 0:
            return
        layer = LAYERS[name]
        names, rows = frames.rows(frame, layer, self._session.dialect, plan_id=plan_id)
        try:
            self._session.bulk(layer_tables[name], names, rows)
        except DRIVER_ERRORS as error:
            if is_duplicate(error):
                raise DuplicateKey(kind=name, key=plan_id) from error
            raise explain(error, kind=name, key=plan_id) from error

    # --- lineage ---

    def put_lineage(self, old_id: str, new_id: str, rows: pd.DataFrame) -> None:
        """Replace the lineage rows between two plans: columns old_code, new_code, kind, share.

        Raises
        ------
        UnknownPlan
        """
        self._require_plan(old_id)
        self._require_plan(new_id)
        pair = (lineage.c.old_id == old_id, lineage.c.new_id == new_id)
        self._keep("lineage", new_id, sa.delete(lineage).where(*pair))
        texts = [
            [None if pd.isna(v) else str(v) for v in rows[name]]
            for name in ("old_code", "new_code", "kind")
        ]
        shares = [None if pd.isna(v) else float(v) for v in rows["share"]]
        values = zip([old_id] * len(rows), [new_id] * len(rows), *texts, shares, strict=True)
        with translated(kind="lineage", key=new_id):
            self._session.bulk(lineage, ["old_id", "new_id", *_LINEAGE], values)

    def lineage(self, old_id: str, new_id: str) -> pd.DataFrame:
        """Return lineage rows between two plans ordered by old_code, new_code (new cells last)."""
        query = (
            sa.select(*(lineage.c[name] for name in _LINEAGE))
            .where(lineage.c.old_id == old_id, lineage.c.new_id == new_id)
            .order_by(
                lineage.c.old_code.is_(None), lineage.c.old_code,
                lineage.c.new_code.is_(None), lineage.c.new_code, lineage.c.fid,
            )
        )  # fmt: skip
        with translated():
            rows = self._session.read().execute(query).fetchall()
        table = pd.DataFrame([tuple(r) for r in rows], columns=[*_LINEAGE])
        kinds = {"old_code": "str", "new_code": "str", "kind": "str", "share": "float64"}
        return table.astype(kinds)


def _plan_row(plan: PlanVersion) -> dict[str, Any]:
    row = {name: getattr(plan, name) for name in _PLAN_FIELDS}
    row["status"] = plan.status.value
    return row
