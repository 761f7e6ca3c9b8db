"""Point rounds against known optima: ``python -m tests.benchmarks.bench_rounds``.

Instances of TSPLIB95 beside the checkout (one walker); gap to the optimum and to the proven bound.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np

from gridsvc.patrol import one_tree_bound
from gridsvc.patrol.solver import solve_rounds

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "benchmarks" / "tsplib"
INSTANCES = ("berlin52", "st70", "kroA100", "ch130", "kroB100")
LARGE = ("d198", "a280")  # with --full


def distances(path: Path) -> np.ndarray:
    """Return the rounded Euclidean matrix of an EUC_2D instance."""
    body = path.read_text().split("NODE_COORD_SECTION")[1].split("EOF")[0].split("\n")
    xy = np.array([[float(v) for v in row.split()[1:3]] for row in body if row.strip()])
    apart = xy[:, None] - xy[None]
    return np.asarray(np.floor(np.hypot(apart[..., 0], apart[..., 1]) + 0.5))


def optima() -> dict[str, float]:
    """Return the known optimum of each instance."""
    with (FOLDER / "tsplib_known_optima.csv").open() as file:
        rows = list(csv.DictReader(file))
    name, value = next(iter(rows[0])), next(k for k in rows[0] if "optim" in k.lower())
    return {row[name].removesuffix(".tsp"): float(row[value]) for row in rows}


def main(arguments: list[str]) -> None:
    """Print gap and CPU seconds per instance."""
    if not FOLDER.is_dir():
        print("no TSPLIB instances beside the checkout")
        return
    known = optima()
    print("instance  points  gap to optimum  gap to bound  CPU-s")
    for name in (*INSTANCES, *LARGE) if "--full" in arguments else INSTANCES:
        d = distances(FOLDER / f"{name}.tsp")
        start = time.process_time()
        routed = solve_rounds(
            d, np.zeros(len(d), dtype=np.int64), walkers=1, speed_m_s=1.0, max_duration_s=None,
            balance=False, iterations=min(30 * len(d), 6000), seed=0,
        )  # fmt: skip
        spent = time.process_time() - start
        tour = [0, *routed.rounds[0]]
        length = sum(d[a, b] for a, b in zip(tour, [*tour[1:], 0], strict=True))
        bound = one_tree_bound(d)
        assert bound <= known[name] <= length
        print(
            f"{name:9} {len(d):6} {length / known[name] - 1:14.2%} {length / bound - 1:13.2%} "
            f"{spent:6.1f}"
        )


if __name__ == "__main__":
    main([])
