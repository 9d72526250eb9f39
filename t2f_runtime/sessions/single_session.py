"""A network that is run for one face at a time, however many are asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.sessions import Session


class SingleSession:
    """Runs the rows of a batch one after the other, each as if it were alone.

    For wide networks on a processor: what they compute of several faces at once no cache holds. Of
    16 faces of 64 pixels by 256 channels, a batch takes 638 ms and 477 MiB in ONNX Runtime, and
    they take 363 ms and 177 MiB one by one (benchmarks/growth.py).

    Args:
        session: The network.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Maps input names to arrays, output names to fresh arrays; see `Session.run`."""
        rows = len(next(iter(inputs.values())))
        if rows == 1:
            return self._session.run(inputs)
        runs = [
            self._session.run({name: array[row : row + 1] for name, array in inputs.items()})
            for row in range(rows)
        ]
        return {name: np.concatenate([outputs[name] for outputs in runs]) for name in runs[0]}
