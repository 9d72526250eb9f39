"""The networks that are measured, in torch: their sizes, and how they are loaded.

Imports what a runtime based on torch would have to import, and no more.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from network_files import BUNDLE, SIZES, WEIGHTS

from t2f_runtime.bundle.manifest import TOKENIZER
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.config import Config, config_from_dict
from t2f_train.model import FaceModel

FULL_WIDTH_TO = 32
"""Up to this resolution all layers have the full width; each further one has half as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a network is; the defaults are those of the comparison with peers."""

    resolution: int = 64
    """Side of the pictures, in pixels."""
    width: int = 256
    """Feature channels up to `FULL_WIDTH_TO` pixels, and length of the latent."""
    maximum_tokens: int = 512
    """The longest description."""

    @property
    def depth(self) -> int:
        """Depth of the generator: 0 for 4x4 pixels, 1 for 8x8 and so on."""
        return self.resolution.bit_length() - 3


def make_config(sizes: Sizes) -> Config:
    """The configuration that a run with such networks would have."""
    half = sizes.width // 2
    phases = [
        {"resolution": 4 << depth, "images": 1, "batch_size": 2} for depth in range(sizes.depth + 1)
    ]
    plain = {
        "data": {"reader": "folder"},
        "text": {
            "vocabulary_size": 600,
            "maximum_tokens": sizes.maximum_tokens,
            "embedding_size": half,
            "sentence_size": sizes.width,
        },
        "model": {
            "condition_size": half,
            "noise_size": half,
            "channel_base": sizes.width * FULL_WIDTH_TO,
            "channel_maximum": sizes.width,
        },
        "phases": phases,
    }
    return config_from_dict(plain, source="benchmark")


def make_model(sizes: Sizes, vocabulary_size: int) -> FaceModel:
    """The networks with weights of their own, the same ones every time."""
    torch.manual_seed(0)
    return FaceModel(make_config(sizes), vocabulary_size).eval().requires_grad_(requires_grad=False)


def load_model(folder: Path) -> tuple[FaceModel, Tokenizer, Sizes]:
    """Opens in torch what `write_network` wrote."""
    sizes = Sizes(**json.loads((folder / SIZES).read_text(encoding="utf-8")))
    content = (folder / BUNDLE / TOKENIZER).read_bytes()
    tokenizer = Tokenizer(content, maximum_tokens=sizes.maximum_tokens)
    model = make_model(sizes, tokenizer.vocabulary_size)
    model.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    return model, tokenizer, sizes
