"""An engine of TensorRT, or of TensorRT for RTX, with its memory on the GPU and no torch."""

import ctypes
import logging
import threading
import weakref
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final, SupportsInt, cast

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle.engine_index import Flavour, ShapeRange
from t2f_runtime.bundle.manifest import BATCH, Graph, Tensor
from t2f_runtime.engines.cuda import Cuda
from t2f_runtime.engines.kernel_cache import KeptKernels, KernelFile
from t2f_runtime.engines.plan import LoadedPlan
from t2f_runtime.engines.tensorrt_api import (
    IExecutionContext,
    RtxEngine,
    RtxRunningLibrary,
    RtxRuntimeConfig,
    RunningLibrary,
)
from t2f_runtime.errors import EngineError

_DTYPES: Final = {"float32": "FLOAT", "int64": "INT64", "uint8": "UINT8"}

_logger = logging.getLogger(__name__)


class TensorrtSession:
    """A network in TensorRT or in TensorRT for RTX.

    Safe to run from many threads, which take turns: an execution context may be used by one thread
    at a time, the GPU draws one face after another anyway, and a context for each thread would
    take its memory for each.

    Where only the batch can vary, which is one face, a run is recorded as a CUDA graph and played
    again: the processor then starts one thing in place of one for each layer. TensorRT for RTX
    records by itself, since it forbids others to (NVIDIA, "Working with RTX CUDA Graphs").

    Args:
        library: The library that the engine is of.
        plan: The engine.
        flavour: Which library that is.
        graph: The network, as the manifest describes it.
        profile: The shapes that the engine takes, by the input's name.
        cuda: The GPU.
        kernels: Where TensorRT for RTX keeps what it compiles; None keeps nothing.
        profiler: An `IProfiler` of the library, which is told what each layer takes. Runs are
            slower with one, and not recorded.

    Raises:
        EngineError: The engine is not of the network, or the GPU lacks the memory.
    """

    def __init__(
        self,
        library: RunningLibrary,
        plan: LoadedPlan,
        *,
        flavour: Flavour,
        graph: Graph,
        profile: Mapping[str, ShapeRange],
        cuda: Cuda,
        kernels: KernelFile | None = None,
        profiler: object | None = None,
    ) -> None:
        _check_tensors(library, plan, graph)
        self._is_fixed = all(
            size == BATCH or isinstance(size, int) for size in _sizes(graph.inputs)
        )
        self._may_record = self._is_fixed and profiler is None
        self._records = self._may_record and flavour == "tensorrt"
        # In this order, in which they end too: a context uses what comes after it.
        self._context: IExecutionContext | None = None
        self._config: RtxRuntimeConfig | None = None
        self._kernels: KeptKernels | None = None
        self._plan: LoadedPlan | None = plan
        self._messages = plan.messages
        self._drawn: set[tuple[tuple[int, ...], ...]] = set()
        with cuda.in_use():
            self._context = self._make_context(library, plan, flavour, kernels)
            if self._context is None:
                raise EngineError(f"the GPU has no memory to run it: {plan.messages.told()}")
            if profiler is not None:
                self._context.profiler = profiler
            self._memory = _Memory(cuda)
        self._graph = graph
        self._profile = profile
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._lock = threading.Lock()
        self._release = weakref.finalize(self, self._memory.release)
        # At the end of the process the driver takes everything back, and CUDA may be gone already.
        self._release.atexit = False

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`."""
        shapes = self._check_inputs(inputs)
        with self._lock:
            if self._context is None:
                raise EngineError("this session is closed; load the bundle again")
            self._messages.forget()
            with self._memory.cuda.in_use():
                if shapes != self._shapes:
                    self._set_shapes(self._context, shapes)
                for tensor in self._graph.inputs:
                    self._memory.tensors[tensor.name].host[...] = inputs[tensor.name]
                self._execute(self._context)
                self._keep_kernels()
            return {
                tensor.name: self._memory.tensors[tensor.name].host.copy()
                for tensor in self._graph.outputs
            }

    def time_runs(self) -> None:
        """Has the GPU time every run from now on, by CUDA's events; see `gpu_seconds`."""
        with self._lock, self._memory.cuda.in_use():
            self._memory.take_marks()

    @property
    def gpu_seconds(self) -> float | None:
        """What the last run took on the GPU, with its copies to and fro; None if nobody timed."""
        with self._lock:
            return self._memory.seconds

    def close(self) -> None:
        """Gives the GPU's memory back, that of the engine too; a second time does nothing."""
        with self._lock:
            self._context = self._config = self._kernels = self._plan = None
            self._release()

    def _make_context(
        self,
        library: RunningLibrary,
        plan: LoadedPlan,
        flavour: Flavour,
        kernels: KernelFile | None,
    ) -> IExecutionContext | None:
        if flavour == "tensorrt":
            return plan.engine.create_execution_context()
        rtx, engine = cast("RtxRunningLibrary", library), cast("RtxEngine", plan.engine)
        self._config = config = engine.create_runtime_config()
        graphs, choices = rtx.CudaGraphStrategy, rtx.DynamicShapesKernelSpecializationStrategy
        config.cuda_graph_strategy = (
            graphs.WHOLE_GRAPH_CAPTURE if self._may_record else graphs.DISABLED
        )
        # Left alone, it draws the first faces with general kernels and later ones with others, made
        # for the shape in the meantime, which round otherwise: a seed would not keep its face. The
        # kernels of one shape are made at once; those of every length would be made anew each time.
        config.dynamic_shapes_kernel_specialization_strategy = (
            choices.EAGER if self._is_fixed else choices.NONE
        )
        if kernels is not None:
            self._kernels = KeptKernels(config, kernels)
            plan.messages.forget()  # why it did not take what was kept
        return engine.create_execution_context(config)

    def _keep_kernels(self) -> None:
        """Keeps what a run made the library compile, at once: a kiosk's power may be cut.

        Where the length varies, one set of kernels serves all lengths; see `_make_context`.
        """
        if self._kernels is None:
            return
        shapes = tuple(self._shapes.values()) if self._is_fixed else ()
        if shapes not in self._drawn:
            self._drawn.add(shapes)
            self._kernels.keep()

    def _check_inputs(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
        """Refuses what the engine was not built for, before anything on the GPU is touched."""
        names = [tensor.name for tensor in self._graph.inputs]
        if set(inputs) != set(names):
            raise EngineError(f"the network takes {', '.join(names)}, not {', '.join(inputs)}")
        for tensor in self._graph.inputs:
            array, allowed = inputs[tensor.name], self._profile[tensor.name]
            is_allowed = len(array.shape) == len(allowed.minimum) and all(
                low <= size <= high
                for low, size, high in zip(
                    allowed.minimum, array.shape, allowed.maximum, strict=True
                )
            )
            if array.dtype != tensor.dtype or not is_allowed:
                raise EngineError(
                    f"{tensor.name} is {array.dtype} {array.shape}; the engine takes "
                    f"{tensor.dtype} from {allowed.minimum} to {allowed.maximum}"
                )
        return {name: inputs[name].shape for name in names}

    def _set_shapes(
        self, context: IExecutionContext, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        self._shapes = {}  # until all is set: what fails here is set again by the next run
        self._memory.drop_record()
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise self._failed(f"does not take {name} as {shape}")
        for tensor in (*self._graph.inputs, *self._graph.outputs):
            shape = tuple(context.get_tensor_shape(tensor.name))
            if any(size < 0 for size in shape):
                raise self._failed(f"does not tell the shape of {tensor.name}, but {shape}")
            address = self._memory.hold(tensor.name, shape, np.dtype(tensor.dtype))
            if not context.set_tensor_address(tensor.name, address):
                raise self._failed(f"does not take the memory of {tensor.name}")
        self._shapes = dict(shapes)

    def _execute(self, context: IExecutionContext) -> None:
        memory = self._memory
        try:
            if self._records and memory.was_run and memory.record is None:
                # The first run of a shape is never recorded: it still sets things up.
                self._record(context)
            memory.put_mark(0)
            if memory.record is not None:
                memory.cuda.replay(memory.record, memory.stream)
            else:
                self._enqueue(context)
            memory.put_mark(1)
        except EngineError:
            # Copies may be under way, to and from memory that the next run may give back.
            with suppress(EngineError):
                memory.cuda.wait(memory.stream)
            raise
        memory.cuda.wait(memory.stream)
        memory.read_marks()
        memory.was_run = True

    def _record(self, context: IExecutionContext) -> None:
        """Records a run, to be played; where it cannot be recorded, runs go without for good."""
        memory = self._memory
        try:
            memory.cuda.begin_record(memory.stream)
            self._enqueue(context)
            memory.record = memory.cuda.end_record(memory.stream)
        except EngineError as error:
            memory.cuda.drop_record(memory.stream)
            self._records = False
            _logger.warning("drawing without a CUDA graph, which is slower: %s", error)

    def _enqueue(self, context: IExecutionContext) -> None:
        memory = self._memory
        for tensor in self._graph.inputs:
            memory.upload(tensor.name)
        if not context.execute_async_v3(int(memory.stream)):
            raise self._failed("does not run")
        for tensor in self._graph.outputs:
            memory.download(tensor.name)

    def _failed(self, what: str) -> EngineError:
        return EngineError(f"the engine {what}: {self._messages.told()}")


@dataclass(slots=True)
class _TensorMemory:
    """Where one input or output lies."""

    address: int
    pinned: int
    capacity: int
    host: NDArray[Any]

    @property
    def size(self) -> int:
        return self.host.nbytes


@dataclass(slots=True)
class _Memory:
    """The stream and the memory of a session, apart from it so that they outlive it by a moment."""

    cuda: Cuda
    stream: SupportsInt = field(init=False)
    tensors: dict[str, _TensorMemory] = field(default_factory=dict)
    record: object | None = None
    was_run: bool = False
    marks: list[object] = field(default_factory=list)
    """Before a run and after it; none where nobody times it."""
    seconds: float | None = None

    def __post_init__(self) -> None:
        self.stream = self.cuda.open_stream()

    def hold(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """Gives a tensor at least the memory of a shape, and returns its address on the GPU.

        What it had is kept where it is enough, so that memory stays flat however descriptions
        vary in length.
        """
        size = int(np.prod(shape)) * dtype.itemsize
        held = self.tensors.get(name)
        if held is None or held.capacity < size:
            self._drop(name)
            held = self._take(size)
            self.tensors[name] = held
        # A view of the pinned memory, which lives until `_drop`; only copies of it are given away.
        data = (ctypes.c_uint8 * size).from_address(held.pinned)
        held.host = np.frombuffer(memoryview(data), dtype=dtype).reshape(shape)
        return held.address

    def upload(self, name: str) -> None:
        held = self.tensors[name]
        self.cuda.upload(held.address, held.pinned, held.size, self.stream)

    def download(self, name: str) -> None:
        held = self.tensors[name]
        self.cuda.download(held.pinned, held.address, held.size, self.stream)

    def take_marks(self) -> None:
        while len(self.marks) < 2:
            self.marks.append(self.cuda.make_mark())

    def put_mark(self, index: int) -> None:
        if self.marks:
            self.cuda.put_mark(self.marks[index], self.stream)

    def read_marks(self) -> None:
        if self.marks:
            self.seconds = self.cuda.seconds_between(*self.marks)

    def drop_record(self) -> None:
        record, self.record, self.was_run = self.record, None, False
        if record is not None:
            self.cuda.close_record(record)

    def release(self) -> None:
        """Gives everything back, in the reverse order of taking it, whatever of that fails."""
        with self.cuda.in_use(), ExitStack() as stack:
            stack.callback(self.cuda.close_stream, self.stream)
            while self.marks:
                stack.callback(self.cuda.close_mark, self.marks.pop())
            for name in list(self.tensors):
                stack.callback(self._drop, name)
            stack.callback(self.drop_record)

    def _take(self, size: int) -> _TensorMemory:
        address = self.cuda.allocate(size)
        try:
            pinned = self.cuda.pin(size)
        except EngineError:
            self.cuda.free(address)
            raise
        return _TensorMemory(address, pinned, size, np.empty(0))

    def _drop(self, name: str) -> None:
        held = self.tensors.pop(name, None)
        if held is not None:
            try:
                self.cuda.unpin(held.pinned)
            finally:
                self.cuda.free(held.address)


def _check_tensors(library: RunningLibrary, plan: LoadedPlan, graph: Graph) -> None:
    """Refuses an engine whose inputs and outputs are not those of the network."""
    engine, modes = plan.engine, library.TensorIOMode
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    found = {name: (engine.get_tensor_mode(name), engine.get_tensor_dtype(name)) for name in names}
    expected = {
        tensor.name: (mode, getattr(library.DataType, _DTYPES[tensor.dtype]))
        for mode, tensors in ((modes.INPUT, graph.inputs), (modes.OUTPUT, graph.outputs))
        for tensor in tensors
    }
    if found != expected:
        raise EngineError(
            f"it has the tensors {_listed(found)}; the network has {_listed(expected)}"
        )


def _listed(tensors: Mapping[str, tuple[object, object]]) -> str:
    return ", ".join(f"{name} {mode} {dtype}" for name, (mode, dtype) in tensors.items())


def _sizes(tensors: tuple[Tensor, ...]) -> list[int | str]:
    return [size for tensor in tensors for size in tensor.shape]
