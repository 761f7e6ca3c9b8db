"""GDAL held to what this project reads: the formats it names, no network, no other file.

GDAL opens a file with whatever driver knows its content. A document that is named ``.kml`` but
describes a virtual data source would read any other file of the machine, so every driver that is
not needed leaves the process when this module is imported.
"""

from __future__ import annotations

from datetime import date

import pyogrio
import pyogrio.core

WRITTEN_ON = date(1980, 1, 1)
"""The day that files say they were written on, whenever that is; a zip knows no earlier one."""

DRIVERS = frozenset(
    {
        "DXF",
        "ESRI Shapefile",
        "ESRIJSON",
        "FlatGeobuf",
        "GML",
        "GPKG",
        "GeoJSON",
        "GeoJSONSeq",
        "KML",
        "LIBKML",
        "MapInfo File",
        "TopoJSON",
    }
)
# Nothing listens at the discard port: what GDAL would fetch in spite of the rest ends there.
_NO_NETWORK = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "GDAL_HTTP_PROXY": "http://127.0.0.1:9",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
}

# GeoPackage writes the instant of writing into the file; equal layers are to be equal files.
_NO_CLOCK = {"OGR_CURRENT_DATE": f"{WRITTEN_ON.isoformat()}T00:00:00.000Z"}


def restrict() -> None:
    """Deregister every driver that is not in ``DRIVERS`` and close the ways to the network.

    Raises
    ------
    RuntimeError
        If a driver stays; reading would then not be safe.
    """
    pyogrio.set_gdal_config_options({**_NO_NETWORK, **_NO_CLOCK})
    surplus = sorted(set(pyogrio.list_drivers()) - DRIVERS)
    if not surplus:
        return
    pyogrio.set_gdal_config_options({"GDAL_SKIP": ",".join(surplus)})
    # GDAL looks at the list only while it registers drivers.
    pyogrio.core._register_drivers()
    left = sorted(set(pyogrio.list_drivers()) - DRIVERS)
    if left:
        raise RuntimeError(f"GDAL keeps drivers that must not read files: {', '.join(left)}")


restrict()
