"""Where the generator's time goes: what ONNX Runtime's profiler saw, by layer and kind of work."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from graph_costs import layer_of
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest import IMAGE, LATENT

KINDS = ("product", "tiles", "norm", "moving", "other")
"""What nodes do; `tiles` are the products that map tiles of pixels and of results."""

_ENDINGS = {
    "_pixels_mapped": "tiles",
    "_results_mapped": "tiles",
    "_mean": "norm",
    "_square": "norm",
    "_offset": "norm",
    "_root": "norm",
    "_normed": "norm",
    "_parts": "moving",
}
_MOVING = {"Concat", "DepthToSpace", "Transpose", "Gather", "Pad"}


def kind_of(name: str, operator: str) -> str:
    """What a node of the profile does: one of `KINDS`.

    Args:
        name: As ONNX Runtime's profile has it, with whatever ending it was given.
        operator: Its operator.
    """
    if operator.startswith("Reorder") or operator in _MOVING:
        return "moving"
    plain = name.partition("/")[0].removesuffix("_nchwc")  # what it fuses ends with a path
    for ending, kind in _ENDINGS.items():
        if plain.endswith(ending):
            return kind
    return "product" if operator in {"Conv", "FusedConv", "Gemm", "MatMul"} else "other"


def layer_times(events: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Microseconds of each layer of one run, by kind.

    Nodes that ONNX Runtime adds, which reorder values in memory, have no name that tells their
    layer; they count as the layer whose node ran before them.

    Args:
        events: The kernels of one run, as its profiler writes them, in the order of their start.
    """
    times: dict[str, dict[str, float]] = {}
    layer = "dense"
    for event in sorted(events, key=lambda one: one["ts"]):
        name = event["name"].removesuffix("_kernel_time")
        layer = layer_of(name) or layer
        kind = kind_of(name, event["args"].get("op_name", ""))
        kinds = times.setdefault(layer, dict.fromkeys(KINDS, 0.0))
        kinds[kind] += event["dur"]
    return times


class ProfiledSession:
    """The network as `OnnxSession` runs it, under ONNX Runtime's profiler."""

    def __init__(self, model: bytes, threads: int, folder: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def run(self, latents: NDArray[np.float32]) -> None:
        """Draws; the profiler notes it."""
        self._session.run([IMAGE], {LATENT: latents})

    def runs(self) -> list[list[dict[str, Any]]]:
        """The kernels of each run so far; the profiler stops."""
        path = Path(self._session.end_profiling())
        events = json.loads(path.read_text(encoding="utf-8"))
        starts = [(e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == "model_run"]
        kernels = [e for e in events if e["name"].endswith("_kernel_time")]
        return [[k for k in kernels if start <= k["ts"] <= end] for start, end in sorted(starts)]
