"""The engines that draw on the CPU: ONNX Runtime and OpenVINO."""

from collections.abc import Callable

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import PROCESSOR_GENERATOR, Graph, processor_generator
from t2f_runtime.bundle.manifest_fields import Network
from t2f_runtime.engines.host import Host
from t2f_runtime.engines.names import EngineName
from t2f_runtime.engines.prepared import EngineWish, Prepared, precisions
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.sessions import Session
from t2f_runtime.sessions.single_session import SingleSession

DEVICE = "cpu"


def prepare_cpu(name: EngineName, bundle: Bundle, wish: EngineWish, host: Host) -> Prepared:
    """Prepares an engine on the CPU.

    Args:
        name: `onnx-cpu` or `openvino`.
        bundle: The bundle.
        wish: What is wanted.
        host: This machine.

    Raises:
        UnavailableEngineError: Its package is missing.
    """
    version, open_model = load_cpu_engine(name, host)
    precision = precisions(name, bundle, wish)[0]

    def open_network(network: Network, graph: Graph) -> Session:
        is_generator = network == "generator"
        file = processor_generator(bundle.manifest, precision) if is_generator else graph.file
        session = open_model(lambda: bundle.read(file), wish.threads)
        # Wide networks have this form, and are quicker face by face; others are so in batches.
        return SingleSession(session) if file == PROCESSOR_GENERATOR else session

    return Prepared(
        engine=RunningEngine(name=name, version=version, device=DEVICE, precision=precision),
        precision=precision,
        open_network=open_network,
    )


def load_cpu_engine(
    name: EngineName, host: Host
) -> tuple[str, Callable[[Callable[[], bytes], int | None], Session]]:
    """Imports an engine on the CPU.

    Returns:
        Its version, and what opens an ONNX file, given what reads it and a number of threads.

    Raises:
        UnavailableEngineError: Its package is missing.
    """
    if name == "openvino":
        version = str(host.load_openvino().__version__)
        from t2f_runtime.sessions.openvino_session import OpenVinoSession  # noqa: PLC0415 (lazy)

        # Its versions have the commit behind them: 2026.4.1-12345-abc.
        return version.partition("-")[0], lambda read, threads: OpenVinoSession(
            read(), threads=threads
        )
    version = str(host.load_onnxruntime().__version__)
    from t2f_runtime.sessions.onnx_session import OnnxSession  # noqa: PLC0415 (lazy)

    return version, lambda read, threads: OnnxSession(read, threads=threads)
