"""For how long the threads of this process were ready to run, and no CPU was free for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

Waited = Callable[[], float]
"""Seconds so far, of all threads together."""


@contextmanager
def waited_so_far(root: Path = Path("/")) -> Iterator[Waited | None]:
    """Watches the threads that there are now; None where the system does not tell.

    The files stay open meanwhile: to read them takes microseconds, and to find them far more.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat: "time spent on
    the cpu (in nanoseconds)", then "time spent waiting on a runqueue (in nanoseconds)". What a
    virtual machine's host takes is not among it.

    Args:
        root: Where `proc` lies.
    """
    with ExitStack() as stack:
        files = []
        for path in (root / "proc/self/task").glob("*/schedstat"):
            with suppress(OSError):  # the thread has ended
                files.append(stack.enter_context(path.open("rb", buffering=0)).fileno())

        def waited() -> float:
            return sum(_nanoseconds(file)[1] for file in files) / 1e9

        # A kernel that does not count writes zeros, also for a thread that runs at this moment.
        is_counted = any(_nanoseconds(file)[0] for file in files)
        yield waited if is_counted else None


def _nanoseconds(file: int) -> tuple[int, int]:
    """How long a thread ran and waited; of one that has ended, nothing."""
    try:
        ran, waited, *_ = os.pread(file, 100, 0).split()
    except (OSError, ValueError):
        return 0, 0
    return int(ran), int(waited)
