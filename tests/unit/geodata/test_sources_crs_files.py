"""No description of a coordinate system makes a file of the machine be opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from pyproj import CRS

from geodata.sources import open_source
from geodata.sources.georeference import parse_crs
from gridsvc.crs_texts import names_file
from gridsvc.errors import CrsMissing, InputError, UnreadableSource

DEGREES = "+proj=longlat +ellps=WGS84 +no_defs +type=crs"


def with_grid(file: Path | str) -> CRS:
    return CRS.from_user_input(f"{DEGREES} +nadgrids={file}")


@pytest.fixture
def init(tmp_path: Path) -> Path:
    """A file that PROJ would take for a list of systems, as the first assertion shows."""
    path = tmp_path / "systems"
    path.write_text("<here> +proj=longlat +ellps=bessel +no_defs <>\n", "ascii")
    with pytest.warns(FutureWarning):
        assert "Bessel 1841" in CRS.from_user_input(f"+init={path}:here").to_wkt()
    return path


def descriptions(path: Path) -> list[Any]:
    grid = with_grid(path)
    upper = grid.to_wkt().replace("PARAMETERFILE[", "parameterFile (\n ")
    return [
        f"+init={path}:here",
        f"init={path}:here",
        f"+ INIT = {path}:here",
        f"{DEGREES} +nadgrids={path}",
        f"{DEGREES} +nadgrids=@{path}",
        f"{DEGREES} +nadgrids=@null,{path}",
        f"{DEGREES} +nadgrids=http://127.0.0.1:9/grid.tif",
        f"{DEGREES} +geoidgrids={path} +vunits=m",
        grid.to_wkt(),
        upper,
        grid.to_json(),
        "\n " + grid.to_json(),
        grid.to_json_dict(),
        {"crs": f"+init={path}:here"},
        f'GEOGCS["x",EXTENSION["PROJ4","{DEGREES} +nadgrids={path}"]]',
        "{",
    ]


def test_every_way_of_naming_a_file_is_seen(init: Path) -> None:
    for description in descriptions(init):
        assert names_file(description), description


@pytest.mark.parametrize(
    "description",
    [
        "EPSG:4548", 4548, "CGCS2000 / 3-degree Gauss-Kruger CM 117E", "OGC:CRS84",
        "urn:ogc:def:crs:EPSG::4548", "http://www.opengis.net/def/crs/EPSG/0/4548",
        "+proj=tmerc +lat_0=0 +lon_0=117.5 +k=1 +x_0=500000 +ellps=GRS80 +units=m +type=crs",
        CRS.from_epsg(3857).to_wkt("WKT1_GDAL"), CRS.from_epsg(4548).to_wkt(),
        CRS.from_epsg(4548).to_json(), CRS.from_epsg(4548).to_json_dict(),
        with_grid("@null").to_wkt(), with_grid("@null").to_json(), None, "", [1], True,
    ],
)  # fmt: skip
def test_usual_descriptions_pass(description: Any) -> None:
    assert not names_file(description)


def test_a_stated_system_that_names_a_file_is_refused(init: Path) -> None:
    for description in descriptions(init):
        if isinstance(description, str):
            with pytest.raises(InputError, match="EPSG:4548"):
                parse_crs(description, source="a.shp")


def test_what_a_file_says_of_its_system_opens_no_other_file(init: Path, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"code": ["a"]}, geometry=[shapely.Point(117.6, 26.2)])
    path = tmp_path / "grid.gpkg"
    frame.set_crs(with_grid(init)).to_file(path, layer="points")
    assert names_file(pyogrio.read_info(path)["crs"])
    with pytest.raises(CrsMissing):
        open_source(path)
    assert len(open_source(path, crs="EPSG:4490").frame) == 1


def test_geoparquet_whose_system_names_a_file_is_refused(init: Path, tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    frame = gpd.GeoDataFrame({"code": ["a"]}, geometry=[shapely.Point(117.6, 26.2)], crs=4490)
    frame.to_parquet(path)
    table = pq.read_table(path)
    for description in (f"+init={init}:here", with_grid(init).to_json_dict()):
        geo = json.loads(table.schema.metadata[b"geo"])
        geo["columns"]["geometry"]["crs"] = description
        metadata = {**table.schema.metadata, b"geo": json.dumps(geo).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), path)
        with pytest.raises(UnreadableSource, match="EPSG"):
            open_source(path)


GML = (
    '<?xml version="1.0"?><gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml">'
    "<gml:featureMember><cell><code>{code}</code><gml:pointProperty>"
    '<gml:Point srsName="EPSG:4326"><gml:coordinates>117.6,26.2</gml:coordinates></gml:Point>'
    "</gml:pointProperty></cell></gml:featureMember></gml:FeatureCollection>"
)


def test_nothing_is_left_beside_a_gml_file_and_nothing_there_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "cells.gml"
    path.write_text(GML.format(code="a1"), "utf-8")
    assert open_source(path).frame["code"].tolist() == ["a1"]
    assert [p.name for p in tmp_path.iterdir()] == ["cells.gml"]
    # What another program once wrote there would hide the field.
    (tmp_path / "cells.gfs").write_text(
        "<GMLFeatureClassList><GMLFeatureClass><Name>cell</Name><ElementPath>cell</ElementPath>"
        "</GMLFeatureClass></GMLFeatureClassList>",
        "ascii",
    )
    assert open_source(path).frame["code"].tolist() == ["a1"]
