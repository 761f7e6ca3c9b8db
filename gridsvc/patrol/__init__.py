"""Patrols: the walking network, rounds over points, their check and exchange formats."""

from gridsvc.patrol.bounds import one_tree_bound
from gridsvc.patrol.gpx import to_geojson, to_geojson_text, to_gpx
from gridsvc.patrol.kml import to_kml
from gridsvc.patrol.network import Snap, WalkNetwork
from gridsvc.patrol.rounds import NoStart, plan_point_rounds, points_in_window
from gridsvc.patrol.texts import instruction_text, reason_text
from gridsvc.patrol.verify import verify_rounds

__all__ = [
    "NoStart",
    "Snap",
    "WalkNetwork",
    "instruction_text",
    "one_tree_bound",
    "plan_point_rounds",
    "points_in_window",
    "reason_text",
    "to_geojson",
    "to_geojson_text",
    "to_gpx",
    "to_kml",
    "verify_rounds",
]
