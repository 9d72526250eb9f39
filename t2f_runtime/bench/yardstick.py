"""A piece of work that is always the same, and tells how quick the machine itself is at a moment.

Nothing of T2F is in it: where it takes longer than it did, so does everything else. That is how a
comparison learns what no counter tells: a lower clock, a neighbour on the same core, in the same
cache, or in another virtual machine.
"""

import statistics
import time
from typing import Final

import numpy as np

from t2f_runtime.bench.stages import Clock

TIMES: Final = 5
"""How often it is done at a time; the median counts."""
_VALUES: Final = 20_000
_STEPS: Final = 10_000


def yardstick_seconds(clock: Clock = time.perf_counter) -> float:
    """Does it a few times, in a millisecond or two each; gives the median of the seconds."""
    values = np.random.default_rng(0).standard_normal(_VALUES, dtype=np.float32)
    taken = []
    for _ in range(TIMES):
        start = clock()
        _work(values)
        taken.append(clock() - start)
    return statistics.median(taken)


def _work(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> int:
    """What Python does for a face is of both kinds: its own steps, and arrays of numbers."""
    total = int(np.sort(values).argmax())
    for step in range(_STEPS):
        total += step * step % 7
    return total
