"""Any seed and size gives a certified city with the exact counts."""

from __future__ import annotations

import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geodata.sample import build_city
from gridsvc.layers import Placement
from gridsvc.quality import certify


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(60, 140))
def test_counts_area_and_coverage_hold_for_any_seed(seed: int, cells: int) -> None:
    city = build_city(seed, cells, cases_per_cell=2.0)
    assert len(city.cells) == cells
    assert city.cells["community_code"].nunique() == city.truth["communities"]
    assert city.cells["subdistrict_code"].nunique() == city.truth["subdistricts"]
    target = 155.1e6 * cells / 702
    assert abs(city.cells["area_m2"].sum() / target - 1.0) < 1e-3
    assert shapely.coverage_is_valid(city.cells.geometry.to_numpy())
    certificate = certify(
        city.cells, territory=city.territory, exclusions=city.exclusions, code_system="cn"
    )
    assert certificate.ok, certificate.findings
    placed = city.cases["placement"] == Placement.PLACED
    assert (city.cases["cell_code"].notna() == placed).all()
