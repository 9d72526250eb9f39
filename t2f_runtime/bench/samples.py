"""What may be said of a row of timings: when they are steady, how they spread, how two differ."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bench.plan import MARGIN as MARGIN  # noqa: PLC0414 (taken from here)

WINDOW: Final = 10
"""Runs of one window of the warm-up."""
STEADY: Final = 0.02
"""How far the medians of two windows in a row may be apart for the warm-up to be over."""
MOST_WINDOWS: Final = 20
"""Windows after which it is over without."""

ENOUGH_FOR_P90: Final = 10
ENOUGH_FOR_P99: Final = 100
"""Timings of which one in ten, or one in a hundred, is one at least."""

FAR_OUT: Final = 3.0
"""Interquartile ranges over the upper quartile from which a timing is an outlier."""

PERMUTATIONS: Final = 10_000
_AT_ONCE: Final = 500
SIGNIFICANCE: Final = 0.01
"""Probability of the difference under chance alone below which it is none."""
Outcome = Literal["better", "worse", "noise"]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How timings spread, in seconds."""

    p50: float
    """Median."""
    p90: float | None
    """Nine of ten are no longer; None of fewer than ten timings."""
    p99: float | None
    """99 of 100 are no longer; None of fewer than a hundred, whose longest would stand for it."""
    outliers: int
    """How many are far out. They are counted in all the others."""
    count: int
    """How many timings."""


def spread(seconds: Sequence[float]) -> Spread:
    """Percentiles, by linear interpolation, and outliers.

    A percentile of fewer timings than have one beyond it would be little but the longest of them,
    and the more so the fewer there are: there is none.

    Source of what counts as one: Tukey, Exploratory Data Analysis (1977), section 2E, "far out":
    beyond the outer fence, 3 interquartile ranges over the upper quartile.

    Args:
        seconds: One or more.
    """
    p25, p50, p75, p90, p99 = np.percentile(seconds, [25, 50, 75, 90, 99]).tolist()
    fence = p75 + FAR_OUT * (p75 - p25)
    outliers = int(np.count_nonzero(np.asarray(seconds) > fence))
    count = len(seconds)
    return Spread(
        p50=p50,
        p90=p90 if count >= ENOUGH_FOR_P90 else None,
        p99=p99 if count >= ENOUGH_FOR_P99 else None,
        outliers=outliers,
        count=count,
    )


def warm_up(run: Callable[[], float]) -> tuple[int, bool]:
    """Runs until two windows in a row have medians no more than `STEADY` apart.

    Args:
        run: Runs once, and says for how many seconds.

    Returns:
        How many runs that took, and whether they became steady.
    """
    before: float | None = None
    for window in range(1, MOST_WINDOWS + 1):
        now = float(np.median([run() for _ in range(WINDOW)]))
        if before is not None and abs(now - before) <= STEADY * before:
            return window * WINDOW, True
        before = now
    return MOST_WINDOWS * WINDOW, False


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What two rows of timings say of each other."""

    outcome: Outcome
    """Of the new one."""
    ratio: float
    """Median of the new one over that of the old: below 1 is quicker."""
    probability: float
    """How often chance alone makes as large a difference."""


def compare(old: Sequence[float], new: Sequence[float], *, margin: float = MARGIN) -> Difference:
    """Says whether timings have become better or worse, or differ by noise.

    The test is Wilcoxon's rank-sum test ("Individual comparisons by ranking methods", 1945),
    two-sided, by `PERMUTATIONS` shuffles of a fixed seed; its probability is (b + 1) / (m + 1),
    after Phipson and Smyth, "Permutation p-values should never be zero" (2010), section 3. Ranks
    are what a few slow rounds move little, and what tells five rounds from five. A difference
    counts if it is rarer than `SIGNIFICANCE` and larger than the margin. The margin is what the
    test cannot know: two runs of one program, an hour apart, differ by how the machine was.

    Args:
        old: The median of each round, in seconds.
        new: Likewise.
        margin: The share by which the medians must differ.
    """
    found = float(np.log(np.median(new)) - np.log(np.median(old)))
    ranks = _ranks(np.concatenate([old, new]))
    expected = len(new) * (len(ranks) + 1) / 2
    least = abs(ranks[len(old) :].sum() - expected) - 1e-9
    random = np.random.default_rng(0)
    as_large = 0
    for _ in range(PERMUTATIONS // _AT_ONCE):  # all at once would take the memory of all
        shuffles = random.permuted(np.tile(ranks, (_AT_ONCE, 1)), axis=1)
        chance = np.abs(shuffles[:, len(old) :].sum(axis=1) - expected)
        as_large += int(np.count_nonzero(chance >= least))
    probability = (as_large + 1) / (PERMUTATIONS + 1)
    outcome: Outcome = "noise"
    if probability < SIGNIFICANCE and abs(found) > np.log1p(margin):
        outcome = "better" if found < 0 else "worse"
    return Difference(outcome=outcome, ratio=float(np.exp(found)), probability=probability)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
