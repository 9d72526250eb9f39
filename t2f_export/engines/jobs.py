"""What engines are wanted, and which builds that makes: all of them checked before the first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from t2f_export.engines.targets import check_precision, check_target
from t2f_export.engines.tensorrt_api import Library
from t2f_export.engines.tensorrt_engine import shape_profile
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.engine_index import EngineKey, EngineOptions, EngineTarget, Flavour
from t2f_runtime.bundle.manifest import Graph, Manifest, Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.engines.choice import NAMES
from t2f_runtime.engines.gpu import Device, this_platform

_OLDEST_AMPERE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWish:
    """What engines are wanted."""

    flavour: Flavour | None = None
    """The library; None picks one that serves this machine or the named GPUs."""
    targets: tuple[str, ...] = ()
    """Compute capabilities of the GPUs to build for; none means the GPU that is here."""
    precisions: tuple[Precision, ...] = ()
    """Precisions of the networks; none means all that the bundle has."""
    networks: tuple[Network, ...] = ()
    """The networks; none means all that the bundle has."""
    options: EngineOptions = field(default_factory=EngineOptions)
    """How to build."""
    is_forced: bool = False
    """Whether to build again what is there and intact."""
    drops_signature: bool = False
    """Whether a signed bundle may lose its signature."""


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One engine to build."""

    key: EngineKey
    """What it will be."""
    graph: Graph
    """The network that it is built from."""

    @property
    def name(self) -> str:
        """What people call it: `generator float32 for sm_86`."""
        return describe(self.key)


def describe(key: EngineKey) -> str:
    """What people call an engine: `generator float32 for sm_86`."""
    where = key.target.gpu or key.target.compute_capability
    return f"{key.network} {key.precision} for {where}"


def plan_jobs(
    manifest: Manifest, wish: EngineWish, flavour: Flavour, library: Library, device: Device | None
) -> list[EngineJob]:
    """Lists the builds that a wish makes, network by network.

    A network that several precisions share, such as a text encoder that stays in float32, is built
    once, under the first of them.

    Args:
        manifest: The bundle's manifest.
        wish: What engines are wanted.
        flavour: The library that builds them.
        library: Its module, for its version.
        device: The GPU of this machine, if there is one; TensorRT builds for no other.

    Raises:
        EngineBuildError: The bundle has no such precision or network, or the GPUs cannot run it.
    """
    targets = _targets(flavour, wish, device)
    jobs: dict[str, EngineJob] = {}
    for precision, network, graph in _networks(manifest, wish):
        own = own_precision(manifest, graph)
        for target in targets:
            if flavour == "rtx":
                what = network if own == precision else f"{network} of precision '{precision}'"
                check_precision(target.compute_capability, own, f"the {what}")
            tokens = None if manifest.text is None else manifest.text.maximum_tokens
            key = EngineKey(
                network=network,
                precision=own,
                source_sha256=manifest.files[graph.file].sha256,
                flavour=flavour,
                library_version=library.__version__,
                target=target,
                profile=shape_profile(graph, tokens),
                options=wish.options,
            )
            jobs.setdefault(f"{graph.file} {target}", EngineJob(key, graph))
    return list(jobs.values())


def own_precision(manifest: Manifest, graph: Graph) -> Precision:
    """The precision that a network's file is of: the first that names the file."""
    for precision in _precisions(manifest):
        graphs = manifest.graphs[precision]
        files = {graphs.generator.file, graphs.text_encoder and graphs.text_encoder.file}
        if graph.file in files:
            return precision
    raise AssertionError(graph.file)


def check_options(flavour: Flavour, wish: EngineWish) -> None:
    """Refuses options that the library does not have.

    Raises:
        EngineBuildError: With the reason.
    """
    options = wish.options
    if flavour == "tensorrt":
        if wish.targets:
            raise EngineBuildError(
                "TensorRT builds for the GPU that is here and no other; leave --for out, or build "
                "with --flavour rtx"
            )
        return
    for is_given, option, reason in (
        (
            options.is_version_compatible,
            "--version-compatible",
            "its package lacks the runtime that such engines carry with them",
        ),
        (
            options.hardware_compatibility is not None,
            "--hardware-compatible",
            "it ignores that; name every GPU with --for instead",
        ),
        (options.is_stripped, "--strip", "it strips weights only where a GPU is"),
        (
            options.builder_level is not None,
            "--level",
            "it picks its kernels when an engine is loaded, and every level builds the same",
        ),
    ):
        if is_given:
            raise EngineBuildError(f"{NAMES['rtx']} does not build with {option}: {reason}")


def _targets(flavour: Flavour, wish: EngineWish, device: Device | None) -> tuple[EngineTarget, ...]:
    if flavour == "rtx":
        named = wish.targets or (() if device is None else (device.compute_capability,))
        for target in named:
            check_target(target)
        return tuple(EngineTarget(compute_capability=target) for target in named)
    if device is None:
        raise EngineBuildError("TensorRT builds an engine on the GPU that will run it")
    level = wish.options.hardware_compatibility
    if level == "ampere_plus" and int(device.compute_capability[3:]) < _OLDEST_AMPERE:
        raise EngineBuildError(
            "--hardware-compatible ampere_plus builds on Ampere (sm_80) and newer alone; this "
            f"{device.name} is {device.compute_capability}"
        )
    is_bound = level is None
    return (
        EngineTarget(
            compute_capability=device.compute_capability,
            gpu=device.name if is_bound else None,
            multiprocessors=device.multiprocessors if is_bound else None,
            platform=this_platform(),
        ),
    )


def _networks(manifest: Manifest, wish: EngineWish) -> Iterator[tuple[Precision, Network, Graph]]:
    for precision in wish.precisions or _precisions(manifest):
        if precision not in manifest.graphs:
            raise EngineBuildError(
                f"the bundle holds no networks of precision '{precision}'; "
                f"it has: {', '.join(manifest.graphs)}"
            )
        graphs = manifest.graphs[precision]
        networks: dict[Network, Graph] = {"generator": graphs.generator}
        if graphs.text_encoder is not None:
            networks["text_encoder"] = graphs.text_encoder
        for network in wish.networks or tuple(networks):
            if network not in networks:
                raise EngineBuildError(
                    f"the bundle has no {network}: its faces are drawn from seeds alone"
                )
            yield precision, network, networks[network]


def _precisions(manifest: Manifest) -> list[Precision]:
    """What the bundle has, `float32` first; JSON does not keep their order."""
    return [precision for precision in get_args(Precision) if precision in manifest.graphs]
