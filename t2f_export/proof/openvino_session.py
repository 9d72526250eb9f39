"""OpenVINO on the CPU: a second reader of ONNX files, which shares no code with the first.

It only proves; kiosks draw with what `t2f_runtime.sessions` opens.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import NDArray

from t2f_runtime.errors import EngineError, MissingPackageError

ENGINE: Final = "openvino-cpu"


class OpenVinoSession:
    """A network in OpenVINO.

    Args:
        model: An ONNX file's bytes.
        threads: Threads that work on one run; None leaves it to OpenVINO.

    Raises:
        EngineError: OpenVINO cannot read or compile the network.
        MissingPackageError: OpenVINO is not installed.
    """

    def __init__(self, model: bytes, *, threads: int | None) -> None:
        try:
            import openvino  # noqa: PLC0415 (an extra of its own)
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "--openvino needs the package 'openvino'; install it with: "
                "pip install 't2f[verify]'"
            ) from error
        # Left alone, it computes in bfloat16 where the processor can, and rounds as no graph says.
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(model), "CPU", settings)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO {openvino.__version__} cannot load the network: {error}"
            ) from error
        self._request = compiled.create_infer_request()
        self._names = [output.any_name for output in compiled.outputs]
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`."""
        with self._lock:
            outputs = self._request.infer(dict(inputs))
            return {name: outputs[name].copy() for name in self._names}
