"""What the learned metrics share: a small convolutional trunk, its training, and its storage."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from t2f_runtime.atomic_files import write_atomically
from t2f_train.errors import DataError
from t2f_train.metrics.pictures import Pictures
from t2f_train.model import to_signed

Progress = Callable[[str, int, int], None]
"""Is told a task and how much of it is done, of how much."""

_FORMAT = 1
"""Raised when the same settings and data would give another network than before."""
_WARM_UP = 0.1
"""Share of the steps over which the rate rises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How a metric's network is trained."""

    epochs: int
    """How often it sees each example."""
    least_steps: int
    """Small sets are seen more often, to come to so many steps."""
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int = 0


def convolutional_trunk(side: int, channels: int) -> tuple[nn.Sequential, int]:
    """Layers that turn a picture into one vector which still knows where things are.

    Convolutions of 3x3 with batch normalisation; stride 2 brings any side to 4x4, which is
    flattened, not averaged: the faces are aligned, so hair and glasses have their places.

    Args:
        side: Side of the pictures in pixels: a power of two, 4 or more.
        channels: Channels of the first layer; each halving doubles them, four times at most.

    Returns:
        Layers from `(batch, 3, side, side)` to `(batch, size)`, and the size.
    """
    layers: list[nn.Module] = []

    def add(inputs: int, outputs: int, stride: int) -> None:
        layers.append(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False))
        layers.extend([nn.BatchNorm2d(outputs), nn.ReLU()])

    # Above 32 pixels the first layer halves: full size would cost more than all other layers.
    stride = 2 if side > 32 else 1
    add(3, channels, stride)
    side //= stride
    width = channels
    while side > 4:
        wider = min(2 * width, 4 * channels)
        add(width, wider, 2)
        side //= 2
        width = wider
        if side == 8:
            add(width, width, 1)
    return nn.Sequential(*layers, nn.Flatten()), width * side * side


def augmented(pixels: Pictures, random: np.random.Generator) -> Tensor:
    """Pictures as networks see them, half of them mirrored, all a little out of place.

    Args:
        pixels: Shape `(batch, side, side, 3)`, uint8, RGB.
        random: Decides which are mirrored, and the way that the batch is moved: up to a sixteenth
            of the side in each direction, its border continued.

    Returns:
        Shape `(batch, 3, side, side)`, float32, -1 to 1.
    """
    is_mirrored = torch.from_numpy(random.random(len(pixels)) < 0.5)
    images = to_signed(torch.from_numpy(pixels))
    images = torch.where(is_mirrored[:, None, None, None], images.flip(3), images)
    side = images.shape[3]
    reach = side // 16
    down, right = random.integers(0, 2 * reach + 1, 2).tolist()
    padded = F.pad(images, [reach] * 4, mode="replicate")
    return padded[:, :, down : down + side, right : right + side]


def train_network(
    network: nn.Module,
    count: int,
    batch_loss: Callable[[NDArray[np.int64], np.random.Generator], Tensor],
    settings: TrainingSettings,
    progress: Callable[[int, int], None],
) -> None:
    """Trains a network with AdamW, whose rate rises and then falls to 0 along a cosine.

    Source: Loshchilov and Hutter, arXiv:1711.05101 (AdamW), arXiv:1608.03983 (cosine).

    Args:
        network: Is left in evaluation mode.
        count: Number of examples; every epoch sees each once, but for what fills no batch.
        batch_loss: The loss of the examples of these numbers.
        settings: How long and how fast.
        progress: Is told the epochs that are done, and all of them.
    """
    batch_size = min(settings.batch_size, count)
    epochs = max(settings.epochs, -(-settings.least_steps // (count // batch_size)))
    steps = epochs * (count // batch_size)
    # Vectors (biases, normalisation) are not decayed.
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
    random = np.random.default_rng(settings.seed)
    network.train()
    step = 0
    for epoch in range(epochs):
        progress(epoch, epochs)
        for numbers in _batches(count, batch_size, random):
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _rate(step / steps)
            optimiser.zero_grad()
            torch.autograd.backward(batch_loss(numbers, random))
            optimiser.step()
            step += 1
    progress(epochs, epochs)
    network.eval()


def _batches(
    count: int, batch_size: int, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    order = random.permutation(count)
    yield from order[: count // batch_size * batch_size].reshape(-1, batch_size)


def _rate(done: float) -> float:
    rising = min(1.0, (done + 1e-3) / _WARM_UP)
    return float(rising * 0.5 * (1.0 + np.cos(np.pi * done)))


def in_chunks(
    network: Callable[[Tensor], Tensor], pictures: Pictures, device: torch.device
) -> NDArray[np.float32]:
    """Runs a network over many pictures.

    Args:
        network: Maps `(batch, 3, side, side)`, -1 to 1, to `(batch, outputs)`.
        pictures: Shape `(count, side, side, 3)`, uint8, RGB.
        device: Where the network is.

    Returns:
        Shape `(count, outputs)`, float32.
    """
    parts = []
    with torch.no_grad():
        for start in range(0, len(pictures), 256):
            pixels = torch.from_numpy(np.ascontiguousarray(pictures[start : start + 256]))
            parts.append(network(to_signed(pixels.to(device))).cpu().numpy())
    return np.concatenate(parts)


def data_key(kind: str, settings: TrainingSettings, pictures: Pictures, labels: bytes) -> str:
    """Tells whether a stored network is the one that training now would give.

    Args:
        kind: What the network is.
        settings: How it is trained.
        pictures: What it is trained on.
        labels: What it is taught of them.

    Returns:
        SHA-256 of all that, as hexadecimal digits.
    """
    rows: list[Any] = [_FORMAT, kind, asdict(settings), pictures.shape]
    digest = hashlib.sha256(json.dumps(rows).encode())
    digest.update(hashlib.sha256(labels).digest())
    for start in range(0, len(pictures), 1024):
        digest.update(pictures[start : start + 1024].tobytes())
    return digest.hexdigest()


class NetworkStore:
    """Keeps trained networks in the user's cache, so that a second evaluation is quick.

    Args:
        cache: The cache folder; networks lie in `metrics` inside.
        kind: What the network is, the first part of its file's name.
        key: See `data_key`.
    """

    def __init__(self, cache: Path, kind: str, key: str) -> None:
        self._path = cache / "metrics" / f"{kind}-{key[:16]}.safetensors"
        self._key = key

    def load(self) -> dict[str, Tensor] | None:
        """The tensors that were saved; None if there are none of this key, or they are damaged."""
        try:
            with safetensors.safe_open(self._path, "pt") as file:
                if (file.metadata() or {}).get("key") != self._key:
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None

    def save(self, tensors: dict[str, Tensor]) -> None:
        """Saves tensors, complete or not at all.

        Raises:
            DataError: If the cache cannot be written.
        """
        content = safetensors.torch.save(
            {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"key": self._key},
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, content)
        except OSError as error:
            raise DataError(
                f"the cache {self._path.parent} cannot be written: {error}; set T2F_CACHE to "
                f"another folder"
            ) from error
