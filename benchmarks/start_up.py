"""How long a kiosk waits: from the start of a process to its first face, and what it loads.

    python benchmarks/start_up.py BUNDLE [--repeats 15]

Starts fresh interpreters that load the bundle and draw one face, and one that only starts Python
and imports numpy, interleaved; reports the median and the spread of the wall time, the peak memory
of the process, and whether it imported torch or onnx.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

DRAW = """
import resource, sys
from t2f_runtime import FaceGenerator
face = FaceGenerator.load(sys.argv[1]).generate("a smiling woman with grey hair", seed=7)
heavy = sorted({"torch", "onnx"} & set(sys.modules))
print(face.shape[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, *heavy)
"""
BASELINE = "import numpy"


def timed(program: str, bundle: str) -> tuple[float, str]:
    """Wall time in seconds of a fresh interpreter, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, bundle], capture_output=True, check=True, text=True
    )
    return time.perf_counter() - start, done.stdout


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    timed(DRAW, arguments.bundle)  # the first start reads from a cold disk
    seconds: dict[str, list[float]] = {"first face": [], "python and numpy alone": []}
    output = ""
    for _ in range(arguments.repeats):
        elapsed, output = timed(DRAW, arguments.bundle)
        seconds["first face"].append(elapsed)
        seconds["python and numpy alone"].append(timed(BASELINE, arguments.bundle)[0])
    side, memory, *heavy = output.split()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numpy {version('numpy')}, "
        f"onnxruntime {version('onnxruntime')}, {side}x{side} pixels, "
        f"{arguments.repeats} repeats"
    )
    for name, values in seconds.items():
        print(
            f"{name:24} median {statistics.median(values) * 1000:5.0f} ms, "
            f"{min(values) * 1000:.0f} to {max(values) * 1000:.0f}"
        )
    print(f"{'peak memory':24} {memory} MiB")
    print(f"{'imports torch or onnx':24} {', '.join(heavy) or 'neither'}")


if __name__ == "__main__":
    main()
