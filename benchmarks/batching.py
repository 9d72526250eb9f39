"""Why the runtime draws one face a run: what batches change, and what drawing alone costs.

    python benchmarks/batching.py BUNDLE [--batch 16] [--repeats 15]

Draws the same latents alone and in one batch with ONNX Runtime on the CPU, interleaved; reports how
many values differ and the milliseconds a face.
"""

import argparse
from importlib.metadata import version

import numpy as np
from measuring import interleave, ratios, spread, timed

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
    samples = interleave(
        {"alone": lambda: timed(alone), "together": lambda: timed(together)},
        rounds=arguments.repeats,
    )
    for name, found in samples.items():
        ms = spread([1e3 * sample["wall"] / arguments.batch for sample in found])
        print(
            f"{name:9} median {ms['median']:.2f} ms a face, {ms['least']:.2f} to "
            f"{ms['greatest']:.2f}"
        )
    share = ratios(samples["together"], samples["alone"])
    quartiles = f"{share['low']:.2f} to {share['high']:.2f}"
    print(f"together takes {share['median']:.2f} of alone, quartiles {quartiles}")


if __name__ == "__main__":
    main()
