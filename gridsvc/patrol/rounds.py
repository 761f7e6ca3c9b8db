"""Rounds over evaluation points: snap, measure, solve, walk, verify."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import Point

from gridsvc import crs, layers
from gridsvc.analysis.inputs import Instant, completed, instant_of, require_lonlat
from gridsvc.analysis.results import Note, PatrolPlan, PatrolRound, Stop, Turn
from gridsvc.errors import BadOption, InputError, Language, NothingToWorkOn
from gridsvc.patrol.bounds import one_tree_bound
from gridsvc.patrol.network import Snap, WalkNetwork
from gridsvc.patrol.paths import turns_of, walk
from gridsvc.patrol.solver import SOLVER, solve_rounds
from gridsvc.patrol.verify import verify_rounds
from gridsvc.phrases import length
from gridsvc.types import FloatArray, Progress, no_progress

Inspector = tuple[str | None, str | None]
Window = Literal["day", "night"]
_MIN_ITERATIONS, _MAX_ITERATIONS = 300, 6000
_ITERATIONS_PER_POINT = 30
_MAX_POINTS = 500
_SHIFT_S = 8 * 3600.0


class NoStart(InputError):
    """The start is too far from any street."""

    zh = "起点距最近街道 {distance},超过 {most};请换一个起点或放宽 {way:max_snap_m}"
    en = (
        "the start is {distance} from the nearest street, more than {most}; "
        "choose another start or allow a larger {way:max_snap_m}"
    )

    def words(self, language: Language) -> dict[str, Any]:
        """Return the fields with distances in metres or kilometres."""
        distance = length(self.fields["distance_m"], language)
        most = length(self.fields["max_m"], language)
        return super().words(language) | {"distance": distance, "most": most}


def plan_point_rounds(
    points: gpd.GeoDataFrame,
    network: WalkNetwork,
    *,
    plan_id: str = "",
    created_at: Instant | None = None,
    start: Point | None = None,
    start_name: str = "",
    inspectors: int | Sequence[Inspector] = 1,
    speed_m_s: float = 1.2,
    window: Window | None = None,
    max_duration_s: float | None = None,
    balance: bool = True,
    max_snap_m: float = 100.0,
    iterations: int | None = None,
    seed: int = 0,
    area_kind: str = "selection",
    area_code: str = "",
    area_name: str = "",
    cells: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    progress: Progress = no_progress,
) -> PatrolPlan:
    """Plan closed rounds on foot over evaluation points.

    Parameters
    ----------
    points : GeoDataFrame
        Contract POINTS, EPSG:4490 or 4326. Missing columns and blank ``service_minutes`` take the
        defaults of the contract; a point without name is called by its key.
    network : WalkNetwork
    plan_id : str
        Grid plan that the area belongs to.
    created_at : datetime, date or str, optional
        Now when not given; without zone of Asia/Shanghai.
    start : Point, optional
        Where each round begins and ends, EPSG:4490; the point of ``points`` nearest to their
        middle when not given.
    inspectors : int or sequence of (person_id, name)
        Rounds at most.
    speed_m_s : float
        Walking speed.
    window : {"day", "night"}, optional
        Only points to be visited in that window; all when not given.
    max_duration_s : float, optional
        Longest round with service; points that do not fit are dropped with the reason.
    balance : bool
        With several inspectors, make the longest round short before saving metres.
    max_snap_m : float
        Farthest off-network leg in metres; points beyond are dropped with the reason.
    iterations : int, optional
        Of the search; by the number of points when not given.
    seed : int
    progress : Progress
        Called at each iteration of the search; raising ``Cancelled`` in it ends the planning.

    Returns
    -------
    PatrolPlan
        Verified by ``verify_rounds``; equal input gives equal rounds.

    Raises
    ------
    NoStart
        If the start is off the network.
    BadOption
        For options out of range.
    NothingToWorkOn
        For more than 500 points.
    NotLonLat, DuplicateKey
        If the points are in another CRS or two have one key.
    """
    require_lonlat(points, "points")
    points = _whole(points)
    made_at = instant_of(created_at, "created_at") or datetime.now(UTC)
    walkers = _inspectors(inspectors)
    _check(speed_m_s, max_duration_s, max_snap_m, iterations, window)
    chosen = points_in_window(points, window)
    if len(chosen) > _MAX_POINTS:
        raise NothingToWorkOn(
            reason_zh=f"一次规划 {len(chosen)} 个点,超过 {_MAX_POINTS} 个;请选择较小的区域",
            reason_en=f"{len(chosen)} points exceed {_MAX_POINTS} in one plan; take a smaller area",
        )
    dropped: list[dict[str, str]] = []
    shapes = chosen.geometry.to_numpy()
    blank = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    dropped.extend(_drop(chosen, i, "no_coordinates") for i in chosen.index[blank])
    chosen = chosen[~blank].sort_index()
    post = start if start is not None else _middle(chosen, network.epsg)
    if post is None:
        return _plan_of_nothing(
            dropped, plan_id, made_at, speed_m_s, seed, area_kind, area_code, area_name,
            cells, streets, window, max_snap_m,
        )  # fmt: skip
    if start is None and not start_name:
        start_name = "—"
    places = np.concatenate([[post], chosen.geometry.to_numpy()])
    snaps = network.snap(places, max_m=max_snap_m)
    if snaps[0].edge < 0:
        raise NoStart(distance_m=snaps[0].leg_m, max_m=max_snap_m)
    component = network.component[network.tail]
    kept = [0]
    for i, point_id in enumerate(chosen.index, start=1):
        if snaps[i].edge < 0:
            dropped.append(_drop(chosen, point_id, f"off_network:{snaps[i].leg_m:.0f}"))
        elif component[snaps[i].edge] != component[snaps[0].edge]:
            dropped.append(_drop(chosen, point_id, "unreachable"))
        else:
            kept.append(i)
    places, snaps = places[kept], [snaps[i] for i in kept]
    served = chosen.iloc[[i - 1 for i in kept[1:]]]
    distances = network.matrix(snaps)
    service = np.concatenate([[0.0], served["service_minutes"].to_numpy(dtype=np.float64) * 60.0])
    count = iterations or min(
        max(_MIN_ITERATIONS, _ITERATIONS_PER_POINT * len(served)), _MAX_ITERATIONS
    )
    routed = solve_rounds(
        distances,
        np.ceil(service).astype(np.int64),
        walkers=len(walkers),
        speed_m_s=speed_m_s,
        max_duration_s=None if max_duration_s is None else math.floor(max_duration_s),
        balance=balance,
        iterations=count,
        seed=seed,
        floor_m=one_tree_bound(distances) if len(walkers) == 1 else 0.0,
        progress=progress,
    )
    dropped.extend(_drop(served, served.index[i - 1], "no_time") for i in routed.left_out)
    metric = crs.to_metric(places, network.epsg)
    rounds = tuple(
        _round(
            number, order, walkers[number - 1], served, network, places, metric, snaps, service,
            start_name, speed_m_s, window or "both",
        )
        for number, order in enumerate(routed.rounds, start=1)
    )  # fmt: skip
    visited = [0, *sorted(i for order in routed.rounds for i in order)]
    plan = PatrolPlan(
        area_kind=area_kind,
        area_code=area_code,
        area_name=area_name,
        plan_id=plan_id,
        rounds=rounds,
        dropped=_dropped(dropped),
        total_m=float(sum(r.length_m for r in rounds)),
        speed_m_s=speed_m_s,
        seed=seed,
        iterations=count,
        solver=SOLVER,
        created_at=made_at,
        cells=_frame(cells, layers.CELLS),
        streets=_frame(streets, layers.STREETS),
        lower_bound_m=_bound(distances, visited),
        notes=_notes(network, points, window, rounds),
        window=window,
        max_snap_m=max_snap_m,
    )
    findings = verify_rounds(plan, network, points)
    return PatrolPlan(
        **{f: getattr(plan, f) for f in plan.__dataclass_fields__ if f != "verified"},
        verified=findings,
    )


def _whole(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return points with all columns that a round reads, at the contract's defaults."""
    whole: gpd.GeoDataFrame = completed(points, layers.POINTS)
    minutes = layers.POINTS.column("service_minutes").default
    return whole.assign(
        name=whole["name"].where(whole["name"].notna(), whole.index.to_series()),
        category=whole["category"].where(whole["category"].notna(), ""),
        service_minutes=whole["service_minutes"].fillna(minutes),
    )


