"""The record of an import: its id, what it did, and its share of the progress."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gridsvc.services.raw import ImportOptions, ImportReport, RawLayer
from gridsvc.types import Progress


def new_batch_id(raw: RawLayer, as_layer: str, now: datetime) -> str:
    """Return the id of the batch that an import makes."""
    return f"{as_layer}-{now:%Y%m%dT%H%M%S%f}-{raw.digest[:8]}"


def batch_record(report: ImportReport, options: ImportOptions, now: datetime) -> dict[str, Any]:
    """Return the record of an import as storage keeps it."""
    return {
        "id": report.batch_id,
        "layer": report.layer,
        "source": report.source,
        "digest": report.digest,
        "options": options.as_dict(),
        "counts": {
            "rows": report.rows,
            "imported": report.imported,
            "dropped": len(report.dropped),
            "repairs": 0 if report.repairs is None else len(report.repairs),
            **report.placements,
        },
        "created_at": now,
        "plan_id": report.plan_id,
        "moved_area_m2": report.moved_area_m2,
        "moved_share": report.moved_share,
        "notes": [{"zh": n.zh, "en": n.en} for n in report.notes],
    }


def portion(progress: Progress, start: float, share: float) -> Progress:
    """Return a progress callback for a part of the work that begins at ``start``."""

    def report(stage: str, done: float) -> None:
        progress(stage, start + share * done)

    return report
