"""Sessions: loaded networks, whatever engine runs them."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from t2f_runtime.telemetry import silence_onnx_runtime

# Here, since every module that imports ONNX Runtime is in this package or needs it.
silence_onnx_runtime()


class Session(Protocol):
    """One loaded network, whatever engine runs it; safe to run from many threads."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps the manifest's input names to arrays, its output names to fresh arrays."""
        ...
