"""Builds one engine from one ONNX graph, with TensorRT 10.3 to 11 or TensorRT for RTX alike.

Precision comes from the graph (the network is strongly typed), as TensorRT 11 knows no other way.
What ended in silence when it was tried is asked for here: a failed build returns nothing and says
why only in its log; inputs that share a dimension may be given different ranges of it; without a
compute capability TensorRT for RTX builds for GPUs that cannot run the result.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from t2f_export.engines.tensorrt_api import (
    IBuilder,
    IBuilderConfig,
    INetworkDefinition,
    ITensor,
    Library,
    RtxBuilderConfig,
    RtxLibrary,
)
from t2f_export.engines.tensorrt_phases import Phases, Progress, make_monitor
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.engine_index import EngineOptions, Flavour, ShapeRange
from t2f_runtime.bundle.manifest import BATCH, LENGTH, Graph, Tensor
from t2f_runtime.engines.choice import NAMES
from t2f_runtime.engines.tensorrt_log import Messages, make_logger

MAXIMUM_BATCH: Final = 16
"""Faces that are drawn at once; more are drawn in several runs."""
OPTIMAL_BATCH: Final = 1
"""What a kiosk draws at once, and what engines are tuned for."""
OPTIMAL_TOKENS: Final = 32
"""About what a description of two sentences takes."""

_DTYPES: Final = {"float32": "FLOAT", "int64": "INT64", "uint8": "UINT8"}
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """What is to be built."""

    what: str
    """What errors call it."""
    model: bytes
    """The ONNX file's bytes."""
    graph: Graph
    """What the manifest says that the network takes and gives."""
    flavour: Flavour
    """The library that builds it."""
    target: str
    """Compute capability; TensorRT builds for the GPU that is here, whatever this says."""
    profile: Mapping[str, ShapeRange]
    """The shapes that it takes, by the input's name."""
    options: EngineOptions
    """How it is built."""


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """What a build gives."""

    plan: bytes
    """The engine."""
    warnings: tuple[str, ...]
    """What the builder warned of."""
    timing_cache: bytes
    """What it measured, to be given to the next build; empty with TensorRT for RTX."""


def shape_profile(graph: Graph, maximum_tokens: int | None) -> dict[str, ShapeRange]:
    """The shapes that an engine of a network takes: 1 to 16 faces, 1 to all tokens.

    Every input that shares a dimension gets the same range of it, since ranges are kept by the
    dimension's name.

    Args:
        graph: The network.
        maximum_tokens: The longest description; None where the model has no text.
    """
    ranges = {BATCH: (1, OPTIMAL_BATCH, MAXIMUM_BATCH)}
    if maximum_tokens is not None:
        ranges[LENGTH] = (1, min(OPTIMAL_TOKENS, maximum_tokens), maximum_tokens)

    def shape(tensor: Tensor, position: int) -> tuple[int, ...]:
        return tuple(
            size if isinstance(size, int) else ranges[size][position] for size in tensor.shape
        )

    return {
        tensor.name: ShapeRange(
            minimum=shape(tensor, 0), optimum=shape(tensor, 1), maximum=shape(tensor, 2)
        )
        for tensor in graph.inputs
    }


