"""The sample city as a whole: files, database, maps, ready to be served.

The city goes the way every city goes: its files are written, read back, imported, certified and
published by the same use cases. What is there already is reused when it is what would be built.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from api.settings import DatabaseSettings, Settings
from geodata.export import write_layer
from geodata.sample import SampleCity, build_city
from geodata.sources import open_source
from geodata.storage import open_storage
from gridsvc.errors import StorageError
from gridsvc.layers import LAYERS
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions
from gridsvc.types import Progress, no_progress

DATABASE = "gridsvc.db"
MARK = "demo.json"
FORMAT = 1
# In this order: what later layers refer to comes first.
RECORDS = (
    "classes", "units", "staff", "streets", "points", "facilities", "duties", "visits", "cases",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demo:
    """A sample city that is ready: its folder, database URL and what was built or found."""

    folder: Path
    url: str
    reused: bool
    facts: dict[str, Any]

    def settings(self, settings: Settings | None = None) -> Settings:
        """Return settings that serve this city."""
        base = settings or Settings()
        return base.model_copy(
            update={
                "database": DatabaseSettings(database_url=self.url),
                "map": base.map.model_copy(update={"cache_dir": self.folder / "cache"}),
            }
        )


def ensure_demo(folder: Path, *, force: bool = False, progress: Progress = no_progress) -> Demo:
    """Return the sample city in a folder, building what is not there yet.

    The database appears under its name only when all of it is in it: an interrupted build is
    begun anew, never continued.

    Parameters
    ----------
    folder : Path
        Receives ``data/`` (the city's files), ``gridsvc.db`` and ``demo.json``.
    force : bool
        Build even if the same city is there already.
    progress : callable

    Raises
    ------
    StorageError
        If the database of the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / DATABASE
    if not force:
        found = _existing(folder)
        if found is not None:
            return found
    partial = folder / f"{DATABASE}.part"
    for leftover in (database, partial, folder / MARK):
        _remove(leftover)
    data = folder / "data"
    if data.is_dir():
        shutil.rmtree(data)
    progress("生成样例城市 building the city", 0.0)
    city = build_city()
    progress("写出文件 writing its files", 0.2)
    files = write_files(city, data)
    storage = open_storage(f"sqlite:///{partial}")
    try:
        storage.upgrade()
        first_day = city.duties["valid_from"].min().to_pydatetime()
        facts = _fill(storage, files, first_day, progress)
    finally:
        storage.dispose()
    for suffix in ("-wal", "-shm"):
        _remove(Path(f"{partial}{suffix}"))
    partial.replace(database)
    facts = {"format": FORMAT, "version": version("gridsvc"), "seed": city.seed, **facts}
    (folder / MARK).write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    progress("完成 done", 1.0)
    return Demo(folder, f"sqlite:///{database}", False, facts)


def write_files(city: SampleCity, folder: Path) -> dict[str, Path]:
    """Write each layer of a city to a file of its own: GeoPackage, or CSV for what has no shape.

    Returns
    -------
    dict of layer name to Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, frame in city.frames().items():
        suffix = "csv" if LAYERS[name].geometry is None else "gpkg"
        files[name] = write_layer(frame, folder / f"{name}.{suffix}", name=name, private=True)
    return files


def _existing(folder: Path) -> Demo | None:
    mark, database = folder / MARK, folder / DATABASE
    if not (mark.is_file() and database.is_file()):
        return None
    try:
        facts = orjson.loads(mark.read_bytes())
    except orjson.JSONDecodeError:
        return None
    if facts.get("format") != FORMAT or facts.get("version") != version("gridsvc"):
        return None
    storage = open_storage(f"sqlite:///{database}")
    try:
        storage.upgrade()
        storage.check()
    except StorageError:
        return None
    finally:
        storage.dispose()
    return Demo(folder, f"sqlite:///{database}", True, facts)


def _fill(
    storage: Storage, files: dict[str, Path], first_day: datetime, progress: Progress
) -> dict[str, Any]:
    now = datetime.now(UTC)
    exclusions = open_source(files["exclusions"])
    raw = open_source(files["cells"])
    options = ImportOptions(title="样例城市网格", exclusions=exclusions)
    share = 0.6 / (len(RECORDS) + 2)
    report = import_layer(storage, raw, "cells", options, _part(progress, 0.25, share))
    assert report.plan_id is not None  # noqa: S101 - cells always become a plan
    plan = planning.publish(storage, report.plan_id, first_day, now)
    rows = {"cells": report.imported}
    for step, layer in enumerate(RECORDS, start=2):
        options = ImportOptions(at=now)
        source = open_source(files[layer])
        part = _part(progress, 0.25 + step * share, share)
        rows[layer] = import_layer(storage, source, layer, options, part).imported
    return {"plan_id": plan.id, "rows": rows, "built_at": now.isoformat()}


def _part(progress: Progress, start: float, share: float) -> Progress:
    def report(stage: str, done: float) -> None:
        progress(stage, start + share * done)

    return report


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
