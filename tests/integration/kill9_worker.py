"""What the killed processes do: whole transactions, one after the other, until they are killed.

Each transaction has a number ``n`` that can be read off everything it writes, so that the test
can tell afterwards whether it is there entirely, or not at all.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.storage import open_storage
from gridsvc.errors import StorageError
from gridsvc.layers import LAYERS, normalize
from gridsvc.locate import Locator
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from gridsvc.services.ports import Storage, UnitOfWork

T0 = datetime(2024, 1, 1, tzinfo=UTC)
SIDE = 20
STEP = 0.002
ROWS = 800
REPAIRS = 40
KINDS = ("import", "publish", "append")
REFUSED = 17
"""Exit code of a writer whose server went away."""


def cells(n: int) -> gpd.GeoDataFrame:
    """The cells of version ``n``: always the same squares, with codes of the version."""
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    x, y = 117.6 + columns * STEP, 26.2 + rows * STEP
    frame = gpd.GeoDataFrame(
        {"code": [f"v{n}-{i:04d}" for i in range(SIDE * SIDE)], "name": "网格",
         "community_code": "m", "subdistrict_code": "s"},
        geometry=shapely.box(x, y, x + STEP, y + STEP), crs=4490,
    )  # fmt: skip
    return normalize(frame, LAYERS["cells"])


def points(n: int) -> gpd.GeoDataFrame:
    """The rows of import ``n``."""
    return _rows("points", n, {"name": f"import {n}", "category": "market"})


def cases(n: int) -> gpd.GeoDataFrame:
    """The rows of bulk write ``n``."""
    return _rows("cases", n, {"class_code": f"{n:04d}", "reported_at": T0 + timedelta(hours=n)})


def _rows(layer: str, n: int, values: dict[str, object]) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(n)
    index = pd.Index([f"{n:04d}-{i:05d}" for i in range(ROWS)], name=LAYERS[layer].key)
    where = shapely.points(
        rng.uniform(117.6, 117.6 + SIDE * STEP, ROWS), rng.uniform(26.2, 26.24, ROWS)
    )
    return normalize(gpd.GeoDataFrame(values, index=index, geometry=where, crs=4490), LAYERS[layer])


def prepare(storage: Storage) -> None:
    """Lay the ground: a scheme with version 0 in force."""
    storage.upgrade()
    with storage.unit_of_work() as work:
        work.plans.add_scheme(GridScheme("main", "市", 4548))
        work.plans.add(_version(0), cells(0))
        work.commit()


def _version(n: int) -> PlanVersion:
    return PlanVersion(
        f"plan-{n:04d}", "main", n, f"v{n}", PlanStatus.PUBLISHED, T0, SIDE * SIDE,
        effective_from=T0 + timedelta(days=n), published_at=T0,
    )  # fmt: skip


def transact(work: UnitOfWork, kind: str, n: int) -> None:
    """Do transaction ``n`` of a kind, without committing it."""
    if kind == "import":
        log = cells(n).iloc[:REPAIRS][["name", "geometry"]]
        work.batches.add({"id": f"{n:04d}", "layer": "points", "created_at": T0}, log)
        work.records("points").append(points(n), batch_id=f"{n:04d}")
    elif kind == "append":
        work.records("cases").append(cases(n).iloc[: ROWS // 2])
        work.records("cases").upsert(cases(n).iloc[ROWS // 3 :])
    else:
        (old,) = [p for p in work.plans.list() if p.effective_to is None]
        new = replace(_version(n), status=PlanStatus.DRAFT, effective_from=None, base_id=old.id)
        work.plans.add(new, cells(n))
        ended = old.to(PlanStatus.SUPERSEDED, effective_to=_version(n).effective_from)
        work.plans.save(ended, expected_revision=old.revision)
        pair = {"old_code": cells(old.number).index, "new_code": cells(n).index}
        work.plans.put_lineage(old.id, new.id, pd.DataFrame({**pair, "kind": "U", "share": 1.0}))
        begun = new.to(PlanStatus.PUBLISHED, effective_from=_version(n).effective_from)
        work.plans.save(begun, expected_revision=new.revision)


def work_until_killed(url: str, kind: str, first: int, say: Connection) -> None:
    """Do transactions ``first``, ``first + 1``, … and say when each begins and is committed."""
    storage = open_storage(url)
    for n in itertools.count(first):
        say.send(("begun", n))
        with storage.unit_of_work() as work:
            transact(work, kind, n)
            work.commit()
        say.send(("committed", n))


def work_until_refused(url: str, kind: str, first: int, say: Connection) -> None:
    """Do the same until the server is gone, and end with the exit code ``REFUSED``."""
    try:
        work_until_killed(url, kind, first, say)
    except StorageError:
        sys.exit(REFUSED)


def restore_until_killed(url: str, backups: list[str], first: int, say: Connection) -> None:
    """Restore one backup after the other and say when each begins and is done."""
    storage = open_storage(url)
    for n in itertools.count(first):
        say.send(("begun", n))
        storage.restore(Path(backups[n % len(backups)]))
        say.send(("committed", n))


def whole(storage: Storage, kind: str) -> set[int]:
    """Return the numbers of the transactions that are there; fails if one is there in part."""
    with storage.unit_of_work() as work:
        if kind == "import":
            found = {int(b["id"]) for b in work.batches.list()}
            for n in found:
                assert work.records("points").count(where={"batch_id": f"{n:04d}"}) == ROWS
                assert len(work.batches.log(f"{n:04d}")) == REPAIRS
            assert work.records("points").count() == ROWS * len(found)
            return found
        if kind == "append":
            frame = work.records("cases").frame()
            counts = frame["class_code"].value_counts()
            assert (counts == ROWS).all()
            return {int(code) for code in counts.index}
        plans = work.plans.list("main")
        for before, after in itertools.pairwise(plans):
            assert before.status == PlanStatus.SUPERSEDED
            assert before.effective_to == after.effective_from
            assert len(work.plans.lineage(before.id, after.id)) == SIDE * SIDE
        assert plans[-1].status == PlanStatus.PUBLISHED
        assert plans[-1].effective_to is None
        for plan in plans:
            assert len(work.plans.cells(plan.id)) == SIDE * SIDE
        return {p.number for p in plans}


def located(storage: Storage) -> list[str]:
    """Return the cells (without their version) in which a fixed set of places lies."""
    with storage.unit_of_work() as work:
        plan = work.plans.list("main")[-1]
        locator = Locator.from_cells(work.plans.cells(plan.id))
    rng = np.random.default_rng(99)
    lon = rng.uniform(117.6 - STEP, 117.6 + (SIDE + 1) * STEP, 400)
    lat = rng.uniform(26.2 - STEP, 26.2 + (SIDE + 1) * STEP, 400)
    lon[:20] = 117.6 + STEP * np.arange(20)  # on borders
    found = locator.locate_many(lon, lat)
    return ["" if i < 0 else locator.codes[i].split("-")[1] for i in found]
