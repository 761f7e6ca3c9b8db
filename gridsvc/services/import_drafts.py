"""Imports that become drafts: cells with their hierarchy and certificate, further exclusions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridsvc.crs import metric_epsg_of
from gridsvc.errors import ConflictError, NotFoundError
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from gridsvc.quality import Certificate, RepairResult, certify
from gridsvc.services.import_batches import batch_record, new_batch_id, portion
from gridsvc.services.import_cells import (
    DrawnCells,
    as_drawn,
    finished_cells,
    read_cells,
    read_exclusions,
    repair_cells,
)
from gridsvc.services.import_datum import refuse_shifted
from gridsvc.services.import_numbers import codes_in_use_ever, issued, numbered_note, renamed
from gridsvc.services.planning import add_draft
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.services.raw import ImportOptions, ImportReport, Note, RawLayer
from gridsvc.types import Progress
from gridsvc.ways import way


def import_cells(
    storage: Storage,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    progress: Progress,
    now: datetime,
) -> ImportReport:
    """Import cells, communities or subdistricts as a draft plan.

    Raises
    ------
    RejectedRows, DecisionNeeded, WrongCrs
    """
    with storage.unit_of_work() as work:
        scheme = _scheme(work, options.scheme)
        registered = _exclusions_in_force(work, options)
        again = _same_file(work, raw, options)
        retired = codes_in_use_ever(work, options.scheme) if options.number else set()
        in_force = _cells_in_force(work, options.scheme)
    progress("check", 0.1)
    drawn = read_cells(raw, as_layer, options, None if scheme is None else scheme.code_system)
    if scheme is not None and in_force is not None:
        refuse_shifted(drawn.frame, in_force, raw.datum, scheme.metric_epsg)
    exclusions = (
        registered if options.exclusions is None else read_exclusions(options.exclusions, options)
    )
    if scheme is None:
        scheme = GridScheme(
            id=options.scheme,
            name=options.city,
            metric_epsg=options.metric_epsg or metric_epsg_of(drawn.frame.geometry.to_numpy()),
            gap_width_m=options.gap_width_m or 1.0,
            code_system=drawn.code_system,
            timezone=options.timezone,
        )
    else:
        again = (*again, *_other_name(scheme, options))
    gap_width_m = options.gap_width_m or scheme.gap_width_m
    repaired: RepairResult | None = None
    cells = as_drawn(drawn)
    if options.repair:
        repaired = repair_cells(
            drawn,
            options=options,
            metric_epsg=scheme.metric_epsg,
            gap_width_m=gap_width_m,
            territory=scheme.territory,
            exclusions=exclusions,
            progress=portion(progress, 0.15, 0.45),
        )
        cells = repaired.cells
        exclusions = repaired.exclusions if len(repaired.exclusions) else exclusions
    progress("hierarchy", 0.6)
    cells, ambiguous = finished_cells(drawn, cells, options, scheme.metric_epsg)
    codes = issued(cells, retired)
    if codes:
        cells = renamed(cells, codes, "name")
        drawn.frame = renamed(drawn.frame, codes)
        repaired = None if repaired is None else _with_codes(repaired, codes)
        again = (*again, numbered_note(codes))
    progress("certify", 0.7)
    certificate = certify(
        cells,
        territory=scheme.territory,
        exclusions=exclusions,
        gap_width_m=gap_width_m,
        metric_epsg=scheme.metric_epsg,
        code_system=scheme.code_system,
        registered_parts=_registered(repaired)[0],
        registered_holes=_registered(repaired)[1],
    )
    report = _cell_report(raw, as_layer, options, drawn, cells, certificate, repaired, ambiguous)
    report = replace(
        report, batch_id=new_batch_id(raw, as_layer, now), notes=(*report.notes, *again)
    )
    if options.dry_run:
        return report
    progress("store", 0.85)
    with storage.unit_of_work() as work:
        registered = _registered(repaired)
        plan = _draft(work, scheme, cells, exclusions, report, registered, options, now)
        report = replace(report, plan_id=plan.id)
        work.batches.add(batch_record(report, options, now), report.repairs)
        work.commit()
    progress("done", 1.0)
    return report


def _with_codes(repaired: RepairResult, codes: dict[str, str]) -> RepairResult:
    return replace(
        repaired,
        log=renamed(repaired.log, codes, "code", "gained_by"),
        registered_parts=tuple(codes.get(c, c) for c in repaired.registered_parts),
        registered_holes=tuple(codes.get(c, c) for c in repaired.registered_holes),
    )


def _cell_report(
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    drawn: DrawnCells,
    cells: gpd.GeoDataFrame,
    certificate: Certificate,
    repaired: RepairResult | None,
    ambiguous: pd.DataFrame,
) -> ImportReport:
    left_out = sorted(set(drawn.dropped) | (set(drawn.frame.index) - set(cells.index)))
    return ImportReport(
        layer=as_layer,
        source=raw.source,
        digest=raw.digest,
        batch_id="",
        rows=drawn.rows,
        imported=len(cells),
        certificate=certificate,
        repairs=None if repaired is None else repaired.log,
        moved_area_m2=None if repaired is None else repaired.moved_area_m2,
        moved_share=None if repaired is None else repaired.moved_share,
        snap_m=None if repaired is None else repaired.snap_m,
        discrepancy_m=None if repaired is None else repaired.discrepancy_m,
        ambiguous=ambiguous,
        dropped=tuple(left_out),
        notes=(*raw.notes, *drawn.reading.notes),
        dry_run=options.dry_run,
    )


def import_exclusions(
    work: UnitOfWork,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    progress: Progress,
    now: datetime,
    batch_id: str,
    stored: bool,
) -> ImportReport:
    """Give the newest draft (or the plan in force) further exclusions, as a new draft."""
    exclusions = read_exclusions(raw, options)
    scheme = work.plans.scheme(options.scheme)
    plans = work.plans.list(scheme.id)
    open_ones = [p for p in plans if p.status is not PlanStatus.DISCARDED]
    if not open_ones:
        raise NotFoundError(kind="plan", key=options.scheme)
    base = max(open_ones, key=lambda p: p.number)
    cells = work.plans.cells(base.id)
    there = work.plans.exclusions(base.id)
    repeated = sorted(set(there.index) & set(exclusions.index))
    if repeated and not options.replace:
        listing = ", ".join(repeated[:5])
        raise ConflictError(
            reason_zh=f"{raw.source}:例外区域 {listing} 已登记;要替换请用 {way('replace')}",
            reason_en=f"{raw.source}: exclusions {listing} are registered already; "
            f"use {way('replace')} to replace them",
        )
    merged = pd.concat([there.drop(index=repeated), exclusions]).sort_index()
    registered = (
        tuple(base.provenance.get("registered_parts", ())),
        tuple(base.provenance.get("registered_holes", ())),
    )
    progress("certify", 0.5)
    certificate = certify(
        cells,
        territory=scheme.territory,
        exclusions=merged,
        gap_width_m=scheme.gap_width_m,
        metric_epsg=scheme.metric_epsg,
        code_system=scheme.code_system,
        registered_parts=registered[0],
        registered_holes=registered[1],
    )
    report = ImportReport(
        layer=as_layer, source=raw.source, digest=raw.digest, batch_id=batch_id,
        rows=len(raw.frame), imported=len(exclusions), certificate=certificate, notes=raw.notes,
        dry_run=options.dry_run,
    )  # fmt: skip
    if not stored:
        return report
    if base.status in (PlanStatus.DRAFT, PlanStatus.IN_REVIEW):
        work.plans.save(base.to(PlanStatus.DISCARDED), expected_revision=base.revision)
    titled = replace(options, title=options.title or base.title)
    plan = _draft(work, scheme, cells, merged, report, registered, titled, now, base=base)
    if not options.dry_run:
        report = replace(report, plan_id=plan.id)
    work.batches.add(batch_record(report, options, now))
    return report


def _same_file(work: UnitOfWork, raw: RawLayer, options: ImportOptions) -> tuple[Note, ...]:
    """Return a note if plans came from the same file already."""
    plans = work.plans.list(options.scheme)
    same = [p.id for p in plans if p.provenance.get("digest") == raw.digest]
    if not same:
        return ()
    listing = ", ".join(same)
    return (
        Note(
            f"与方案 {listing} 来自同一文件(内容相同)",
            f"the same file (equal content) was imported as plan {listing} before",
        ),
    )


def _other_name(scheme: GridScheme, options: ImportOptions) -> tuple[Note, ...]:
    """Return a note if a name was given for a city whose scheme is there and keeps its own."""
    if not options.city or options.city == scheme.city:
        return ()
    name = way("name_city", f'{scheme.id} "{options.city}"')
    return (
        Note(
            f"体系 {scheme.id} 已存在,城市名称仍为{scheme.city or '空'},没有改为{options.city};"
            f"要改名请用 {name}",
            f"scheme {scheme.id} is there already: its city is still called "
            f"{scheme.city or 'nothing'}, not {options.city}; to rename it use {name}",
        ),
    )


def _scheme(work: UnitOfWork, scheme_id: str) -> GridScheme | None:
    return next((s for s in work.plans.schemes() if s.id == scheme_id), None)


def _cells_in_force(work: UnitOfWork, scheme_id: str) -> gpd.GeoDataFrame | None:
    current = [p for p in work.plans.list(scheme_id) if p.status is PlanStatus.PUBLISHED]
    return work.plans.cells(max(current, key=lambda p: p.number).id) if current else None


def _exclusions_in_force(work: UnitOfWork, options: ImportOptions) -> gpd.GeoDataFrame | None:
    """Return the exclusions that stay registered, or ``None`` where there are none."""
    current = [p for p in work.plans.list(options.scheme) if p.status is PlanStatus.PUBLISHED]
    if not options.keep_exclusions or not current:
        return None
    found = work.plans.exclusions(max(current, key=lambda p: p.number).id)
    return found if len(found) else None


def _registered(repaired: RepairResult | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return cells with several parts and with holes that the certificate shall accept."""
    if repaired is None:
        return (), ()
    return repaired.registered_parts, repaired.registered_holes


