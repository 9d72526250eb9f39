"""The calls that are made of CUDA's runtime through `cuda-bindings`, each of them checked.

`cuda-bindings` raises nothing: every call returns a status first. It needs no CUDA toolkit, and is
far lighter than what else gives Python the memory of a GPU (torch, cupy). Source of the calls:
NVIDIA, CUDA Runtime API, sections 6.4 (streams), 6.5 (events), 6.9 (memory) and 6.30 (graphs).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, SupportsInt, cast

from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import EngineError

MODULE: Final = "cuda.bindings.runtime"
"""What is imported of `cuda-bindings`."""

_INSUFFICIENT_DRIVER: Final = 35


class CudaRuntime(Protocol):
    """The module `cuda.bindings.runtime`, of CUDA 12.6 to 13; calls return a status and values."""

    cudaStreamNonBlocking: int  # noqa: N815 (here and below: the library's names)
    cudaMemcpyKind: Any  # noqa: N815
    cudaStreamCaptureMode: Any  # noqa: N815

    def cudaGetErrorName(self, error: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Gives the name of a status."""
        ...

    def cudaGetErrorString(self, error: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Gives a sentence about a status."""
        ...

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:  # noqa: N802
        """Counts the GPUs."""
        ...

    def cudaDriverGetVersion(self) -> tuple[Any, ...]:  # noqa: N802
        """Tells the newest CUDA that the driver serves."""
        ...

    def cudaGetDevice(self) -> tuple[Any, ...]:  # noqa: N802
        """Tells the GPU of the calling thread."""
        ...

    def cudaSetDevice(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        """Chooses the GPU of the calling thread."""
        ...

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        """Makes a stream."""
        ...

    def cudaStreamDestroy(self, stream: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Ends a stream."""
        ...

    def cudaStreamSynchronize(self, stream: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Waits until everything in a stream is done."""
        ...

    def cudaEventCreate(self) -> tuple[Any, ...]:  # noqa: N802
        """Makes a mark that can be put into a stream."""
        ...

    def cudaEventRecord(self, event: Any, stream: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Puts a mark into a stream, which the GPU dates when it comes to it."""
        ...

    def cudaEventElapsedTime(self, start: Any, end: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Tells the milliseconds between two marks that the GPU has passed."""
        ...

    def cudaEventDestroy(self, event: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Ends a mark."""
        ...

    def cudaMemGetInfo(self) -> tuple[Any, ...]:  # noqa: N802
        """Gives the free and the whole memory of the calling thread's GPU, in bytes."""
        ...

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:  # noqa: N802
        """Takes memory of the GPU."""
        ...

    def cudaFree(self, devPtr: int) -> tuple[Any, ...]:  # noqa: N802, N803
        """Gives memory of the GPU back."""
        ...

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Any, ...]:  # noqa: N802
        """Takes memory of the host that the GPU can copy by itself, since it never moves."""
        ...

    def cudaFreeHost(self, ptr: int) -> tuple[Any, ...]:  # noqa: N802
        """Gives such memory back."""
        ...

    def cudaMemcpyAsync(  # noqa: N802
        self,
        dst: int,
        src: int,
        count: int,
        kind: Any,  # noqa: ANN401
        stream: Any,  # noqa: ANN401
    ) -> tuple[Any, ...]:
        """Puts a copy into a stream."""
        ...

    def cudaStreamBeginCapture(self, stream: Any, mode: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Records what is put into a stream, in place of doing it."""
        ...

    def cudaStreamEndCapture(self, stream: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Gives what was recorded."""
        ...

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Makes a record ready to be run."""
        ...

    def cudaGraphLaunch(self, graphExec: Any, stream: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802, N803
        """Puts a run of a record into a stream."""
        ...

    def cudaGraphDestroy(self, graph: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802
        """Ends a record."""
        ...

    def cudaGraphExecDestroy(self, graphExec: Any) -> tuple[Any, ...]:  # noqa: ANN401, N802, N803
        """Ends a record that was ready to be run."""
        ...


def import_cuda() -> CudaRuntime:
    """Imports `cuda-bindings`, which needs no driver for that.

    Raises:
        UnavailableEngineError: It is not installed, or cannot be imported.
    """
    try:
        from cuda.bindings import runtime  # noqa: PLC0415 (an extra)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError)
        reason = "is not installed" if is_missing else f"cannot be imported: {error}"
        raise UnavailableEngineError(
            f"the package 'cuda-bindings' {reason}",
            "install it with: pip install 'cuda-bindings>=12.6,<14', or on JetPack 6: "
            "pip install 'cuda-bindings>=12.6,<13'",
        ) from error
    return cast("CudaRuntime", runtime)


class Cuda:
    """One GPU, through `cuda-bindings`.

    Args:
        runtime: `cuda.bindings.runtime`.
        device: Which GPU, from 0.

    Raises:
        UnavailableEngineError: CUDA shows no such GPU.
    """

    def __init__(self, runtime: CudaRuntime, device: int) -> None:
        self._runtime = runtime
        self.device = device
        status, count = _split(runtime.cudaGetDeviceCount())
        if int(status) == _INSUFFICIENT_DRIVER:
            raise UnavailableEngineError(
                f"the NVIDIA driver is older than 'cuda-bindings': {self._describe(status)}",
                "upgrade the driver, or on CUDA 12: pip install 'cuda-bindings>=12.6,<13'",
            )
        if int(status) != 0:
            raise UnavailableEngineError(
                f"CUDA answers cudaGetDeviceCount with {self._describe(status)}",
                "look whether nvidia-smi shows the GPU, or on a Jetson tegrastats",
            )
        if device >= int(count):
            raise UnavailableEngineError(
                f"CUDA shows {count} GPUs, counted from 0: there is no {device}",
                "name another with device=, or look at CUDA_VISIBLE_DEVICES",
            )

    @property
    def driver_version(self) -> int:
        """The newest CUDA that the driver serves: 13020 for 13.2."""
        return int(self._call("cudaDriverGetVersion"))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Makes this the GPU of the calling thread, and gives the thread back the one it had.

        Every thread has to be told. The one it had may be another library's, or that of another
        session, in the middle of whose run this is called when a session is collected as garbage.
        """
        before = int(self._call("cudaGetDevice"))
        self.use()
        try:
            yield
        finally:
            if before != self.device:
                self._call("cudaSetDevice", before)

    def use(self) -> None:
        """Makes this the GPU of the calling thread, for good."""
        self._call("cudaSetDevice", self.device)

    def open_stream(self) -> SupportsInt:
        """Makes a stream that waits for no other.

        Returns:
            Its handle.
        """
        flags = self._runtime.cudaStreamNonBlocking
        return cast("SupportsInt", self._call("cudaStreamCreateWithFlags", flags))

    def close_stream(self, stream: SupportsInt) -> None:
        """Ends a stream."""
        self._call("cudaStreamDestroy", stream)

    def wait(self, stream: SupportsInt) -> None:
        """Waits until everything in a stream is done, or has failed."""
        self._call("cudaStreamSynchronize", stream)

    def make_mark(self) -> object:
        """Makes what `put_mark` puts into a stream."""
        return cast("object", self._call("cudaEventCreate"))

    def put_mark(self, mark: object, stream: SupportsInt) -> None:
        """Has the GPU date a mark when it has done all that was put into the stream before."""
        self._call("cudaEventRecord", mark, stream)

    def seconds_between(self, start: object, end: object) -> float:
        """Seconds between two marks of a stream that was waited for, by the GPU's clock."""
        return float(self._call("cudaEventElapsedTime", start, end)) / 1000

    def close_mark(self, mark: object) -> None:
        """Ends a mark."""
        self._call("cudaEventDestroy", mark)

    def free_bytes(self) -> int:
        """Memory of the GPU that nobody has taken, in bytes; other programs' counts too."""
        with self.in_use():
            return int(self._call("cudaMemGetInfo"))

    def allocate(self, size: int) -> int:
        """Takes memory of the GPU, in bytes; gives its address."""
        return int(self._call("cudaMalloc", size))

    def free(self, address: int) -> None:
        """Gives memory of the GPU back."""
        self._call("cudaFree", address)

    def pin(self, size: int) -> int:
        """Takes memory of the host that never moves, in bytes; gives its address."""
        return int(self._call("cudaHostAlloc", size, 0))

    def unpin(self, address: int) -> None:
        """Gives such memory back."""
        self._call("cudaFreeHost", address)

    def upload(self, target: int, source: int, size: int, stream: SupportsInt) -> None:
        """Puts a copy from the host to the GPU into a stream."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", target, source, size, kind, stream)

    def download(self, target: int, source: int, size: int, stream: SupportsInt) -> None:
        """Puts a copy from the GPU to the host into a stream."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", target, source, size, kind, stream)

    def begin_record(self, stream: SupportsInt) -> None:
        """Records what this thread puts into a stream, in place of doing it."""
        # Whatever other threads do, such as taking memory, would else end the record.
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)

    def end_record(self, stream: SupportsInt) -> object:
        """Gives what was recorded, ready to be replayed."""
        graph = self._call("cudaStreamEndCapture", stream)
        try:
            return self._call("cudaGraphInstantiate", graph, 0)
        finally:
            self._call("cudaGraphDestroy", graph)

    def drop_record(self, stream: SupportsInt) -> None:
        """Ends a record that failed; its status, which tells of that failure again, is ignored."""
        status, graph = _split(self._runtime.cudaStreamEndCapture(stream))
        if int(status) == 0 and graph is not None:
            self._call("cudaGraphDestroy", graph)

    def replay(self, record: object, stream: SupportsInt) -> None:
        """Puts a run of a record into a stream."""
        self._call("cudaGraphLaunch", record, stream)

    def close_record(self, record: object) -> None:
        """Ends a record."""
        self._call("cudaGraphExecDestroy", record)

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 (handles, numbers, None)
        status, value = _split(getattr(self._runtime, name)(*arguments))
        if int(status) != 0:
            raise EngineError(
                f"CUDA answers {name} on GPU {self.device} with {self._describe(status)}; "
                "if it does so again, start the program anew, and look into the system's log"
            )
        return value

    def _describe(self, status: object) -> str:
        _, name = _split(self._runtime.cudaGetErrorName(status))
        _, text = _split(self._runtime.cudaGetErrorString(status))
        return f"{_text(name)} ({_text(text)})"


def _split(answer: tuple[Any, ...]) -> tuple[Any, Any]:
    return answer[0], answer[1] if len(answer) > 1 else None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
