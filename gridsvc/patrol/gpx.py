"""Rounds as GPX 1.1 (https://www.topografix.com/GPX/1/1/) and GeoJSON (RFC 7946), as text.

Coordinates are EPSG:4490, which equals WGS-84 for this purpose.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import shapely
from shapely.geometry import Point

from gridsvc.analysis.results import PatrolPlan, PatrolRound

_NAMESPACE = "http://www.topografix.com/GPX/1/1"
_SCHEMAS = "http://www.w3.org/2001/XMLSchema-instance"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_gpx(plan: PatrolPlan) -> str:
    """Return the plan as a GPX 1.1 document.

    Each stop is a waypoint, each round a route (start, stops, start) and a track along the walked
    line. Characters that XML cannot hold are left out.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        (
            f'<gpx version="1.1" creator="gridsvc" xmlns="{_NAMESPACE}" xmlns:xsi="{_SCHEMAS}" '
            f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}/gpx.xsd">'
        ),
        "  <metadata>",
        f"    <name>{plain_text(plan.area_name or plan.area_code)}</name>",
        f"    <desc>{plain_text(summary_text(plan))}</desc>",
        f"    <time>{plan.created_at.strftime('%Y-%m-%dT%H:%M:%SZ')}</time>",
        "  </metadata>",
    ]
    for walked in plan.rounds:
        for stop in walked.stops:
            lines += [
                f"  <wpt {_place(stop.location)}>",
                f"    <name>{walked.number}-{stop.order} {plain_text(stop.name)}</name>",
                f"    <cmt>{plain_text(stop.point_id)}</cmt>",
                f"    <type>{plain_text(stop.category)}</type>",
                "  </wpt>",
            ]
    for walked in plan.rounds:
        lines += ["  <rte>", f"    <name>{plain_text(round_title(walked))}</name>",
                  f"    <number>{walked.number}</number>"]  # fmt: skip
        ends = (walked.start, walked.start_name or "start")
        for place, name in [ends, *((s.location, s.name) for s in walked.stops), ends]:
            lines += [f"    <rtept {_place(place)}>", f"      <name>{plain_text(name)}</name>",
                      "    </rtept>"]  # fmt: skip
        lines.append("  </rte>")
    for walked in plan.rounds:
        lines += ["  <trk>", f"    <name>{plain_text(round_title(walked))}</name>",
                  f"    <number>{walked.number}</number>"]  # fmt: skip
        for leg in walked.path:
            lines.append("    <trkseg>")
            lines += [
                f"      <trkpt {_place(Point(xy))}></trkpt>" for xy in shapely.get_coordinates(leg)
            ]
            lines.append("    </trkseg>")
        lines.append("  </trk>")
    return "\n".join([*lines, "</gpx>", ""])


def to_geojson(plan: PatrolPlan) -> dict[str, Any]:
    """Return the plan as a GeoJSON FeatureCollection.

    Features have ``kind`` ``leg``, ``stop`` or ``start``; the figures of the plan are in the
    member ``plan``.
    """
    features: list[dict[str, Any]] = []
    for walked in plan.rounds:
        features.append(
            _feature(walked.start, kind="start", round=walked.number, name=walked.start_name)
        )
        for order, leg in zip(walked.path.index, walked.path, strict=True):
            features.append(_feature(leg, kind="leg", round=walked.number, order=int(order)))
        features.extend(
                _feature(
                    stop.location, kind="stop", round=walked.number, order=stop.order,
                    point_id=stop.point_id, name=stop.name, category=stop.category,
                    walk_m=round(stop.walk_m, 1), arrive_s=round(stop.arrive_s),
                    service_s=round(stop.service_s), snap_m=round(stop.snap_m, 1),
                )
                for stop in walked.stops
            )  # fmt: skip
    return {"type": "FeatureCollection", "features": features, "plan": summary(plan)}


def summary(plan: PatrolPlan) -> dict[str, Any]:
    """Return the figures of a plan as plain data."""
    return {
        "area_kind": plan.area_kind,
        "area_code": plan.area_code,
        "area_name": plan.area_name,
        "plan_id": plan.plan_id,
        "window": plan.window,
        "points_visited": sum(len(r.stops) for r in plan.rounds),
        "points_dropped": len(plan.dropped),
        "dropped": plan.dropped.to_dict("records"),
        "total_m": round(plan.total_m, 1),
        "lower_bound_m": plan.lower_bound_m,
        "gap": gap(plan),
        "speed_m_s": plan.speed_m_s,
        "seed": plan.seed,
        "iterations": plan.iterations,
        "solver": plan.solver,
        "created_at": plan.created_at.isoformat(),
        "verified": not plan.verified,
        "findings": list(plan.verified),
        "notes": [{"zh": str(n), "en": n.en} for n in plan.notes],
        "rounds": [
            {
                "number": r.number,
                "person_id": r.person_id,
                "stops": len(r.stops),
                "length_m": round(r.length_m, 1),
                "walking_s": round(r.walking_s),
                "service_s": round(r.service_s),
                "duration_s": round(r.duration_s),
            }
            for r in plan.rounds
        ],
    }


def gap(plan: PatrolPlan) -> float | None:
    """Return how far a single round is above its proven bound (``None`` for several rounds).

    Several rounds are balanced, not shortest in sum, so the bound says little about them.
    """
    if len(plan.rounds) != 1 or not plan.lower_bound_m:
        return None
    return round(plan.total_m / plan.lower_bound_m - 1.0, 4)


def to_geojson_text(plan: PatrolPlan) -> str:
    """Return ``to_geojson`` as compact UTF-8 text."""
    return json.dumps(to_geojson(plan), ensure_ascii=False, separators=(",", ":"))


def _feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": json.loads(shapely.to_geojson(geometry)),
        "properties": properties,
    }


def round_title(walked: PatrolRound) -> str:
    """Return number, person and length of a round."""
    person = f" {walked.person_name}" if walked.person_name else ""
    return f"{walked.number}{person} {walked.length_m:.0f} m"


def summary_text(plan: PatrolPlan) -> str:
    """Return what a plan is and how it was made, in one line."""
    return (
        f"{plan.area_kind} {plan.area_code}; {len(plan.rounds)} rounds, {plan.total_m:.0f} m; "
        f"plan {plan.plan_id}; {plan.solver}, seed {plan.seed}, {plan.iterations} iterations"
    )


def _place(point: Point) -> str:
    return f"lat={quoteattr(f'{point.y:.9f}')} lon={quoteattr(f'{point.x:.9f}')}"


def plain_text(value: str) -> str:
    """Return text escaped for XML, without characters that XML cannot hold."""
    return escape(_NOT_XML.sub("", value))
