"""A proven lower bound on the length of rounds."""

from __future__ import annotations

import numpy as np

from gridsvc.types import FloatArray


def one_tree_bound(distances: FloatArray, *, iterations: int = 1000) -> float:
    """Return a lower bound on any set of closed rounds from place 0 through all other places.

    Held and Karp (1970): for any node weights π, the cheapest spanning tree over the places but
    one, plus the two cheapest edges of that one, under d_ij + π_i + π_j and less 2 Σ π, is at most
    the shortest tour. Subgradient steps look for good π (growing, then halving steps, in the manner
    of Helsgaun 2000); each step's value is a bound in its own right. Several rounds that all begin
    and end at place 0 join there into one closed walk that can be shortcut (the matrix keeps the
    triangle inequality), so the bound holds for any number of walkers.

    Parameters
    ----------
    distances : ndarray, shape (k, k)
        Symmetric, finite metres that keep the triangle inequality.
    iterations : int
        Subgradient steps.

    Returns
    -------
    float
        Metres, rounded down to the decimetre so that floating-point error cannot lift it above
        the optimum.
    """
    d = np.asarray(distances, dtype=np.float64)
    k = len(d)
    if k <= 1:
        return 0.0
    if k == 2:
        return _down(2.0 * d[0, 1])
    if k == 3:
        return _down(d[0, 1] + d[1, 2] + d[0, 2])
    weights = np.zeros(k)
    best, degree = _one_tree(d, weights)
    last = (degree - 2).astype(np.float64)
    # Steps begin far below the shortest link, double while they help, and halve period by period.
    np.fill_diagonal(off := d.copy(), np.inf)
    step, period, rising = max(float(off.min(axis=1).mean()) / 100.0, 1e-6), max(k, 100), True
    left = iterations
    while period > 0 and left > 0 and last.any():
        turn = 0
        while turn < period and left > 0:
            turn, left = turn + 1, left - 1
            excess = (degree - 2).astype(np.float64)
            weights = weights + step * (0.7 * excess + 0.3 * last)
            last = excess
            value, degree = _one_tree(d, weights)
            if value > best:
                best = value
                step *= 2.0 if rising else 1.0
            elif rising and turn > period // 2:
                rising, turn, step = False, 0, step * 0.75
            if (degree == 2).all():
                return _down(best)
        period, step, rising = period // 2, step / 2.0, False
    return _down(best)


def _one_tree(d: FloatArray, weights: FloatArray) -> tuple[float, np.ndarray]:
    """Return the value of the cheapest 1-tree (special place 0) and the degree of each place."""
    cost = d + weights[:, None] + weights[None]
    k = len(d)
    degree = np.zeros(k, dtype=np.int64)
    outside = np.ones(k, dtype=bool)
    outside[[0, 1]] = False
    near, link = cost[1].copy(), np.ones(k, dtype=np.int64)
    total = 0.0
    for _ in range(k - 2):
        v = int(np.argmin(np.where(outside, near, np.inf)))
        total += near[v]
        degree[[v, link[v]]] += 1
        outside[v] = False
        closer = cost[v] < near
        near[closer], link[closer] = cost[v][closer], v
    two = np.argsort(cost[0, 1:], kind="stable")[:2] + 1
    total += float(cost[0, two].sum())
    degree[0] = 2
    degree[two] += 1
    return float(total - 2.0 * weights.sum()), degree


def _down(metres: float) -> float:
    return float(np.floor(metres * 10.0 - 1e-6) / 10.0) if metres > 0 else 0.0
