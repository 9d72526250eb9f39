"""What `t2f bench` found, as a value that is written as JSON and read again."""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.samples import Spread
from t2f_runtime.bench.stages import Stage

SCHEMA_VERSION: Final = 1

_MAXIMUM_BYTES: Final = 2**26
"""Longer files are refused: a report of every engine is a hundredth of it."""


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers depend on beside the program."""

    platform: str
    """Operating system and processor: `Linux-6.8-x86_64`."""
    processor: str
    """The processor's name; the board's, on a Jetson."""
    usable_cpus: int
    """How many CPUs this process may use."""
    python: str
    """Its version."""
    numpy: str
    """Its version."""
    governor: str | None
    """What sets the processor's clock, such as `performance`; None where it is not told."""
    megahertz: tuple[float, float] | None
    """The processor's clock at the beginning and at the end; None likewise."""
    power_mode: str | None
    """Of a Jetson; None elsewhere."""
    load: float | None
    """How many processes ran or waited to, at the beginning; None where it is not told."""


class GpuFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a GPU's numbers depend on beside the program."""

    driver: str | None
    """NVIDIA's version; None where it is not told."""
    megahertz: tuple[float, float] | None
    """The least and the greatest clock right after turns; None likewise."""
    power_limit: float | None
    """Watts that it may take; None likewise."""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """Faces of one engine, precision and batch."""

    engine: str
    """Its name, as `FaceGenerator.load` takes it."""
    version: str
    """Of its library."""
    device: str
    """What it ran on."""
    precision: str
    """Of the networks."""
    batch: int
    """Faces that one run draws, all of one description."""
    stages: dict[Stage, Spread]
    """Seconds of one run."""
    gpu: Spread | None
    """Seconds of the generator's run by CUDA's events, with its copies to and fro: the part of
    `draw` that is the GPU's. None on a CPU, and in ONNX Runtime, whose stream is its own."""
    rounds: Annotated[list[Annotated[float, Meta(gt=0)]], Meta(min_length=1)]
    """Seconds of one whole run, the median of each round: what is compared."""
    least_rounds: list[Annotated[float, Meta(ge=0)]] | None = None
    """The same of every run less the seconds that its threads waited for a CPU: what it takes at
    the least on an idle machine. None where the system does not tell."""
    waited_share: float | None = None
    """Seconds that threads waited for a CPU over those of all runs, of all threads together."""
    yardstick: Annotated[float, Meta(gt=0)] | None = None
    """Seconds of the work of `t2f_runtime.bench.yardstick` just before the turns; their median."""
    faces_per_second: float
    """Faces over the time of all runs."""
    warm_up_runs: int
    """Runs before those that count."""
    is_steady: bool
    """Whether the warm-up ended because its runs took equally long."""
    joules_per_face: float | None
    """Energy, of all that the meter sees; None where there is no meter, or it fell silent."""
    peak_bytes: int | None = None
    """The most memory that the process had at a time, with this batch and all smaller ones; None
    where the system does not tell."""
    device_bytes: int | None = None
    """What of the GPU's memory became less free meanwhile; None on a CPU."""


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine and a precision cost once, in a process of their own."""

    engine: str
    """The engine."""
    precision: str
    """Of the networks."""
    cold_start: list[float]
    """Seconds from the process's start to its first face, one a start."""
    peak_bytes: int | None
    """The most memory that the process had at a time, with all batches; None where the system does
    not tell."""
    device_bytes: int | None
    """What of the GPU's memory became less free while it loaded and was warmed up, before the next
    engine loaded; None on a CPU."""
    pinned_to: list[int] | None
    """The CPUs that the process was held to; None where the system holds none."""


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that has no numbers."""

    engine: str
    """Which."""
    precision: str | None
    """Which of its precisions; None for all."""
    reason: str
    """Why, and what to do about it."""


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run found."""

    schema_version: Literal[1]
    """`SCHEMA_VERSION`."""
    t2f_version: str
    """What ran."""
    bundle_id: str
    """What was drawn with."""
    image_size: int
    """Height and width of the pictures, in pixels."""
    started: str
    """When, in UTC, after ISO 8601."""
    machine: MachineFacts
    """Where."""
    gpu: GpuFacts | None = None
    """Of the only NVIDIA GPU, where one drew; None where nobody tells."""
    meter: str | None
    """What measured energy; None where nothing can."""
    threads: int
    """Threads that worked on one face, on a CPU."""
    cases: list[CaseResult]
    """What was timed."""
    engines: list[EngineResult]
    """What they cost once."""
    not_run: list[NotRun]
    """What was not."""

    def write(self, path: Path) -> None:
        """Writes the report as JSON.

        Raises:
            BenchError: It cannot be written; what was there, is.
        """
        try:
            write_atomically(path, msgspec.json.format(msgspec.json.encode(self), indent=2))
        except OSError as error:
            raise BenchError(
                f"the report {path} cannot be written: {error.strerror or error}"
            ) from error

    @classmethod
    def read(cls, path: Path) -> "BenchReport":
        """Reads a report that `write` wrote, or `t2f bench --json` with `--compare` or without.

        Raises:
            BenchError: It cannot be read, or is none of this schema.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_MAXIMUM_BYTES + 1)
            if len(data) > _MAXIMUM_BYTES:
                raise BenchError(f"{path} is no report of t2f bench: it is too long")
            if "report" in msgspec.json.decode(data, type=dict[str, msgspec.Raw]):
                return msgspec.json.decode(data, type=_Compared).report
            return msgspec.json.decode(data, type=cls)
        except OSError as error:
            raise BenchError(
                f"the report {path} cannot be read: {error.strerror or error}"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BenchError(
                f"{path} is no report of t2f bench, schema {SCHEMA_VERSION}: {error}; "
                "make one with: t2f bench BUNDLE --json"
            ) from error


class _Compared(msgspec.Struct):
    """What `t2f bench --compare OLD --json` prints."""

    report: BenchReport


def check_report_path(path: Path) -> None:
    """Refuses a place where no report can be written, before anything is measured.

    Raises:
        BenchError: Its folder is missing, or it is a folder itself.
    """
    if path.is_dir():
        raise BenchError(f"the report {path} cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise BenchError(
            f"the report {path} cannot be written: its folder does not exist; make it with: "
            f"mkdir -p {path.parent}"
        )
