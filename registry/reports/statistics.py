"""The statistics that reports print, each naming its variant. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles, stdev

import numpy as np

QUARTILES = "linear interpolation (type 7 of Hyndman and Fan)"
EXACT_UP_TO = 60  # participants in both groups together


@dataclass(frozen=True)
class Proportion:
    """``count`` of ``of``, with the 95 % interval of Wilson's score without correction."""

    count: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """Median and quartiles (:data:`QUARTILES`); of one value all three are that value."""

    n: int
    median: float
    lower_quartile: float
    upper_quartile: float
    iqr: float


@dataclass(frozen=True)
class Mean:
    """Mean and sample standard deviation (n − 1); ``sd`` is None for one value."""

    n: int
    mean: float
    sd: float | None


@dataclass(frozen=True)
class MannWhitney:
    """Two-sided Mann-Whitney test of two samples, in every usual variant.

    ``u`` counts the pairs in which the first sample is higher, ties as half. ``exact`` is the
    permutation distribution given the ties, two-sided by distance from the mean (None above
    :data:`EXACT_UP_TO` participants). The normal approximations are None when all values are equal.
    """

    first_n: int
    second_n: int
    u: float
    p: float | None  # of the variant that the report shows first
    variant: str
    exact: float | None
    normal: float | None  # tie correction, no continuity correction
    normal_continuity: float | None  # tie correction and continuity correction
    normal_untied: float | None  # neither


def proportion(count: int, of: int) -> Proportion | None:
    """Share and Wilson interval; None of nobody."""
    if not of:
        return None
    z = 1.959963984540054
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return Proportion(count, of, share, low, high)


def spread(values: Sequence[float]) -> Spread | None:
    """Median and quartiles; None of nothing."""
    if not values:
        return None
    if len(values) == 1:
        lower = upper = float(values[0])
    else:
        lower, _, upper = quantiles(values, n=4, method="inclusive")
    return Spread(len(values), median(values), lower, upper, upper - lower)


def mean(values: Sequence[float]) -> Mean | None:
    """Mean and standard deviation; None of nothing."""
    if not values:
        return None
    return Mean(len(values), fmean(values), stdev(values) if len(values) > 1 else None)


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> MannWhitney | None:
    """Compare two samples; None when one is empty."""
    if not first or not second:
        return None
    ranks, ties = _ranks([*first, *second])
    n1, n2 = len(first), len(second)
    u = sum(ranks[:n1]) - n1 * (n1 + 1) / 2
    exact = _exact(ranks, n1) if n1 + n2 <= EXACT_UP_TO else None
    continuity = _normal(u, n1, n2, ties, 0.5)
    return MannWhitney(
        first_n=n1,
        second_n=n2,
        u=u,
        p=continuity if exact is None else exact,
        variant="normal_continuity" if exact is None else "exact",
        exact=exact,
        normal=_normal(u, n1, n2, ties, 0.0),
        normal_continuity=continuity,
        normal_untied=_normal(u, n1, n2, [], 0.0) if len(ties) > 1 else None,
    )


def fisher(table: tuple[tuple[int, int], tuple[int, int]]) -> float | None:
    """Fisher's exact test of two rows, two-sided by probability; None with an empty row."""
    if not all(sum(row) for row in table):
        return None
    from scipy.stats import fisher_exact  # slow to load: with the first report, not every command

    return float(fisher_exact(table)[1])


def _ranks(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Mid-ranks in the order given, and how many share each value."""
    counts = Counter(values)
    rank_of, below = {}, 0
    for value in sorted(counts):
        rank_of[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [rank_of[value] for value in values], list(counts.values())


def _exact(ranks: Sequence[float], n1: int) -> float:
    """Share of all choices of ``n1`` ranks whose sum lies as far from its mean or farther.

    Counts the choices by size and sum, one rank after another (the shift algorithm of Streitberg
    and Röhmel); ranks are doubled to make mid-ranks whole.
    """
    doubled = [round(2 * rank) for rank in ranks]
    observed, total = sum(doubled[:n1]), sum(doubled)
    ways = np.zeros((n1 + 1, total + 1), dtype=np.int64)
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : total + 1 - rank].copy()
    middle = n1 * (len(ranks) + 1)
    far = np.abs(np.arange(total + 1) - middle) >= abs(observed - middle)
    return float(ways[n1, far].sum() / ways[n1].sum())


def _normal(u: float, n1: int, n2: int, ties: Sequence[int], continuity: float) -> float | None:
    n = n1 + n2
    tied = sum(count**3 - count for count in ties) / (n * (n - 1))
    variance = n1 * n2 / 12 * (n + 1 - tied)
    if variance <= 1e-12:
        return None
    z = max(0.0, abs(u - n1 * n2 / 2) - continuity) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))