def _draft(
    work: UnitOfWork,
    scheme: GridScheme,
    cells: gpd.GeoDataFrame,
    exclusions: gpd.GeoDataFrame | None,
    report: ImportReport,
    registered: tuple[Sequence[str], Sequence[str]],
    options: ImportOptions,
    now: datetime,
    *,
    base: PlanVersion | None = None,
) -> PlanVersion:
    """Add the draft with where it came from and what was done to it."""
    in_force = [p for p in work.plans.list(scheme.id) if p.status is PlanStatus.PUBLISHED]
    newest = base or max(in_force, key=lambda p: p.number, default=None)
    parts, holes = registered
    provenance: dict[str, Any] = {
        "batch_id": report.batch_id,
        "source": report.source,
        "digest": report.digest,
        "options": options.as_dict(),
        "rows": report.rows,
        "moved_area_m2": report.moved_area_m2,
        "moved_share": report.moved_share,
        "snap_m": report.snap_m,
        "discrepancy_m": report.discrepancy_m,
        "repairs": 0 if report.repairs is None else len(report.repairs),
        "dropped": list(report.dropped),
        "registered_parts": list(parts),
        "registered_holes": list(holes),
        "versions": {
            "python": platform.python_version(),
            "shapely": shapely.__version__,
            "geos": shapely.geos_version_string,
            "pyproj": pyproj.__version__,
            "numpy": np.__version__,
        },
    }
    return add_draft(
        work,
        scheme,
        cells,
        exclusions,
        provenance,
        at=now,
        title=options.title or report.source,
        base_id=None if newest is None else newest.id,
    )