def points_in_window(points: gpd.GeoDataFrame, window: Window | None) -> gpd.GeoDataFrame:
    """Return the points that are to be visited in a window (all for ``None``)."""
    if window is None:
        return points
    return points[points["visit_window"].isin([window, "both"]).to_numpy()]


def _round(
    number: int,
    order: Sequence[int],
    inspector: Inspector,
    points: gpd.GeoDataFrame,
    network: WalkNetwork,
    places: Any,
    metric: Any,
    snaps: list[Snap],
    service: FloatArray,
    start_name: str,
    speed_m_s: float,
    window: str,
) -> PatrolRound:
    stops: list[Stop] = []
    lines: list[Any] = []
    turns: list[Turn] = []
    clock = length = 0.0
    sequence = [0, *order, 0]
    for at, (a, b) in enumerate(itertools.pairwise(sequence), start=1):
        leg = walk(network, metric[a], snaps[a], metric[b], snaps[b])
        metres = leg.length_m
        length += metres
        clock += metres / speed_m_s
        lines.append(crs.to_storage(leg.line(), network.epsg))
        turns.extend(turns_of(network, leg, first=at == 1, last=b == 0))
        if b == 0:
            break
        row = points.iloc[b - 1]
        stops.append(
            Stop(
                point_id=str(points.index[b - 1]),
                name=str(row["name"]),
                category=str(row["category"]),
                location=places[b],
                order=at,
                walk_m=metres,
                arrive_s=clock,
                service_s=float(service[b]),
                snap_m=snaps[b].leg_m,
            )
        )
        clock += float(service[b])
    return PatrolRound(
        number=number,
        person_id=inspector[0],
        person_name=inspector[1],
        start=places[0],
        start_name=start_name,
        stops=tuple(stops),
        path=gpd.GeoSeries(lines, index=range(1, len(lines) + 1), crs=crs.STORAGE_EPSG),
        turns=tuple(turns),
        length_m=length,
        walking_s=length / speed_m_s,
        service_s=float(sum(s.service_s for s in stops)),
        window=window,
    )


