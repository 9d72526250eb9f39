"""One side of `guard.py`, with the packages of the checkout that PYTHONPATH names.

    PYTHONPATH=CHECKOUT python benchmarks/guard_side.py BUNDLE --threads 2
    PYTHONPATH=CHECKOUT python benchmarks/guard_side.py BUNDLE --count 200

With `--count` it takes so many times the way of a face that is Python's alone, and ends: for tools
that count instructions. Only what every T2F has is used, since one side is an older one.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from drawing_side import answer_lines
from measuring import timed
from network_files import DESCRIPTION
from numpy.typing import NDArray

import t2f_runtime
from t2f_runtime import Bundle, FaceGenerator
from t2f_runtime.generator import open_tokenizer


class ReadySession:
    """A network that takes no time: it gives the same answer to everything."""

    def __init__(self, **outputs: NDArray[Any]) -> None:
        self._outputs = outputs

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As `Session.run`."""
        del inputs
        return dict(self._outputs)


def way_without_networks(bundle: Bundle) -> FaceGenerator:
    """All that Python does for a face: tokens, noise, latent, checks and copies."""
    manifest = bundle.manifest
    condition = np.zeros((1, manifest.condition_size), np.float32)
    side = manifest.image_size
    return FaceGenerator(
        manifest,
        tokenizer=open_tokenizer(bundle),
        text_encoder=ReadySession(condition_mean=condition, condition_log_variance=condition),
        generator=ReadySession(image=np.zeros((1, side, side, 3), np.uint8)),
    )


def main() -> None:
    """Serves one side, or takes the way and ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    way = way_without_networks(Bundle.open(options.bundle))
    if options.count is not None:
        for _ in range(options.count):
            way.generate(DESCRIPTION, seed=7)
        return
    generator = FaceGenerator.load(options.bundle, threads=options.threads)
    works: dict[str, Callable[[], object]] = {
        "face": lambda: generator.generate(DESCRIPTION, seed=7),
        "way": lambda: [way.generate(DESCRIPTION, seed=7) for _ in range(50)],
    }

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["what"] == "where":
            return {"where": str(t2f_runtime.__file__)}
        return timed(works[asked["what"]])

    answer_lines(answer)


if __name__ == "__main__":
    main()
