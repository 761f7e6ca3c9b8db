"""Use cases of a planner: draft, review, certify, publish, discard; territory and lineage.

Publishing is one unit of work: the old version ends where the new one begins, parents and lineage
are materialised and the certificate is stored, or nothing of it happens.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc.crs import canonical_geometry, require_geographic, to_metric
from gridsvc.duties.takeover import NOTHING_CARRIED, Choice
from gridsvc.errors import (
    AlreadyPublished,
    ConflictError,
    InputError,
    PlanNotPublishable,
    StaleVersion,
)
from gridsvc.layers import CELLS, EXCLUSIONS, normalize
from gridsvc.plan import PlanDiff, derive_areas, diff_plans, lineage
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from gridsvc.quality import Certificate, certify
from gridsvc.quality.findings import TITLES_ZH
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.services.takeover import Stage, shift_duties, steps
from gridsvc.services.timeline import day, place_of, require_same_versions, scheduled
from gridsvc.types import Json, Progress, no_progress


def create_draft(
    storage: Storage,
    scheme: GridScheme,
    cells: gpd.GeoDataFrame,
    exclusions: gpd.GeoDataFrame | None = None,
    provenance: Json | None = None,
    *,
    at: datetime,
    title: str = "",
    base_id: str | None = None,
) -> PlanVersion:
    """Store cells as a new draft of a scheme, which is created when it is new.

    Parameters
    ----------
    storage : Storage
    scheme : GridScheme
    cells, exclusions : GeoDataFrame
        Contracts CELLS and EXCLUSIONS, EPSG:4490; coordinates are brought to the lattice and
        ``area_m2`` is measured here.
    provenance : dict, optional
        JSON document; ``registered_parts`` and ``registered_holes`` list codes that the
        certificate shall accept with several parts or holes.
    at : datetime
        Record time, aware.
    title : str
    base_id : str, optional
        Version that the draft grew from.

    Raises
    ------
    RejectedRows
        If a frame is not in contract form.
    CrsMismatch, DuplicateKey
    """
    with storage.unit_of_work() as work:
        plan = add_draft(
            work, scheme, cells, exclusions, provenance, at=at, title=title, base_id=base_id
        )
        work.commit()
    return plan


def add_draft(
    work: UnitOfWork,
    scheme: GridScheme,
    cells: gpd.GeoDataFrame,
    exclusions: gpd.GeoDataFrame | None = None,
    provenance: Json | None = None,
    *,
    at: datetime,
    title: str = "",
    base_id: str | None = None,
) -> PlanVersion:
    """Do the work of ``create_draft`` inside a unit of work that the caller commits."""
    _require_aware(at)
    known = {s.id: s for s in work.plans.schemes()}
    if scheme.id not in known:
        work.plans.add_scheme(scheme)
    metric_epsg = known.get(scheme.id, scheme).metric_epsg
    number = max((p.number for p in work.plans.list(scheme.id)), default=0) + 1
    plan = PlanVersion(
        id=f"{scheme.id}-v{number}",
        scheme_id=scheme.id,
        number=number,
        title=title or f"{scheme.city or scheme.id} v{number}",
        status=PlanStatus.DRAFT,
        created_at=at,
        cell_count=len(cells),
        base_id=base_id,
        provenance=dict(provenance or {}),
    )
    drawn = _canonical(cells, CELLS.key)
    drawn["area_m2"] = shapely.area(to_metric(drawn.geometry.to_numpy(), metric_epsg))
    barred = (
        None
        if exclusions is None
        else normalize(_canonical(exclusions, EXCLUSIONS.key), EXCLUSIONS, source="exclusions")
    )
    work.plans.add(plan, normalize(drawn, CELLS, source="cells"), barred)
    return plan


def submit(
    storage: Storage, plan_id: str, *, expected_revision: int | None = None
) -> PlanVersion:  # fmt: skip
    """Hand a draft in for review.

    Raises
    ------
    IllegalTransition, StaleVersion, UnknownPlan
    """
    return _move(storage, plan_id, PlanStatus.IN_REVIEW, expected_revision)


def take_back(
    storage: Storage, plan_id: str, *, expected_revision: int | None = None
) -> PlanVersion:  # fmt: skip
    """Return a plan in review to draft. Raises as ``submit``."""
    return _move(storage, plan_id, PlanStatus.DRAFT, expected_revision)


def discard(
    storage: Storage, plan_id: str, *, expected_revision: int | None = None
) -> PlanVersion:  # fmt: skip
    """Discard a draft or a plan in review. Raises as ``submit``."""
    return _move(storage, plan_id, PlanStatus.DISCARDED, expected_revision)


def certify_plan(work: UnitOfWork, plan_id: str, at: datetime | None = None) -> Certificate:
    """Put a stored plan to the certificate's tests; materialised parents are tested too.

    Raises
    ------
    UnknownPlan
    """
    plan = work.plans.get(plan_id)
    scheme = work.plans.scheme(plan.scheme_id)
    areas = work.plans.areas(plan_id)
    return certify(
        work.plans.cells(plan_id),
        territory=scheme.territory,
        exclusions=work.plans.exclusions(plan_id),
        gap_width_m=scheme.gap_width_m,
        metric_epsg=scheme.metric_epsg,
        code_system=scheme.code_system,
        registered_parts=tuple(plan.provenance.get("registered_parts", ())),
        registered_holes=tuple(plan.provenance.get("registered_holes", ())),
        areas=areas if len(areas) else None,
        at=at,
    )


def findings_layer(work: UnitOfWork, plan_id: str) -> gpd.GeoDataFrame:
    """Return the certificate's findings as a layer (EPSG:4490) that can be exported and drawn."""
    return certify_plan(work, plan_id).findings


