"""Import of a real city, measured: ``python -m tests.benchmarks.bench_import``.

The 12,774 minimum statistical areas of Tainan are read, cleaned, certified, stored and published;
target 30 s of wall time on two cores. Wall and CPU seconds of each stage, one run.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from geodata.sources import open_source
from geodata.storage import open_storage
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tainan"
FILE = DATA / "tainan_l4_min_stat_area.parquet"
# The layer has no village column; its second publication level stands in for the community.
PARENTS = {"community_code": "CODE2", "subdistrict_code": "TOWN_ID"}
TARGET_S = 30.0


def main(arguments: list[str]) -> None:
    """Import once and print a table of stages."""
    del arguments
    if not FILE.is_file():
        print("import: no real-city data beside the checkout (../shared/data)")
        return
    stages: list[tuple[str, float, float]] = []
    last = [time.perf_counter(), time.process_time()]

    def mark(stage: str) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        stages.append((stage, wall - last[0], cpu - last[1]))
        last[:] = [wall, cpu]

    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(f"sqlite:///{Path(folder) / 'bench.db'}")
        storage.upgrade()
        mark("create the database")
        raw = open_source(FILE)
        mark("read")
        report = import_layer(storage, raw, "cells", ImportOptions(mapping=PARENTS))
        mark("repair, certify, store")
        assert report.plan_id is not None
        planning.publish(storage, report.plan_id, datetime(2016, 1, 1, tzinfo=UTC), now)
        mark("publish")
        storage.dispose()
    repairs = 0 if report.repairs is None else len(report.repairs)
    print(f"\n{report.rows} areas of Tainan, {repairs} repairs")
    print(f"{'stage':<26}{'wall s':>9}{'CPU s':>9}")
    for stage, wall, cpu in stages:
        print(f"{stage:<26}{wall:>9.2f}{cpu:>9.2f}")
    wall, cpu = sum(s[1] for s in stages), sum(s[2] for s in stages)
    print(f"{'total':<26}{wall:>9.2f}{cpu:>9.2f}   target {TARGET_S:.0f} s wall")


if __name__ == "__main__":
    main([])
