from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import shapely

from gridsvc.analysis import find_hotspots
from gridsvc.analysis.hotspots import classify, select_cases
from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import InputError
from gridsvc.types import FloatArray
from tests.unit.gridsvc.analysis_data import NOON, Brute, centres, lattice, reports

CELLS = lattice(12, 12)
HOT = [40, 41, 52, 53]


def planted(extra: int = 40) -> np.ndarray:
    """Four reports in each cell and ``extra`` more in each hot one, jittered inside the cell."""
    middle = centres(CELLS)
    where = np.concatenate([np.repeat(np.arange(len(CELLS)), 4), np.repeat(HOT, extra)])
    jitter = (np.random.default_rng(1).random((len(where), 2)) - 0.5) * 0.003
    return np.asarray(middle[where] + jitter)


def run(xy: FloatArray, classes: list[str] | None = None, **options: Any) -> HotspotResult:
    classes = classes or [f"{1 + i % 3:02d}{i % 9:03d}" for i in range(len(xy))]
    cases = reports(xy, classes)
    options.setdefault("locator", Brute(CELLS))
    return find_hotspots(cases, CELLS, plan_id="p1", updated_at=NOON, **options)


def test_planted_cells_are_hot_and_counts_conserved() -> None:
    xy = np.vstack([planted(), [[100.0, 20.0]], [[np.nan, np.nan]]])
    result = run(xy)
    assert result.n + result.n_set_aside + result.n_unplaced == len(xy)
    assert (result.n, result.n_set_aside, result.n_unplaced) == (len(xy) - 2, 0, 2)
    assert result.cells["count"].sum() == result.n
    hot = set(result.cells.index[result.cells["hotspot"] == "hot_99"])
    assert set(CELLS.index[HOT]) <= hot
    assert len(hot) <= 16
    assert result.cells.index.tolist() == CELLS.index.tolist()
    assert {"name", "community_name", "subdistrict_name", "rate", "z", "p", "p_adjusted"} <= set(
        result.cells.columns
    )
    assert result.weights == "queen, self included"
    assert result.correction.startswith("Benjamini-Hochberg")
    assert result.density is not None
    assert result.density.n == result.n
    assert result.points is not None
    assert len(result.points) == result.n


def test_points_carry_no_private_column() -> None:
    result = run(planted())
    assert result.points is not None
    assert list(result.points.columns) == ["class_code", "reported_at", "geometry"]


def test_pile_makes_a_false_hot_spot_only_when_kept() -> None:
    pile = np.tile(centres(CELLS)[100:101], (400, 1))
    xy = np.vstack([planted(), pile])
    aside, kept = run(xy), run(xy, set_aside=False)
    code = CELLS.index[100]
    assert [p.count for p in aside.piles] == [p.count for p in kept.piles] == [400]
    assert aside.piles[0].cell_code == code
    assert (aside.n_set_aside, kept.n_set_aside) == (400, 0)
    assert kept.n - aside.n == 400
    assert kept.cells.at[code, "hotspot"] == "hot_99"
    assert aside.cells.at[code, "hotspot"] == "none"


def test_period_is_half_open_and_classes_are_major_or_minor() -> None:
    cases = reports(planted()[:10], ["01001", "01002", "02001", "02002", "03001"] * 2)
    first = cases["reported_at"].iloc[0].to_pydatetime()
    chosen = select_cases(cases, since=first, until=first + timedelta(hours=3))
    assert chosen.index.tolist() == ["c000000", "c000001", "c000002"]
    assert len(select_cases(cases, classes=["01"])) == 4
    assert len(select_cases(cases, classes=["02001"])) == 2
    assert len(select_cases(cases, classes=["02001", "01"])) == 6
    assert len(select_cases(cases)) == 10


def test_bad_periods_are_refused() -> None:
    cases = reports(planted()[:2], ["01001"] * 2)
    with pytest.raises(InputError, match="a day or an instant"):
        select_cases(cases, since="last week")
    with pytest.raises(InputError, match="IANA zone"):
        select_cases(cases, since="2024-01-01", timezone="Mars/Phobos")
    with pytest.raises(InputError, match="empty period"):
        select_cases(cases, since=NOON, until=NOON)


def test_denominators() -> None:
    plain, area, people = (
        run(planted(), denominator=d) for d in ("none", "area_km2", "population")
    )
    assert (plain.cells["rate"] == plain.cells["count"]).all()
    km2 = CELLS.to_crs(4548).area / 1e6
    assert np.allclose(area.cells["rate"], area.cells["count"] / km2, rtol=1e-9)
    empty = (CELLS["population"] == 0).to_numpy()
    assert people.cells["hotspot"].eq("not_tested").to_numpy().tolist() == empty.tolist()
    assert any("not tested" in note.en for note in people.notes)


def test_filed_cell_is_used_without_a_locator() -> None:
    cases = reports(planted()[:4], ["01001"] * 4)
    cases["cell_code"] = [CELLS.index[3], CELLS.index[3], None, "gone"]
    result = find_hotspots(cases, CELLS, plan_id="p1", updated_at=NOON, locator=None)
    assert result.cells["count"].to_dict()[CELLS.index[3]] == 2
    assert result.n_unplaced == 2


def test_no_report_means_nothing_to_test() -> None:
    result = run(planted(), classes=None, since=NOON + timedelta(days=9999))
    assert result.n == 0
    assert (result.cells["hotspot"] == "not_tested").all()
    assert result.density is None


def test_permutations_are_named_with_their_seed() -> None:
    result = run(planted(), permutations=4000, seed=5)
    assert (result.permutations, result.seed) == (4000, 5)
    assert "4000 permutations" in result.correction
    assert set(CELLS.index[HOT]) <= set(
        result.cells.index[result.cells["hotspot"].str.startswith("hot")]
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [({"denominator": "wishes"}, "denominator"), ({"alpha": 0.0}, "alpha")],
)
def test_bad_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        run(planted(), **options)


def test_classify_takes_the_strictest_level_and_the_sign() -> None:
    z = np.array([4.0, 3.0, 2.0, 1.0, -4.0, -3.0, -2.0, np.nan])
    p = np.array([0.001, 0.05, 0.1, 0.5, 0.01, 0.02, 0.09, np.nan])
    assert classify(z, p) == [
        "hot_99", "hot_95", "hot_90", "none", "cold_99", "cold_95", "cold_90", "not_tested",
    ]  # fmt: skip


def test_two_runs_give_the_same_answer() -> None:
    one, two = run(planted()), run(planted())
    assert one.cells.drop(columns="geometry").equals(two.cells.drop(columns="geometry"))
    assert one.density is not None
    assert two.density is not None
    assert shapely.equals_exact(
        one.density.bands.geometry.to_numpy(), two.density.bands.geometry.to_numpy()
    ).all()
