"""A stand-in for `tensorrt` and `tensorrt_rtx` that has a version's names and no others.

`tensorrt_names.json` says which public names a class has in which version. Whatever is read or set
that is not among them raises, so that a call which one version lacks fails a test. What the
stand-in does is what the real one was seen to do: it logs and returns None, and raises nothing.
"""

import enum
import hashlib
import json
from types import SimpleNamespace

from fake_cuda import FakeCuda
from fake_tensorrt_names import VERSIONS, Named, names_of
from fake_tensorrt_running import Engine, ExecutionContext, RuntimeCache, RuntimeConfig


def fake_library(version: str, *, steps: int = 3, on_step=None, cuda=None, **behaviour):
    """Makes a stand-in for a version of a library.

    Args:
        version: One of `VERSIONS`.
        steps: How many steps a build has.
        on_step: Called with each step, from within the build.
        cuda: The GPU that runs engines, a `FakeCuda`.
        behaviour: `fails`, what a build logs before it returns None; `lacks_memory`, whether
            contexts cannot be made; `fails_to_run`; `forbids_capture`, whether runs cannot be
            recorded; `machine`, what kept kernels have to be for; `layers`, what a profiler is
            told of a run, as names and milliseconds.
    """
    kinds = SimpleNamespace()
    for library_class in (
        "BuilderFlag",
        "CudaGraphStrategy",
        "DataType",
        "DynamicShapesKernelSpecializationStrategy",
        "HardwareCompatibilityLevel",
        "MemoryPoolType",
        "TensorIOMode",
    ):
        if library_class in names_of(version, "__module__"):
            setattr(kinds, library_class, _enumeration(version, library_class))
    kinds.NetworkDefinitionCreationFlag = enum.IntEnum(
        "NetworkDefinitionCreationFlag",
        {"STRONGLY_TYPED": 1} | ({"EXPLICIT_BATCH": 0} if version == "tensorrt 10.3" else {}),
    )
    if "ComputeCapability" in names_of(version, "__module__"):
        kinds.ComputeCapability = _enumeration(version, "ComputeCapability")
    defaults = dict.fromkeys(
        ("fails", "lacks_memory", "fails_to_run", "forbids_capture", "machine", "layers")
    )
    behaviour = SimpleNamespace(
        **{**defaults, **behaviour},
        steps=steps,
        on_step=on_step,
        kinds=kinds,
        cuda=cuda or FakeCuda(),
        contexts=[],
        compiled=[],
        error=_Logger.ERROR,
    )
    classes = {
        name: type(name, (base,), {"library_class": name, "version": version})
        for name, base in (
            ("Builder", _Builder),
            ("OnnxParser", _OnnxParser),
            ("Runtime", _Runtime),
            ("Refitter", _Refitter),
            ("OnnxParserRefitter", _OnnxParserRefitter),
            ("IBuilderConfig", _Config),
            ("INetworkDefinition", _Network),
            ("IOptimizationProfile", _Profile),
            ("ITensor", _Tensor),
            ("ITimingCache", _TimingCache),
            ("ICudaEngine", Engine),
            ("IExecutionContext", ExecutionContext),
            ("IRuntimeCache", RuntimeCache),
            ("IRuntimeConfig", RuntimeConfig),
            ("ParserError", _ParserError),
        )
    }
    behaviour.classes = classes
    for made in classes.values():
        made._behaviour = behaviour
    public = ("Builder", "OnnxParser", "Runtime", "Refitter", "OnnxParserRefitter")
    return SimpleNamespace(
        __version__=VERSIONS[version],
        ILogger=_Logger,
        IProfiler=_Profiler,
        IProgressMonitor=_Monitor,
        **vars(kinds),
        **{name: classes[name] for name in public},
    )


def _enumeration(version, library_class):
    return enum.Enum(library_class, sorted(names_of(version, library_class)))


class _Callbacks:
    """What the library calls back: pybind11 wants its constructor to have been called."""

    _is_made = False

    def __init__(self):
        self._is_made = True


class _Logger(_Callbacks):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class _Monitor(_Callbacks):
    pass


class _Profiler(_Callbacks):
    pass


def _check_made(callbacks):
    if not callbacks._is_made:
        raise TypeError(f"{type(callbacks).__name__}.__init__() must be called when overriding")


class _Tensor(Named):
    def __init__(self, library, info, *, is_input):
        import onnx  # noqa: PLC0415 (the runtime's tests build nothing, and do without)

        kinds = library.kinds.DataType
        types = onnx.TensorProto
        kind = info.type.tensor_type
        dims = kind.shape.dim
        self._names = [dim.dim_param or None for dim in dims] if is_input else [None] * len(dims)
        self.name = info.name
        self.dtype = {
            types.FLOAT: kinds.FLOAT,
            types.INT64: kinds.INT64,
            types.UINT8: kinds.UINT8,
        }[kind.elem_type]
        self.shape = [-1 if dim.dim_param else dim.dim_value for dim in dims]

    def get_dimension_name(self, index):
        return self._names[index]


class _Network(Named):
    def __init__(self, flags):
        self._is_strongly_typed = bool(flags & 2)
        self._inputs, self._outputs = [], []
        self._model = b""

    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def get_input(self, index):
        return self._inputs[index]

    def get_output(self, index):
        return self._outputs[index]


class _ParserError(Named):
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class _OnnxParser(Named):
    def __init__(self, network, logger):
        self._network, self._logger = network, logger
        self._errors = []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index):
        return self._errors[index]

    def parse(self, model):
        import onnx  # noqa: PLC0415 (as above)

        try:
            graph = onnx.load_from_string(model).graph
        except Exception as error:  # noqa: BLE001 (protobuf's own)
            self._errors.append(self._behaviour.classes["ParserError"](f"no ONNX: {error}"))
            return False
        make = self._behaviour.classes["ITensor"]
        self._network._model = model
        self._network._inputs = [make(self._behaviour, i, is_input=True) for i in graph.input]
        self._network._outputs = [make(self._behaviour, o, is_input=False) for o in graph.output]
        return True


