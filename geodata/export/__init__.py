"""Writers: any layer as GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet, CSV or XLSX."""

from geodata.export.writing import SUFFIXES, write_layer
from geodata.gdal import WRITTEN_ON

__all__ = ["SUFFIXES", "WRITTEN_ON", "write_layer"]
