"""OpenVINO on the CPU: another reader of ONNX files, which shares no code with ONNX Runtime."""

import threading
from collections.abc import Mapping
from typing import Any

import openvino
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest import TOKENS
from t2f_runtime.errors import EngineError
from t2f_runtime.processors import usable_cpus


class OpenVinoSession:
    """A network in OpenVINO, on the CPU.

    Safe to run from many threads, which take turns: a request has one set of buffers, and its
    threads already share one face.

    Args:
        model: An ONNX file's bytes.
        threads: Threads that work on one run; None takes the CPUs this process may use.

    Raises:
        EngineError: OpenVINO cannot read or compile the network.
    """

    def __init__(self, model: bytes, *, threads: int | None) -> None:
        settings: dict[str, Any] = {
            # Left alone, it computes in bfloat16 where the processor can, and rounds as no graph
            # says.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads or usable_cpus(),
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(model), "CPU", settings)
            self._request = compiled.create_infer_request()
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO {openvino.__version__} cannot load the network: {error}; "
                "export the run again, or upgrade with: pip install -U openvino"
            ) from error
        self._names = [output.any_name for output in compiled.outputs]
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`.

        Raises:
            EngineError: The network cannot be run so, or there are several descriptions: the
                shorter ones are padded, and OpenVINO 2026.4 lets an LSTM read padding as words,
                whatever lengths it is given.
        """
        if len(inputs.get(TOKENS, ())) > 1:
            raise EngineError(
                "OpenVINO reads the padding of descriptions as words; give it one at a time"
            )
        with self._lock:
            try:
                outputs = self._request.infer(dict(inputs))
            except RuntimeError as error:
                raise EngineError(f"OpenVINO cannot run the network: {error}") from error
            return {name: outputs[name].copy() for name in self._names}
