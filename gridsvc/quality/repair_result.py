"""What a repair hands back."""

from __future__ import annotations

from dataclasses import dataclass, field

import geopandas as gpd

from gridsvc.errors import DecisionNeeded
from gridsvc.quality.decisions import OpenDecision, listing


@dataclass(frozen=True)
class RepairResult:
    """A repaired layer and the account of the repair.

    Attributes
    ----------
    cells : GeoDataFrame
        Same index and attributes as the input (without dropped rows), canonical EPSG:4490.
        A cell with an open ``vanished`` or ``no_area`` decision keeps an empty polygon.
    log : GeoDataFrame
        One row per repair: action, code, area_m2 (of the piece), area_before_m2, area_after_m2
        (of the cell), width_m, gained_by, reason_zh, reason_en, geometry (where).
    decisions_needed : tuple of OpenDecision
        Questions without an answer in ``decisions``.
    discrepancy_m, snap_m : float
    moved_area_m2 : float
        Area that lost or changed its owner, plus area that had none and got one.
    moved_share : float
        ``moved_area_m2`` over the area of the repaired cells.
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

    def require_decided(self) -> None:
        """Raise ``DecisionNeeded``, naming the first 20 questions, unless all are answered."""
        if self.decisions_needed:
            zh, en = listing(self.decisions_needed)
            raise DecisionNeeded(
                reason_zh=zh,
                reason_en=en,
                decisions=self.decisions_needed,
            )
