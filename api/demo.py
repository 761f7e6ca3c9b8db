"""The sample city as a whole: files, database, maps, ready to be served.

The city goes the way every city goes: its files are written, read back, imported, certified and
published by the same use cases. What is there already is reused when it is what would be built.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from api.bootstrap import open_services
from api.maps.pictures import (
    Frame,
    HotspotChoice,
    PatrolChoice,
    draw_coverage,
    draw_hotspot,
    draw_patrol,
    draw_plan,
)
from api.settings import DatabaseSettings, Settings
from geodata.sample import build_city, write_city
from geodata.sample.activity import YEAR_TO
from geodata.sample.naming import AreaNames
from geodata.sample.write import COLUMNS
from geodata.sources import open_source
from geodata.storage import open_storage
from gridsvc.errors import Language, StorageError
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions
from gridsvc.types import Datum, Progress, no_progress
from maps import OfflineMap, render_html

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


def ensure_demo(
    folder: Path,
    *,
    force: bool = False,
    maps: bool = True,
    language: Language = "zh",
    progress: Progress = no_progress,
) -> Demo:
    """Return the sample city in a folder, building what is not there yet.

    The database appears under its name only when all of it is in it: an interrupted build is
    begun anew, never continued.

    Parameters
    ----------
    folder : Path
        Receives ``data/`` (the city's files), ``gridsvc.db`` and ``demo.json``.
    force : bool
        Build even if the same city is there already.
    maps : bool
        Also draw the maps as files of their own (``maps/*.html``, for e-mail and print).
    language : {"zh", "en"}
        Of these maps.
    progress : callable

    Raises
    ------
    StorageError
        If the database of the folder cannot be used.
    """
    zh = language == "zh"
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
    progress("生成样例城市" if zh else "building the city", 0.0)
    city = build_city()
    progress("写出文件" if zh else "writing its files", 0.2)
    files = {path.stem: path for path in write_city(city, data)}
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
    demo = Demo(folder, f"sqlite:///{database}", False, facts)
    if maps:
        facts["maps"] = draw_maps(demo, language, _part(progress, 0.85, 0.15))
    # The mark comes last: a folder without it is built anew.
    (folder / MARK).write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    progress("完成" if zh else "done", 1.0)
    return demo


def draw_maps(demo: Demo, language: Language, progress: Progress = no_progress) -> list[str]:
    """Draw the four maps of the city, each as one file that needs nothing else.

    Returns
    -------
    list of str
        Their paths inside the folder.
    """
    services = open_services(demo.settings())
    frame = Frame(language=language, assets="inline")
    target = demo.folder / "maps"
    target.mkdir(exist_ok=True)
    try:
        now = services.clock()
        plan = services.locators.plan_at(now)
        pictures: dict[str, Callable[[], OfflineMap]] = {
            "coverage": lambda: draw_coverage(services, plan, now, frame),
            "hotspot": lambda: draw_hotspot(services, plan, HotspotChoice(), frame),
            "patrol": lambda: draw_patrol(services, plan, PatrolChoice(), frame),
            "plan": lambda: draw_plan(services, plan, frame),
        }
        written = []
        for done, (name, draw) in enumerate(pictures.items()):
            stage = f"绘制地图 {name}" if language == "zh" else f"drawing the {name} map"
            progress(stage, done / len(pictures))
            (target / f"{name}.html").write_text(render_html(draw()), encoding="utf-8")
            written.append(f"maps/{name}.html")
    finally:
        services.close()
    return written


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
    options = ImportOptions(
        title="样例城市网格", city=AreaNames.CITY, exclusions=exclusions, mapping=COLUMNS["cells"]
    )
    share = 0.55 / (len(RECORDS) + 2)
    report = import_layer(storage, raw, "cells", options, _part(progress, 0.25, share))
    assert report.plan_id is not None  # noqa: S101 - cells always become a plan
    plan = planning.publish(storage, report.plan_id, first_day, now)
    rows = {"cells": report.imported}
    for step, layer in enumerate(RECORDS, start=2):
        # The year of the sample is over, also by a clock that is behind.
        at = max(now, YEAR_TO.to_pydatetime())
        options = ImportOptions(at=at, mapping=COLUMNS.get(layer, {}))
        source = open_source(files[layer], datum=Datum.CGCS2000)
        part = _part(progress, 0.25 + step * share, share)
        rows[layer] = import_layer(storage, source, layer, options, part).imported
    return {"plan_id": plan.id, "rows": rows, "built_at": now.isoformat()}


def _part(progress: Progress, start: float, share: float) -> Progress:
    def report(stage: str, done: float) -> None:
        progress(stage, start + share * done)

    return report


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
