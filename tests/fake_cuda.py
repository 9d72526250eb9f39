"""A stand-in for `cuda.bindings.runtime`: it answers as that does, and remembers what is held.

What is put into a stream is done when somebody waits for it and not before, and what is read or
written must lie in memory that was taken and not given back. Whatever CUDA would refuse, or would
let pass and spoil, is an error status here.
"""

# ruff: noqa: N802, N815 (the library's names)

import ctypes
import enum
import itertools
import threading
from types import SimpleNamespace


class Status(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorLaunchFailure = 719
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


OK = Status.cudaSuccess
INVALID = Status.cudaErrorInvalidValue


class Handle:
    """A stream, a graph or one that is ready to run; streams have a number."""

    def __init__(self, number):
        self.number = number
        self.work = []

    def __int__(self):
        return self.number


class FakeCuda:
    """The module, for one process.

    Args:
        devices: How many GPUs there are.
        errors: Statuses that calls answer, by their names.
        memory: Bytes that the GPU has.
        driver: The newest CUDA that the driver serves.
    """

    cudaStreamNonBlocking = 1
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down")
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")

    def __init__(self, *, devices=1, errors=None, memory=2**30, driver=13020):
        self.devices, self.errors, self.memory = devices, errors or {}, memory
        self.driver = driver
        self.numbers = itertools.count(1)
        self.on_gpu, self.pinned, self.streams = {}, {}, {}
        self.graphs, self.replays, self.calls = set(), 0, []
        self.marks, self.milliseconds = set(), itertools.count(0, 5)
        self.capturing = None
        self.is_broken = False
        self.most_bytes = 0
        self._here = threading.local()

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not name.startswith("cuda") or not callable(found):
            return found

        def call(*arguments):
            self.calls.append(name)
            status = self.errors.get(name, OK)
            if status is not OK:
                return (status, None)
            needs_device = not name.startswith(("cudaGet", "cudaDriverGet", "cudaSetDevice"))
            if needs_device and getattr(self._here, "device", None) is None:
                return (Status.cudaErrorInvalidDevice, None)
            return found(*arguments)

        return call

    def cudaGetErrorName(self, error):
        return (OK, error.name.encode())

    def cudaGetErrorString(self, error):
        return (OK, f"what {error.name} means".encode())

    def cudaGetDeviceCount(self):
        return (OK, self.devices)

    def cudaDriverGetVersion(self):
        return (OK, self.driver)

    def cudaGetDevice(self):
        return (OK, getattr(self._here, "device", None) or 0)

    def cudaSetDevice(self, device):
        if device >= self.devices:
            return (Status.cudaErrorInvalidDevice,)
        self._here.device = device
        return (OK,)

    def cudaStreamCreateWithFlags(self, flags):
        assert flags == self.cudaStreamNonBlocking
        stream = Handle(next(self.numbers))
        self.streams[stream.number] = stream
        return (OK, stream)

    def cudaStreamDestroy(self, stream):
        return (OK if self.streams.pop(stream.number, None) else INVALID,)

    def cudaStreamSynchronize(self, stream):
        work, stream.work = stream.work, []
        for step in work:
            if not step():
                self.is_broken = True
        return (Status.cudaErrorLaunchFailure if self.is_broken else OK,)

    def cudaMemGetInfo(self):
        return (OK, self.memory - sum(map(len, self.on_gpu.values())), self.memory)

    def cudaEventCreate(self):
        event = SimpleNamespace(when=None)
        self.marks.add(id(event))
        return (OK, event)

    def cudaEventRecord(self, event, stream):
        def date():
            event.when = next(self.milliseconds)
            return True

        if id(event) not in self.marks or self.capturing is stream:
            return (INVALID,)
        self.enqueue(stream.number, date)
        return (OK,)

    def cudaEventElapsedTime(self, start, end):
        return (OK, float(end.when - start.when))

    def cudaEventDestroy(self, event):
        self.marks.remove(id(event))
        return (OK,)

    def cudaMalloc(self, size):
        if sum(map(len, self.on_gpu.values())) + size > self.memory:
            return (Status.cudaErrorMemoryAllocation, None)
        address = next(self.numbers) << 32
        self.on_gpu[address] = bytearray(size)
        self.most_bytes = max(self.most_bytes, sum(map(len, self.on_gpu.values())))
        return (OK, address)

    def cudaFree(self, address):
        return (INVALID if self.on_gpu.pop(address, None) is None else OK,)

    def cudaHostAlloc(self, size, flags):
        buffer = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(buffer)
        self.pinned[address] = buffer
        return (OK, address)

    def cudaFreeHost(self, address):
        return (INVALID if self.pinned.pop(address, None) is None else OK,)

    def cudaMemcpyAsync(self, target, source, count, kind, stream):
        on_gpu, pinned = (target, source) if kind == "up" else (source, target)
        memory, buffer = self.on_gpu.get(on_gpu), self.pinned.get(pinned)
        if memory is None or buffer is None or count > min(len(memory), len(buffer)):
            return (INVALID,)

        def copy():
            if on_gpu not in self.on_gpu or pinned not in self.pinned:
                return False
            if kind == "up":
                memory[:count] = bytes(buffer)[:count]
            else:
                ctypes.memmove(pinned, bytes(memory[:count]), count)
            return True

        self.enqueue(stream.number, copy)
        return (OK,)

    def enqueue(self, stream, step):
        """Puts a step into a stream, or into the record that is being made of it."""
        self.streams[stream].work.append(step)

    def cudaStreamBeginCapture(self, stream, mode):
        assert mode == "thread"
        if stream.work:
            return (Status.cudaErrorStreamCaptureUnsupported,)
        self.capturing = stream
        return (OK,)

    def cudaStreamEndCapture(self, stream):
        if self.capturing is not stream:
            return (Status.cudaErrorStreamCaptureInvalidated, None)
        self.capturing = None
        graph = Handle(0)
        graph.work, stream.work = stream.work, []
        self.graphs.add(graph)
        return (OK, graph)

    def cudaGraphInstantiate(self, graph, flags):
        ready = Handle(0)
        ready.work = graph.work
        self.graphs.add(ready)
        return (OK, ready)

    def cudaGraphDestroy(self, graph):
        self.graphs.remove(graph)
        return (OK,)

    cudaGraphExecDestroy = cudaGraphDestroy

    def cudaGraphLaunch(self, ready, stream):
        if ready not in self.graphs:
            return (INVALID,)
        self.replays += 1
        stream.work += ready.work
        return (OK,)

    @property
    def held(self):
        """How much of everything has not been given back."""
        kinds = (self.on_gpu, self.pinned, self.streams, self.graphs | self.marks)
        return tuple(map(len, kinds))
