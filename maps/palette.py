"""Colours of the maps; all pass for people who cannot tell red from green.

Sequential: ColorBrewer YlGnBu; diverging: ColorBrewer RdBu; categories: Okabe and Ito.
"""

from __future__ import annotations

SEQUENTIAL = ("#FFFFD9", "#C7E9B4", "#7FCDBB", "#41B6C4", "#225EA8")
DENSITY = ("#BCBDDC", "#9E9AC8", "#807DBA", "#6A51A3", "#3F007D")
"""Purples, so that a density is not taken for a hot spot."""
HOTSPOT: dict[str, str | None] = {
    "hot_99": "#B2182B",
    "hot_95": "#EF8A62",
    "hot_90": "#FDDBC7",
    "none": None,
    "cold_90": "#D1E5F0",
    "cold_95": "#67A9CF",
    "cold_99": "#2166AC",
    "not_tested": None,
}
OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#B8A800",
)
POINT_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
POINT_SHAPES = ("circle", "square", "triangle", "diamond")
DUE = "#B7791F"
"""Half done: a unit without a person."""
OVERDUE = "#B42318"
"""Uncovered, vacant, failed."""
