"""Draws what an evaluation asks for with one precision of a bundle, to be measured beside the run.

    t2f evaluate RUN --ask asked.json
    python benchmarks/asked_pictures.py BUNDLE asked.json int8.npz --precision int8
    t2f evaluate RUN --beside int8.npz -o RUN/evaluation-int8

`quality.py --of LABEL BUNDLE RUN/evaluation-int8/evaluation.json int8` puts it on the chart.
"""

import argparse
import json
from pathlib import Path
from typing import cast, get_args

import numpy as np
from measuring import usable_cpus

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.manifest import Precision
from t2f_runtime.latent import draw_latent


def main() -> None:
    """Draws, and writes the pictures with what each of them shows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("asked", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--precision", choices=get_args(Precision), required=True)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    options = parser.parse_args()
    generator = FaceGenerator.load(
        options.bundle,
        engine="onnx-cpu",
        precision=cast("Precision", options.precision),
        threads=options.threads,
    )
    asked = json.loads(options.asked.read_text(encoding="utf-8"))
    descriptions, seeds, indices = (
        [one[name] for one in asked] for name in ("description", "seed", "index")
    )
    noise_size = generator.manifest.noise_size
    pictures = []
    for text, seed, index in zip(descriptions, seeds, indices, strict=True):
        condition = generator.condition(text or None)
        latent = draw_latent(*condition, seed=seed, index=index, noise_size=noise_size)
        pictures.append(generator.draw(latent[np.newaxis])[0])
    np.savez(
        options.out,
        name=np.array(options.precision),
        pictures=np.stack(pictures),
        descriptions=np.array(descriptions),
        seeds=np.array(seeds),
        indices=np.array(indices),
    )
    print(f"{options.out}: {len(pictures)} pictures")


if __name__ == "__main__":
    main()
