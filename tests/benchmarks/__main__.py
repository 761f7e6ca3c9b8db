"""Run every benchmark and print its table: ``python -m tests.benchmarks [name …] [--full]``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    wanted = [a for a in arguments if not a.startswith("-")]
    found = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = sorted(n for n in found if n.startswith("bench_"))
    for name in names:
        if wanted and name.removeprefix("bench_") not in wanted:
            continue
        module = importlib.import_module(f"tests.benchmarks.{name}")
        module.main([a for a in arguments if a.startswith("-")])


if __name__ == "__main__":
    main(sys.argv[1:])
