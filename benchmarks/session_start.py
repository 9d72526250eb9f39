"""What optimised files would save a kiosk: how long ONNX Runtime takes to load a bundle's networks.

    python benchmarks/session_start.py BUNDLE [--repeats 25]

Each network is loaded as the bundle has it, as ONNX that ONNX Runtime has optimised before, and in
its own format (`.ort`), optimised before as well; in turns, in processor time of one thread.
"""

import argparse
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import onnxruntime

from t2f_runtime.bundle.bundle import Bundle

PROVIDERS = ["CPUExecutionProvider"]
LEVELS = onnxruntime.GraphOptimizationLevel


def options(level: object, save_as: Path | None = None) -> onnxruntime.SessionOptions:
    """Options of a session that may save what it has optimised."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.log_severity_level = 3
    chosen.graph_optimization_level = level
    if save_as is not None:
        chosen.optimized_model_filepath = str(save_as)
        if save_as.suffix == ".ort":
            chosen.add_session_config_entry("session.save_model_format", "ORT")
    return chosen


def optimised(model: bytes, suffix: str) -> bytes:
    """What ONNX Runtime makes of a network before it runs it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"optimised{suffix}"
        onnxruntime.InferenceSession(model, options(LEVELS.ORT_ENABLE_ALL, path), PROVIDERS)
        return path.read_bytes()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--repeats", type=int, default=25)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    graphs = bundle.graphs("float32")
    print(
        f"{platform.machine()}, Python {platform.python_version()}, onnxruntime "
        f"{version('onnxruntime')}, {arguments.repeats} repeats, processor time"
    )
    for graph in filter(None, (graphs.text_encoder, graphs.generator)):
        model = bundle.read(graph.file)
        forms = {
            "as it is": (model, LEVELS.ORT_ENABLE_ALL),
            "optimised ONNX": (optimised(model, ".onnx"), LEVELS.ORT_DISABLE_ALL),
            "ORT format": (optimised(model, ".ort"), LEVELS.ORT_DISABLE_ALL),
        }
        seconds: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(arguments.repeats):
            for name, (content, level) in forms.items():
                start = time.process_time()
                onnxruntime.InferenceSession(content, options(level), PROVIDERS)
                seconds[name].append(time.process_time() - start)
        for name, values in seconds.items():
            print(
                f"{graph.file:18} {name:15} median {statistics.median(values) * 1000:5.1f} ms, "
                f"{min(values) * 1000:.1f} to {max(values) * 1000:.1f}; "
                f"{len(forms[name][0]):,} bytes"
            )


if __name__ == "__main__":
    main()
