"""ONNX Runtime on a GPU: its CUDA provider, or its TensorRT provider."""

import contextlib
import io
from collections.abc import Mapping
from typing import Any, Final, Literal

import onnxruntime
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest import BATCH, LENGTH, Graph, Precision
from t2f_runtime.errors import EngineError

Provider = Literal["CUDAExecutionProvider", "TensorrtExecutionProvider"]

CUDA: Final[Provider] = "CUDAExecutionProvider"
TENSORRT: Final[Provider] = "TensorrtExecutionProvider"

Providers = list[tuple[Provider, dict[str, str]]]
"""Providers and their options, best first."""

_LIKELY_TOKENS: Final = 32
_FATAL_ONLY: Final = 4


class OnnxGpuSession:
    """A network in ONNX Runtime on a GPU, and nowhere else.

    ONNX Runtime takes the CPU without an error where CUDA, cuDNN or TensorRT cannot be loaded
    (microsoft/onnxruntime, issues 17801 and 23372). Here that is an error, found in two ways: the
    providers of the session are those that were asked for, and no node is left to the CPU.

    Safe to run from many threads: each run binds memory of its own.

    Args:
        model: An ONNX file's bytes.
        providers: The providers and their options, best first.
        device: Which GPU, from 0.
        has_shape_nodes: Whether the network may compute shapes, which ONNX Runtime does on the CPU
            on purpose; the providers alone are compared then.

    Raises:
        EngineError: ONNX Runtime cannot load the network, or would run it elsewhere.
    """

    def __init__(
        self,
        model: bytes,
        *,
        providers: Providers,
        device: int,
        has_shape_nodes: bool = False,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # what is left to the CPU is copying
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = _FATAL_ONLY  # what fails is raised below
        if not has_shape_nodes:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        wanted = providers[0][0]
        missing = _load_libraries()
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=providers, enable_fallback=0
            )
        except Exception as error:  # its errors derive from Exception alone, and vary by version
            raise EngineError(_not_here(wanted, [str(error), *missing])) from error
        found = session.get_providers()
        if found[:1] != [wanted]:
            raise EngineError(_not_here(wanted, [f"it took {', '.join(found)}", *missing]))
        self._session = session
        self._names = [output.name for output in session.get_outputs()]
        self._place = ("cuda", device)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`."""
        return run_bound(self._session, self._names, self._place, inputs)


def run_bound(
    session: Any,  # noqa: ANN401 (ONNX Runtime carries no type information)
    names: list[str],
    place: tuple[str, int],
    inputs: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Runs a session with its inputs and outputs in a device's memory, each copied once.

    Args:
        session: An `onnxruntime.InferenceSession`.
        names: The outputs.
        place: The kind of device and its number: `("cuda", 0)`.
        inputs: Arrays by the inputs' names.

    Raises:
        EngineError: The network cannot be run so.
    """
    try:
        binding = session.io_binding()
        for name, array in inputs.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array, *place)
            binding.bind_ortvalue_input(name, value)
        for name in names:
            binding.bind_output(name, *place)
        session.run_with_iobinding(binding)
        outputs = [output.copy() for output in binding.copy_outputs_to_cpu()]
    except Exception as error:  # as above
        raise EngineError(f"ONNX Runtime cannot run the network: {error}") from error
    return dict(zip(names, outputs, strict=True))


def cuda_providers(device: int) -> Providers:
    """Gives the CUDA provider with its options.

    Source: ONNX Runtime's documentation, "CUDA Execution Provider", configuration options.

    Args:
        device: Which GPU, from 0.
    """
    options = {
        "device_id": str(device),
        # Grown by what is asked for, rather than doubled: one face needs the same every time.
        "arena_extend_strategy": "kSameAsRequested",
        # Timing every algorithm takes seconds, and may choose another one at each start, which
        # rounds otherwise: a seed would not draw the same bytes tomorrow.
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",  # it rounds a float32 to 10 bits
    }
    return [(CUDA, options)]


def tensorrt_providers(
    device: int, *, graph: Graph, precision: Precision, maximum_tokens: int, cache: str
) -> Providers:
    """Gives the TensorRT provider with its options, and the CUDA provider for what it leaves.

    Source: ONNX Runtime's documentation, "TensorRT Execution Provider", configuration options.

    Args:
        device: Which GPU, from 0.
        graph: The network, as the manifest describes it.
        precision: Its precision.
        maximum_tokens: The longest description, in tokens.
        cache: Folder for its engines and timings.
    """
    # One face a run, and any description: other shapes would build another engine.
    minimum, optimum, maximum = (
        ",".join(f"{tensor.name}:{_shape(tensor.shape, length)}" for tensor in graph.inputs)
        for length in (1, min(_LIKELY_TOKENS, maximum_tokens), maximum_tokens)
    )
    options = {
        "device_id": str(device),
        "trt_fp16_enable": str(int(precision == "float16")),
        "trt_int8_enable": str(int(precision == "int8")),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": cache,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": cache,
        "trt_profile_min_shapes": minimum,
        "trt_profile_opt_shapes": optimum,
        "trt_profile_max_shapes": maximum,
    }
    return [(TENSORRT, options), *cuda_providers(device)]


def _load_libraries() -> list[str]:
    """Loads CUDA and cuDNN from NVIDIA's packages on PyPI, which lie where no loader looks.

    Returns:
        What ONNX Runtime says of those that it did not find.
    """
    printed = io.StringIO()
    load = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if load is not None:
        with contextlib.redirect_stdout(printed):  # it prints, which no program's output wants
            load()
    lines = printed.getvalue().splitlines()
    return [line.partition(":")[0] for line in lines if line.startswith("Failed to load")]


def _shape(shape: tuple[int | str, ...], length: int) -> str:
    sizes = {BATCH: 1, LENGTH: length}
    return "x".join(str(sizes[size] if isinstance(size, str) else size) for size in shape)


def _not_here(provider: str, reasons: list[str]) -> str:
    needs = "CUDA and cuDNN" if provider == CUDA else "CUDA, cuDNN and TensorRT 10"
    told = " ".join("; ".join(reasons).split())
    return (
        f"ONNX Runtime {onnxruntime.__version__} does not run the network with {provider}: {told}; "
        f"it needs {needs} as it was built for: pip install 't2f[gpu]'"
    )
