"""Getis-Ord Gi*, its significance and the correction for testing many cells at once.

Formula of Ord and Getis (1995), Geographical Analysis 27(4), eq. 14 (with the own cell): with
weights w, W_i = Σ_j w_ij, S_i = Σ_j w_ij², mean m and standard deviation s (divisor n) of x over
all n tested cells, z_i = (Σ_j w_ij x_j − W_i m) / (s √((n S_i − W_i²) / (n − 1))).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse, special

from gridsvc.errors import InputError
from gridsvc.types import BoolArray, FloatArray

Weights = Any
"""A scipy sparse array or matrix (its stubs lose the shape when rows are picked)."""
_CHUNK = 64


class TooFewPermutations(InputError):
    """So few permutations cannot reach significance after the correction."""

    zh = (
        "{permutations} 次置换不够:{tests} 个网格、{hits} 个显著时,双侧 BH 校正在 α={alpha} "
        "至少需要 {needed} 次;请增加次数或使用解析 z"
    )
    en = (
        "{permutations} permutations are too few: with {tests} cells and {hits} significant ones "
        "two-sided Benjamini-Hochberg at {alpha} needs at least {needed}; ask for more or use "
        "the analytic z"
    )


def with_self(neighbours: Weights) -> Weights:
    """Return the weights with 1 on the diagonal (the star of Gi*)."""
    matrix: Weights = sparse.csr_array(neighbours, dtype=np.float64)
    return sparse.csr_array(
        matrix - sparse.diags_array(matrix.diagonal()) + sparse.eye_array(matrix.shape[0])
    )


def gi_star(values: FloatArray, neighbours: Weights, *, include_self: bool = True) -> FloatArray:
    """Return the analytic z of Gi* for each cell.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Counts or rates; NaN cells take no part, neither as tested cell nor as neighbour.
    neighbours : sparse matrix, shape (n, n)
        Weights, usually 0/1 from ``contiguity``.
    include_self : bool
        Put 1 on the diagonal. With ``False`` the weights are taken as given, so that other
        self-weights (or Gi without the own cell's weight in an adapted formula) can be passed.

    Returns
    -------
    ndarray, shape (n,)
        z; NaN where it is not defined: NaN values, cells without neighbours, a field without
        variation, cells whose neighbourhood is the whole plan.

    Raises
    ------
    InputError
        If the shapes differ or a value is infinite.
    """
    x = np.asarray(values, dtype=np.float64)
    tested = can_test(x, neighbours)
    z = np.full(len(x), np.nan)
    used = ~np.isnan(x)
    n = int(used.sum())
    if n < 3:
        return z
    y = x[used]
    matrix = _matrix(neighbours, include_self)[used][:, used]
    mean, deviation = y.mean(), y.std()
    if np.ptp(y) == 0.0 or deviation == 0.0:
        return z
    weight, square = matrix.sum(axis=1), matrix.multiply(matrix).sum(axis=1)
    spread = np.sqrt(np.maximum((n * square - weight**2) / (n - 1), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (matrix @ y - mean * weight) / (deviation * spread)
    score[spread <= 1e-12 * np.maximum(weight, 1.0)] = np.nan
    z[used] = score
    z[~tested] = np.nan
    return z


def can_test(values: FloatArray, neighbours: Weights) -> BoolArray:
    """Return which cells can be tested: a value and at least one other cell with a value.

    Raises
    ------
    InputError
        If shapes differ or a value is infinite.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or neighbours.shape != (len(x), len(x)):
        raise InputError(
            reason_zh=f"数值的形状 {x.shape} 与邻接矩阵的形状 {neighbours.shape} 不符",
            reason_en=f"{x.shape} values for a {neighbours.shape} neighbour matrix",
        )
    if np.isinf(x).any():
        raise InputError(
            reason_zh="数值中有无穷大,不能检验", reason_en="an infinite value cannot be tested"
        )
    has = ~np.isnan(x)
    matrix: Weights = sparse.csr_array(neighbours)
    others = abs(matrix - sparse.diags_array(matrix.diagonal()))
    return np.asarray(has & ((others @ has.astype(np.float64)) > 0))


def two_sided_p(z: FloatArray) -> FloatArray:
    """Return the two-sided normal p of z (NaN stays NaN)."""
    return np.asarray(special.erfc(np.abs(z) / math.sqrt(2.0)))


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Return p adjusted for the false discovery rate (Benjamini and Hochberg 1995).

    NaN values are not tests: they stay NaN and do not count.
    """
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    at = np.flatnonzero(~np.isnan(p))
    m = len(at)
    if m == 0:
        return adjusted
    order = at[np.argsort(p[at], kind="stable")]
    scaled = p[order] * m / np.arange(1, m + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def needed_permutations(tests: int, hits: int, alpha: float) -> int:
    """Return the fewest permutations with which ``hits`` of ``tests`` cells can be significant.

    The smallest two-sided p of P permutations is 2/(P+1); Benjamini-Hochberg keeps k of m cells
    only if p ≤ α k/m, hence P ≥ 2 m / (α k) − 1.
    """
    return max(math.ceil(2.0 * tests / (alpha * max(hits, 1)) - 1e-9) - 1, 1)


def permutation_p(
    values: FloatArray,
    neighbours: Weights,
    *,
    permutations: int,
    seed: int,
    alpha: float = 0.05,
    include_self: bool = True,
) -> FloatArray:
    """Return two-sided p from random relabelling of the whole map.

    Each permutation shuffles all values over the tested cells (unconditional, as in the sparse
    product form); p is twice the smaller tail with the observation counted in, at most 1.

    Parameters
    ----------
    values, neighbours, include_self
        As in ``gi_star``.
    permutations : int
    seed : int
    alpha : float
        Level of the later correction, for the check of ``permutations``.

    Raises
    ------
    TooFewPermutations
        If cells that the analytic z finds could not become significant with so few.
    """
    x = np.asarray(values, dtype=np.float64)
    z = gi_star(x, neighbours, include_self=include_self)
    tested = ~np.isnan(z)
    tests = int(tested.sum())
    p = np.full(len(x), np.nan)
    if tests == 0:
        return p
    hits = int((benjamini_hochberg(two_sided_p(z)) <= alpha).sum())
    needed = needed_permutations(tests, hits, alpha)
    if permutations < 1 or (hits and permutations < needed):
        raise TooFewPermutations(
            permutations=permutations, tests=tests, hits=hits, alpha=alpha, needed=needed
        )
    used = ~np.isnan(x)
    y = x[used]
    matrix = _matrix(neighbours, include_self)[used][:, used]
    observed = matrix @ y
    # Sums of the same numbers in another order differ in the last bits; equal must stay equal.
    slack = 1e-9 * (np.abs(observed) + np.abs(y).max())
    above = np.zeros(len(y), dtype=np.int64)
    below = np.zeros(len(y), dtype=np.int64)
    generator = np.random.default_rng(seed)
    for start in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - start)
        shuffled = np.column_stack([generator.permutation(y) for _ in range(size)])
        sums = matrix @ shuffled
        above += (sums >= (observed - slack)[:, None]).sum(axis=1)
        below += (sums <= (observed + slack)[:, None]).sum(axis=1)
    tail = (np.minimum(above, below) + 1) / (permutations + 1)
    p[used] = np.minimum(2.0 * tail, 1.0)
    p[~tested] = np.nan
    return p


def _matrix(neighbours: Weights, include_self: bool) -> Weights:
    return with_self(neighbours) if include_self else sparse.csr_array(neighbours)
