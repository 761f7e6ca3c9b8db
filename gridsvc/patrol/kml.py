"""Rounds as KML 2.2 (OGC 07-147r2), as text; EPSG:4490 equals WGS-84 for this purpose."""

from __future__ import annotations

import shapely

from gridsvc.analysis.results import PatrolPlan, PatrolRound
from gridsvc.patrol.gpx import plain_text, round_title, summary_text

_NAMESPACE = "http://www.opengis.net/kml/2.2"
# aabbggrr, after Okabe and Ito: told apart by the colour-blind.
_COLOURS = ("ffb27200", "ff005ed5", "ff739e00", "ffa779cc", "ff009fe6", "ffe9b456")


def to_kml(plan: PatrolPlan) -> str:
    """Return the plan as a KML 2.2 document.

    Each round is a folder with the walked line and, in order, the start and the stops. Characters
    that XML cannot hold are left out.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<kml xmlns="{_NAMESPACE}">',
        "<Document>",
        f"  <name>{plain_text(plan.area_name or plan.area_code)}</name>",
        f"  <description>{plain_text(summary_text(plan))}</description>",
    ]
    for nth, colour in enumerate(_COLOURS):
        lines.append(
            f'  <Style id="round{nth}"><LineStyle><color>{colour}</color><width>4</width>'
            "</LineStyle></Style>"
        )
    for walked in plan.rounds:
        lines += _folder(walked)
    return "\n".join([*lines, "</Document>", "</kml>", ""])


def _folder(walked: PatrolRound) -> list[str]:
    lines = ["  <Folder>", f"    <name>{plain_text(round_title(walked))}</name>"]
    legs = [leg for leg in walked.path if not leg.is_empty]
    if legs:
        lines += [
            "    <Placemark>",
            f"      <name>{plain_text(round_title(walked))}</name>",
            f"      <styleUrl>#round{(walked.number - 1) % len(_COLOURS)}</styleUrl>",
            "      <MultiGeometry>",
            *(
                f"        <LineString><tessellate>1</tessellate>"
                f"<coordinates>{_places(leg)}</coordinates></LineString>"
                for leg in legs
            ),
            "      </MultiGeometry>",
            "    </Placemark>",
        ]
    lines += _placemark(walked.start_name or "start", "", walked.start)
    for stop in walked.stops:
        note = f"{stop.point_id} {stop.category}"
        lines += _placemark(f"{walked.number}-{stop.order} {stop.name}", note, stop.location)
    return [*lines, "  </Folder>"]


def _placemark(name: str, note: str, place: shapely.Point) -> list[str]:
    said = [f"      <description>{plain_text(note)}</description>"] if note else []
    return [
        "    <Placemark>",
        f"      <name>{plain_text(name)}</name>",
        *said,
        f"      <Point><coordinates>{_places(place)}</coordinates></Point>",
        "    </Placemark>",
    ]


def _places(shape: shapely.Geometry) -> str:
    return " ".join(f"{x:.9f},{y:.9f}" for x, y in shapely.get_coordinates(shape))
