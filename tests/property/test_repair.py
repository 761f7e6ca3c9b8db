"""Whatever is drawn, repair ends in a coverage and accounts for the ground."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.quality import certify, repair
from tests.unit.gridsvc.quality_data import EPSG, frame, metric

SIDE = 60.0
CORNERS = np.array([(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)])
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def drawn_layers(draw: st.DrawFn) -> gpd.GeoDataFrame:
    """Squares whose corners each neighbour digitised with an error of its own."""
    rows = draw(st.integers(1, 4))
    columns = draw(st.integers(2, 4))
    error = draw(st.sampled_from([0.0, 0.001, 0.05, 0.4, 1.5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = {}
    for r in range(rows):
        for c in range(columns):
            ring = SIDE * (CORNERS + np.array([c, r])) + rng.uniform(-error, error, CORNERS.shape)
            shapes[f"{r}{c}"] = metric([tuple(p) for p in ring])
    return frame(shapes)


@SLOW
@given(drawn_layers())
def test_a_drawn_layer_becomes_a_certified_one_or_asks(layer: gpd.GeoDataFrame) -> None:
    result = repair(layer, metric_epsg=EPSG)
    shapes = result.cells.geometry.to_numpy()
    assert list(result.cells.index) == list(layer.index)
    assert shapely.equals_exact(canonical_geometry(shapes), shapes).all()
    certificate = certify(
        result.cells,
        metric_epsg=EPSG,
        registered_parts=result.registered_parts,
        registered_holes=result.registered_holes,
    )
    assert certificate.ok or result.decisions_needed, certificate.as_dict()["finding_counts"]
    assert not {"overlap", "invalid_geometry", "unmatched_edge"} & set(certificate.rules)


@SLOW
@given(drawn_layers())
def test_the_account_of_moved_ground_is_right(layer: gpd.GeoDataFrame) -> None:
    result = repair(layer, metric_epsg=EPSG)
    before = to_metric(layer.geometry.to_numpy(), EPSG)
    after = to_metric(result.cells.geometry.to_numpy(), EPSG)
    lost = shapely.area(shapely.difference(before, after)).sum()
    fresh = shapely.area(shapely.difference(shapely.union_all(after), shapely.union_all(before)))
    # Hairs thinner than a millimetre count as rounding.
    tolerance = 2e-3 * shapely.length(before).sum()
    assert abs(result.moved_area_m2 - lost - fresh) <= tolerance
    logged = result.log[result.log["action"] != "made_valid"]["area_m2"].sum()
    assert logged <= result.moved_area_m2 + 1e-6


@SLOW
@given(drawn_layers())
def test_repairing_twice_changes_nothing_more(layer: gpd.GeoDataFrame) -> None:
    once = repair(layer, metric_epsg=EPSG)
    if once.decisions_needed:
        return
    twice = repair(once.cells, metric_epsg=EPSG)
    assert twice.moved_area_m2 == 0.0
    assert np.array_equal(
        shapely.to_wkb(once.cells.geometry.to_numpy()),
        shapely.to_wkb(twice.cells.geometry.to_numpy()),
    )
