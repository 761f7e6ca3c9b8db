"""Run every benchmark and print its table: ``python -m tests.benchmarks [name …] [--full]``."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import time
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    wanted = [a for a in arguments if not a.startswith("-")]
    found = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = sorted(n for n in found if n.startswith("bench_"))
    begun = time.perf_counter()
    for name in names:
        if wanted and name.removeprefix("bench_") not in wanted:
            continue
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"\n## {name.removeprefix('bench_')} (load {load} on {os.cpu_count()} cores)",
            flush=True,
        )
        start, mine = time.perf_counter(), time.process_time()
        module = importlib.import_module(f"tests.benchmarks.{name}")
        module.main([a for a in arguments if a.startswith("-")])
        wall, cpu = time.perf_counter() - start, time.process_time() - mine
        print(f"({wall:.0f} s, {cpu:.0f} CPU-s of this process)", flush=True)
    print(f"\nall in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
