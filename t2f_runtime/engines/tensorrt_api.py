"""The calls that are made of TensorRT to run an engine; no type stubs exist for them.

Everything here is in TensorRT 10.3, in 11.4 and in TensorRT for RTX 1.7 alike, but for what the
names that begin with `Rtx` add.
"""

from collections.abc import Iterable
from typing import Protocol


class IExecutionContext(Protocol):
    """An engine with the memory that one run at a time needs."""

    profiler: object
    """Is told what each layer took, when a run has ended; runs wait for that."""

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Sets the shape of an input; False where the engine does not take it."""
        ...

    def get_tensor_shape(self, name: str) -> Iterable[int]:
        """Gives a shape, which for an output follows from the inputs'; -1 where it does not."""
        ...

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Sets where an input or an output lies in the GPU's memory."""
        ...

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Puts a run into a stream."""
        ...


class ICudaEngine(Protocol):
    """A loaded engine."""

    @property
    def num_io_tensors(self) -> int:
        """How many inputs and outputs it has."""
        ...

    def get_tensor_name(self, index: int) -> str:
        """Gives the name of one."""
        ...

    def get_tensor_dtype(self, name: str) -> object:
        """Gives its type, one of `DataType`."""
        ...

    def get_tensor_mode(self, name: str) -> object:
        """Says whether it is an input or an output, as one of `TensorIOMode`."""
        ...

    def create_execution_context(self) -> IExecutionContext | None:
        """Makes a context; None where the GPU lacks the memory."""
        ...


class IRuntime(Protocol):
    """Loads engines."""

    engine_host_code_allowed: bool

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        """Loads an engine; None where it cannot."""
        ...


class IRefitter(Protocol):
    """Gives an engine its weights."""

    def get_missing_weights(self) -> list[str]:
        """Names of the weights that it still lacks."""
        ...

    def refit_cuda_engine(self) -> bool:
        """Hands the weights over."""
        ...


class IParserRefitter(Protocol):
    """Takes weights from an ONNX file."""

    def refit_from_bytes(self, model: bytes) -> bool:
        """Reads an ONNX file's bytes."""
        ...


class DataTypes(Protocol):
    """Types of tensors."""

    FLOAT: object
    INT64: object
    UINT8: object


class TensorIOModes(Protocol):
    """What a tensor is to an engine."""

    INPUT: object
    OUTPUT: object


class Severities(Protocol):
    """Severities of messages."""

    INTERNAL_ERROR: object
    ERROR: object
    WARNING: object


class RunningLibrary(Protocol):
    """The module `tensorrt`, or `tensorrt_rtx`, as far as running goes."""

    __version__: str
    DataType: DataTypes
    TensorIOMode: TensorIOModes
    ILogger: Severities
    """Also the base of what receives messages."""

    def Runtime(self, logger: object) -> IRuntime:  # noqa: N802 (the library's name)
        """Makes a loader of engines; only where CUDA has a GPU, or the process may die."""
        ...

    def Refitter(self, engine: ICudaEngine, logger: object) -> IRefitter:  # noqa: N802
        """Makes a refitter of an engine."""
        ...

    def OnnxParserRefitter(self, refitter: IRefitter, logger: object) -> IParserRefitter:  # noqa: N802
        """Makes a reader of weights for a refitter."""
        ...


class RtxRuntimeCache(Protocol):
    """The kernels that TensorRT for RTX compiled."""

    def serialize(self) -> memoryview | None:
        """Gives them as a buffer; None where it cannot."""
        ...

    def deserialize(self, blob: bytes) -> bool:
        """Takes such bytes; False, and nothing changes, where they are not for this machine."""
        ...


class RtxRuntimeConfig(Protocol):
    """How TensorRT for RTX runs an engine, whose kernels it makes on the GPU that is here."""

    cuda_graph_strategy: object
    dynamic_shapes_kernel_specialization_strategy: object

    def create_runtime_cache(self) -> RtxRuntimeCache:
        """Makes an empty cache of kernels."""
        ...

    def set_runtime_cache(self, cache: RtxRuntimeCache) -> bool:
        """Has kernels taken from a cache, and new ones added to it."""
        ...


class RtxEngine(ICudaEngine, Protocol):
    """What TensorRT for RTX adds to an engine."""

    def create_runtime_config(self) -> RtxRuntimeConfig:
        """Makes a configuration of defaults."""
        ...

    def create_execution_context(  # type: ignore[override]  # TensorRT 10.3 knows no configuration
        self, runtime_config: RtxRuntimeConfig
    ) -> IExecutionContext | None:
        """Makes a context that runs as configured."""
        ...


class RtxCudaGraphStrategies(Protocol):
    """Whether runs are recorded as CUDA graphs."""

    WHOLE_GRAPH_CAPTURE: object
    DISABLED: object


class RtxSpecializations(Protocol):
    """Whether kernels are made for each shape; the default makes them while it already runs."""

    EAGER: object
    NONE: object


class RtxRunningLibrary(RunningLibrary, Protocol):
    """What the module `tensorrt_rtx` adds."""

    CudaGraphStrategy: RtxCudaGraphStrategies
    DynamicShapesKernelSpecializationStrategy: RtxSpecializations
