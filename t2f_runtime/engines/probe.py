"""Tries every engine on this machine: which work, and what repairs the others."""

import importlib.metadata
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from t2f_runtime.engines.cpu_engines import DEVICE, load_cpu_engine
from t2f_runtime.engines.host import Host, describe_device
from t2f_runtime.engines.libraries import MODULES
from t2f_runtime.engines.names import FLAVOURS, PROVIDERS, EngineName
from t2f_runtime.engines.onnx_gpu_engines import check_onnx_gpu
from t2f_runtime.engines.tensorrt_engines import open_host
from t2f_runtime.engines.unavailable import UnavailableEngineError
from t2f_runtime.errors import EngineError
from t2f_runtime.sessions import Session

_NETWORK: Final = bytes.fromhex(
    "08083a360a0c0a0178120179220452656c75120472656c755a0f0a0178120a0a08080112040a0208"
    "01620f0a0179120a0a08080112040a02080142040a001011"
)
"""An ONNX file: y = Relu(x), of one float32, in opset 17."""


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an engine works on this machine."""

    name: str
    """What `FaceGenerator.load` knows it by."""
    works: bool
    """Whether a network was run, or, of TensorRT, whether everything that running needs is here."""
    version: str | None
    """Version of its package; None where it is not installed."""
    device: str | None
    """What it runs on; None where it does not."""
    reason: str | None
    """Why it does not work; None where it does."""
    repair: str | None
    """What to do about it, as an instruction; None where it works."""


def probe_engine(name: EngineName, *, device: int = 0, host: Host | None = None) -> EngineState:
    """Tries one engine.

    Args:
        name: The engine.
        device: Which GPU, from 0; an engine on the CPU takes no notice.
        host: This machine; None asks it.
    """
    host = host or Host()
    try:
        version, place = _prober(name)(name, device, host)
    except UnavailableEngineError as error:
        reason, repair = error.reason, error.repair
    except EngineError as error:  # its own words end with the repair
        reason, _, repair = str(error).rpartition("; ")
    else:
        return EngineState(
            name=name, works=True, version=version, device=place, reason=None, repair=None
        )
    return EngineState(
        name=name,
        works=False,
        version=_installed_version(name),
        device=None,
        reason=reason,
        repair=repair,
    )


def _prober(name: EngineName) -> Callable[[EngineName, int, Host], tuple[str, str]]:
    if name in FLAVOURS:
        return _probe_tensorrt
    return _probe_onnx_gpu if name in PROVIDERS else _probe_cpu


def _probe_cpu(name: EngineName, _: int, host: Host) -> tuple[str, str]:
    version, open_model = load_cpu_engine(name, host)
    _draw(open_model(lambda: _NETWORK, 1))
    return version, DEVICE


def _probe_onnx_gpu(name: EngineName, index: int, host: Host) -> tuple[str, str]:
    device, onnxruntime = check_onnx_gpu(name, index, host)
    from t2f_runtime.sessions import onnx_gpu_session as on_gpu  # noqa: PLC0415 (an engine)

    options = {"device_id": str(index)}
    cuda = (on_gpu.CUDA, options)
    is_tensorrt = PROVIDERS[name] == on_gpu.TENSORRT
    providers = [(on_gpu.TENSORRT, options), cuda] if is_tensorrt else [cuda]
    _draw(on_gpu.OnnxGpuSession(_NETWORK, providers=providers, device=index))
    return str(onnxruntime.__version__), describe_device(device, index)


def _probe_tensorrt(name: EngineName, index: int, host: Host) -> tuple[str, str]:
    opened = open_host(FLAVOURS[name], index, host)
    return opened.library.__version__, describe_device(opened.device, index)


def _draw(session: Session) -> None:
    """Runs the network, and refuses another answer than the one there is.

    Raises:
        EngineError: It cannot be run, or answers otherwise.
    """
    answer = session.run({"x": np.array([3], dtype=np.float32)})["y"]
    if answer.shape != (1,) or answer[0] != 3:
        raise EngineError(f"it answers {answer} for 3; install it again")


def _installed_version(name: EngineName) -> str | None:
    """Version of the package that gives an engine its module; nothing is imported."""
    module = "openvino" if name == "openvino" else "onnxruntime"
    if name in FLAVOURS:
        module = MODULES[FLAVOURS[name]]
    packages = importlib.metadata.packages_distributions().get(module, [])
    return importlib.metadata.version(packages[0]) if packages else None
