"""One point of `growth.py` in a process of its own: a network that draws, or one that trains.

python benchmarks/growth_side.py draw NETWORK --threads 2
python benchmarks/growth_side.py train --resolution 64 --width 64 --threads 2
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from drawing_side import answer_lines, peak_mib, resident_mib
from measuring import timed
from network_files import BUNDLE
from numpy.typing import NDArray

Answer = Callable[[dict[str, Any]], dict[str, float]]


def drawing(folder: Path, threads: int) -> Answer:
    """Draws `batch` faces of a description of `tokens` tokens, one by one or as one batch."""
    import onnxruntime  # noqa: F401, PLC0415 (its own memory is not the network's)
    from peer_sides import TimedSession, onnx_runtime  # noqa: PLC0415 (not to train)

    from t2f_runtime.bundle import manifest  # noqa: PLC0415
    from t2f_runtime.bundle.bundle import Bundle  # noqa: PLC0415
    from t2f_runtime.bundle.tokenizer import open_tokenizer  # noqa: PLC0415
    from t2f_runtime.generator import FaceGenerator  # noqa: PLC0415
    from t2f_runtime.latent import draw_latent  # noqa: PLC0415

    before = resident_mib()
    bundle = Bundle.open(folder / BUNDLE)
    tokenizer = open_tokenizer(bundle)
    encoder = TimedSession(onnx_runtime(bundle.read(manifest.TEXT_ENCODER), threads))
    form = manifest.processor_generator(bundle.manifest, "float32")
    session = TimedSession(onnx_runtime(bundle.read(form), threads))
    generator = FaceGenerator(
        bundle.manifest, tokenizer=tokenizer, text_encoder=encoder, generator=session
    )
    texts: dict[int, str] = {}

    def joined(text: str, batch: int) -> NDArray[np.uint8]:
        mean, log_variance = generator.condition(text)
        noise_size = bundle.manifest.noise_size
        latents = [
            draw_latent(mean, log_variance, seed=7, index=index, noise_size=noise_size)
            for index in range(batch)
        ]
        return session.run({manifest.LATENT: np.stack(latents)})[manifest.IMAGE]

    def answer(asked: dict[str, Any]) -> dict[str, float]:
        length, batch = asked["tokens"], asked["batch"]
        text = texts.setdefault(length, text_of(tokenizer, length))
        encoded = encoder.seconds
        if asked["joined"]:
            found = timed(lambda: joined(text, batch))
        else:
            found = timed(lambda: generator.generate(text, seed=7, count=batch))
        memory = {"mib": peak_mib(), "network_mib": peak_mib() - before}
        return {**found, **memory, "encode": encoder.seconds - encoded}

    return answer


def text_of(tokenizer: Any, length: int) -> str:  # noqa: ANN401 (a tokeniser, imported later)
    """A description of a given number of tokens."""
    text = ""
    for word in 1000 * ["a", "man", "with", "grey", "hair", "and", "an", "old", "face"]:
        longer = f"{text} {word}".strip()
        if len(tokenizer.encode(longer)) > length:
            continue
        text = longer
        if len(tokenizer.encode(text)) == length:
            return text
    raise SystemExit(f"no description of {length} tokens was found")


def training(resolution: int, width: int, threads: int) -> Answer:
    """Takes whole training steps of `batch` images whose descriptions have `tokens` tokens."""
    import torch  # noqa: PLC0415 (not to draw)

    from t2f_train.config import config_from_dict  # noqa: PLC0415
    from t2f_train.data.batches import Batch  # noqa: PLC0415
    from t2f_train.schedule import Moment  # noqa: PLC0415
    from t2f_train.training_step import Networks, draw_step_noise, train_step  # noqa: PLC0415

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    sides = [4 << depth for depth in range(resolution.bit_length() - 2)]
    config = config_from_dict(
        {
            "data": {"reader": "folder"},
            "text": {"maximum_tokens": 512, "embedding_size": width // 2, "sentence_size": width},
            "model": {
                "condition_size": width // 2,
                "noise_size": width // 2,
                "compressed_size": width // 2,
                "channel_base": 32 * width,
                "channel_maximum": width,
            },
            "phases": [{"resolution": r, "images": 100_000, "batch_size": 16} for r in sides],
        },
        source="benchmark",
    )
    before = resident_mib()
    device = torch.device("cpu")
    index = len(sides) - 1
    vocabulary = config.text.vocabulary_size
    networks = Networks(config, vocabulary, device)
    networks.start_phase(index)
    taken = 0

    def answer(asked: dict[str, Any]) -> dict[str, float]:
        nonlocal taken
        batch, tokens = asked["batch"], asked["tokens"]
        pixels = torch.randint(0, 256, (batch, resolution, resolution, 3), dtype=torch.uint8)
        images = Batch(pixels, torch.randint(2, vocabulary, (batch, tokens)), sentence=None)
        phase = msgspec.structs.replace(config.phases[index], batch_size=batch)
        moment = Moment(taken, taken * batch, index, taken, phase, 0.5)
        taken += 1

        def step() -> None:
            noise = draw_step_noise(config, moment, device)
            train_step(networks, images, noise, moment, config.optimiser)

        found = timed(step)
        memory = {"mib": peak_mib(), "network_mib": peak_mib() - before}
        return {**found, **memory, "images_a_second": batch / found["wall"]}

    return answer


def main() -> None:
    """Answers for one point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("draw", "train"))
    parser.add_argument("network", type=Path, nargs="?")
    parser.add_argument("--resolution", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    if options.what == "draw":
        answer_lines(drawing(options.network, options.threads))
    else:
        answer_lines(training(options.resolution, options.width, options.threads))


if __name__ == "__main__":
    main()
