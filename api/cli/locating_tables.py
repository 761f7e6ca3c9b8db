"""``gridsvc locate --file``: a whole table located, with what else is asked for per row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from api.cli.options import instant
from api.cli.state import emit, progress, state_of
from gridsvc.errors import BadOption

if TYPE_CHECKING:
    import pandas as pd

    from gridsvc.services.rows import Asked

_COUNTS = {
    "placed": ("已定位", "placed"),
    "on_border": ("在边界上", "on a border"),
    "outside": ("不在网格内", "outside"),
    "no_coordinates": ("无坐标", "without coordinates"),
    "invalid_coordinates": ("坐标无效", "invalid coordinates"),
    "total": ("合计", "total"),
}


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options of a file: how to read it, when, and what to add to its rows."""

    datum: str
    crs: str
    encoding: str
    layer: str
    at: str
    known_at: str
    extras: str
    accuracy: float | None
    category: str
    category_column: str


def locate_file(context: typer.Context, file: Path, out: Path, options: TableOptions) -> None:
    """Locate every row of a file and write them all, those without a cell with the reason."""
    from api.bootstrap import open_services
    from geodata.export import write_layer
    from geodata.sources import open_source
    from gridsvc.layers import Placement
    from gridsvc.services.joining import place, placement_counts
    from gridsvc.services.rows import answer_rows, extras_of

    number = 0 if state_of(context).language == "zh" else 1
    extras = extras_of(options.extras, "--with")
    with progress(context) as report:
        report(("读取", "reading")[number], 0.0)
        raw = open_source(
            file, layer=options.layer or None, crs=options.crs or None,
            datum=options.datum or None, encoding=options.encoding or None,
        )  # fmt: skip
        asked = _asked(raw.frame, extras, options, file.name)
        report(("定位", "locating")[number], 0.4)
        services = open_services()
        try:
            moment = instant(options.at, "--at") if options.at else services.clock()
            known: datetime | None = None
            if options.known_at:
                known = instant(options.known_at, "--known-at")
            plan, locator = services.locators.at(moment)
            snapshot = None if asked.nothing else services.desk.snapshot(moment, known)
        finally:
            services.close()
        placed = place(raw.frame, locator, plan.id)
        if raw.invalid is not None:
            bad = raw.invalid.to_numpy(dtype=bool) & (
                placed["placement"] == Placement.NO_COORDINATES
            ).to_numpy(dtype=bool)
            placed.loc[bad, "placement"] = Placement.INVALID_COORDINATES
        if snapshot is not None:
            placed = answer_rows(placed, snapshot, asked)
        report(("写出", "writing")[number], 0.8)
        write_layer(placed if raw.spatial else placed.drop(columns="geometry"), out)
    counts = placement_counts(placed)
    lines = [f"{_COUNTS[k][number]:<12} {v:>8}" for k, v in counts.items()]
    document: dict[str, Any] = {"plan": plan.id, "out": str(out), "counts": counts}
    if "ambiguous" in placed.columns:
        unsure = int(placed["ambiguous"].fillna(False).sum())
        document["ambiguous"] = unsure
        lines.append(f"{('精度不足以定格', 'ambiguous')[number]:<12} {unsure:>8}")
    emit(context, document, "\n".join([*lines, f"→ {out} ({plan.id})"]))


def _asked(
    frame: pd.DataFrame, extras: frozenset[str], options: TableOptions, source: str
) -> Asked:
    """Return what to add, with accuracy, class and point of each row."""
    from gridsvc.services.rows import ACCURACY_NAMES, POINT_NAMES, Asked, metres_of, texts_of

    lower = {str(name).lower(): str(name) for name in reversed(list(frame.columns))}

    def column(names: tuple[str, ...]) -> pd.Series | None:
        found = next((lower[name] for name in names if name in lower), None)
        return None if found is None else frame[found]

    classes = None
    if options.category_column:
        if options.category_column not in frame.columns:
            listing = ", ".join(str(c) for c in frame.columns if c != "geometry")[:120]
            raise BadOption(
                option="--category-column", value=options.category_column,
                reason_zh=f"文件没有该列;现有:{listing}",
                reason_en=f"the file has no such column; there are: {listing}",
            )  # fmt: skip
        classes = frame[options.category_column]
    count = len(frame)
    return Asked(
        extras,
        metres_of(column(ACCURACY_NAMES), options.accuracy, count, source=source),
        texts_of(classes, options.category, count),
        texts_of(column(POINT_NAMES), None, count),
    )
