"""What may be said of a row of timings: when they are steady, and how they spread."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

WINDOW: Final = 10
"""Runs of one window of the warm-up."""
STEADY: Final = 0.02
"""How far the medians of two windows in a row may be apart for the warm-up to be over."""
MOST_WINDOWS: Final = 20
"""Windows after which it is over without."""
MOST_SECONDS: Final = 30.0
"""Seconds of runs after which no further window begins, but the two that it takes at the least."""

ENOUGH_FOR_P90: Final = 10
ENOUGH_FOR_P99: Final = 100
"""Timings of which one in ten, or one in a hundred, is one at least."""

FAR_OUT: Final = 3.0
"""Interquartile ranges over the upper quartile from which a timing is an outlier."""


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
    """Runs until two windows in a row have medians no more than `STEADY` apart, or for too long.

    Args:
        run: Runs once, and says for how many seconds.

    Returns:
        How many runs that took, and whether they became steady.
    """
    before: float | None = None
    spent = 0.0
    for window in range(1, MOST_WINDOWS + 1):
        runs = [run() for _ in range(WINDOW)]
        spent += sum(runs)
        now = float(np.median(runs))
        if before is not None:
            if abs(now - before) <= STEADY * before:
                return window * WINDOW, True
            if spent >= MOST_SECONDS:
                return window * WINDOW, False
        before = now
    return MOST_WINDOWS * WINDOW, False
