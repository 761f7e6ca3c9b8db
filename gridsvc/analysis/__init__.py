"""Analyses on cells and reports: hot spots, density, default-geocode piles, coverage."""

from gridsvc.analysis.contiguity import contiguity
from gridsvc.analysis.coverage import coverage, coverage_visits
from gridsvc.analysis.coverage_people import coverage_duties, coverage_points
from gridsvc.analysis.gi_star import (
    TooFewPermutations,
    benjamini_hochberg,
    gi_star,
    permutation_p,
)
from gridsvc.analysis.hotspots import find_hotspots
from gridsvc.analysis.kde import kde
from gridsvc.analysis.piles import PileRule, geocode_piles
from gridsvc.analysis.results import (
    CoverageResult,
    DensitySurface,
    GeocodePile,
    HotspotResult,
    Note,
    PatrolPlan,
    PatrolRound,
    Stop,
    Turn,
)
from gridsvc.analysis.territory import coverage_territory

__all__ = [
    "CoverageResult",
    "DensitySurface",
    "GeocodePile",
    "HotspotResult",
    "Note",
    "PatrolPlan",
    "PatrolRound",
    "PileRule",
    "Stop",
    "TooFewPermutations",
    "Turn",
    "benjamini_hochberg",
    "contiguity",
    "coverage",
    "coverage_duties",
    "coverage_points",
    "coverage_territory",
    "coverage_visits",
    "find_hotspots",
    "geocode_piles",
    "gi_star",
    "kde",
    "permutation_p",
]
