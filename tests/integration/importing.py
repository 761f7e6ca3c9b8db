"""Helpers of the import tests: small cities of squares, databases, plans in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from geodata.sources import open_source
from geodata.storage import open_storage
from gridsvc.crs import canonical_geometry
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions, ImportReport

WEST, SOUTH, STEP = 117.6, 26.2, 0.01
FIRST_DAY = datetime(2018, 1, 1, tzinfo=UTC)
NOW = datetime(2018, 11, 22, 4, tzinfo=UTC)


def squares(count: int = 4) -> gpd.GeoDataFrame:
    """A row of square cells of a good thousand metres each, with Chinese column names."""
    boxes = [
        shapely.box(WEST + i * STEP, SOUTH, WEST + (i + 1) * STEP, SOUTH + STEP)
        for i in range(count)
    ]
    return gpd.GeoDataFrame(
        {
            "网格编码": [f"350404001001{i:03d}" for i in range(1, count + 1)],
            "网格名称": [f"第{i}网格" for i in range(1, count + 1)],
        },
        geometry=canonical_geometry(np.array(boxes)),
        crs=4490,
    )


def database(folder: Path, name: str = "city") -> Storage:
    """A new embedded database."""
    storage = open_storage(f"sqlite:///{folder / name}.db")
    storage.upgrade()
    return storage


def save(frame: gpd.GeoDataFrame, path: Path) -> Path:
    """Write a frame by its suffix."""
    frame.to_file(path)
    return path


def published(storage: Storage, folder: Path, frame: gpd.GeoDataFrame | None = None) -> str:
    """Import cells and publish them; returns the plan."""
    path = save(squares() if frame is None else frame, folder / "plan.gpkg")
    report = import_layer(storage, open_source(path), "cells", clock=lambda: NOW)
    assert report.plan_id is not None
    return planning.publish(storage, report.plan_id, FIRST_DAY, NOW).id


def run(storage: Storage, path: Path, as_layer: str, **options: Any) -> ImportReport:
    """Import a file; coordinates of tables are WGS-84."""
    datum = "wgs84" if path.suffix in (".csv", ".xlsx") else None
    raw = open_source(path, datum=datum)
    return import_layer(storage, raw, as_layer, ImportOptions(**options), clock=lambda: NOW)


def contents(storage: Storage) -> dict[str, int]:
    """Number of everything that a database holds."""
    with storage.unit_of_work() as work:
        plans = work.plans.list()
        found = {
            name: work.records(name).count()
            for name in ("points", "cases", "staff", "units", "duties", "visits", "classes",
                         "streets", "facilities")
        }  # fmt: skip
        found["schemes"] = len(work.plans.schemes())
        found["plans"] = len(plans)
        found["batches"] = len(work.batches.list())
    return found
