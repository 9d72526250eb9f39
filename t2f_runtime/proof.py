"""A proof: what was drawn with every network and engine, how far it was off, and what was not run.

The runtime proves what it can with what a kiosk has: each precision, in ONNX Runtime and in every
engine that works on its GPU, or in those that are named, against the bundle's reference pictures.
Packages above it prove more; they register a `Prover`.
"""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import msgspec

from t2f_runtime import __version__
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import ParityReport, Precision
from t2f_runtime.engines.names import CPU_ENGINES, EngineName
from t2f_runtime.engines.probe import probe_engine
from t2f_runtime.errors import EngineError, MissingPackageError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.verification import measure, measure_generator, precisions_of

PROVERS_GROUP: Final = "t2f.provers"
"""Entry points of this group are provers; the first is loaded when more is asked than the runtime
can prove."""

ENGINE: Final = "onnx-cpu"
"""The engine that every installation has."""

GPU_ENGINES: Final[tuple[EngineName, ...]] = ("tensorrt", "tensorrt-rtx", "onnx-cuda")
"""The engines on a GPU that are tried; "onnx-tensorrt" would first build its own for minutes."""


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could draw, but not on this machine."""

    what: str
    """An engine's file, or the name of an engine."""
    reason: str
    """Why it was not run."""


