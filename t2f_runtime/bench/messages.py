"""What the measuring process and the process of an engine say to each other, as JSON lines."""

import msgspec

from t2f_runtime.bench.stages import Seconds


class SideOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of an engine is to load."""

    bundle: str
    """Path of the bundle."""
    key_files: tuple[str, ...]
    """Public keys, one of which must have signed it; none checks no signature."""
    engine: str
    """Which engine."""
    precision: str
    """Which of the bundle's networks."""
    device: int
    """Which GPU."""
    threads: int
    """Threads that work on one face, on a CPU."""
    cpus: tuple[int, ...]
    """The CPUs that the process may use; none leaves it those that it has."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """Its first line: the first face is drawn."""

    version: str
    """Of the engine's library."""
    device: str
    """What it runs on."""
    pinned_to: tuple[int, ...] | None
    """The CPUs that it is held to."""
    error: str | None = None
    """Why it draws nothing; None if it does."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for runs of one batch."""

    batch: int
    """Faces a run."""
    seconds: float
    """For how long; one run at the least."""
    warm_up: bool = False
    """Whether to run until the runs are steady instead."""
    yardstick: bool = False
    """Whether to do the work of `t2f_runtime.bench.yardstick` instead, and draw nothing."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request."""

    samples: list[Seconds]
    """The stages of each run; none of a warm-up."""
    gpu_seconds: list[float]
    """What the generator took in each of these runs by the GPU's own clock; none where it tells
    none."""
    waited: list[float]
    """Seconds that all threads waited for a CPU in each of these runs; none where the system does
    not tell."""
    runs: int
    """How many runs there were."""
    is_steady: bool
    """Of a warm-up: whether it became steady."""
    peak_bytes: int | None
    """The most memory that the process had at a time, so far."""
    yardstick: float | None = None
    """Seconds of the yardstick; None where it was not asked for."""
    device_bytes: int | None
    """By how much less of the GPU's memory is free than before it loaded."""
    error: str | None = None
    """What went wrong; None if nothing did."""
