"""The side of `peers.py` that is `pro-gan-pth` 1.3.3.3, in its environment, with a torch LSTM.

    PEER_VENV/bin/python benchmarks/peer_progan.py NETWORK --threads 2

The generator is the package's own, run as its users run it, with T2F's weights. T2F has one norm
more, after the first layer; a hook on that layer adds it, so that the pictures agree. Leaky ReLU is
the same before a positive factor as after it, so the factor may come first.
"""

import argparse
import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from drawing_side import draw_noise, serve
from network_files import BUNDLE, SIZES, WEIGHTS
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor, nn

NORM_EPSILON = 1e-7
GAIN = 2.0**0.5
"""He's gain for rectifiers, by which T2F scales its layers when it runs."""

Weights = dict[str, Tensor]


class Reader(nn.Module):
    """The text encoder and the conditioning, written with torch's layers."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        table = weights["text_encoder.embedding.weight"]
        state = weights["text_encoder.lstm.weight_hh_l0"].shape[1]
        self.embedding = nn.Embedding.from_pretrained(table)
        self.lstm = nn.LSTM(table.shape[1], state, batch_first=True)
        own = {
            name.removeprefix("text_encoder.lstm."): value
            for name, value in weights.items()
            if name.startswith("text_encoder.lstm.")
        }
        self.lstm.load_state_dict(own)
        linear = weights["conditioning.linear.weight"]
        self.linear = nn.Linear(linear.shape[1], linear.shape[0])
        with torch.no_grad():
            self.linear.weight.copy_(linear / linear.shape[1] ** 0.5)
            self.linear.bias.copy_(weights["conditioning.linear.bias"])

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Maps `(1, length)` tokens to the condition's mean and log-variance."""
        _, (state, _) = self.lstm(self.embedding(tokens))
        mean, log_variance = self.linear(state[-1]).chunk(2, dim=1)
        return mean, log_variance


def load_generator(weights: Weights, depth: int, latent_size: int) -> nn.Module:
    """The peer's generator with T2F's weights."""
    generator: Any = importlib.import_module("pro_gan_pytorch.PRO_GAN").Generator(
        depth=depth + 1, latent_size=latent_size
    )
    first = generator.initial_block
    dense = weights["generator.first.dense.weight"]
    kernel = dense.reshape(-1, 4, 4, latent_size).permute(3, 0, 1, 2)
    # One bias for each of T2F's values at 4x4, and one for each of the peer's channels.
    biases = weights["generator.first.dense.bias"].reshape(-1, 16)
    _put(first.conv_1, "deconv", kernel, biases[:, 0], GAIN / 4 / latent_size**0.5)
    if not torch.equal(biases, biases[:, :1].expand_as(biases)):
        raise SystemExit("the peer's first layer has one bias a channel; these weights have more")
    first.conv_1.register_forward_hook(_norm_after)
    _put_convolution(first.conv_2, weights, "generator.first.convolution")
    for index, layer in enumerate(generator.layers):
        _put_convolution(layer.conv_1, weights, f"generator.blocks.{index}.upsampling")
        _put_convolution(layer.conv_2, weights, f"generator.blocks.{index}.convolution")
    for index, layer in enumerate(generator.rgb_converters):
        _put_convolution(layer, weights, f"generator.to_rgb.{index}", gain=1.0)
    loaded: nn.Module = generator.eval()
    return loaded


def _put_convolution(layer: Any, weights: Weights, name: str, gain: float = GAIN) -> None:  # noqa: ANN401 (untyped)
    kernel = weights[f"{name}.weight"]
    scale = gain / (kernel[0].numel()) ** 0.5
    _put(layer, "conv", kernel, weights[f"{name}.bias"], scale)


def _put(layer: Any, part: str, kernel: Tensor, bias: Tensor, scale: float) -> None:  # noqa: ANN401
    inner = getattr(layer, part)
    if inner.weight.shape != kernel.shape:
        raise SystemExit(f"the peer has {tuple(inner.weight.shape)}, T2F {tuple(kernel.shape)}")
    with torch.no_grad():
        inner.weight.copy_(kernel)
        layer.bias.copy_(bias)
    layer.scale = torch.tensor(scale)


def _norm_after(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    mean_square = F.leaky_relu(output, 0.2).square().mean(dim=1, keepdim=True)
    return output * (mean_square + NORM_EPSILON).rsqrt()


def main() -> None:
    """Serves the peer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the peer's calls, which today's torch deprecates
    torch.set_num_threads(options.threads)
    sizes = json.loads((options.network / SIZES).read_text(encoding="utf-8"))
    weights = torch.load(options.network / WEIGHTS, weights_only=True)
    depth = sizes["resolution"].bit_length() - 3
    vocabulary = (options.network / BUNDLE / "tokenizer.model").read_bytes()
    tokenizer = SentencePieceProcessor(model_proto=vocabulary)
    reader = Reader(weights).eval()
    size = weights["generator.first.dense.weight"].shape[1]
    generator = load_generator(weights, depth, size)

    @torch.no_grad()
    def draw(text: str, seed: int) -> NDArray[np.uint8]:
        tokens = torch.tensor([tokenizer.encode(text)])
        mean, log_variance = reader(tokens)
        noise = torch.from_numpy(draw_noise(seed, size)[np.newaxis])
        epsilon, rest = noise.split([mean.shape[1], size - mean.shape[1]], dim=1)
        latent = torch.cat([mean + torch.exp(0.5 * log_variance) * epsilon, rest], dim=1)
        latent = latent * (latent.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        images = generator(latent, depth, 1.0)
        levels = (images[0] * 127.5 + 128.0).clamp(0.0, 255.0).permute(1, 2, 0)
        picture: NDArray[np.uint8] = levels.to(torch.uint8).contiguous().numpy()
        return picture

    serve(draw)


if __name__ == "__main__":
    main()
