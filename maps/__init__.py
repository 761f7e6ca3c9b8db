"""Offline folium maps: they receive finished results, never query, and load only local assets."""

from maps.coverage import coverage_map
from maps.escaping import safe
from maps.hotspot import hotspot_map
from maps.offline import OfflineMap, SafeFeatureGroup, TextPopup, TextTooltip, static_folder
from maps.page import Field, Page, Tiles
from maps.patrol import patrol_map
from maps.plan import plan_map
from maps.render import Rendered, render, render_html

__all__ = [
    "Field",
    "OfflineMap",
    "Page",
    "Rendered",
    "SafeFeatureGroup",
    "TextPopup",
    "TextTooltip",
    "Tiles",
    "coverage_map",
    "hotspot_map",
    "patrol_map",
    "plan_map",
    "render",
    "render_html",
    "safe",
    "static_folder",
]
