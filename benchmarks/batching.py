"""Why the runtime draws one face a run: what batches change, and what drawing alone costs.

    python benchmarks/batching.py BUNDLE [--batch 16] [--repeats 15]

Draws the same latents alone and in one batch with ONNX Runtime on the CPU, interleaved; reports how
many values differ and the milliseconds a face.
"""

import argparse
import statistics
import time
from importlib.metadata import version

import numpy as np

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import IMAGE, LATENT, processor_generator
from t2f_runtime.latent import draw_noise, on_hypersphere
from t2f_runtime.sessions.onnx_session import OnnxSession


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    form = processor_generator(bundle.manifest, "float32")
    session = OnnxSession(bundle.read(form), threads=None)
    size = bundle.manifest.latent_size
    noise = np.stack([draw_noise(0, index, size) for index in range(arguments.batch)])
    latents = on_hypersphere(noise)

    def alone() -> np.ndarray:
        return np.concatenate([session.run({LATENT: row[None]})[IMAGE] for row in latents])

    def together() -> np.ndarray:
        return session.run({LATENT: latents})[IMAGE]

    difference = np.abs(alone().astype(int) - together())
    print(
        f"onnxruntime {version('onnxruntime')}, {bundle.manifest.image_size} pixels, batch of "
        f"{arguments.batch}: {np.count_nonzero(difference)} of {difference.size} values differ, "
        f"by {difference.max()} of 255 levels at most"
    )
    seconds: dict[str, list[float]] = {"alone": [], "together": []}
    for _ in range(arguments.repeats):
        for name, draw in (("alone", alone), ("together", together)):
            start = time.perf_counter()
            draw()
            seconds[name].append((time.perf_counter() - start) / arguments.batch)
    for name, values in seconds.items():
        print(
            f"{name:9} median {statistics.median(values) * 1000:.2f} ms a face, "
            f"{min(values) * 1000:.2f} to {max(values) * 1000:.2f}"
        )


if __name__ == "__main__":
    main()
