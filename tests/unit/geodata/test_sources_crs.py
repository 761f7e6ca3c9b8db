"""Coordinates end in EPSG:4490, or the doubt is spoken out."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geodata.sources import open_source
from geodata.sources.georeference import georeference
from gridsvc import datum as datums
from gridsvc.errors import (
    CrsMissing,
    DatumNeedsDegrees,
    InputError,
    RejectedRows,
    UnknownDatum,
    WrongCrs,
)

# Wenzhou, the city of the published zone test: 4549 gives E 568395.022, N 3098317.108.
LON, LAT = 120.6953127, 27.9971173


def towns(crs: int = 4490, count: int = 5) -> gpd.GeoDataFrame:
    points = shapely.points(LON + 0.01 * np.arange(count), np.full(count, LAT))
    frame = gpd.GeoDataFrame({"name": list("abcde")[:count]}, geometry=points, crs=4490)
    return frame.to_crs(crs)


def save(frame: gpd.GeoDataFrame, path: Path) -> Path:
    frame.to_file(path)
    return path


def flip(geometry: np.ndarray) -> np.ndarray:
    return np.asarray(shapely.transform(geometry, lambda xy: xy[:, ::-1]))


@pytest.mark.parametrize(("epsg", "easting"), [(4549, 568395.022), (4528, 40568395.022)])
def test_three_degree_zones(tmp_path: Path, epsg: int, easting: float) -> None:
    raw = open_source(save(towns(epsg), tmp_path / "t.gpkg"))
    assert raw.crs == f"EPSG:{epsg}"
    assert raw.source_x is not None
    assert raw.source_x[0] == pytest.approx(easting, abs=1e-3)
    assert raw.frame.geometry.x[0] == pytest.approx(LON, abs=1e-9)
    assert raw.frame.geometry.y[0] == pytest.approx(LAT, abs=1e-9)


@pytest.mark.parametrize(
    ("data", "stated", "hint"),
    [
        (4528, "EPSG:4549", "EPSG:4528"),
        (4549, "EPSG:4528", "EPSG:4549"),
        (4528, "EPSG:4490", "EPSG:4528"),
        (4549, "EPSG:4490", "EPSG:4534"),
        (4490, "EPSG:4549", "EPSG:4490"),
        (4490, "EPSG:2232", "EPSG:4490"),
        (3857, "EPSG:4548", " crs"),
    ],
)
def test_wrong_system_names_the_likely_one(
    tmp_path: Path, data: int, stated: str, hint: str
) -> None:
    path = save(towns(data), tmp_path / "t.gpkg")
    with pytest.raises(WrongCrs) as caught:
        open_source(path, crs=stated)
    for language in ("zh", "en"):
        assert hint in caught.value.text(language)


@pytest.mark.parametrize("epsg", [4490, 4326, 4549])
def test_swapped_axes_of_a_whole_layer(tmp_path: Path, epsg: int) -> None:
    frame = towns(epsg)
    frame.geometry = flip(frame.geometry.to_numpy())
    path = save(frame, tmp_path / "t.gpkg")
    with pytest.raises(WrongCrs, match="swap=all"):
        open_source(path)
    raw = open_source(path, swap="all")
    assert raw.frame.geometry.x[0] == pytest.approx(LON, abs=1e-9)


def test_swapped_axes_of_single_rows(tmp_path: Path) -> None:
    frame = towns()
    frame.loc[[1, 3], "geometry"] = flip(frame.geometry.to_numpy()[[1, 3]])
    path = save(frame, tmp_path / "t.gpkg")
    with pytest.raises(RejectedRows) as caught:
        open_source(path)
    assert [f.row for f in caught.value.faults] == [2, 4]
    assert "swap=rows" in caught.value.text("zh")
    raw = open_source(path, swap="rows")
    assert np.allclose(raw.frame.geometry.y, LAT, atol=1e-9)
    assert any("2, 4" in n for n in raw.notes_zh)


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_vendor_datum_is_undone(tmp_path: Path, datum: str) -> None:
    frame = towns()
    lon, lat = datums.convert(frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy(),
                              "wgs84", datum)  # fmt: skip
    frame.geometry = shapely.points(lon, lat)
    raw = open_source(save(frame, tmp_path / "t.gpkg"), datum=datum)
    assert raw.datum == datum
    assert np.abs(raw.frame.geometry.x - towns().geometry.x).max() < 2e-9
    assert raw.source_x is not None
    assert raw.source_x[0] == pytest.approx(lon[0], abs=1e-12)


def test_equal_systems_move_nothing(tmp_path: Path) -> None:
    for epsg in (4490, 4326, 3824):
        raw = open_source(
            save(towns().set_crs(epsg, allow_override=True), tmp_path / f"{epsg}.gpkg")
        )
        assert np.array_equal(
            raw.frame.geometry.x, np.round((LON + 0.01 * np.arange(5)) * 1e9) / 1e9
        )


def test_feet_of_another_continent(tmp_path: Path) -> None:
    point = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(-104.9, 39.7)], crs=4326)
    raw = open_source(save(point.to_crs(2232), tmp_path / "co.gpkg"))
    assert raw.frame.geometry.x[0] == pytest.approx(-104.9, abs=3e-5)


def test_unknown_names(tmp_path: Path) -> None:
    path = save(towns(), tmp_path / "t.gpkg")
    with pytest.raises(InputError, match="EPSG:4548"):
        open_source(path, crs="Xian-99")
    with pytest.raises(UnknownDatum):
        open_source(path, datum="gcj03")


def test_stated_system_wins_and_is_noted(tmp_path: Path) -> None:
    raw = open_source(save(towns(), tmp_path / "t.gpkg"), crs="EPSG:4326")
    assert any("EPSG:4490" in n for n in raw.notes_en)


def test_a_datum_on_metres_is_no_statement_about_a_system(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,x,y\n1,40500000,2900000\n2,40500010,2900010\n")
    columns = {"lon": "x", "lat": "y"}
    with pytest.raises(DatumNeedsDegrees) as caught:
        open_source(table, datum="gcj02", columns=columns)
    for language, words in (("zh", "米制坐标"), ("en", "are metres")):
        said = caught.value.text(language)  # type: ignore[arg-type]
        assert words in said
        assert "gcj02" in said
        assert "EPSG:4528" in said
        assert "4326" not in said
    with pytest.raises(WrongCrs, match="stated system EPSG:4326") as stated:
        open_source(table, datum="gcj02", crs="EPSG:4326", columns=columns)
    assert not isinstance(stated.value, DatumNeedsDegrees)
    raw = open_source(table, datum="gcj02", crs="EPSG:4528", columns=columns)
    assert (raw.crs, raw.datum) == ("EPSG:4528", "gcj02")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ((39_562_345.0, 2_905_000.0), ["EPSG:4527", "EPSG:4548"]),
        ((20_562_345.0, 2_905_000.0), ["EPSG:4498", "EPSG:4509"]),
        ((562_345.0, 2_905_000.0), ["EPSG:4548", "EPSG:4549"]),
        ((2_905_000.0, 39_562_345.0), ["EPSG:4527", "{way:swap=all}"]),
        ((117.6, 26.2), ["{way:crs=EPSG:4490}", "{way:datum=gcj02}"]),
        ((5e9, 5e9), []),
    ],
)
def test_a_file_without_a_system_is_told_the_likely_ones(
    place: tuple[float, float], named: list[str]
) -> None:
    points = np.array([shapely.Point(place), shapely.Point(place[0] + 1e-3, place[1])])
    with pytest.raises(CrsMissing) as missing:
        georeference(points, source="a.shp", own=None, crs=None, datum=None)
    for hint in (missing.value.hint_zh, missing.value.hint_en):
        assert all(one in hint for one in named)
        assert bool(hint) == bool(named)
