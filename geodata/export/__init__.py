"""Writers: any layer as GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet, CSV or XLSX."""

from geodata.export.writing import SUFFIXES, write_layer

__all__ = ["SUFFIXES", "write_layer"]
