"""A seeded generator of a river town: exact figures, known truth, clean and messy files."""

from geodata.sample.city import SampleCity, build_city
from geodata.sample.write import write_city

__all__ = ["SampleCity", "build_city", "write_city"]
