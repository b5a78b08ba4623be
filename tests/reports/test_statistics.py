"""The statistics against oracles that share no code with them."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from registry.reports.statistics import (
    EXACT_UP_TO,
    fisher,
    mann_whitney,
    mean,
    proportion,
    spread,
)

few = st.lists(st.integers(0, 6), min_size=1, max_size=6)
many = st.lists(st.integers(0, 40), min_size=35, max_size=60)


@given(few, few)
def test_exact_is_the_share_of_all_splits_at_least_as_far_from_the_mean(first, second):
    ranks = stats.rankdata(first + second)
    n1, middle = len(first), len(first) * (len(ranks) + 1) / 2
    observed = abs(sum(ranks[:n1]) - middle)
    splits = [
        abs(sum(ranks[list(split)]) - middle) for split in combinations(range(len(ranks)), n1)
    ]
    expected = sum(far >= observed - 1e-9 for far in splits) / len(splits)
    found = mann_whitney(first, second)
    assert found
    assert found.exact == pytest.approx(expected)
    assert found.p == found.exact
    assert found.variant == "exact"


def test_exact_without_ties_is_the_textbook_distribution():
    first, second = [1.0, 4, 9, 16, 25, 36], [2.0, 3, 5, 7, 11, 13, 17, 40]
    found = mann_whitney(first, second)
    assert found
    assert found.exact == pytest.approx(stats.mannwhitneyu(first, second, method="exact").pvalue)


@given(many, many)
def test_normal_variants_are_scipys(first, second):
    assume(len({*first, *second}) > 1)
    found = mann_whitney(first, second)
    assert found
    plain = stats.mannwhitneyu(first, second, method="asymptotic", use_continuity=False)
    with_continuity = stats.mannwhitneyu(first, second, method="asymptotic")
    assert found.u == plain.statistic
    assert found.normal == pytest.approx(plain.pvalue)
    assert found.normal_continuity == pytest.approx(with_continuity.pvalue)
    n1, n2 = len(first), len(second)
    z = abs(found.u - n1 * n2 / 2) / math.sqrt(n1 * n2 * (n1 + n2 + 1) / 12)
    assert found.normal_untied == pytest.approx(2 * stats.norm.sf(z))


def test_above_the_limit_the_normal_approximation_stands_first():
    large = mann_whitney(list(range(EXACT_UP_TO)), [0.5])
    assert large
    assert large.exact is None
    assert large.variant == "normal_continuity"
    assert large.p == large.normal_continuity


def test_equal_values_and_empty_samples():
    same = mann_whitney([3, 3], [3, 3, 3])
    assert same
    assert same.exact == 1
    assert (same.normal, same.normal_continuity, same.normal_untied) == (None, None, None)
    assert mann_whitney([], [1]) is None
    assert mann_whitney([1], []) is None


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_interval_holds_the_roots_of_its_equation(count, extra):
    """Its ends are the shares p with (observed − p)² = z² p (1 − p) / n."""
    of = count + extra - 1
    found = proportion(count, of)
    if not of:
        assert found is None
        return
    assert found
    z = stats.norm.ppf(0.975)
    a, b, c = 1 + z * z / of, -(2 * count / of + z * z / of), (count / of) ** 2
    low, high = sorted(np.roots([a, b, c]).real)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-7), pytest.approx(high, abs=1e-7))
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_published_shares_have_these_intervals():
    cvi, controls = proportion(13, 20), proportion(4, 20)
    assert cvi
    assert controls
    assert [round(100 * end, 1) for end in (cvi.low, cvi.high)] == [43.3, 81.9]
    assert [round(100 * end, 1) for end in (controls.low, controls.high)] == [8.1, 41.6]


@given(*[st.integers(0, 12)] * 4)
def test_fisher_sums_the_tables_no_likelier_than_the_one_seen(a, b, c, d):
    found = fisher(((a, b), (c, d)))
    if not (a + b and c + d):
        assert found is None
        return
    column, total = a + c, a + b + c + d

    def chance(x: int) -> float:
        return math.comb(a + b, x) * math.comb(c + d, column - x) / math.comb(total, column)

    possible = range(max(0, column - c - d), min(column, a + b) + 1)
    expected = sum(p for p in map(chance, possible) if p <= chance(a) * (1 + 1e-7))
    assert found == pytest.approx(min(1, expected))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_quartiles_and_moments(values):
    around, centre = spread(values), mean(values)
    assert around
    assert centre
    lower, middle, upper = np.percentile(values, [25, 50, 75])
    assert around.median == pytest.approx(middle, abs=1e-6)
    assert around.lower_quartile == pytest.approx(lower, abs=1e-6)
    assert around.iqr == pytest.approx(upper - lower, abs=1e-6)
    assert centre.mean == pytest.approx(np.mean(values), abs=1e-6)
    if len(values) == 1:
        assert centre.sd is None
    else:
        assert centre.sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_nothing_has_neither_quartiles_nor_mean():
    assert spread([]) is None
    assert mean([]) is None
