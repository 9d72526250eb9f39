"""A MiniLM small enough for tests, laid out like the package that ships the real one."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from t2f_train.minilm_package import PACKAGE

WORDS = (
    *("a", "with", "face", "hair", "somebody", "whose", "is", "smiling", "man", "woman", "old"),
    *("red", "green", "blue", "yellow", "white", "black", "brown", "pink", "and", ",", "un", "-"),
    *("##able", "##aff", "##s", "##ly", "e", "男", "[", "]", "pad"),
)
VOCABULARY = ["[PAD]", *(f"[unused{n}]" for n in range(3)), "[UNK]", "[CLS]", "[SEP]", *WORDS]
SIZE, HEADS, INNER, LAYERS, POSITIONS = 16, 4, 24, 2, 64


def write_tiny_minilm(site: Path, *, seed: int = 0, **changes) -> Path:
    """Writes the package into a folder of packages and returns the model's folder.

    Args:
        site: The folder of packages.
        seed: Decides the weights.
        changes: Replace fields of config.json.
    """
    folder = site / PACKAGE / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (site / PACKAGE / "__init__.py").write_text("raise ImportError('this is never imported')\n")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": len(VOCABULARY),
        "hidden_size": SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
    }
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    pooling = {"word_embedding_dimension": SIZE, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    save_file(tiny_weights(seed), folder / "model.safetensors")
    return folder


def install_tiny_minilm(site: Path, monkeypatch, **changes) -> Path:
    """Writes the package where this process finds it before any other, for one test."""
    folder = write_tiny_minilm(site, **changes)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return folder


def tiny_weights(seed: int) -> dict[str, np.ndarray]:
    """Random weights by BERT's names, large enough that every part of the network matters."""
    random = np.random.default_rng(seed)

    def normal(*shape):
        return random.normal(0.0, 0.5, shape).astype(np.float32)

    def norm(name):
        return {f"{name}.weight": 1 + normal(SIZE), f"{name}.bias": normal(SIZE)}

    def linear(name, inputs, outputs):
        return {f"{name}.weight": normal(outputs, inputs), f"{name}.bias": normal(outputs)}

    weights = {
        "embeddings.word_embeddings.weight": normal(len(VOCABULARY), SIZE),
        "embeddings.position_embeddings.weight": normal(POSITIONS, SIZE),
        "embeddings.token_type_embeddings.weight": normal(2, SIZE),
        **norm("embeddings.LayerNorm"),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= linear(f"{layer}.attention.{name}", SIZE, SIZE)
        weights |= norm(f"{layer}.attention.output.LayerNorm")
        weights |= linear(f"{layer}.intermediate.dense", SIZE, INNER)
        weights |= linear(f"{layer}.output.dense", INNER, SIZE)
        weights |= norm(f"{layer}.output.LayerNorm")
    return weights
