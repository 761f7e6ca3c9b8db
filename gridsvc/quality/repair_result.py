"""What a repair hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd

from gridsvc.errors import DecisionNeeded
from gridsvc.quality.decisions import OpenDecision, listing
from gridsvc.quality.repair_log import summary


@dataclass(frozen=True)
class RepairResult:
    """A repaired layer and the account of the repair.

    Attributes
    ----------
    cells : GeoDataFrame
        Same index and attributes as the input (without dropped rows), canonical EPSG:4490.
        A cell with an open ``vanished`` or ``no_area`` decision keeps an empty polygon.
    log : GeoDataFrame
        One row per repair: action, code, area_m2 (of the piece), lost_m2 (what ``code`` lost),
        gained_m2 (what ``gained_by`` gained), area_before_m2, area_after_m2 (of the cell), width_m
        (mean width of a piece), shift_m (longest way of a vertex), vertices (how many), gained_by,
        reason_zh, reason_en, geometry (where). Gained minus lost is the change of each cell's
        area; every vertex that differs from the layer as drawn is in a row.
    decisions_needed : tuple of OpenDecision
        Questions without an answer in ``decisions``.
    discrepancy_m, snap_m : float
    moved_area_m2 : float
        Area that lost or changed its owner, plus area that had none and got one.
    moved_share : float
        ``moved_area_m2`` over the area of the repaired cells.
    summary : list of dict
        The log by action: rows, cells, vertices, area, largest width and shift.
    registered_parts, registered_holes : tuple of str
        Cells that were drawn with several parts, or around an enclave, or whose parts were kept
        by decision: to be registered with the certificate.
    exclusions : GeoDataFrame
        Given exclusions and gaps registered as such (contract EXCLUSIONS).
    """

    cells: gpd.GeoDataFrame
    log: gpd.GeoDataFrame
    decisions_needed: tuple[OpenDecision, ...]
    discrepancy_m: float
    snap_m: float
    moved_area_m2: float
    moved_share: float
    registered_parts: tuple[str, ...] = ()
    registered_holes: tuple[str, ...] = ()
    exclusions: gpd.GeoDataFrame = field(default_factory=gpd.GeoDataFrame)

    @property
    def summary(self) -> list[dict[str, Any]]:
        """Return the log by action, see ``gridsvc.quality.repair_log.summary``."""
        return summary(self.log)

    def require_decided(self) -> None:
        """Raise ``DecisionNeeded``, naming the first 20 questions, unless all are answered."""
        if self.decisions_needed:
            zh, en = listing(self.decisions_needed)
            raise DecisionNeeded(
                reason_zh=zh,
                reason_en=en,
                decisions=self.decisions_needed,
            )