def _inspectors(inspectors: int | Sequence[Inspector]) -> list[Inspector]:
    walkers: list[Inspector] = (
        [(None, None)] * inspectors if isinstance(inspectors, int) else list(inspectors)
    )
    if not 1 <= len(walkers) <= 100:
        raise _range("inspectors", len(walkers), "1 – 100")
    return walkers


def _check(
    speed: float, duration: float | None, snap: float, iterations: int | None, window: str | None
) -> None:
    if not 0.1 <= speed <= 10.0:
        raise _range("speed_m_s", speed, "0.1 – 10 m/s")
    if duration is not None and not 60.0 <= duration <= 86400.0:
        raise _range("max_duration_s", duration, "60 – 86400 s")
    if not 0.0 <= snap <= 5000.0:
        raise _range("max_snap_m", snap, "0 – 5000 m")
    if iterations is not None and not 1 <= iterations <= 1_000_000:
        raise _range("iterations", iterations, "1 – 1000000")
    if window not in (None, "day", "night"):
        raise _range("window", window, "day, night")


def _range(option: str, value: Any, allowed: str) -> BadOption:
    return BadOption(
        option=option,
        value=value,
        reason_zh=f"可用范围:{allowed}",
        reason_en=f"allowed is {allowed}",
    )


def _middle(points: gpd.GeoDataFrame, epsg: int) -> Point | None:
    if len(points) == 0:
        return None
    xy = shapely.get_coordinates(crs.to_metric(points.geometry.to_numpy(), epsg))
    away = np.hypot(*(xy - np.median(xy, axis=0)).T)
    found: Point = points.geometry.iloc[int(np.argmin(away))]
    return found


def _bound(distances: FloatArray, visited: list[int]) -> float | None:
    return one_tree_bound(distances[np.ix_(visited, visited)]) if len(visited) > 1 else None


def _drop(points: gpd.GeoDataFrame, point_id: Any, reason: str) -> dict[str, str]:
    return {"point_id": str(point_id), "name": str(points.at[point_id, "name"]), "reason": reason}


def _dropped(rows: list[dict[str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["point_id", "name", "reason"], dtype="str")
    return frame.sort_values("point_id", ignore_index=True)


def _frame(frame: gpd.GeoDataFrame | None, layer: layers.Layer) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(layers.empty(layer)) if frame is None else frame


def _notes(
    network: WalkNetwork,
    points: gpd.GeoDataFrame,
    window: Window | None,
    rounds: Sequence[PatrolRound],
) -> tuple[Note, ...]:
    notes = []
    if network.component_count > 1:
        share = network.component_lengths()[0] / network.lengths.sum()
        parts = network.component_count
        notes.append(
            Note(
                f"街道分为互不相连的 {parts} 部分,最大部分占里程的 {share:.1%}",
                f"the streets fall into {parts} parts; the largest holds {share:.1%} of the metres",
            )
        )
    other = len(points) - len(points_in_window(points, window))
    if other:
        notes.append(
            Note(
                f"仅{'日间' if window == 'day' else '夜间'}点位,另一时段的 {other} 个点未列入",
                f"{window} points only; {other} of the other window left out",
            )
        )
    longest = max((r.duration_s for r in rounds), default=0.0)
    if longest > _SHIFT_S:
        notes.append(
            Note(
                f"最长一轮 {longest / 3600:.1f} 小时,超过 8 小时;请增加人数或限定时长",
                f"the longest round takes {longest / 3600:.1f} h, more than a shift of 8 h; "
                "send more inspectors or limit the duration",
            )
        )
    return tuple(notes)


def _plan_of_nothing(
    dropped: list[dict[str, str]],
    plan_id: str,
    created_at: datetime,
    speed_m_s: float,
    seed: int,
    area_kind: str,
    area_code: str,
    area_name: str,
    cells: gpd.GeoDataFrame | None,
    streets: gpd.GeoDataFrame | None,
    window: str | None,
    max_snap_m: float,
) -> PatrolPlan:
    return PatrolPlan(
        area_kind=area_kind, area_code=area_code, area_name=area_name, plan_id=plan_id,
        rounds=(), dropped=_dropped(dropped), total_m=0.0, speed_m_s=speed_m_s, seed=seed,
        iterations=0, solver=SOLVER, created_at=created_at,
        cells=_frame(cells, layers.CELLS), streets=_frame(streets, layers.STREETS),
        notes=(Note("没有需要巡查的点位", "no point to visit"),),
        window=window, max_snap_m=max_snap_m,
    )  # fmt: skip
