"""Readers: every file format a city delivers, as a ``RawLayer`` in EPSG:4490."""

from geodata.sources.opening import SUFFIXES, digest_of, open_source

__all__ = ["SUFFIXES", "digest_of", "open_source"]
