"""An independent check of rounds: nothing of the planner is used but the street pieces.

Points are snapped by measuring every edge, legs by a Dijkstra search of its own with a heap. What
does not agree becomes a finding in plain words.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, defaultdict
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc import crs
from gridsvc.analysis.results import PatrolPlan, PatrolRound
from gridsvc.patrol.network import WalkNetwork

_METRES = 0.02
_RELATIVE = 1e-6
_Adjacency = dict[int, list[tuple[int, float]]]


def verify_rounds(
    plan: PatrolPlan, network: WalkNetwork, points: gpd.GeoDataFrame
) -> tuple[str, ...]:
    """Return what is wrong with a plan; an empty tuple means nothing was found.

    Checked: each point of the window is visited exactly once or dropped with a reason, and nobody
    else is; stops are numbered in order; each leg (the way back too) is the shortest way on the
    network with both off-network legs; the drawn line is as long as stated and joins its stops;
    arrival and service times; sums; the lower bound.

    Parameters
    ----------
    plan : PatrolPlan
    network : WalkNetwork
    points : GeoDataFrame
        Contract POINTS: all points that the plan was asked to serve.
    """
    findings: list[str] = []
    wanted = points
    if plan.window is not None:
        wanted = points[points["visit_window"].isin([plan.window, "both"]).to_numpy()]
    _completeness(plan, set(map(str, wanted.index)), findings)
    adjacency = _adjacency(network)
    known = {str(i): row for i, row in zip(points.index, range(len(points)), strict=True)}
    shapes = points.geometry.to_numpy()
    minutes = points["service_minutes"].to_numpy(dtype=np.float64)
    for walked in plan.rounds:
        rows = [known.get(s.point_id) for s in walked.stops]
        if any(r is None for r in rows):
            continue  # named by the completeness check already
        for stop, row in zip(walked.stops, rows, strict=True):
            if not shapely.equals(stop.location, shapes[row]):
                findings.append(f"round {walked.number}: {stop.point_id} is not where it should be")
            if abs(stop.service_s - minutes[row] * 60.0) > 1e-6:
                findings.append(f"round {walked.number}: service time of {stop.point_id}")
        _round(plan, walked, network, adjacency, findings)
    total = sum(r.length_m for r in plan.rounds)
    if not _close(total, plan.total_m):
        findings.append(f"total is {plan.total_m:.2f} m, the rounds sum to {total:.2f} m")
    if plan.lower_bound_m is not None and total < plan.lower_bound_m - _METRES:
        findings.append(f"total {total:.1f} m is below the bound {plan.lower_bound_m:.1f} m")
    return tuple(findings)


def _completeness(plan: PatrolPlan, wanted: set[str], findings: list[str]) -> None:
    visits = Counter(s.point_id for r in plan.rounds for s in r.stops)
    drops = Counter(plan.dropped["point_id"].tolist())
    for point_id, times in sorted((visits + drops).items()):
        if point_id not in wanted:
            findings.append(f"{point_id} was not asked for")
        elif times > 1:
            findings.append(f"{point_id} occurs {times} times")
    findings.extend(f"{p} is lost" for p in sorted(wanted - set(visits) - set(drops)))
    findings.extend(
        f"{p} is dropped without a reason"
        for p, reason in zip(plan.dropped["point_id"], plan.dropped["reason"], strict=True)
        if not str(reason).strip()
    )


def _round(
    plan: PatrolPlan,
    walked: PatrolRound,
    network: WalkNetwork,
    adjacency: _Adjacency,
    findings: list[str],
) -> None:
    name = f"round {walked.number}"
    if [s.order for s in walked.stops] != list(range(1, len(walked.stops) + 1)):
        findings.append(f"{name}: stops are not numbered in order")
    if len(walked.path) != len(walked.stops) + 1:
        findings.append(f"{name}: {len(walked.path)} legs for {len(walked.stops)} stops")
        return
    places = [walked.start, *(s.location for s in walked.stops), walked.start]
    metric = crs.to_metric(np.asarray(places, dtype=object), network.epsg)
    drawn = crs.to_metric(walked.path.to_numpy(), network.epsg)
    snaps = [_snap(network, p, plan.max_snap_m) for p in metric]
    clock = length = 0.0
    for i, (a, b) in enumerate(itertools.pairwise(range(len(places)))):
        leg = float(shapely.length(drawn[i]))
        truth = _shortest(network, adjacency, snaps[a], snaps[b])
        label = f"{name}, leg {i + 1}"
        if not _close(leg, truth):
            findings.append(f"{label}: drawn {leg:.2f} m, the shortest way is {truth:.2f} m")
        for end, place in ((0, metric[a]), (-1, metric[b])):
            gap = float(shapely.distance(shapely.get_point(drawn[i], end), place))
            if gap > _METRES:
                findings.append(f"{label}: the line misses its place by {gap:.2f} m")
        length += truth
        clock += truth / plan.speed_m_s
        if i == len(walked.stops):
            break
        stop = walked.stops[i]
        if not _close(stop.walk_m, truth):
            findings.append(f"{label}: stated {stop.walk_m:.2f} m, it is {truth:.2f} m")
        if abs(stop.arrive_s - clock) > 1.0:
            findings.append(f"{label}: arrives at {clock:.0f} s, not {stop.arrive_s:.0f} s")
        if abs(stop.snap_m - snaps[b][2]) > _METRES:
            findings.append(f"{label}: {stop.point_id} is {snaps[b][2]:.2f} m off the network")
        clock += stop.service_s
    if not _close(walked.length_m, length):
        findings.append(f"{name}: stated {walked.length_m:.2f} m, it is {length:.2f} m")
    if abs(walked.walking_s - length / plan.speed_m_s) > 1.0:
        findings.append(f"{name}: walking time does not fit length and speed")
    if abs(walked.service_s - sum(s.service_s for s in walked.stops)) > 1e-6:
        findings.append(f"{name}: service time is not the sum of its stops")


def _snap(network: WalkNetwork, point: Any, max_m: float) -> tuple[int, float, float]:
    """Return edge, metres along it and leg, by measuring every edge."""
    away = shapely.distance(network.lines, point)
    main = np.where(network.component[network.tail] == 0, away, np.inf)
    edge = int(np.argmin(main)) if main.min() <= max_m else int(np.argmin(away))
    along = float(shapely.line_locate_point(network.lines[edge], point))
    return edge, along, float(away[edge])


def _adjacency(network: WalkNetwork) -> _Adjacency:
    adjacency: _Adjacency = defaultdict(list)
    for u, v, metres in zip(
        network.tail.tolist(), network.head.tolist(), network.lengths.tolist(), strict=True
    ):
        adjacency[u].append((v, metres))
        adjacency[v].append((u, metres))
    return adjacency


def _shortest(
    network: WalkNetwork,
    adjacency: _Adjacency,
    a: tuple[int, float, float],
    b: tuple[int, float, float],
) -> float:
    edge_a, along_a, leg_a = a
    edge_b, along_b, leg_b = b
    best = abs(along_a - along_b) if edge_a == edge_b else math.inf
    goal = {int(network.tail[edge_b]): along_b}
    rest = float(network.lengths[edge_b]) - along_b
    head = int(network.head[edge_b])
    goal[head] = min(goal.get(head, math.inf), rest)
    queue = [
        (along_a, int(network.tail[edge_a])),
        (float(network.lengths[edge_a]) - along_a, int(network.head[edge_a])),
    ]
    heapq.heapify(queue)
    done: set[int] = set()
    while queue:
        far, node = heapq.heappop(queue)
        if far >= best:
            break
        if node in done:
            continue
        done.add(node)
        if node in goal:
            best = min(best, far + goal[node])
        for other, metres in adjacency[node]:
            if other not in done:
                heapq.heappush(queue, (far + metres, other))
    return leg_a + best + leg_b


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= _METRES + _RELATIVE * max(abs(a), abs(b))
