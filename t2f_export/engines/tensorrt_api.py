"""The calls that are made of TensorRT to build an engine; no type stubs exist for them.

Everything here is in TensorRT 10.3, in 11.4 and in TensorRT for RTX 1.7 alike, but for what
`RtxBuilderConfig` and `RtxLibrary` add.
"""

from collections.abc import Iterable
from typing import Protocol, SupportsInt

from t2f_runtime.engines.tensorrt_api import RunningLibrary


class ITensor(Protocol):
    """An input or output of a network."""

    @property
    def name(self) -> str:
        """As in the ONNX file."""
        ...

    @property
    def dtype(self) -> object:
        """One of `DataType`."""
        ...

    @property
    def shape(self) -> Iterable[int]:
        """Sizes; -1 where the caller decides."""
        ...

    def get_dimension_name(self, index: int) -> str | None:
        """Name of a dimension of an input, as in the ONNX file; None where it has none."""
        ...


class INetworkDefinition(Protocol):
    """A network that was read and is not yet built."""

    @property
    def num_inputs(self) -> int:
        """How many inputs it has."""
        ...

    @property
    def num_outputs(self) -> int:
        """How many outputs it has."""
        ...

    def get_input(self, index: int) -> ITensor:
        """Gives an input."""
        ...

    def get_output(self, index: int) -> ITensor:
        """Gives an output."""
        ...


class IOptimizationProfile(Protocol):
    """The shapes that an engine is to take."""

    def set_shape(
        self,
        name: str,
        minimum: tuple[int, ...],
        optimum: tuple[int, ...],
        maximum: tuple[int, ...],
        /,
    ) -> None:
        """Sets the range of one input."""
        ...


class ITimingCache(Protocol):
    """What the builder has measured on this GPU."""

    def serialize(self) -> memoryview:
        """Gives a buffer to keep."""
        ...


class IBuilderConfig(Protocol):
    """How an engine is built."""

    progress_monitor: object
    builder_optimization_level: int
    hardware_compatibility_level: object

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Adds a profile; its index, or -1 where it is not valid."""
        ...

    def set_memory_pool_limit(self, pool: object, pool_size: int) -> None:
        """Limits a kind of memory, in bytes."""
        ...

    def set_flag(self, flag: object) -> None:
        """Sets a `BuilderFlag`."""
        ...

    def clear_flag(self, flag: object) -> None:
        """Takes a `BuilderFlag` back."""
        ...

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        """Reads a timing cache, or makes an empty one of no bytes."""
        ...

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Uses a timing cache; False where another GPU or version made it."""
        ...

    def get_timing_cache(self) -> ITimingCache | None:
        """Gives the cache in use, with all that was measured since."""
        ...


class RtxBuilderConfig(IBuilderConfig, Protocol):
    """What TensorRT for RTX adds: GPUs that need not be there."""

    num_compute_capabilities: int

    def set_compute_capability(self, compute_capability: object, index: int) -> bool:
        """Names one of the GPUs to build for."""
        ...


class IBuilder(Protocol):
    """Makes engines."""

    def create_network(self, flags: int) -> INetworkDefinition:
        """Makes an empty network."""
        ...

    def create_builder_config(self) -> IBuilderConfig:
        """Makes a configuration of defaults."""
        ...

    def create_optimization_profile(self) -> IOptimizationProfile:
        """Makes an empty profile."""
        ...

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> memoryview | None:
        """Builds an engine, as a buffer; None where it failed, with the reason in the log."""
        ...


class IParserError(Protocol):
    """What the parser did not understand."""

    def desc(self) -> str:
        """Says what it is."""
        ...


class IOnnxParser(Protocol):
    """Reads ONNX into a network."""

    @property
    def num_errors(self) -> int:
        """How many errors there were."""
        ...

    def parse(self, model: bytes) -> bool:
        """Reads an ONNX file's bytes."""
        ...

    def get_error(self, index: int) -> IParserError:
        """Gives an error."""
        ...


class BuilderFlags(Protocol):
    """Switches of `IBuilderConfig.set_flag`."""

    REFIT_IDENTICAL: object
    STRIP_PLAN: object
    TF32: object
    VERSION_COMPATIBLE: object


class HardwareCompatibilityLevels(Protocol):
    """Levels of `IBuilderConfig.hardware_compatibility_level`; 10.3 has no other."""

    AMPERE_PLUS: object


class MemoryPoolTypes(Protocol):
    """Kinds of memory."""

    WORKSPACE: object


class NetworkDefinitionCreationFlags(Protocol):
    """Bits of `Builder.create_network`."""

    STRONGLY_TYPED: SupportsInt


class Library(RunningLibrary, Protocol):
    """The module `tensorrt`, or `tensorrt_rtx`."""

    BuilderFlag: BuilderFlags
    HardwareCompatibilityLevel: HardwareCompatibilityLevels
    MemoryPoolType: MemoryPoolTypes
    NetworkDefinitionCreationFlag: NetworkDefinitionCreationFlags
    IProgressMonitor: object
    """The base of what is told of progress."""

    def Builder(self, logger: object) -> IBuilder:  # noqa: N802 (the library's name)
        """Makes a builder."""
        ...

    def OnnxParser(  # noqa: N802
        self, network: INetworkDefinition, logger: object
    ) -> IOnnxParser:
        """Makes a parser that reads into a network."""
        ...


class RtxLibrary(Library, Protocol):
    """What the module `tensorrt_rtx` adds."""

    ComputeCapability: object
    """The GPUs to build for; each is an attribute, such as `SM86`."""