class _Profile(Named):
    def __init__(self):
        self._shapes = {}

    def set_shape(self, name, *shapes):
        self._shapes[name] = shapes


class _TimingCache(Named):
    def __init__(self, content):
        self._content = content

    def serialize(self):
        return memoryview(self._content)


class _Config(Named):
    def __init__(self):
        self._profiles, self._pools = [], {}
        self._flags = ["TF32"]  # as the documentation of BuilderFlag says
        self._capabilities = {}
        self._cache = None
        for name, default in (
            ("progress_monitor", None),
            ("builder_optimization_level", 3),
            ("hardware_compatibility_level", None),
        ):
            setattr(self, name, default)
        if "num_compute_capabilities" in names_of(self.version, self.library_class):
            self.num_compute_capabilities = 0

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_memory_pool_limit(self, pool, size):
        self._pools[pool.name] = size

    def set_flag(self, flag):
        self._flags.append(flag.name)

    def clear_flag(self, flag):
        self._flags.remove(flag.name)

    def set_compute_capability(self, capability, index):
        self._capabilities[index] = capability.name
        return index < self.num_compute_capabilities

    def create_timing_cache(self, content):
        return self._behaviour.classes["ITimingCache"](bytes(content))

    def set_timing_cache(self, cache, ignore_mismatch):
        header = f"timed by {self.version}".encode()
        if cache._content and not cache._content.startswith(header):
            return False
        self._cache = self._behaviour.classes["ITimingCache"](cache._content or header)
        return True

    def get_timing_cache(self):
        return self._cache


class _Builder(Named):
    def __init__(self, logger):
        _check_made(logger)
        self._logger = logger

    def create_network(self, flags):
        return self._behaviour.classes["INetworkDefinition"](flags)

    def create_builder_config(self):
        return self._behaviour.classes["IBuilderConfig"]()

    def create_optimization_profile(self):
        return self._behaviour.classes["IOptimizationProfile"]()

    def build_serialized_network(self, network, config):
        problem = self._behaviour.fails or self._problem(network, config)
        if problem is None and not self._work(config):
            problem = "IBuilder::buildSerializedNetwork: Error Code 7: BuildCanceled"
        if problem is not None:
            self._logger.log(_Logger.ERROR, problem)
            return None
        if config._cache is not None:
            config._cache._content += b" and this one"
        level = config.hardware_compatibility_level
        plan = {
            "version": self.version,
            "flags": config._flags,
            "level": config.builder_optimization_level,
            "workspace": config._pools.get("WORKSPACE"),
            "compatible": None if level is None else level.name,
            "capabilities": config._capabilities,
            "shapes": config._profiles[0]._shapes,
            "source": hashlib.sha256(network._model).hexdigest(),
            "tensors": {
                tensor.name: {"mode": mode, "dtype": tensor.dtype.name, "shape": tensor.shape}
                for mode, tensors in (("INPUT", network._inputs), ("OUTPUT", network._outputs))
                for tensor in tensors
            },
        }
        return memoryview(json.dumps(plan).encode())

    def _problem(self, network, config):
        if not network._is_strongly_typed:
            return "the network is not strongly typed"
        if self.version.startswith("tensorrt_rtx") and not config._capabilities:
            return "no compute capability was set"
        for tensor in network._inputs:
            shapes = config._profiles[0]._shapes.get(tensor.name) if config._profiles else None
            if shapes is None:
                return f"Dynamic input tensor {tensor.name} is missing dimensions in profile 0."
        return None

    def _work(self, config):
        monitor = config.progress_monitor
        _check_made(monitor)
        monitor.phase_start("Building engine", None, 2)
        monitor.phase_start("Timing", "Building engine", self._behaviour.steps)
        goes_on = True
        for step in range(self._behaviour.steps):
            if self._behaviour.on_step is not None:
                self._behaviour.on_step(step)
            goes_on = monitor.step_complete("Timing", step)
            if not goes_on:
                break
        monitor.phase_finish("Timing")
        monitor.phase_finish("Building engine")
        return goes_on


class _Runtime(Named):
    def __init__(self, logger):
        self._logger = logger
        self.engine_host_code_allowed = False

    def deserialize_cuda_engine(self, content):
        plan = json.loads(content)
        if plan["version"] != self.version:
            self._logger.log(_Logger.ERROR, "the plan is of another version")
            return None
        if "VERSION_COMPATIBLE" in plan["flags"] and not self.engine_host_code_allowed:
            self._logger.log(_Logger.ERROR, "the plan has host code, which is not allowed")
            return None
        return self._behaviour.classes["ICudaEngine"](plan, self._logger)


class _Refitter(Named):
    def __init__(self, engine, logger):
        self._engine, self._logger = engine, logger
        self._missing = ["kernel", "bias"]

    def get_missing_weights(self):
        return self._missing

    def refit_cuda_engine(self):
        return not self._missing


class _OnnxParserRefitter(Named):
    def __init__(self, refitter, logger):
        self._refitter, self._logger = refitter, logger

    def refit_from_bytes(self, model):
        if hashlib.sha256(model).hexdigest() != self._refitter._engine._plan["source"]:
            self._logger.log(_Logger.ERROR, "the weights are of another network")
            return False
        if "STRIP_PLAN" not in self._refitter._engine._plan["flags"]:
            return False
        self._refitter._missing = []
        return True
