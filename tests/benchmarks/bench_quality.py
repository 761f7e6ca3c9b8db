"""Certificate and repair, measured: ``python -m tests.benchmarks.bench_quality``.

CPU seconds of the process, best of five, the certificate and ``coverage_is_valid`` alternating in
one run on the same 10,000 cells with a million vertices (target: at most twice as long). Then the
cleaning of the 12,774 minimum statistical areas of Tainan, beside a bare ``coverage_clean``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.quality import certify, repair
from tests.benchmarks.coverages import jittered

TAINAN = Path(__file__).resolve().parents[3] / "shared" / "data" / "tainan"
AREAS = TAINAN / "tainan_l4_min_stat_area.parquet"
TARGET_RATIO = 2.0
ROUNDS = 5


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def certificate() -> None:
    """Print the certificate's time against ``coverage_is_valid`` alone."""
    cells = jittered(100, 100, seed=3, points_per_side=24, extras=False)
    shapes = cells.geometry.to_numpy()
    alone, whole = [], []
    for _ in range(ROUNDS):
        alone.append(timed(lambda: shapely.coverage_is_valid(shapes))[0])
        seconds, result = timed(lambda: certify(cells))
        whole.append(seconds)
    ratio = min(whole) / min(alone)
    vertices = result.figures["vertices"]
    print(f"certificate of {len(cells):,} cells, {vertices:,} vertices: ok={result.ok}")
    print(f"  coverage_is_valid alone  {min(alone):7.3f} CPU-s")
    print(f"  certificate              {min(whole):7.3f} CPU-s")
    print(f"  ratio                    {ratio:7.2f}   (target ≤ {TARGET_RATIO:g})")


def cleaning() -> None:
    """Print the time of a repair of a whole city against GEOS' cleaner alone."""
    if not AREAS.is_file():
        print("no Tainan data beside the checkout: cleaning not measured")
        return
    frame = gpd.read_parquet(AREAS).set_index("CODEBASE")  # noqa: TID251
    frame = frame.set_crs(4490, allow_override=True)
    shapes = shapely.make_valid(canonical_geometry(frame.geometry.to_numpy()), method="structure")
    metric = to_metric(shapes, 4549)
    bare, _ = timed(
        lambda: shapely.coverage_clean(  # type: ignore[attr-defined]
            metric, snapping_distance=0.01, gap_width=1.0
        )
    )
    seconds, result = timed(lambda: repair(frame, metric_epsg=4549))
    print(f"repair of {len(frame):,} areas, {shapely.get_num_coordinates(shapes).sum():,} vertices")
    print(f"  coverage_clean alone     {bare:7.3f} CPU-s")
    print(f"  repair with log          {seconds:7.3f} CPU-s")
    print(f"  moved {result.moved_area_m2:.1f} m² ({result.moved_share:.2e}), "
          f"snap {result.snap_m} m, {len(result.log)} rows")  # fmt: skip
    proof, certified = timed(
        lambda: certify(result.cells, metric_epsg=4549, registered_holes=result.registered_holes)
    )
    print(f"  certificate              {proof:7.3f} CPU-s, ok={certified.ok}")


def main(arguments: list[str]) -> None:
    """Print both tables; ``--certificate`` or ``--cleaning`` for one of them."""
    print(f"shapely {shapely.__version__}, GEOS {shapely.geos_version_string}, "
          f"numpy {np.__version__}")  # fmt: skip
    if "--cleaning" not in arguments:
        certificate()
    if "--certificate" not in arguments:
        cleaning()


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
