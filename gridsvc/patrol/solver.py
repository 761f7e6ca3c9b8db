"""Rounds over places on a distance matrix, by iterated local search (PyVRP 0.14).

Everything is integer (decimetres, seconds), stops after a count of iterations and starts from a
seed: the same input gives the same rounds on every machine with the same version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pyvrp
from pyvrp.stop import MaxIterations, StoppingCriterion

from gridsvc.errors import BadOption
from gridsvc.types import FloatArray, IntArray, Progress, no_progress

SOLVER = f"PyVRP {version('pyvrp')}"
_STARTS = 5
_MOST_ITERATIONS = 20_000  # over all starts
_NEXT_SEED = 7919
_BISECTIONS = 6
_GOOD_ENOUGH = 0.005  # of the longest round


@dataclass(frozen=True, slots=True)
class Routed:
    """Rounds as places in order (start left out), and the places that did not fit."""

    rounds: tuple[tuple[int, ...], ...]
    left_out: tuple[int, ...]


def solve_rounds(
    distances: FloatArray,
    service_s: IntArray,
    *,
    walkers: int,
    speed_m_s: float,
    max_duration_s: int | None,
    balance: bool,
    iterations: int,
    seed: int,
    floor_m: float = 0.0,
    progress: Progress = no_progress,
) -> Routed:
    """Return short rounds from place 0 through all other places.

    Parameters
    ----------
    distances : ndarray, shape (k, k)
        Metres, finite.
    service_s : ndarray of int, shape (k,)
        Seconds at each place.
    walkers : int
        Rounds at most; with ``balance`` the longest one is made as short as the search can, and
        then metres are saved within that limit.
    speed_m_s : float
    max_duration_s : int or None
        Longest round, walking and service; places that do not fit are left out.
    balance : bool
    iterations : int
        Of each search. Up to five searches from different seeds are made (20,000 iterations in
        all), fewer when one reaches ``floor_m``; each trial of the balance takes a sixth.
    seed : int
    floor_m : float
        Proven bound on the total; a single round that reaches it needs no further search.
    progress : Progress
        Called at each iteration; raising ``Cancelled`` in it ends the search.

    Raises
    ------
    BadOption
        If the search ends without rounds that keep the limit.
    """
    k = len(distances)
    if k <= 1:
        return Routed((), ())
    decimetres = np.round(distances * 10.0).astype(np.int64)
    seconds = np.ceil(distances / speed_m_s - 1e-9).astype(np.int64)
    np.fill_diagonal(decimetres, 0)
    np.fill_diagonal(seconds, 0)
    floor_dm = math.ceil(floor_m * 10.0) + k  # each leg is rounded to the decimetre

    optional = max_duration_s is not None
    fair = balance and walkers > 1 and k > 2
    # One search may end in a poor valley; several short ones rarely all do.
    starts = 1 if fair else max(min(_STARTS, _MOST_ITERATIONS // iterations), 1)
    trial = max(iterations // 6, 50)
    reported = _Reported(
        progress, 2 * iterations + _BISECTIONS * trial if fair else starts * iterations
    )

    def search(limit: int | None, optional: bool, count: int, start: int = 0) -> pyvrp.Solution:
        data = _problem(decimetres, seconds, service_s, walkers, limit, optional)
        seeded = (seed + start * _NEXT_SEED) % 2**32
        stop = reported.after(count)
        return pyvrp.solve(data, stop=stop, seed=seeded, collect_stats=False, display=False).best

    best = search(max_duration_s, optional, iterations)
    for start in range(1, starts):
        if walkers == 1 and _rank(best)[:2] == (False, 0) and best.distance() <= floor_dm:
            break
        best = min(best, search(max_duration_s, optional, iterations, start), key=_rank)
    if not best.is_feasible():
        raise BadOption(
            option="iterations",
            value=iterations,
            reason_zh="未找到可行路线;请增加迭代次数",
            reason_en="no rounds were found that keep the limit; allow more",
        )
    if optional and best.num_missing_clients() > 0:
        return _read(best, k)
    if fair:
        high = max(r.duration() for r in best.routes())
        low = math.ceil((int(seconds[0, 1:].min()) * 2 * walkers + int(service_s.sum())) / walkers)
        alone = int((2 * seconds[0, 1:] + service_s[1:]).max())  # the farthest place by itself
        low = max(low, alone)
        for _ in range(_BISECTIONS):
            if high - low <= _GOOD_ENOUGH * high:
                break
            middle = (low + high) // 2
            found = search(middle, False, trial)
            if found.is_feasible():
                best, high = found, max(r.duration() for r in found.routes())
            else:
                low = middle + 1
        polished = search(high, False, iterations)
        if polished.is_feasible() and polished.distance() <= best.distance():
            best = polished
    return _read(best, k)


class _Reported:
    """Counts the iterations of all searches of one plan and reports them.

    Parameters
    ----------
    progress : Progress
    expected : int
        Iterations of all searches together, at most.
    """

    def __init__(self, progress: Progress, expected: int) -> None:
        self._progress = progress
        self._expected = expected
        self._done = 0

    def after(self, count: int) -> StoppingCriterion:
        """Return the criterion that ends one search after ``count`` iterations."""
        enough = MaxIterations(count)

        def stop(best_cost: int) -> bool:
            self._progress("search", min(self._done / self._expected, 1.0))
            self._done += 1
            return enough(best_cost)

        return stop


def _rank(solution: pyvrp.Solution) -> tuple[bool, int, int]:
    """Feasible before infeasible, all places before fewer, then the shortest."""
    return (not solution.is_feasible(), solution.num_missing_clients(), solution.distance())


def _problem(
    decimetres: IntArray,
    seconds: IntArray,
    service_s: IntArray,
    walkers: int,
    limit: int | None,
    optional: bool,
) -> pyvrp.ProblemData:
    k = len(decimetres)
    matrices: list[Any] = [decimetres, seconds]
    prize = 4 * int(decimetres.max()) + 1  # more than any detour can cost
    places = [pyvrp.Location(0.0, 0.0) for _ in range(k)]
    clients = [
        pyvrp.Client(
            location=i,
            service_duration=int(service_s[i]),
            required=not optional,
            prize=prize if optional else 0,
        )
        for i in range(1, k)
    ]
    vehicle = (
        pyvrp.VehicleType(num_available=walkers)
        if limit is None
        else pyvrp.VehicleType(num_available=walkers, shift_duration=int(limit))
    )
    return pyvrp.ProblemData(
        locations=places,
        clients=clients,
        depots=[pyvrp.Depot(location=0)],
        vehicle_types=[vehicle],
        distance_matrices=matrices[:1],
        duration_matrices=matrices[1:],
    )


def _read(solution: pyvrp.Solution, k: int) -> Routed:
    rounds = []
    for route in solution.routes():
        places = tuple(int(a.idx) + 1 for a in route if a.is_client())
        # A closed round can be walked either way; the lower end goes first.
        rounds.append(places if places[0] <= places[-1] else places[::-1])
    rounds.sort(key=min)
    visited = {p for r in rounds for p in r}
    return Routed(tuple(rounds), tuple(p for p in range(1, k) if p not in visited))
