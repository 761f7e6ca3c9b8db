"""Files that try to read other files of the machine, or to make it call somewhere."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from geodata.gdal import DRIVERS
from geodata.sources import open_source
from gridsvc.errors import GridsvcError, UnreadableSource

PHONE = "13800000001"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "staff.csv"
    path.parent.mkdir()
    path.write_text(f"name,phone,x,y\na,{PHONE},117.6,26.2\n", "utf-8")
    return path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def nobody_called(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


def virtual(source: str) -> str:
    return (
        '<OGRVRTDataSource><OGRVRTLayer name="staff">'
        f"<SrcDataSource>{source}</SrcDataSource>"
        "<GeometryType>wkbPoint</GeometryType><LayerSRS>EPSG:4490</LayerSRS>"
        '<GeometryField encoding="PointFromColumns" x="x" y="y"/>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )


def refused(path: Path) -> None:
    with pytest.raises(UnreadableSource) as caught:
        open_source(path)
    assert PHONE not in caught.value.text("zh") + caught.value.text("en")


def package(path: Path) -> Path:
    frame = gpd.GeoDataFrame({"code": ["a"]}, geometry=[shapely.box(117.6, 26.2, 117.7, 26.3)])
    frame.set_crs(4490).to_file(path, layer="cells")
    return path


def test_only_named_drivers_are_left() -> None:
    assert set(pyogrio.list_drivers()) <= DRIVERS
    assert {"GPKG", "GeoJSON", "ESRI Shapefile", "LIBKML", "GML"} <= set(pyogrio.list_drivers())


@pytest.mark.parametrize("suffix", [".kml", ".gml", ".geojson", ".gpkg", ".tab", ".fgb", ".json"])
def test_a_virtual_source_under_another_name_is_refused(
    suffix: str, secret: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"cells{suffix}"
    path.write_text(virtual(str(secret)), "utf-8")
    refused(path)


def test_a_virtual_source_passes_no_driver_even_when_its_name_is_not_judged(
    secret: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cells.kml"
    path.write_text(virtual(str(secret)), "utf-8")
    with pytest.raises(pyogrio.errors.DataSourceError):
        pyogrio.raw.read(path)


def test_an_algorithm_in_json_is_refused(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    line = f"gdal vector pipeline ! read {secret}"
    path.write_text(json.dumps({"type": "gdal_streamed_alg", "command_line": line}), "utf-8")
    refused(path)


def test_a_virtual_source_at_an_address_calls_nobody(
    listener: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "cells.kml"
    path.write_text(virtual(f"/vsicurl/{address(listener)}/a.geojson"), "utf-8")
    refused(path)
    assert nobody_called(listener)


@pytest.mark.parametrize(
    "source",
    ["/vsicurl/{0}/a.geojson", "{0}/a.geojson", "/vsizip//vsicurl/{0}/a.zip"],
)
def test_gdal_itself_reaches_no_address(source: str, listener: socket.socket) -> None:
    with pytest.raises(pyogrio.errors.DataSourceError):
        pyogrio.list_layers(source.format(address(listener)))
    assert nobody_called(listener)


def test_a_geojson_that_links_its_crs_calls_nobody(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "cells.geojson"
    link = {"type": "link", "properties": {"href": f"{address(listener)}/crs", "type": "proj4"}}
    point = {"type": "Point", "coordinates": [117.6, 26.2]}
    feature = {"type": "Feature", "properties": {"code": "a"}, "geometry": point}
    document = {"type": "FeatureCollection", "crs": link, "features": [feature]}
    path.write_text(json.dumps(document), "utf-8")
    with contextlib.suppress(GridsvcError):
        open_source(path)
    assert nobody_called(listener)


GML = (
    '<?xml version="1.0"?><{root} xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:wfs="http://www.opengis.net/wfs" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.opengis.net/wfs {schema}"><gml:featureMember><cell>'
    '<code>a</code><gml:pointProperty><gml:Point srsName="EPSG:4326">'
    "<gml:coordinates>117.6,26.2</gml:coordinates></gml:Point></gml:pointProperty>"
    "</cell></gml:featureMember></{root}>"
)


@pytest.mark.parametrize("root", ["wfs:FeatureCollection", "gml:FeatureCollection"])
def test_a_schema_at_an_address_is_not_fetched(
    root: str, listener: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "cells.gml"
    schema = f"{address(listener)}/s?SERVICE=WFS&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=cell"
    path.write_text(GML.format(root=root, schema=schema), "utf-8")
    assert len(open_source(path).frame) == 1
    assert nobody_called(listener)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "schema", ["../elsewhere/staff.csv", "/etc/hostname", "file:///etc/hostname"]
)
def test_a_schema_named_by_a_path_is_refused(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "cells.gml"
    path.write_text(GML.format(root="gml:FeatureCollection", schema=schema), "utf-8")
    refused(path)


def test_an_entity_is_refused(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "cells.kml"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
        "<kml><Document><Placemark><name>&x;</name><Point><coordinates>117.6,26.2</coordinates>"
        "</Point></Placemark></Document></kml>",
        "utf-8",
    )
    refused(path)


def test_a_network_link_in_kml_is_not_followed(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "cells.kml"
    path.write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><NetworkLink><Link>'
        f"<href>{address(listener)}/a.kml</href></Link></NetworkLink><Placemark><name>a</name>"
        f"<styleUrl>{address(listener)}/s.kml#x</styleUrl>"
        "<Point><coordinates>117.6,26.2</coordinates></Point></Placemark></Document></kml>",
        "utf-8",
    )
    assert len(open_source(path).frame) == 1
    assert nobody_called(listener)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW staff AS SELECT ogr_geocode('{url}') AS phone",
        "CREATE VIEW staff AS SELECT ogr_datasource_load_layers('{file}') AS phone",
        "CREATE VIEW staff AS SELECT load_extension('{file}') AS phone, nothing('x')",
        "CREATE TABLE staff (a TEXT, b TEXT AS (gdal_get_pixel_value('{file}', 1, 'p', 1, 1)))",
        "CREATE VIEW staff AS SELECT * FROM other.people",
    ],
)
def test_functions_of_gdal_in_a_package_are_refused(
    statement: str, secret: Path, listener: socket.socket, tmp_path: Path
) -> None:
    path = package(tmp_path / "cells.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = ON")
        sql = statement.format(url=address(listener), file=secret)
        kind = "view" if "VIEW" in sql else "table"
        root = 0 if kind == "view" else database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'cells'").fetchone()[0]  # fmt: skip
        database.execute(
            "INSERT INTO sqlite_master VALUES (?, 'staff', 'staff', ?, ?)", (kind, root, sql)
        )
        database.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                         "VALUES ('staff', 'attributes', 'staff')")  # fmt: skip
        database.commit()
    with pytest.raises(UnreadableSource):
        open_source(path, layer="staff")
    assert nobody_called(listener)


def test_a_virtual_table_in_a_package_is_refused(secret: Path, tmp_path: Path) -> None:
    path = package(tmp_path / "cells.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'staff', 'staff', 0, ?)",
            (f"CREATE VIRTUAL TABLE staff USING VirtualOGR('{secret}')",),
        )
        database.commit()
    refused(path)


def test_triggers_of_a_package_do_not_run(tmp_path: Path) -> None:
    path = package(tmp_path / "cells.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as database:
        for event in ("INSERT", "UPDATE", "DELETE"):
            database.execute(
                f"CREATE TRIGGER t{event} AFTER {event} ON cells BEGIN DELETE FROM cells; END"
            )
        database.commit()
    before = path.read_bytes()
    assert len(open_source(path).frame) == 1
    assert path.read_bytes() == before


def test_a_plain_view_of_a_package_is_read(tmp_path: Path) -> None:
    path = package(tmp_path / "cells.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE VIEW other AS SELECT upper(code) AS code FROM cells")
        database.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                         "VALUES ('other', 'attributes', 'other')")  # fmt: skip
        database.commit()
    assert list(open_source(path, layer="cells").frame["code"]) == ["a"]


def test_a_mapinfo_view_of_other_tables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.tab"
    path.write_text(
        '!table\n!version 100\nopen table "../elsewhere/staff" Hide\n'
        "create view cells as Select * from staff, other where a = b\n",
        "utf-8",
    )
    refused(path)
