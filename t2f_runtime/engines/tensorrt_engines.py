"""TensorRT and TensorRT for RTX: whether they run here, and which engines of a bundle they take."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.engine_index import EngineEntry, Flavour
from t2f_runtime.bundle.manifest import Graph, Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.engines.choice import NAMES, RTX_TARGETS, Machine, build_command, choose_engines
from t2f_runtime.engines.cuda import Cuda
from t2f_runtime.engines.gpu import Device, this_platform
from t2f_runtime.engines.host import Host, check_device, describe_device
from t2f_runtime.engines.kernel_cache import KernelFile, KernelKey
from t2f_runtime.engines.libraries import check_version, how_to_install
from t2f_runtime.engines.names import FLAVOURS, EngineName
from t2f_runtime.engines.plan import LoadedPlan
from t2f_runtime.engines.prepared import EngineWish, Prepared, precisions
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.engines.tensorrt_api import RunningLibrary
from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import EngineError, MissingPackageError
from t2f_runtime.sessions.tensorrt_session import TensorrtSession

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorrtHost:
    """A machine on which one of the two libraries runs."""

    flavour: Flavour
    """The library."""
    library: RunningLibrary
    """Its module."""
    device: Device
    """The GPU."""
    cuda: Cuda
    """The same GPU, for memory and streams."""
    cache: Path | None
    """T2F's cache folder; None for TensorRT, whose engines hold their kernels, and where nobody can
    tell where it is."""

    @property
    def machine(self) -> Machine:
        """What an engine has to fit."""
        return Machine(
            flavour=self.flavour,
            library_version=self.library.__version__,
            compute_capability=self.device.compute_capability,
            gpu=self.device.name,
            multiprocessors=self.device.multiprocessors,
            platform=this_platform(),
        )


def open_host(flavour: Flavour, index: int, host: Host) -> TensorrtHost:
    """Asks for everything that running an engine needs.

    CUDA is asked first, since TensorRT may end the process where it finds no driver.

    Args:
        flavour: The library.
        index: Which GPU, from 0.
        host: This machine.

    Raises:
        UnavailableEngineError: Something is missing.
    """
    device = check_device(host, index)
    if flavour == "rtx" and device.compute_capability not in RTX_TARGETS:
        raise UnavailableEngineError(
            f"TensorRT for RTX does not serve this {device.name} ({device.compute_capability})",
            f"take the engine tensorrt; {how_to_install(['tensorrt'])}",
        )
    cuda = Cuda(host.load_cuda(), index)
    library = host.load_library(flavour)
    check_version(library, flavour)
    cache = _cache_folder(host) if flavour == "rtx" else None
    return TensorrtHost(flavour=flavour, library=library, device=device, cuda=cuda, cache=cache)


def prepare_tensorrt(name: EngineName, bundle: Bundle, wish: EngineWish, host: Host) -> Prepared:
    """Prepares TensorRT, or TensorRT for RTX, with the engines of a bundle.

    Args:
        name: One of `FLAVOURS`.
        bundle: The bundle.
        wish: What is wanted.
        host: This machine.

    Raises:
        EngineError: The bundle has no engines for this machine; the message says what builds them.
        UnavailableEngineError: There is no GPU, or a package is missing.
    """
    opened = open_host(FLAVOURS[name], wish.device, host)
    precision, entries = _choose(bundle, opened, precisions(name, bundle, wish))
    return Prepared(
        engine=RunningEngine(
            name=name,
            version=opened.library.__version__,
            device=describe_device(opened.device, wish.device),
            precision=precision,
        ),
        precision=precision,
        open_network=lambda network, graph: load_engine(bundle, opened, entries[network], graph),
    )


def _choose(
    bundle: Bundle, host: TensorrtHost, wanted: Sequence[Precision]
) -> tuple[Precision, dict[Network, EngineEntry]]:
    """Picks the first precision of which every network has an engine; the error is the last's."""
    *others, last = wanted
    for precision in others:
        entries = _find_engines(bundle, host, precision)
        if entries is not None:
            return precision, entries
    return last, _engines(bundle, host, last)


def _find_engines(
    bundle: Bundle, host: TensorrtHost, precision: Precision
) -> dict[Network, EngineEntry] | None:
    try:
        return _engines(bundle, host, precision)
    except EngineError:  # the next precision may have them
        return None


def _engines(
    bundle: Bundle, host: TensorrtHost, precision: Precision
) -> dict[Network, EngineEntry]:
    return choose_engines(bundle.manifest, host.machine, precision, bundle=str(bundle.path))


def load_engine(
    bundle: Bundle,
    host: TensorrtHost,
    entry: EngineEntry,
    graph: Graph,
    *,
    profiler: object | None = None,
) -> TensorrtSession:
    """Loads one engine of a bundle.

    Args:
        bundle: The bundle.
        host: The machine, which the engine fits.
        entry: The engine.
        graph: The network, as the manifest describes it.
        profiler: As of `TensorrtSession`.

    Raises:
        BundleError: The engine is not what the index says.
        EngineError: It does not load or is of another network; the message says what builds it.
    """
    options = entry.key.options
    plan = bundle.read_engine(entry)
    try:
        with host.cuda.in_use():
            loaded = LoadedPlan(
                host.library,
                plan,
                name=f"{NAMES[host.flavour]} {host.library.__version__}",
                is_version_compatible=options.is_version_compatible,
                weights=bundle.read(graph.file) if options.is_stripped else None,
            )
        return TensorrtSession(
            host.library,
            loaded,
            flavour=host.flavour,
            graph=graph,
            profile=entry.key.profile,
            cuda=host.cuda,
            kernels=_kernel_file(host, entry),
            profiler=profiler,
        )
    except EngineError as error:
        raise EngineError(
            f"{bundle.path} has {entry.file}: {error}; "
            f"{build_command(str(bundle.path), host.machine, entry.key.precision)} --force"
        ) from error


def _kernel_file(host: TensorrtHost, entry: EngineEntry) -> KernelFile | None:
    """Where the kernels of an engine are kept; None where they are not."""
    if host.cache is None:
        return None
    key = KernelKey(
        engine_sha256=entry.sha256,
        gpu=host.device.name,
        compute_capability=host.device.compute_capability,
        multiprocessors=host.device.multiprocessors,
        driver=host.cuda.driver_version,
        library_version=host.library.__version__,
    )
    return KernelFile(host.cache, key)


def _cache_folder(host: Host) -> Path | None:
    try:
        return host.cache_folder()
    except MissingPackageError as error:  # a cache is no reason not to draw
        _logger.info("what TensorRT for RTX compiles is not kept: %s", error)
        return None