def build_engine(
    library: Library,
    request: EngineRequest,
    *,
    timing_cache: bytes = b"",
    progress: Progress = lambda _share, _phase: None,
    is_cancelled: threading.Event | None = None,
) -> BuiltEngine:
    """Builds an engine.

    Args:
        library: The module of the request's flavour.
        request: What is to be built.
        timing_cache: What an earlier build of this GPU and version gave; TensorRT only.
        progress: Told how far the build has come.
        is_cancelled: Set by another thread to end the build.

    Raises:
        EngineBuildError: The library does not read the network, refuses an option, fails to build,
            or was cancelled; the message has its own words.
    """
    messages = Messages()
    logger = make_logger(library, messages)
    builder = _open_builder(library, logger, request, messages)
    network = _read_network(library, builder, logger, request, messages)
    config = builder.create_builder_config()
    config.progress_monitor = make_monitor(
        library, Phases(progress), is_cancelled or threading.Event()
    )
    _add_profile(builder, config, request)
    _set_options(library, config, request)
    if request.flavour == "rtx":
        _set_target(library, config, request)
    else:
        _set_timing_cache(config, timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineBuildError(
            f"{NAMES[request.flavour]} {library.__version__} cannot build {request.what} for "
            f"{request.target}: {messages.told()}"
        )
    measured = config.get_timing_cache() if request.flavour == "tensorrt" else None
    return BuiltEngine(
        plan=bytes(plan),
        warnings=tuple(dict.fromkeys(messages.warnings)),
        timing_cache=b"" if measured is None else bytes(measured.serialize()),
    )


def _open_builder(
    library: Library, logger: object, request: EngineRequest, messages: Messages
) -> IBuilder:
    try:
        return library.Builder(logger)
    except TypeError as error:  # how the bindings report that the library made none
        raise EngineBuildError(
            f"{NAMES[request.flavour]} {library.__version__} cannot start: {messages.told()}"
        ) from error


def _read_network(
    library: Library,
    builder: IBuilder,
    logger: object,
    request: EngineRequest,
    messages: Messages,
) -> INetworkDefinition:
    # TensorRT 10 needs the flag; to 11, where every network is strongly typed, it means nothing.
    flags = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = library.OnnxParser(network, logger)
    if not parser.parse(request.model):
        told = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        reason = "; ".join(dict.fromkeys(told)) or messages.told()
        raise EngineBuildError(
            f"{NAMES[request.flavour]} {library.__version__} does not read {request.what}: {reason}"
        )
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    _check_tensors(library, request.what, inputs, request.graph.inputs)
    _check_tensors(library, request.what, outputs, request.graph.outputs)
    _check_dimension_names(request.what, inputs, request.graph.inputs)
    return network


def _check_tensors(
    library: Library, what: str, found: Sequence[ITensor], expected: Sequence[Tensor]
) -> None:
    """Refuses a network that is not the one that the manifest describes."""
    read = {tensor.name: (tensor.dtype, tuple(tensor.shape)) for tensor in found}
    stated = {
        tensor.name: (
            getattr(library.DataType, _DTYPES[tensor.dtype]),
            tuple(size if isinstance(size, int) else -1 for size in tensor.shape),
        )
        for tensor in expected
    }
    if read != stated:
        raise EngineBuildError(
            f"{what} has the tensors {_listed(read)}; the manifest says {_listed(stated)}; "
            "export the run again with: t2f export RUN -o BUNDLE"
        )


def _listed(tensors: Mapping[str, tuple[object, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {dtype} {shape}" for name, (dtype, shape) in tensors.items())


def _check_dimension_names(
    what: str, inputs: Sequence[ITensor], expected: Sequence[Tensor]
) -> None:
    """Refuses dimensions of other names than the manifest's, which decide their ranges."""
    for tensor, stated in zip(
        sorted(inputs, key=lambda tensor: tensor.name),
        sorted(expected, key=lambda tensor: tensor.name),
        strict=True,
    ):
        for index, size in enumerate(stated.shape):
            name = tensor.get_dimension_name(index) if isinstance(size, str) else size
            if name != size:
                raise EngineBuildError(
                    f"{what} calls dimension {index} of {stated.name} {name!r}; the manifest "
                    f"calls it {size!r}; export the run again with: t2f export RUN -o BUNDLE"
                )


def _add_profile(builder: IBuilder, config: IBuilderConfig, request: EngineRequest) -> None:
    profile = builder.create_optimization_profile()
    for name, shapes in request.profile.items():
        profile.set_shape(name, shapes.minimum, shapes.optimum, shapes.maximum)
    if config.add_optimization_profile(profile) < 0:
        raise EngineBuildError(f"{request.what} cannot be built for the shapes {request.profile}")


def _set_options(library: Library, config: IBuilderConfig, request: EngineRequest) -> None:
    options = request.options
    flags = library.BuilderFlag
    # Set unless it is taken back: float32 would be rounded to the 10 bits of float16, and so draw
    # no nearer to torch than that.
    config.clear_flag(flags.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(library.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    if options.builder_level is not None:
        config.builder_optimization_level = options.builder_level
    if options.is_version_compatible:
        config.set_flag(flags.VERSION_COMPATIBLE)
    if options.hardware_compatibility is not None:
        config.hardware_compatibility_level = _compatibility_level(library, options)
    if options.is_stripped:
        config.set_flag(flags.STRIP_PLAN)
        # Not REFIT: with it TensorRT 11.3 may drop a bias (its documentation, "Refitting an
        # Engine"), and the weights that come back are the very ones that were taken out.
        config.set_flag(flags.REFIT_IDENTICAL)


def _compatibility_level(library: Library, options: EngineOptions) -> object:
    if options.hardware_compatibility == "ampere_plus":
        return library.HardwareCompatibilityLevel.AMPERE_PLUS
    level = getattr(library.HardwareCompatibilityLevel, "SAME_COMPUTE_CAPABILITY", None)
    if level is None:
        raise EngineBuildError(
            f"TensorRT {library.__version__} has no hardware compatibility with GPUs of the same "
            "compute capability: give --hardware-compatible ampere_plus, or a newer TensorRT"
        )
    return cast("object", level)


def _set_target(library: Library, config: IBuilderConfig, request: EngineRequest) -> None:
    name = request.target.replace("sm_", "SM")
    capability = getattr(cast("RtxLibrary", library).ComputeCapability, name, None)
    if capability is None:
        raise EngineBuildError(
            f"TensorRT for RTX {library.__version__} does not know {request.target}: "
            "take the version that this T2F was tested with, 1.7.1"
        )
    rtx_config = cast("RtxBuilderConfig", config)
    rtx_config.num_compute_capabilities = 1
    if not rtx_config.set_compute_capability(capability, 0):
        raise EngineBuildError(
            f"TensorRT for RTX {library.__version__} refuses {request.target} for {request.what}"
        )


def _set_timing_cache(config: IBuilderConfig, kept: bytes) -> None:
    cache = config.create_timing_cache(kept)
    if cache is not None and config.set_timing_cache(cache, False):
        return
    empty = config.create_timing_cache(b"")  # another GPU's or version's is of no use
    if empty is not None:
        config.set_timing_cache(empty, False)
