"""The networks as they are written by hand, without what T2F fuses, and exported as they are.

    python benchmarks/plain_form.py NETWORK FOLDER

FOLDER gets both networks of NETWORK (see `networks.py`), as `torch.onnx` writes them: in a process
of its own, so that one that draws with them has nothing of torch.
"""

import argparse
import io
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from network_files import PLAIN_ENCODER, PLAIN_GENERATOR
from network_model import load_model
from torch import Tensor, nn

from t2f_train.generator import Generator
from t2f_train.layers import leaky_relu, pixel_norm
from t2f_train.model import FaceModel


class PlainGenerator(nn.Module):
    """A generator that enlarges, convolves and norms, one after the other."""

    def __init__(self, generator: Generator, depth: int) -> None:
        super().__init__()
        self.generator = generator
        self.depth = depth

    def forward(self, latent: Tensor) -> Tensor:
        """Maps `(batch, latent)` to `(batch, 3, side, side)`, nominally -1 to 1."""
        features = self.generator.first(latent)
        for block in self.generator.blocks[: self.depth]:
            wide = F.interpolate(features, scale_factor=2.0, mode="nearest")
            layer: Any = block.upsampling
            drawn = F.conv2d(wide, layer.scaled_weight(), layer.bias, padding=1)
            features = pixel_norm(leaky_relu(drawn))
            features = pixel_norm(leaky_relu(block.convolution(features)))
        images: Tensor = self.generator.to_rgb[self.depth](features)
        return images


class PlainEncoder(nn.Module):
    """The text encoder and the conditioning, from tokens to mean and log-variance."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        self.text_encoder = model.text_encoder
        self.conditioning = model.conditioning

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Maps `(batch, length)` to two tensors `(batch, condition)`."""
        encoder: Any = self.text_encoder
        conditioning: Any = self.conditioning
        mean, log_variance = conditioning(encoder(tokens))
        return mean, log_variance


def plain_export(module: nn.Module, example: Tensor, names: dict[str, dict[int, str]]) -> bytes:
    """What `torch.onnx.export` makes of a module, left as it is.

    Args:
        module: The module.
        example: What it takes.
        names: Names of its one input and of its outputs, in order, each with the names of the
            dimensions that may vary.
    """
    file = io.BytesIO()
    first, *others = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter that needs no further package
        torch.onnx.export(
            module,
            (example,),
            file,
            input_names=[first],
            output_names=others,
            dynamic_axes=names,
            opset_version=17,
            dynamo=False,
        )
    return file.getvalue()


def main() -> None:
    """Writes both networks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    model, _, sizes = load_model(options.network)
    batch = {0: "batch"}
    encoder = plain_export(
        PlainEncoder(model),
        torch.ones(2, 9, dtype=torch.int64),
        {"tokens": {0: "batch", 1: "length"}, "mean": batch, "log_variance": batch},
    )
    generator = plain_export(
        PlainGenerator(model.generator, sizes.depth),
        torch.randn(2, model.generator.latent_size),
        {"latent": batch, "image": batch},
    )
    (options.folder / PLAIN_ENCODER).write_bytes(encoder)
    (options.folder / PLAIN_GENERATOR).write_bytes(generator)


if __name__ == "__main__":
    main()
