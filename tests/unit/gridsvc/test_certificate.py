"""Each rule of the certificate, by a layer that breaks it and one that does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.crs import to_metric
from gridsvc.errors import CrsMismatch, InputError
from gridsvc.layers import EXCLUSIONS, normalize
from gridsvc.locate import Locator
from gridsvc.plan import derive_areas
from gridsvc.quality import Certificate, certify
from gridsvc.quality.findings import RULES
from gridsvc.quality.segments import SegmentTable
from tests.unit.gridsvc.quality_data import EPSG, four, frame, metric, square, stored


def rules(certificate: Certificate) -> list[str]:
    return sorted(set(certificate.findings["rule"]))


def drawn_area(certificate: Certificate, rule: str) -> float:
    rows = certificate.findings[certificate.findings["rule"] == rule]
    return float(shapely.area(to_metric(rows.geometry.to_numpy(), EPSG)).sum())


def not_a_number() -> shapely.Geometry:
    with np.errstate(invalid="ignore"):
        return shapely.from_wkt("POLYGON ((117 26, NaN 26, 117 27, 117 26))")


def exclusion(shape: shapely.Polygon) -> gpd.GeoDataFrame:
    table = gpd.GeoDataFrame(
        {"kind": ["water"], "name": ["沙溪"]}, index=["x1"], geometry=[stored(shape)], crs=4490
    )
    return normalize(table, EXCLUSIONS)


def test_a_plan_without_fault_passes_all_six_tests() -> None:
    certificate = certify(frame(four()))
    assert certificate.ok
    assert [t.number for t in certificate.tests] == [1, 2, 3, 4, 5, 6]
    assert all(t.passed for t in certificate.tests)
    assert certificate.figures["area_m2"] == pytest.approx(40_000, rel=1e-6)
    assert certificate.figures["distinct_vertices"] == 9
    assert certificate.territory.area == pytest.approx(shapely.union_all(
        frame(four()).geometry.to_numpy()).area)  # fmt: skip


def test_overlap_is_measured_and_drawn() -> None:
    shapes = four() | {"b": metric([(90, 0), (200, 0), (200, 100), (90, 100)])}
    certificate = certify(frame(shapes))
    assert not certificate.ok
    assert certificate.rules[0] == "overlap"
    assert certificate.figures["overlap_m2"] == pytest.approx(1000, rel=1e-4)
    assert drawn_area(certificate, "overlap") == pytest.approx(1000, rel=1e-4)
    row = certificate.findings[certificate.findings["rule"] == "overlap"].iloc[0]
    assert row["cells"] == "a,b"
    assert "重叠" in row["message_zh"]
    assert "overlap" in row["message_en"]


def test_a_contained_cell_and_a_duplicate_shape_are_overlaps() -> None:
    inner = certify(frame(four() | {"e": square(20, 20, 10)}))
    assert inner.figures["overlap_m2"] == pytest.approx(100, rel=1e-4)
    twice = certify(frame(four() | {"e": square(0, 0)}))
    assert twice.figures["overlap_m2"] == pytest.approx(10_000, rel=1e-4)


@pytest.mark.parametrize("bulge", [-2e-9, -1e-9, 0.0, 1e-9, 2e-9])
def test_a_node_that_the_neighbour_lacks_is_reported(bulge: float) -> None:
    south = shapely.box(117.0, 26.0, 117.002, 26.001)
    north = shapely.Polygon(
        [(117.0, 26.001), (117.001, 26.001 + bulge), (117.002, 26.001), (117.001, 26.002)]
    )
    cells = gpd.GeoDataFrame(geometry=[south, north], index=["a", "b"], crs=4490)
    certificate = certify(cells)
    assert certificate.rules == ("unmatched_edge",)
    assert set(",".join(certificate.findings["cells"]).split(",")) == {"a", "b"}
    noded = shapely.Polygon(
        [(117.0, 26.0), (117.002, 26.0), (117.002, 26.001), (117.001, 26.001 + bulge),
         (117.0, 26.001)]
    )  # fmt: skip
    assert certify(cells.set_geometry([noded, north])).ok


def test_a_missing_cell_in_the_middle_is_a_gap_that_coverage_is_valid_does_not_see() -> None:
    shapes = {f"{i}{j}": square(100 * i, 100 * j) for i in range(3) for j in range(3)}
    del shapes["11"]
    cells = frame(shapes)
    assert shapely.coverage_is_valid(cells.geometry.to_numpy())
    certificate = certify(cells)
    assert rules(certificate) == ["gap"]
    assert drawn_area(certificate, "gap") == pytest.approx(10_000, rel=1e-4)
    assert certify(cells, exclusions=exclusion(square(100, 100))).ok


def test_half_a_gap_registered_leaves_the_other_half() -> None:
    shapes = {f"{i}{j}": square(100 * i, 100 * j) for i in range(3) for j in range(3)}
    del shapes["11"]
    half = exclusion(metric([(100, 100), (150, 100), (150, 200), (100, 200)]))
    certificate = certify(frame(shapes), exclusions=half)
    assert drawn_area(certificate, "gap") == pytest.approx(5000, rel=1e-3)


@pytest.mark.parametrize("width", [0.02, 0.3, 0.8])
def test_a_sliver_open_to_the_outside_is_found(width: float) -> None:
    wedge = metric([(100, 0), (200, 0), (200, 100), (100, 100), (100 + width, 50)])
    left = metric([(0, 0), (100, 0), (100, 100), (0, 100)])
    right = metric([(100 + width, 0), (200, 0), (200, 100), (100, 100)])
    certificate = certify(frame({"a": left, "b": right}))
    assert "sliver" in certificate.rules
    assert certify(frame({"a": left, "b": right}), gap_width_m=0.0).ok
    assert drawn_area(certificate, "sliver") > 0.2 * 50 * width
    assert wedge.is_valid


def test_a_wide_inlet_is_no_sliver() -> None:
    left = square(0, 0)
    right = metric([(130, 0), (230, 0), (230, 100), (100, 100)])
    assert certify(frame({"a": left, "b": right}), gap_width_m=1.0).ok


def test_a_thin_cell_is_not_mistaken_for_a_thin_gap() -> None:
    shapes = {
        "a": metric([(0, 0), (100, 0), (100, 100), (0, 100)]),
        "b": metric([(100, 0), (100.4, 0), (100.4, 100), (100, 100)]),
        "c": metric([(100.4, 0), (200, 0), (200, 100), (100.4, 100)]),
    }
    assert certify(frame(shapes), gap_width_m=1.0).ok


def test_union_must_equal_the_declared_territory() -> None:
    cells = frame(four())
    whole = stored(square(0, 0, 200))
    assert certify(cells, territory=whole).ok
    larger = certify(cells, territory=stored(square(0, 0, 210)))
    assert rules(larger) == ["uncovered_territory"]
    assert larger.figures["uncovered_m2"] == pytest.approx(210**2 - 200**2, rel=1e-4)
    smaller = certify(cells, territory=stored(square(0, 0, 190)))
    assert rules(smaller) == ["outside_territory"]
    assert smaller.figures["outside_m2"] == pytest.approx(200**2 - 190**2, rel=1e-4)


def test_territory_off_by_less_than_a_millimetre_is_rounding() -> None:
    assert certify(frame(four()), territory=stored(square(0, 0, 200.0004))).ok


def test_an_exclusion_at_the_rim_belongs_to_the_territory() -> None:
    river = exclusion(metric([(200, 0), (260, 0), (260, 200), (200, 200)]))
    whole = stored(metric([(0, 0), (260, 0), (260, 200), (0, 200)]))
    assert certify(frame(four()), territory=whole, exclusions=river).ok
    assert not certify(frame(four()), territory=whole).ok


def test_a_cell_over_an_exclusion_is_a_warning_only() -> None:
    certificate = certify(frame(four()), exclusions=exclusion(square(50, 50)))
    assert certificate.ok
    assert rules(certificate) == ["over_exclusion"]
    assert drawn_area(certificate, "over_exclusion") == pytest.approx(10_000, rel=1e-3)


def test_parts_and_holes_need_registration() -> None:
    enclave = square(20, 20, 10)
    around = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (20, 30), (30, 30), (30, 20)]
    )
    island = shapely.MultiPolygon([square(100, 0), square(500, 500, 50)])
    cells = frame({"a": around, "b": island, "e": enclave})
    certificate = certify(cells)
    assert rules(certificate) == ["hole", "multipart"]
    assert certify(cells, registered_parts=["b"], registered_holes=["a"]).ok
    assert certify(cells, registered_parts=["a"], registered_holes=["b"]).rules == (
        "multipart",
        "hole",
    )


def test_a_hole_filled_by_an_exclusion_is_registered_by_it() -> None:
    around = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (20, 30), (30, 30), (30, 20)]
    )
    assert certify(frame({"a": around}), exclusions=exclusion(square(20, 20, 10))).ok


def test_bad_shapes_are_named_and_the_rest_is_still_tested() -> None:
    bow = metric([(0, 0), (100, 100), (100, 0), (0, 100)])
    cells = gpd.GeoDataFrame(
        geometry=[
            stored(bow),
            stored(square(100, 0)),
            shapely.Polygon(),
            None,
            shapely.Point(117.6, 26.2),
            not_a_number(),
            stored(square(195, 0)),
        ],
        index=list("abcdefg"),
        crs=4490,
    )
    certificate = certify(cells)
    by_rule = certificate.findings.groupby("rule")["cells"].apply(list).to_dict()
    assert by_rule["invalid_geometry"] == ["a", "f"]
    assert by_rule["empty_geometry"] == ["c", "d"]
    assert by_rule["not_polygon"] == ["e"]
    assert by_rule["overlap"] == ["b,g"]


def test_a_plan_without_usable_cells_is_refused() -> None:
    empty = gpd.GeoDataFrame(geometry=[], crs=4490)
    assert certify(empty).rules == ("no_cells",)
    hollow = gpd.GeoDataFrame(geometry=[shapely.Polygon()], index=["a"], crs=4490)
    assert certify(hollow).rules == ("no_cells", "empty_geometry")


CN = {
    "350404001001001": square(0, 0),
    "350404001001002": square(100, 0),
    "350404001002001": square(0, 100),
    "350404002001001": square(100, 100),
}


def cn_cells() -> gpd.GeoDataFrame:
    cells = frame(CN)
    cells["community_code"] = [c[:12] for c in cells.index]
    cells["subdistrict_code"] = [c[:9] for c in cells.index]
    return cells


def test_chinese_codes_nest_in_their_parents() -> None:
    assert certify(cn_cells(), code_system="cn").ok
    wrong = cn_cells()
    wrong.loc["350404001001002", "community_code"] = "350404001009"
    assert certify(wrong, code_system="cn").rules == ("code_outside_parent",)
    assert certify(wrong, code_system="free").ok


def test_bad_and_repeated_codes_are_named() -> None:
    cells = cn_cells().rename(index={"350404001001002": "3504040010"})
    certificate = certify(cells, code_system="cn")
    assert certificate.rules == ("bad_code",)
    assert "15" in certificate.findings["message_en"].iloc[0]
    cells = frame(four()).set_axis(["a", "a", "c", " "], axis=0)
    assert certify(cells).rules == ("duplicate_code", "bad_code")


def test_parents_must_exist_and_agree() -> None:
    cells = cn_cells()
    cells["community_code"] = cells["community_code"].astype("str")
    cells.loc["350404001002001", "community_code"] = None
    assert certify(cells).rules == ("orphan_parent",)
    cells = cn_cells()
    cells.loc["350404001001002", "subdistrict_code"] = "350404009"
    assert certify(cells).rules == ("parent_conflict",)


def test_materialised_parents_must_be_the_union_of_their_cells() -> None:
    cells = cn_cells()
    areas = derive_areas(cells, metric_epsg=EPSG)
    assert certify(cells, areas=areas, metric_epsg=EPSG).ok
    moved = areas.copy()
    moved.loc["community:350404001001", "geometry"] = areas.geometry["community:350404001002"]
    certificate = certify(cells, areas=moved, metric_epsg=EPSG)
    assert certificate.rules == ("parent_not_union",)
    assert certificate.findings["measure"].iloc[0] == pytest.approx(30_000, rel=1e-3)
    assert certify(cells, areas=areas.iloc[1:], metric_epsg=EPSG).rules == ("parent_not_union",)


def test_certificate_is_json_and_depends_on_nothing_but_its_input() -> None:
    cells = frame(four() | {"b": metric([(90, 0), (200, 0), (200, 100), (90, 100)])})
    at = datetime(2026, 5, 1, tzinfo=UTC)
    first = json.dumps(certify(cells, at=at).as_dict())
    assert json.dumps(certify(cells, at=at).as_dict()) == first
    assert json.loads(first)["at"] == "2026-05-01T00:00:00+00:00"
    shuffled = certify(cells.iloc[::-1], at=at)
    assert shuffled.digest == certify(cells, at=at).digest
    assert shuffled.findings["cells"].tolist() == certify(cells).findings["cells"].tolist()


def test_digest_ignores_ring_direction_and_sees_a_moved_vertex() -> None:
    cells = frame(four())
    turned = cells.set_geometry(shapely.reverse(cells.geometry.to_numpy()))
    assert certify(turned).digest == certify(cells).digest
    moved = frame(four() | {"a": metric([(0.001, 0), (100, 0), (100, 100), (0, 100)])})
    assert certify(moved).digest != certify(cells).digest


def test_every_rule_speaks_two_languages() -> None:
    for rule in RULES.values():
        text = rule.zh.format(cells="a", measure=1.0, detail="x", area="1", length="1")
        assert any("\u4e00" <= c <= "\u9fff" for c in text), rule.name
        assert (
            rule.en.format(cells="a", measure=1.0, detail="x", area="1", length="1").isascii()
            or "m²" in rule.en
        )


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(CrsMismatch):
        certify(frame(four()).to_crs(EPSG))
    with pytest.raises(InputError, match="gap_width_m"):
        certify(frame(four()), gap_width_m=float("nan"))


def test_segment_table_measures_what_geos_measures() -> None:
    around = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (20, 30), (30, 30), (30, 20)]
    )
    shapes = np.array(
        [
            around,
            shapely.MultiPolygon([square(100, 0), square(300, 0, 7)]),
            None,
            shapely.Polygon(),
        ],
        dtype=object,
    )
    table = SegmentTable.of(shapes)
    areas = table.areas(4, table.points)
    assert areas == pytest.approx([9900, 10_049, 0, 0], abs=1e-6)
    shared = table.shared()
    expected = pd.DataFrame({"first": [0], "second": [1], "length": [100.0]})
    pd.testing.assert_frame_equal(shared, expected, check_dtype=False)
    assert table.most_uses() == 2
    assert SegmentTable.of(np.array([None], dtype=object)).faces().size == 0


def test_a_polygon_with_an_empty_hole_is_measured() -> None:
    shape = shapely.from_wkt("POLYGON ((117 26, 117.001 26, 117.001 26.001, 117 26), EMPTY)")
    table = SegmentTable.of(np.array([shape, shapely.box(0, 0, 1, 1)], dtype=object))
    assert table.areas(2, table.points) == pytest.approx([shape.area, 1.0])
    assert len(table.rim()) == 7
    parts = shapely.from_wkt("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), EMPTY)")
    table = SegmentTable.of(np.array([parts], dtype=object))
    assert table.areas(1, table.points) == pytest.approx([0.5])


def test_refusals_of_python_callers_name_the_way_out() -> None:
    cells = frame(four())
    with pytest.raises(CrsMismatch, match=r"\.to_crs\(4490\)"):
        certify(cells.to_crs(EPSG))
    bow = metric([(0, 0), (100, 100), (100, 0), (0, 100)])
    with pytest.raises(InputError, match=r"gridsvc\.quality\.repair"):
        Locator.from_cells(frame({"a": bow}))