class AttributeReport(msgspec.Struct, frozen=True, kw_only=True):
    """How often a classifier sees in the pictures what their descriptions ask for."""

    precision: Precision
    """Precision of the networks under test."""
    engine: str
    """The engine under test."""
    accuracy: float
    """Share of what was asked for that is seen, 0 to 1, averaged over what can be asked for."""
    float32_accuracy: float
    """The same of the float32 networks, from the same descriptions and seeds."""
    tolerance: float
    """By how much `accuracy` may be below `float32_accuracy`."""

    @property
    def passes(self) -> bool:
        """Whether the accuracy is within the tolerance."""
        return self.accuracy >= self.float32_accuracy - self.tolerance


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was compared, on one machine: what `t2f verify --json` prints."""

    format: int = 1
    """Raised when fields change their meaning."""
    bundle_id: str
    """The bundle's."""
    t2f_version: str = __version__
    """Version of the T2F that compared."""
    machine: str
    """Operating system and processor."""
    descriptions: str
    """Where the descriptions come from."""
    reports: tuple[ParityReport, ...]
    """One a precision and engine."""
    attributes: tuple[AttributeReport, ...] = ()
    """One a precision, where a classifier was given."""
    not_run: tuple[NotRun, ...] = ()
    """What this machine, or this version, cannot run."""

    @property
    def passes(self) -> bool:
        """Whether everything that was compared is within its tolerance."""
        return all(report.passes for report in self.reports) and all(
            report.passes for report in self.attributes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """What is to be proven beyond what a kiosk can."""

    run: Path | None = None
    """The run that the bundle was made from: torch draws what it is held against."""
    data: Path | None = None
    """Folder of the run's data; None takes where it lay in training."""
    descriptions: Path | None = None
    """A file of descriptions, one a line, in place of the data's."""
    faces: int = 32
    """Faces to draw, beside the reference pictures."""
    takes_openvino: bool = False
    """Whether OpenVINO draws too."""
    takes_attributes: bool = False
    """Whether a classifier looks at the pictures."""
    is_written: bool = False
    """Whether the manifest is to have the reports."""
    drops_signature: bool = False
    """Whether a signed bundle may lose its signature by that."""
    device: int = 0
    """Which GPU the engines on one draw with, from 0."""
    threads: int | None = None
    """As in `FaceGenerator.load`."""
    engines: tuple[EngineName, ...] = ()
    """What draws, each of which must; empty takes ONNX Runtime on the CPU, and `GPU_ENGINES` as far
    as they work here."""

    @property
    def is_plain(self) -> bool:
        """Whether the runtime alone can prove it."""
        is_more = self.takes_openvino or self.takes_attributes or self.is_written
        return not is_more and self.run is None and self.descriptions is None


Prover = Callable[[Bundle, ProofRequest, Callable[[str], None]], Proof]
"""Proves a bundle, and is given whom to tell how far it is."""


def prove(bundle: Bundle, request: ProofRequest, tell: Callable[[str], None]) -> Proof:
    """Compares everything that can be run here.

    Args:
        bundle: The bundle, open and so verified.
        request: What is wanted.
        tell: Told, in words, what is being done.

    Raises:
        EngineError: An engine that must draw cannot run the bundle; the message says what to do.
        MissingPackageError: More is wanted than the runtime can prove, and the package that can is
            not installed.
        VerificationError: The bundle has no reference pictures.
    """
    if not request.is_plain:
        return _load_prover()(bundle, request, tell)
    reports, not_run = [], []
    if not request.engines:
        reports += [
            measure(bundle, engine=ENGINE, precision=precision, threads=request.threads)
            for precision in precisions_of(bundle.manifest)
        ]
    for tried in open_engines(bundle, request):
        if isinstance(tried, NotRun):
            not_run.append(tried)
        else:
            tell(f"drawing with {tried.generator.engine}")
            reports.append(measure_generator(bundle, tried.generator, tried.precision))
    return Proof(
        bundle_id=bundle.bundle_id,
        machine=this_machine(),
        descriptions="the bundle's references",
        reports=tuple(reports),
        not_run=tuple(not_run),
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle in an engine."""

    precision: Precision
    """Precision of the networks."""
    generator: FaceGenerator
    """What draws with them."""


def open_engines(bundle: Bundle, request: ProofRequest) -> Iterator[Opened | NotRun]:
    """Loads each precision of a bundle into the engines that are asked for.

    Where none are, that is each that works on the GPU of this machine; ONNX Runtime on the CPU is
    left to the caller then.

    Args:
        bundle: The bundle.
        request: What is wanted.

    Yields:
        What draws, or what does not draw here, and why.

    Raises:
        BundleError: An engine of the bundle is not what its index says.
        EngineError: An engine that was asked for runs no precision of the bundle here.
    """
    for name in request.engines:
        yield from _open_named(bundle, name, request)
    for name in () if request.engines else GPU_ENGINES:
        state = probe_engine(name, device=request.device)
        if not state.works:
            yield NotRun(what=name, reason=str(state.reason))
            continue
        for precision in precisions_of(bundle.manifest):
            yield _open(bundle, name, precision, request)


def _open_named(
    bundle: Bundle, name: EngineName, request: ProofRequest
) -> Iterator[Opened | NotRun]:
    reasons = []
    precisions = precisions_of(bundle.manifest)
    for precision in precisions:
        tried = _open(bundle, name, precision, request)
        if isinstance(tried, NotRun):
            reasons.append(tried.reason)
        yield tried
    if len(reasons) == len(precisions):
        raise EngineError(reasons[0])


def _open(
    bundle: Bundle, name: EngineName, precision: Precision, request: ProofRequest
) -> Opened | NotRun:
    try:
        generator = FaceGenerator.from_bundle(
            bundle,
            engine=name,
            precision=precision,
            device=0 if name in CPU_ENGINES else request.device,
            threads=request.threads,
        )
        return Opened(precision, generator)
    except EngineError as error:
        return NotRun(what=f"{name} in {precision}", reason=str(error))


def this_machine() -> str:
    """Operating system and processor: `Linux x86_64`."""
    return f"{platform.system()} {platform.machine()}"


def _load_prover() -> Prover:
    missing = "--against, --openvino and the options that go with them need the exporter"
    repair = "install it with: pip install 't2f[export,verify]'"
    for entry_point in entry_points(group=PROVERS_GROUP):
        try:
            prover: Prover = entry_point.load()
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package.startswith("t2f_"):  # a bug of ours, which keeps its traceback
                raise
            raise MissingPackageError(
                f"{missing}, which needs the package '{package}'; {repair}"
            ) from error
        return prover
    raise MissingPackageError(f"{missing}; {repair}")