def publish(
    storage: Storage,
    plan_id: str,
    effective_from: datetime,
    at: datetime,
    *,
    expected_revision: int | None = None,
    choice: Choice = NOTHING_CARRIED,
    progress: Progress = no_progress,
) -> PlanVersion:
    """Certify a plan and let it take effect.

    The version in force then ends at ``effective_from``; a version scheduled for later keeps its
    time. The first publication of a scheme declares its territory. Duties of cells that go end at
    ``effective_from`` and are carried over as chosen (``gridsvc.services.takeover``). Everything
    is measured before the write transaction begins; revisions checked inside it make sure that
    nothing changed in between.

    Parameters
    ----------
    storage : Storage
    plan_id : str
    effective_from : datetime
        Start of validity, aware; after the start of the version in force at ``at``.
    at : datetime
        Record time, aware.
    expected_revision : int, optional
        Revision that the caller has seen.
    choice : Choice
        Which duties the successors of cells take over; by default none.
    progress : Progress

    Raises
    ------
    PlanNotPublishable
        If a blocking finding stands; the error carries the ``certificate``.
    ConflictError
        If the version in force began at or after ``effective_from``, or another one is scheduled
        for that instant.
    StaleVersion
        If the plan, a neighbour in time or the scheme was changed by somebody else.
    AlreadyPublished
        If the plan was published before.
    IllegalTransition, UnknownPlan, InputError
    """
    _require_aware(effective_from)
    _require_aware(at)
    progress("certify", 0.0)
    with storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
        _require_revision(plan, expected_revision)
        scheme = work.plans.scheme(plan.scheme_id)
        _require_unpublished(plan, scheme)
        plan.to(PlanStatus.PUBLISHED)
        versions = work.plans.list(scheme.id)
        place = place_of(plan, versions, effective_from, at, scheme.timezone)
        certificate = certify_plan(work, plan_id, at)
        if not certificate.ok:
            raise PlanNotPublishable(
                plan=plan_id,
                count=len(certificate.blocking),
                rules=", ".join(certificate.rules),
                rules_zh="、".join(TITLES_ZH[r] for r in certificate.rules),
                certificate=certificate,
            )
        cells = work.plans.cells(plan_id)
        later = scheduled(versions, at, effective_from)
        chain = [Stage.read(work, p) for p in (place.before, *later) if p is not None]
    progress("areas", 0.5)
    areas = derive_areas(cells, metric_epsg=scheme.metric_epsg, city_name=scheme.city)
    progress("lineage", 0.6)
    published = plan.to(
        PlanStatus.PUBLISHED,
        effective_from=effective_from,
        effective_to=None if place.after is None else place.after.effective_from,
        published_at=at,
        certificate=certificate.as_dict(),
        provenance=plan.provenance | ({"takeover": choice.as_dict()} if chain else {}),
    )
    chain.insert(0 if place.before is None else 1, Stage(published, cells, areas))
    descents = [lineage(a.cells, b.cells, scheme.metric_epsg) for a, b in pairwise(chain)]
    edges = steps(chain, descents, scheme.metric_epsg)
    progress("store", 0.7)
    with storage.unit_of_work() as work:
        declared = certificate.territory if scheme.territory is None else scheme.territory
        # First, because it keeps others from declaring another territory until all is stored.
        work.plans.save_scheme(replace(scheme, territory=declared), expected=scheme)
        now = work.plans.list(scheme.id)
        place.require_same(place_of(plan, now, effective_from, at, scheme.timezone))
        require_same_versions(later, scheduled(now, at, effective_from))
        if place.before is not None:
            ended = replace(
                place.before, effective_to=effective_from, revision=place.before.revision + 1
            )
            work.plans.save(ended, expected_revision=place.before.revision)
        work.plans.save(published, expected_revision=plan.revision)
        work.plans.put_areas(plan_id, areas)
        for (old, new), descent in zip(pairwise(chain), descents, strict=True):
            if plan_id in (old.plan.id, new.plan.id):
                work.plans.put_lineage(old.plan.id, new.plan.id, descent)
        if edges:
            tag = f"{plan_id}.{published.revision}"
            shift_duties(work, edges, later, at=at, tag=tag)
        work.commit()
    progress("done", 1.0)
    return published


