"""The patrol map: rounds with order, direction, length and time, a print sheet and GPX."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridsvc.analysis.results import PatrolPlan, PatrolRound
from gridsvc.errors import Language
from gridsvc.patrol.gpx import to_gpx
from maps import document, encoding, formats, palette, wording
from maps.document import Document, fact, figure, listing, shown
from maps.ground import ground
from maps.messages import Both, both
from maps.offline import OfflineMap
from maps.page import Assets, Page, Text

_TINY_M = 8.0
_ONWARD = frozenset({"continue", "straight", "slight_left", "slight_right"})


def patrol_map(
    plan: PatrolPlan,
    *,
    language: Language = "zh",
    assets: Assets = "inline",
    asset_base: str = "/static",
    page: Page | None = None,
) -> OfflineMap:
    """Draw patrol rounds.

    Parameters
    ----------
    plan : PatrolPlan
        Finished and verified; nothing is computed here but what is drawn.
    language, assets, asset_base, page
        As in ``coverage_map``.

    Returns
    -------
    OfflineMap
        A ``folium.Map``.
    """
    drawn = patrol_document(plan, language=language, page=page or Page())
    return OfflineMap(drawn, assets=assets, asset_base=asset_base)


def patrol_document(plan: PatrolPlan, *, language: Language, page: Page) -> Document:
    """Return what the patrol map draws."""
    rounds = [_round(one, plan, page) for one in plan.rounds]
    overlays: list[Document] = []
    layer = None
    if len(plan.cells):
        layer = document.cell_layer(plan.cells, [], document.parents(plan.cells))
        overlays += document.derived_edges(plan.cells)
    overlays.append(
        {"type": "rounds", "key": "rounds", "label": both("rounds"), "on": True, "rounds": rounds}
    )
    notes: list[Text] = [wording.note(text) for text in plan.notes]
    if any(one["twice"] for one in rounds):
        notes.append(both("twice_note"))
    paths = [geometry for one in plan.rounds for geometry in one.path]
    stops = sum(len(one.stops) for one in plan.rounds)
    longest = max((one.duration_s for one in plan.rounds), default=0.0)
    name = plan.area_name or plan.area_code
    return document.compose(
        "patrol",
        page,
        language=language,
        title=both("patrol_title"),
        question=both("patrol_question", area=name),
        bounds=encoding.bounds(paths, plan.cells.geometry.to_numpy()),
        facts=_facts(plan, page),
        figures=[
            figure("rounds_count", f"{len(plan.rounds):,}"),
            figure("stops", f"{stops:,}"),
            figure("total_length", formats.distance(plan.total_m)),
            figure("longest_round", formats.duration(longest)),
        ],
        notes=notes,
        cells=layer,
        drawn_base=ground(plan.streets),
        overlays=overlays,
        lists=[_dropped(plan)],
    )


def _facts(plan: PatrolPlan, page: Page) -> list[Document]:
    kind = plan.area_kind if plan.area_kind in ("cell", "community", "subdistrict") else "city"
    facts = [
        fact("area_chosen", _labelled(both(kind), f"{plan.area_name} {plan.area_code}".strip())),
        fact("speed", both("speed_value", v=f"{plan.speed_m_s * 3.6:.1f}")),
        fact("solver", plan.solver),
        fact("iterations", f"{plan.iterations:,}"),
        fact("seed", str(plan.seed)),
    ]
    if plan.lower_bound_m is not None:
        facts.append(fact("lower_bound", formats.distance(plan.lower_bound_m)))
    verdict: Text = both("verified_ok")
    if plan.verified:
        verdict = both("verified_findings", n=len(plan.verified))
    facts.append(fact("verified", verdict))
    facts.append(fact("plan", page.plan_text(plan.plan_id)))
    facts.append(fact("updated_at", formats.instant(plan.created_at, page.timezone)))
    return facts


def _labelled(label: Both, text: str) -> Both:
    return {language: f"{label[language]} {text}" for language in ("zh", "en")}


def _round(one: PatrolRound, plan: PatrolPlan, page: Page) -> Document:
    title = both("round_n", n=one.number)
    walked: list[list[int]] = []
    for geometry in one.path:
        walked += encoding.lines(geometry)
    stops = [
        {
            "xy": encoding.point(stop.location),
            "order": stop.order,
            "name": stop.name,
            "code": stop.point_id,
            "category": page.name("category", stop.category),
            "walk": formats.distance(stop.walk_m),
            "arrive": formats.duration(stop.arrive_s),
            "stay": formats.duration(stop.service_s),
            "snap": formats.distance(stop.snap_m),
        }
        for stop in one.stops
    ]
    turns = steps(one)
    window = one.window if one.window in ("day", "night", "both") else None
    return {
        "number": one.number,
        "color": palette.OKABE_ITO[(one.number - 1) % len(palette.OKABE_ITO)],
        "title": title,
        "person": one.person_name or "",
        "window": both(f"window_{window}") if window else one.window,
        "start": encoding.point(one.start),
        "start_name": one.start_name,
        "path": walked,
        "twice": twice_walked(one.path),
        "stops": stops,
        "turns": turns,
        "length": formats.distance(one.length_m),
        "duration": formats.duration(one.duration_s),
        "walking": formats.duration(one.walking_s),
        "service": formats.duration(one.service_s),
        "gpx": to_gpx(replace(plan, rounds=(one,), dropped=plan.dropped.iloc[:0])),
        "gpx_name": f"round-{_plain(plan.area_code)}-{one.number}.gpx",
    }


def steps(one: PatrolRound) -> list[Document]:
    """Return the steps of the sheet: stops by number and name, tiny steps joined to the next.

    A step shorter than ``_TINY_M`` is a kink of the drawn street; it is told together with the
    step after it, or not at all where it only goes on. The metres of all steps stay the same.
    """
    made: list[Document] = []
    before: list[Text] = []
    carried = 0.0
    arrived = 0
    for turn in one.turns:
        ends = turn.instruction in ("arrive", "finish")
        if not ends and made and turn.length_m < _TINY_M:
            carried += turn.length_m
            if turn.instruction not in _ONWARD:
                before.append(wording.turn(turn.instruction))
            continue
        text = wording.turn(turn.instruction)
        if turn.instruction == "arrive" and arrived < len(one.stops):
            stop = one.stops[arrived]
            arrived += 1
            text = both("turn_arrive_at", n=stop.order, name=stop.name)
        if before and turn.instruction in _ONWARD:
            text = wording.then(before)
        elif before:
            text = wording.then([*before, text])
        metres = turn.length_m + carried
        made.append({"text": text, "street": turn.street, "length": formats.distance(metres)})
        before, carried = [], 0.0
    return made


def _plain(code: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in code)[:40] or "area"


def twice_walked(path: Any) -> list[list[int]]:
    """Return the stretches of a path that are walked again, as encoded lines.

    Two pieces are the same when they join the same two places (1e-6 degree), in either direction.
    """
    seen: Counter[tuple[tuple[int, int], tuple[int, int]]] = Counter()
    again: list[list[tuple[int, int]]] = []
    for geometry in path:
        for line in shapely.get_parts(geometry):
            grid = np.rint(shapely.get_coordinates(line) * encoding.SCALE).astype(np.int64)
            places = [(int(x), int(y)) for x, y in grid]
            run: list[tuple[int, int]] = []
            for a, b in itertools.pairwise(places):
                if a == b:
                    continue
                key = (min(a, b), max(a, b))
                seen[key] += 1
                if seen[key] > 1:
                    run = [*run, b] if run else [a, b]
                elif run:
                    again.append(run)
                    run = []
            if run:
                again.append(run)
    return [encoding.steps(np.asarray(run, dtype=np.float64) / encoding.SCALE) for run in again]


def _dropped(plan: PatrolPlan) -> Document:
    table: pd.DataFrame = plan.dropped
    records = [
        {"values": [shown(name) or str(key), wording.drop_reason(str(reason))]}
        for key, name, reason in zip(table["point_id"], table["name"], table["reason"], strict=True)
    ]
    return listing(
        both("dropped"), [both("name"), both("reason")], records, empty=both("dropped_none")
    )
