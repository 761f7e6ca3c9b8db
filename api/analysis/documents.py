"""Finished results as figures and GeoJSON, for routes and commands alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from api.geojson import feature_collection, plain_records
from gridsvc.analysis.results import CoverageResult, DensitySurface, HotspotResult

HOTSPOT_COLUMNS = (
    "name", "community_name", "subdistrict_name", "count", "rate", "z", "p", "p_adjusted",
    "hotspot",
)  # fmt: skip
CLASSES = (
    "hot_99", "hot_95", "hot_90", "none", "cold_90", "cold_95", "cold_99", "not_tested",
)  # fmt: skip
_LISTS = (
    "vacant_cells", "doubled_cells", "points_without_person", "points_not_visited",
)  # fmt: skip

_POINT_LISTS = ("points_without_person", "points_not_visited")


def hotspot_summary(result: HotspotResult) -> dict[str, Any]:
    """Return what a hot-spot result states about itself."""
    counts = result.cells["hotspot"].value_counts()
    return {
        "plan_id": result.plan_id,
        "n": result.n,
        "n_set_aside": result.n_set_aside,
        "n_unplaced": result.n_unplaced,
        "since": _text(result.since),
        "until": _text(result.until),
        "first": _text(result.first),
        "last": _text(result.last),
        "classes": list(result.classes),
        "denominator": result.denominator,
        "weights": result.weights,
        "correction": result.correction,
        "alpha": result.alpha,
        "permutations": result.permutations,
        "seed": result.seed,
        "cells": {name: int(counts.get(name, 0)) for name in CLASSES},
        "piles": [
            {
                "lon": p.lon, "lat": p.lat, "count": p.count, "share": round(p.share, 4),
                "distinct_classes": p.distinct_classes, "cell_code": p.cell_code,
                "reason": p.reason,
            }
            for p in result.piles
        ],
        "notes": [{"zh": str(n), "en": n.en} for n in result.notes],
        "updated_at": _text(result.updated_at),
    }  # fmt: skip


def hotspots_geojson(result: HotspotResult) -> bytes:
    """Return the cells with their figures, the summary as a foreign member."""
    return feature_collection(
        result.cells, HOTSPOT_COLUMNS, extra={"summary": hotspot_summary(result)}
    )


def density_summary(surface: DensitySurface | None) -> dict[str, Any]:
    """Return the parameters of a density surface."""
    if surface is None:
        return {"n": 0, "bands": 0}
    return {
        "n": surface.n,
        "bandwidth_m": surface.bandwidth_m,
        "cell_m": surface.cell_m,
        "epsg": surface.epsg,
        "unit": "reports per km²",
        "peak": float(np.nanmax(surface.values)),
        "bands": len(surface.bands),
        "edge": "none",
    }


def density_geojson(result: HotspotResult) -> bytes:
    """Return the contour bands, the summaries as foreign members."""
    bands = result.cells.iloc[:0] if result.density is None else result.density.bands
    extra = {"summary": {**hotspot_summary(result), "density": density_summary(result.density)}}
    return feature_collection(bands, ("low", "high"), extra=extra)


def coverage_summary(result: CoverageResult) -> dict[str, Any]:
    """Return the figures of a coverage in each of its meanings."""
    return {
        "plan_id": result.plan_id,
        "as_of": _text(result.as_of),
        "required_roles": list(result.required_roles),
        **result.summary,
    }


def coverage_lists(result: CoverageResult) -> dict[str, list[dict[str, Any]]]:
    """Return what is not covered: vacancies, doubles, points without person or visit, pieces.

    Points come with ``lon`` and ``lat`` (EPSG:4490, ``null`` without coordinates), so that a
    client can go to them.
    """
    tables = {name: getattr(result, name) for name in _LISTS}
    for name in _POINT_LISTS:
        shapes = result.points.geometry.reindex(tables[name].index)
        tables[name] = tables[name].assign(lon=shapes.x, lat=shapes.y)
    lists = {name: _rows(table) for name, table in tables.items()}
    lists["uncovered_territory"] = _rows(
        pd.DataFrame(result.uncovered_territory.drop(columns="geometry"))
    )
    return lists


def coverage_geojson(result: CoverageResult, *, lists: bool = True) -> bytes:
    """Return the cells with staff, roles, vacancies and points; summary and lists beside them."""
    columns = [c for c in result.cells.columns if c != "geometry"]
    extra: dict[str, Any] = {"summary": coverage_summary(result)}
    if lists:
        extra["lists"] = coverage_lists(result)
    return feature_collection(result.cells, columns, extra=extra)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    table = frame.reset_index() if frame.index.name else frame
    return plain_records(table, list(table.columns))


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
