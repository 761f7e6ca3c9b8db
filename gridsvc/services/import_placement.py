"""Which cell an imported row lies in: of the plan in force, for cases of that at filing time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import geopandas as gpd
import pandas as pd

from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import NoPlanInForce, WrongCrs
from gridsvc.layers import Placement
from gridsvc.locate import Locator
from gridsvc.plan.version import PlanVersion, in_force_at
from gridsvc.services.attributes import Reading
from gridsvc.services.joining import place
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note, RawLayer


def placed_rows(
    work: UnitOfWork,
    frame: pd.DataFrame,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    at: datetime,
    reading: Reading,
) -> gpd.GeoDataFrame:
    """Put rows into the cells of the plan in force and keep the reason of those without one.

    Raises
    ------
    NoPlanInForce
        If rows have coordinates and no plan is in force.
    WrongCrs
        If not one of them lies in the plan.
    """
    assert isinstance(frame, gpd.GeoDataFrame)  # noqa: S101 - placed layers have geometry
    plans = work.plans.list(options.scheme)
    now = in_force_at(plans, at)
    given = frame.geometry.notna()
    if now is None:
        if as_layer == "staff" and not given.any():
            frame["placement"] = Placement.NO_COORDINATES
            return frame
        raise NoPlanInForce(at=at)
    locator_of = _locators(work)
    chosen = _plan_per_row(frame, plans, now, as_layer, reading)
    pieces = [
        place(frame[(chosen == plan.id).to_numpy()], locator_of(plan), plan.id)
        for plan in plans
        if (chosen == plan.id).any()
    ]
    placed = gpd.GeoDataFrame(pd.concat(pieces), crs=STORAGE_EPSG).loc[frame.index]
    if raw.invalid is not None:
        bad = raw.invalid.to_numpy()
        placed.loc[bad, "placement"] = Placement.INVALID_COORDINATES
    found = placed["cell_code"].notna()
    if given.sum() and not found.any():
        west, south, east, north = (float(v) for v in frame.total_bounds)
        cells = work.plans.cells(now.id).total_bounds
        raise WrongCrs(
            crs=f"{raw.crs}/{raw.datum}",
            reason_zh=f"{int(given.sum())} 行都不在方案 {now.id} 之内:"
            f"数据范围 {west:.3f}, {south:.3f} 至 {east:.3f}, {north:.3f}",
            reason_en=f"none of {int(given.sum())} rows lies in plan {now.id}: "
            f"they span {west:.3f}, {south:.3f} to {east:.3f}, {north:.3f}",
            hint_zh="方案范围 {:.3f}, {:.3f} 至 {:.3f}, {:.3f};".format(*cells)
            + "请核对 {way:crs}、{way:datum} 和文件",
            hint_en="the plan spans {:.3f}, {:.3f} to {:.3f}, {:.3f}; ".format(*cells)
            + "check {way:crs}, {way:datum} and the file",
        )
    return placed


def _locators(work: UnitOfWork) -> Callable[[PlanVersion], Locator]:
    made: dict[str, Locator] = {}

    def of(plan: PlanVersion) -> Locator:
        if plan.id not in made:
            made[plan.id] = Locator.from_cells(work.plans.cells(plan.id))
        return made[plan.id]

    return of


def _plan_per_row(
    frame: pd.DataFrame,
    plans: list[PlanVersion],
    now: PlanVersion,
    as_layer: str,
    reading: Reading,
) -> pd.Series:
    """Return the plan of each row: for cases that of filing time, else that in force now."""
    chosen = pd.Series([now.id] * len(frame), index=frame.index, dtype=object)
    if as_layer != "cases":
        return chosen
    when = frame["reported_at"]
    covered = pd.Series(False, index=frame.index)
    for plan in sorted(plans, key=lambda p: (p.effective_from is None, p.effective_from, p.number)):
        if plan.effective_from is None or not plan.in_force(plan.effective_from):
            continue
        mine = when >= plan.effective_from
        if plan.effective_to is not None:
            mine &= when < plan.effective_to
        chosen[mine] = plan.id
        covered |= mine
    late = int((~covered).sum())
    if late:
        reading.notes.append(
            Note(
                f"{late} 件案件上报时尚无生效方案,已按现行方案 {now.id} 定位",
                f"{late} cases were filed before any plan was in force; "
                f"they were placed in plan {now.id}",
            )
        )
    return chosen
