"""Exact point-in-cell: which cell covers a coordinate."""

from gridsvc.locate.location import Location
from gridsvc.locate.locator import BadShape, Locator
from gridsvc.locate.surroundings import Neighbour

__all__ = ["BadShape", "Location", "Locator", "Neighbour"]
