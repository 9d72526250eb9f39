"""What engines ask of this machine, in one place, so that tests can give another one."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec

from t2f_runtime.bundle.engine_index import Flavour
from t2f_runtime.cache_folder import cache_folder
from t2f_runtime.engines.cuda import CudaRuntime, import_cuda
from t2f_runtime.engines.gpu import Device, NoDevice, find_device
from t2f_runtime.engines.libraries import import_library
from t2f_runtime.engines.onnx_runtime import import_onnxruntime
from t2f_runtime.engines.openvino_package import import_openvino
from t2f_runtime.engines.tensorrt_api import RunningLibrary
from t2f_runtime.engines.unavailable import UnavailableEngineError


class Host(msgspec.Struct, frozen=True):
    """What this machine has; the defaults ask it."""

    find_device: Callable[[int], Device | NoDevice] = find_device
    """Finds a GPU by its number."""
    load_library: Callable[[Flavour], RunningLibrary] = import_library
    """Imports TensorRT, or TensorRT for RTX."""
    load_cuda: Callable[[], CudaRuntime] = import_cuda
    """Imports `cuda-bindings`."""
    load_onnxruntime: Callable[[], ModuleType] = import_onnxruntime
    """Imports ONNX Runtime."""
    load_openvino: Callable[[], ModuleType] = import_openvino
    """Imports OpenVINO."""
    cache_folder: Callable[[], Path] = cache_folder
    """Where T2F keeps what it can make again."""


def check_device(host: Host, index: int) -> Device:
    """Gives a GPU of this machine; to be asked before any library of NVIDIA's is touched.

    Raises:
        UnavailableEngineError: There is no such GPU for this process.
    """
    device = host.find_device(index)
    if isinstance(device, NoDevice):
        raise UnavailableEngineError(
            device.reason,
            "draw with the engine onnx-cpu, or give this machine an NVIDIA GPU and its driver "
            "(a container: --gpus all)",
        )
    return device


def describe_device(device: Device, index: int) -> str:
    """Says which GPU: `cuda:0 NVIDIA GeForce RTX 3060 (sm_86)`."""
    return f"cuda:{index} {device.name} ({device.compute_capability})"
