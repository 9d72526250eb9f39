"""The engines that are ONNX Runtime on a GPU: its CUDA provider and its TensorRT provider."""

import hashlib
import re
from types import ModuleType

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import Graph, Precision
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.engines.gpu import Device
from t2f_runtime.engines.host import Host, check_device, describe_device
from t2f_runtime.engines.names import PROVIDERS, EngineName
from t2f_runtime.engines.onnx_runtime import check_alone, check_provider
from t2f_runtime.engines.prepared import EngineWish, Prepared, precisions
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.errors import EngineError
from t2f_runtime.sessions import Session


def prepare_onnx_gpu(name: EngineName, bundle: Bundle, wish: EngineWish, host: Host) -> Prepared:
    """Prepares ONNX Runtime on a GPU.

    Args:
        name: One of `PROVIDERS`.
        bundle: The bundle.
        wish: What is wanted.
        host: This machine.

    Raises:
        EngineError: The cache of the TensorRT provider cannot be written.
        UnavailableEngineError: There is no GPU, or ONNX Runtime is missing or was built without
            the provider. That it does not work is known only once a network was loaded.
    """
    device, onnxruntime = check_onnx_gpu(name, wish.device, host)
    precision = precisions(name, bundle, wish)[0]
    text = bundle.manifest.text
    maximum_tokens = 1 if text is None else text.maximum_tokens

    def open_network(network: Network, graph: Graph) -> Session:
        from t2f_runtime.sessions import onnx_gpu_session as on_gpu  # noqa: PLC0415 (lazy)

        model = bundle.read(graph.file)
        is_tensorrt = PROVIDERS[name] == on_gpu.TENSORRT
        providers = (
            on_gpu.tensorrt_providers(
                wish.device,
                graph=graph,
                precision=precision,
                maximum_tokens=maximum_tokens,
                cache=_cache(host, model, precision, device),
            )
            if is_tensorrt
            else on_gpu.cuda_providers(wish.device)
        )
        return on_gpu.OnnxGpuSession(
            model,
            providers=providers,
            device=wish.device,
            # MiniLM's counts positions, which ONNX Runtime does on the CPU on purpose.
            has_shape_nodes=network == "text_encoder",
        )

    return Prepared(
        engine=RunningEngine(
            name=name,
            version=str(onnxruntime.__version__),
            device=describe_device(device, wish.device),
            precision=precision,
        ),
        precision=precision,
        open_network=open_network,
    )


def check_onnx_gpu(name: EngineName, index: int, host: Host) -> tuple[Device, ModuleType]:
    """Asks for a GPU, and for an ONNX Runtime that was built for it.

    Raises:
        UnavailableEngineError: Something is missing.
    """
    device = check_device(host, index)
    onnxruntime = host.load_onnxruntime()
    check_alone()
    check_provider(onnxruntime, PROVIDERS[name])
    return device, onnxruntime


def _cache(host: Host, model: bytes, precision: Precision, device: Device) -> str:
    """Makes the folder of what the TensorRT provider builds of a network for a GPU.

    Not in the bundle, which may be read-only, packed or signed, but in T2F's cache: what lies here
    is what this machine made for itself. The provider names its files by the versions of ONNX
    Runtime and TensorRT, but of the GPU by the compute capability alone, and what was timed on one
    GPU may be slow on another. Source: ONNX Runtime's documentation, "TensorRT Execution Provider",
    of trt_engine_cache_enable: hardware changes ask for another cache.
    """
    network = f"{hashlib.sha256(model).hexdigest()}-{precision}"
    name = "-".join(re.findall(r"[a-z0-9]+", device.name.lower()))
    gpu = f"{name}-{device.compute_capability}-{device.multiprocessors}"
    folder = host.cache_folder() / "onnx-tensorrt" / network / gpu
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"{folder}, where ONNX Runtime keeps what TensorRT builds, cannot be made: "
            f"{error.strerror or error}; name another folder in T2F_CACHE"
        ) from error
    return str(folder)
