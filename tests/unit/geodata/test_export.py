"""What is exported comes back bit by bit, and opens safely in a spreadsheet."""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from geodata.export import SUFFIXES, write_layer
from geodata.sources import open_source
from gridsvc import datum as datums
from gridsvc.crs import canonical_geometry
from gridsvc.errors import BadOption, InputError
from gridsvc.layers import CELLS, POINTS, STAFF, normalize

EXACT = [s for s in SUFFIXES if s not in (".kml", ".json")]


@pytest.fixture(scope="module")
def cells() -> gpd.GeoDataFrame:
    rng = np.random.default_rng(7)
    x = np.sort(117.5 + rng.random(9) / 7)
    y = 26.2 + rng.random(9) / 7
    boxes = [
        shapely.Polygon([(x[i], y[i]), (x[i + 1], y[i + 1]), (x[i + 1], 26.5), (x[i], 26.5)])
        for i in range(8)
    ]
    frame = gpd.GeoDataFrame(
        {
            "code": [f"3504040010010{i:02d}" for i in range(8)],
            "name": ["列东", "臺南", "=1+1", "@x", "a,b", 'q"q', "三明", "<img onerror>"],
            "community_code": "350404001001",
            "subdistrict_code": "350404001",
            "population": [1, 2, None, 4, 5, 6, 7, 8],
        },
        geometry=canonical_geometry(np.array(boxes)),
        crs=4490,
    )
    made = normalize(frame, CELLS)
    assert isinstance(made, gpd.GeoDataFrame)
    return made


@pytest.mark.parametrize("suffix", EXACT)
def test_doubles_return_bit_by_bit(cells: gpd.GeoDataFrame, tmp_path: Path, suffix: str) -> None:
    path = write_layer(cells, tmp_path / f"cells{suffix}")
    raw = open_source(path)
    assert isinstance(raw.frame, gpd.GeoDataFrame)
    back = raw.frame.sort_values("code", ignore_index=True)
    ours = np.sort(shapely.get_coordinates(cells.geometry.to_numpy()), axis=0)
    theirs = np.sort(shapely.get_coordinates(back.geometry.to_numpy()), axis=0)
    # A closed ring may start elsewhere; the set of vertices is the same, bit by bit.
    assert np.array_equal(np.unique(ours, axis=0), np.unique(theirs, axis=0))
    assert shapely.equals(cells.geometry.to_numpy(), back.geometry.to_numpy()).all()
    assert back["code"].tolist() == list(cells.index)


@pytest.mark.parametrize("suffix", EXACT)
def test_points_without_place_are_not_lost(tmp_path: Path, suffix: str) -> None:
    frame = gpd.GeoDataFrame(
        {"point_id": ["a", "b", "c"], "name": ["甲", "乙", "丙"], "category": "park_square"},
        geometry=[shapely.Point(117.123456789, 26.1), None, shapely.Point(117.2, 26.2)],
        crs=4490,
    )
    path = write_layer(normalize(frame, POINTS), tmp_path / f"points{suffix}")
    raw = open_source(path)
    back = raw.frame.sort_values("point_id", ignore_index=True)
    assert back["name"].tolist() == ["甲", "乙", "丙"]
    assert back.geometry[1] is None
    assert back.geometry.x[0] == 117.123456789


def test_spreadsheets_get_text_not_formulas(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    csv = write_layer(cells, tmp_path / "cells.csv").read_text("utf-8-sig")
    assert "'=1+1" in csv
    assert ",=1+1" not in csv
    sheet = openpyxl.load_workbook(write_layer(cells, tmp_path / "cells.xlsx")).active
    assert sheet is not None
    assert all(c.data_type != "f" for row in sheet.iter_rows() for c in row)
    assert sheet["A2"].value == "350404001001000"


def test_equal_layers_are_equal_parquet_files(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    one = write_layer(cells, tmp_path / "a.parquet", name="cells").read_bytes()
    two = write_layer(cells.copy(), tmp_path / "b.parquet", name="cells").read_bytes()
    assert one == two


def test_personal_data_stays_unless_asked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"person_id": ["1"], "name": ["王"], "role": ["cell_leader"],
                          "phone": ["13800000000"]})  # fmt: skip
    staff = normalize(frame, STAFF)
    assert "13800000000" not in write_layer(staff, tmp_path / "staff.csv").read_text("utf-8-sig")
    full = write_layer(staff, tmp_path / "staff.csv", private=True)
    assert "13800000000" in full.read_text("utf-8-sig")


def test_shapefile_in_gbk_keeps_names(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    raw = open_source(write_layer(cells, tmp_path / "cells.shp", encoding="GBK"))
    assert raw.encoding == "gb18030"
    assert "三明" in raw.frame["name"].tolist()
    assert {"comm_code", "sub_code"} <= set(raw.frame.columns)


def test_other_systems_and_datums(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    zone = open_source(write_layer(cells, tmp_path / "z.gpkg", crs="EPSG:4527"))
    assert zone.crs == "EPSG:4527"
    assert np.abs(np.array(zone.frame.total_bounds) - cells.total_bounds).max() <= 2e-9
    shifted = write_layer(cells, tmp_path / "g.geojson", datum="gcj02")
    west, south = cells.geometry.iloc[0].exterior.coords[0]
    lon, lat = datums.convert(west, south, "wgs84", "gcj02")
    first = open_source(shifted).frame.geometry.iloc[0].exterior
    assert shapely.distance(first, shapely.Point(float(lon), float(lat))) < 2e-9
    with pytest.raises(InputError):
        write_layer(cells, tmp_path / "x.gpkg", crs="EPSG:4527", datum="bd09")


def test_refusals_leave_nothing_behind(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="formats"):
        write_layer(cells, tmp_path / "cells.doc")
    with pytest.raises(InputError, match="export it as CSV"):
        write_layer(pd.DataFrame({"a": [1]}), tmp_path / "t.gpkg")
    with pytest.raises(InputError, match="folder"):
        write_layer(cells, tmp_path / "none" / "cells.gpkg")
    assert list(tmp_path.iterdir()) == []


def test_refusals_speak_one_language(tmp_path: Path) -> None:
    with pytest.raises(BadOption) as caught:
        write_layer(pd.DataFrame({"a": [1]}), tmp_path / "cells.doc")
    assert "formats" not in caught.value.text("zh")
    assert "可写" not in caught.value.text("en")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_layers_are_equal_files(cells: gpd.GeoDataFrame, tmp_path: Path, suffix: str) -> None:
    written = []
    for run in ("first", "second"):
        folder = tmp_path / run
        folder.mkdir()
        write_layer(cells, folder / f"cells{suffix}")
        written.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert written[0]
    assert written[0] == written[1]


def test_files_do_not_tell_the_day_they_were_written_on(
    cells: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    write_layer(cells, tmp_path / "cells.shp")
    assert tuple((tmp_path / "cells.dbf").read_bytes()[1:4]) == (80, 1, 1)
    book = write_layer(cells, tmp_path / "cells.xlsx")
    with zipfile.ZipFile(book) as parts:
        assert {info.date_time[:3] for info in parts.infolist()} == {(1980, 1, 1)}
        core = parts.read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == 2
    assert openpyxl.load_workbook(book).active is not None
