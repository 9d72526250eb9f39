"""The half of the stand-in for TensorRT that runs engines, on a `FakeCuda`.

An engine computes `answer` of its inputs' bytes, in every output. A run reads and writes the memory
that was set as its tensors' addresses, when the stream gets to it.
"""

import json
import threading
import zlib

import numpy as np
from fake_tensorrt_names import Named

NUMPY = {"FLOAT": np.float32, "INT64": np.int64, "UINT8": np.uint8}


def answer(inputs, name, shape, dtype):
    """What a stand-in gives for an output: all of it follows from all bytes of the inputs."""
    seed = zlib.crc32(name.encode())
    for _, array in sorted(inputs.items()):
        seed = zlib.crc32(np.ascontiguousarray(array).tobytes(), seed)
    numbers = np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)
    return numbers.astype(dtype)


class Engine(Named):
    library_class = "ICudaEngine"

    def __init__(self, plan, logger):
        self._plan, self._logger = plan, logger
        self._config = None

    num_io_tensors = property(lambda self: len(self._plan["tensors"]))

    def get_tensor_name(self, index):
        return list(self._plan["tensors"])[index]

    def get_tensor_mode(self, name):
        return getattr(self._behaviour.kinds.TensorIOMode, self._plan["tensors"][name]["mode"])

    def get_tensor_dtype(self, name):
        return getattr(self._behaviour.kinds.DataType, self._plan["tensors"][name]["dtype"])

    def create_runtime_config(self):
        return self._behaviour.classes["IRuntimeConfig"](self._logger)

    def create_execution_context(self, runtime_config=None):
        if self._behaviour.lacks_memory:
            self._logger.log(self._behaviour.error, "OutOfMemory: no memory for a context")
            return None
        if runtime_config is not None and self.version != "tensorrt_rtx 1.7":
            raise TypeError("incompatible function arguments")
        context = self._behaviour.classes["IExecutionContext"](self, runtime_config)
        self._behaviour.contexts.append(context)
        return context


class RuntimeConfig(Named):
    library_class = "IRuntimeConfig"

    def __init__(self, logger):
        self._logger = logger
        self._cache = None
        self.cuda_graph_strategy = None
        self.dynamic_shapes_kernel_specialization_strategy = "LAZY"

    def create_runtime_cache(self):
        return self._behaviour.classes["IRuntimeCache"](self._logger)

    def set_runtime_cache(self, cache):
        self._cache = cache
        return True


class RuntimeCache(Named):
    """Kernels, and the machine that they are for; another machine's are refused."""

    library_class = "IRuntimeCache"

    def __init__(self, logger):
        self._logger = logger
        self._kernels = set()

    def serialize(self):
        content = {"machine": self._behaviour.machine, "kernels": sorted(self._kernels)}
        return memoryview(json.dumps(content).encode())

    def deserialize(self, blob):
        content = json.loads(blob)
        if content["machine"] != self._behaviour.machine:
            self._logger.log(self._behaviour.error, "the cache is of another environment")
            return False
        self._kernels |= set(content["kernels"])
        return True


class ExecutionContext(Named):
    library_class = "IExecutionContext"

    def __init__(self, engine, config):
        self._engine, self._config = engine, config
        self._shapes, self._addresses = {}, {}
        self._was_run = False
        self._user, self._clashes = None, 0
        self.profiler = None

    def _tensors(self, mode):
        return {n: t for n, t in self._engine._plan["tensors"].items() if t["mode"] == mode}

    def _enter(self):
        """Notes a thread that comes while another one's run is still going on."""
        here = threading.get_ident()
        if self._user not in {None, here}:
            self._clashes += 1
        self._user = here

    def set_input_shape(self, name, shape):
        self._enter()
        stated = self._tensors("INPUT")[name]["shape"]
        if len(shape) != len(stated) or any(
            known not in {-1, size} for known, size in zip(stated, shape, strict=True)
        ):
            self._engine._logger.log(self._behaviour.error, f"{name} cannot be {shape}")
            return False
        self._shapes[name] = tuple(shape)
        self._was_run = False
        self._user = None
        return True

    def get_tensor_shape(self, name):
        tensor = self._engine._plan["tensors"][name]
        if tensor["mode"] == "INPUT":
            return self._shapes.get(name, tuple(tensor["shape"]))
        batch = next(iter(self._shapes.values()), (-1,))[0]
        return tuple(batch if size == -1 else size for size in tensor["shape"])

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return memory in self._behaviour.cuda.on_gpu

    def execute_async_v3(self, stream_handle):
        self._enter()
        cuda = self._behaviour.cuda
        forbidden = cuda.capturing is not None and (
            not self._was_run
            or self.version == "tensorrt_rtx 1.7"
            or self._behaviour.forbids_capture
        )
        if self._behaviour.fails_to_run or forbidden:
            reason = "operation not permitted when stream is capturing" if forbidden else "no"
            self._engine._logger.log(self._behaviour.error, f"enqueueV3: {reason}")
            return False
        self._compile()
        cuda.enqueue(stream_handle, self._work(dict(self._shapes), dict(self._addresses)))
        if self.profiler is not None:
            for name, ms in self._behaviour.layers or ():
                self.profiler.report_layer_time(name, ms)
        self._was_run = True
        return True

    def _compile(self):
        """Makes the kernels of the shape that the cache does not have yet."""
        if self._config is None:
            return
        strategy = self._config.dynamic_shapes_kernel_specialization_strategy
        kernel = str(sorted(self._shapes.items())) if strategy.name == "EAGER" else "general"
        cache = self._config._cache
        if cache is None or kernel not in cache._kernels:
            self._behaviour.compiled.append(kernel)
        if cache is not None:
            cache._kernels.add(kernel)

    def _work(self, shapes, addresses):
        memory = self._behaviour.cuda.on_gpu
        outputs = {name: self.get_tensor_shape(name) for name in self._tensors("OUTPUT")}

        def work():
            inputs = {}
            for name, tensor in self._tensors("INPUT").items():
                dtype = NUMPY[tensor["dtype"]]
                data = memory.get(addresses[name])
                if data is None:
                    return False
                count = int(np.prod(shapes[name]))
                inputs[name] = np.frombuffer(bytes(data), dtype=dtype, count=count)
            for name, shape in outputs.items():
                dtype = NUMPY[self._engine._plan["tensors"][name]["dtype"]]
                given = answer(inputs, name, shape, dtype).tobytes()
                if addresses[name] not in memory:
                    return False
                memory[addresses[name]][: len(given)] = given
            self._user = None
            return True

        return work