def declare_territory(storage: Storage, scheme_id: str, territory: Any) -> GridScheme:
    """Declare the territory that the next versions of a scheme have to fill.

    Parameters
    ----------
    territory : Polygon or MultiPolygon
        EPSG:4490, exclusions included.

    Raises
    ------
    InputError
        If it is empty, not a polygon or not valid.
    NotFoundError
    """
    shape = canonical_geometry(territory)
    if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise InputError(reason_zh="辖区必须是面", reason_en="a territory must be a polygon")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise InputError(
            reason_zh=f"辖区几何无效:{reason}", reason_en=f"the territory is not valid: {reason}"
        )
    with storage.unit_of_work() as work:
        scheme = replace(work.plans.scheme(scheme_id), territory=shape)
        work.plans.save_scheme(scheme)
        work.commit()
    return scheme


def compare(work: UnitOfWork, old_id: str, new_id: str) -> PlanDiff:
    """Return what differs between two versions of one scheme.

    Raises
    ------
    UnknownPlan
    ConflictError
        If the versions belong to different schemes.
    """
    old, new = work.plans.get(old_id), work.plans.get(new_id)
    if old.scheme_id != new.scheme_id:
        raise ConflictError(
            reason_zh=f"两个方案属于不同的网格体系:{old.scheme_id}、{new.scheme_id}",
            reason_en=f"the plans are of different schemes: {old.scheme_id}, {new.scheme_id}",
        )
    scheme = work.plans.scheme(new.scheme_id)
    return diff_plans(
        work.plans.cells(old_id), work.plans.cells(new_id), metric_epsg=scheme.metric_epsg
    )


def _move(
    storage: Storage, plan_id: str, status: PlanStatus, expected_revision: int | None
) -> PlanVersion:
    with storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
        _require_revision(plan, expected_revision)
        moved = plan.to(status)
        work.plans.save(moved, expected_revision=plan.revision)
        work.commit()
    return moved


def _require_aware(instant: datetime) -> None:
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise InputError(
            reason_zh=f"时间缺少时区:{instant}",
            reason_en=f"the instant has no time zone: {instant}",
        )


def _require_revision(plan: PlanVersion, expected: int | None) -> None:
    if expected is not None and plan.revision != expected:
        raise StaleVersion(kind="plan", key=plan.id, current=plan.revision, given=expected)


def _require_unpublished(plan: PlanVersion, scheme: GridScheme) -> None:
    """Raise ``AlreadyPublished`` for a plan that was published before."""
    if plan.status not in (PlanStatus.PUBLISHED, PlanStatus.SUPERSEDED):
        return
    start = plan.effective_from
    since = "?" if start is None else day(start, scheme.timezone)
    raise AlreadyPublished(plan=plan.id, since=since)


def _canonical(frame: gpd.GeoDataFrame, key: str) -> gpd.GeoDataFrame:
    require_geographic(frame.crs)
    copy = frame.rename_axis(key)
    shapes = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    return copy.set_geometry(gpd.GeoSeries(canonical_geometry(shapes), index=frame.index, crs=4490))
