"""What is measured, and the defaults of `t2f bench`, which says them without loading anything."""

from typing import Final

import msgspec

BATCHES: Final = (1, 4, 16)
"""Faces that one run draws."""

MARGIN: Final = 0.05
"""Share by which two runs of one machine differ by its mood: smaller differences are noise."""


class BenchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured, and for how long."""

    engines: tuple[str, ...] = ()
    """Which engines; none takes all that load in seconds."""
    precisions: tuple[str, ...] = ()
    """Which precisions of the bundle; none takes all."""
    batches: tuple[int, ...] = BATCHES
    """Faces of one run."""
    device: int = 0
    """Which GPU."""
    threads: int | None = None
    """Threads that work on one face, on a CPU; None takes the usable CPUs."""
    rounds: int = 20
    """In each, every engine has a turn."""
    seconds: float = 0.2
    """Of one turn of one batch; a run that takes longer is done once."""
    starts: int = 3
    """Cold starts of each engine."""
