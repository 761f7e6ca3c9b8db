"""Layers known to break naive repair: certified, or refused with findings that have names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from gridsvc.errors import GridsvcError
from gridsvc.quality import Certificate, RepairResult, certify, repair
from gridsvc.quality.findings import RULES

pytestmark = pytest.mark.shared_data
DENVER = (
    "denver_precincts2016_orig",
    "denver_precincts2016_repaired",
    "denver_precincts2018_orig",
    "denver_precincts2018_repaired",
    "denver_precincts2020_orig",
    "denver_precincts2020_repaired",
)
GEOS_FILES = 13


def read(path: Path) -> gpd.GeoDataFrame:
    frame = gpd.read_parquet(path)  # noqa: TID251 - a test reads its own data
    frame = frame.to_crs(4490)
    return frame.set_axis([f"p{i:04d}" for i in range(len(frame))], axis=0)


def certificate_of(result: RepairResult) -> Certificate:
    return certify(
        result.cells,
        exclusions=result.exclusions,
        registered_parts=result.registered_parts,
        registered_holes=result.registered_holes,
    )


@pytest.mark.parametrize("name", DENVER)
def test_denver_is_refused_by_name_and_certified_after_decisions(
    shared_data: Path, name: str
) -> None:
    cells = read(shared_data / "dirty" / "denver" / f"{name}.parquet")
    drawn = certify(cells)
    assert not drawn.ok
    assert "gap" in drawn.rules
    assert set(drawn.rules) <= set(RULES)
    assert (drawn.findings["message_zh"].str.len() > 0).all()
    result = repair(cells)
    assert {d.kind for d in result.decisions_needed} == {"wide_gap"}
    answers = {d.key: "exclude" for d in result.decisions_needed}
    decided = repair(cells, decisions=answers)
    assert decided.decisions_needed == ()
    certificate = certificate_of(decided)
    assert certificate.ok, certificate.as_dict()["finding_counts"]
    assert len(decided.cells) == len(cells)
    assert decided.moved_share < 1e-6


def test_the_colorado_gap_region_is_refused_until_its_gaps_are_decided(shared_data: Path) -> None:
    cells = read(shared_data / "dirty" / "co_bad_gap_region.parquet")
    drawn = certify(cells)
    assert {"overlap", "gap"} <= set(drawn.rules)
    assert drawn.figures["overlap_m2"] == pytest.approx(78_887, rel=0.01)
    result = repair(cells)
    assert [d.kind for d in result.decisions_needed] == ["wide_gap"] * 3
    assert not certificate_of(result).ok
    for answer in ("fill", "exclude"):
        decided = repair(cells, decisions={d.key: answer for d in result.decisions_needed})
        assert decided.decisions_needed == ()
        certificate = certificate_of(decided)
        assert certificate.ok, (answer, certificate.as_dict()["finding_counts"])


def test_snapping_that_could_make_polygons_invalid_does_not(shared_data: Path) -> None:
    cells = read(shared_data / "dirty" / "geoplanar_possibly_invalid_snap.parquet")
    result = repair(cells)
    assert certificate_of(result).ok
    assert len(result.cells) == len(cells)


def test_boston_neighbourhoods_keep_their_separate_parts(shared_data: Path) -> None:
    cells = read(shared_data / "boston" / "boston_neighborhoods.parquet")
    result = repair(cells, wide_gaps="exclude")
    assert result.decisions_needed == ()
    assert len(result.registered_parts) == 5
    certificate = certificate_of(result)
    assert certificate.ok, certificate.as_dict()["finding_counts"]
    assert len(shapely.get_parts(certificate.territory)) >= 16


def test_boston_block_groups_need_no_repair(shared_data: Path) -> None:
    cells = read(shared_data / "boston" / "boston_area_block_groups_2020.parquet")
    result = repair(cells)
    assert result.moved_area_m2 == 0.0
    assert len(result.log) == 0
    assert certificate_of(result).ok


def geometries(path: Path) -> list[BaseGeometry]:
    """Every WKT or WKB text in a GEOS test file that GEOS can read."""
    found = []
    for node in ET.parse(path).iter():  # noqa: S314 - test data of GEOS
        text = " ".join((node.text or "").split())
        if not text or node.tag not in {"a", "b", "op"}:
            continue
        reader = shapely.from_wkt if text[0].isalpha() and "(" in text else shapely.from_wkb
        with np.errstate(invalid="ignore"):
            shape = reader(text, on_invalid="ignore")
        if shape is not None:
            found.append(shape)
    return list({shapely.to_wkb(g): g for g in found}.values())


def shrunk(shape: BaseGeometry) -> BaseGeometry:
    """Bring a shape into a square degree near Sanming, keeping its topology as far as it goes."""
    xy = shapely.get_coordinates(shape)
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    scale = max(float((high - low).max()), 1e-300)
    return shapely.transform(shape, lambda c: (c - low) / scale + (117.0, 26.0))


def test_no_case_of_geos_crashes_certificate_or_repair(shared_data: Path) -> None:
    files = sorted((shared_data / "dirty" / "geos_cases").glob("*.xml"))
    assert len(files) == GEOS_FILES
    tried = refused = 0
    for path in files:
        shapes = [g for g in geometries(path) if not g.is_empty]
        finite = [g for g in shapes if np.isfinite(shapely.get_coordinates(g)).all()]
        for k, shape in enumerate(shapes):
            own = shrunk(shape) if any(shape is f for f in finite) else shape
            partner = shrunk(finite[(k + 1) % len(finite)])
            cells = gpd.GeoDataFrame(geometry=[own, partner], index=["a", "b"], crs=4490)
            certificate = certify(cells)
            assert certificate.ok == certificate.blocking.empty
            tried += 1
            if shapely.get_dimensions(own) < 2:
                assert "not_polygon" in certificate.rules
                continue
            try:
                result = repair(cells, wide_gaps="fill")
            except GridsvcError as error:
                assert error.text("zh")
                assert error.text("en")
                refused += 1
                continue
            after = certify(result.cells)
            assert set(after.rules) <= set(RULES)
            assert "overlap" not in after.rules, (path.name, k)
            assert "invalid_geometry" not in after.rules, (path.name, k)
    assert tried > 500
    assert refused < tried
