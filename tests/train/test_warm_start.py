import pytest
import torch
from tiny_training import StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.checkpoint import latest_checkpoint, read_weights
from t2f_train.errors import ConfigError, RunError
from t2f_train.run_folder import RunFolder
from t2f_train.tokenizer import train_tokenizer
from t2f_train.warm_start import EMBEDDING, WarmStart, extend_tokenizer

OLD_TEXTS = ["a man with red hair", "a woman with green eyes", "she smiles and he does not"]
NEW_TEXTS = ["receding hairline and sideburns", "sideburns", "a receding hairline, sideburns"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("warm")
    train_tiny_run(base)
    return base


@pytest.fixture
def base(trained, tmp_path):
    """A folder for another run on other faces."""
    faces = write_faces(tmp_path / "faces", count=6)
    for number, path in enumerate(sorted(faces.glob("*.txt"))):
        path.write_text(NEW_TEXTS[number % len(NEW_TEXTS)] + "\n", encoding="utf-8")
    return tmp_path


def start(base, run, tokenizer="keep", config=None, reporter=None):
    return train_tiny_run(
        base, config=config, reporter=reporter, warm_start=WarmStart.read(run, tokenizer)
    )


def weights(run, part="model"):
    return read_weights(latest_checkpoint(RunFolder(run).checkpoints), part)


def test_a_warm_run_begins_with_the_weights_of_the_other(trained, base):
    stop = StopAfter(0)
    stop.stop.set()
    run = start(base, trained / "run", reporter=stop)
    for part, module in (
        ("model", run.networks.model),
        ("averaged", run.networks.averaged),
        ("discriminator", run.networks.discriminator),
    ):
        old = weights(trained / "run", part)
        for name, weight in module.state_dict().items():
            assert torch.equal(weight, old[name]), name
    assert any("starting from" in note and "0 weights are new" in note for note in stop.notes)


def test_a_warm_run_trains_on_and_says_where_it_came_from(trained, base):
    start(base, trained / "run")
    record = RunFolder(base / "run").read_record()
    assert record.origin.run == str(trained / "run")
    assert record.origin.images_seen == 40
    old, new = weights(trained / "run"), weights(base / "run")
    assert not torch.equal(old["generator.first.dense.weight"], new["generator.first.dense.weight"])


def test_a_kept_tokenizer_is_the_same_file(trained, base):
    start(base, trained / "run")
    kept = (base / "run" / "tokenizer.model").read_bytes()
    assert kept == (trained / "run" / "tokenizer.model").read_bytes()


def test_an_extended_tokenizer_keeps_what_was_learnt_and_adds_words(trained, base):
    text = {"vocabulary_size": 320, "maximum_tokens": 64, "embedding_size": 6, "sentence_size": 10}
    stop = StopAfter(0)
    stop.stop.set()
    run = start(base, trained / "run", "extend", config=tiny_config(text=text), reporter=stop)
    old = weights(trained / "run")[EMBEDDING]
    new = run.networks.model.text_encoder.embedding.weight
    assert len(new) > len(old)
    assert torch.equal(new[: len(old)], old)


def test_an_interrupted_warm_run_goes_on_as_an_unbroken_one(trained, base):
    start(base, trained / "run")
    unbroken = weights(base / "run")
    (base / "run").rename(base / "unbroken")
    stop = StopAfter(3)
    start(base, trained / "run", reporter=stop)
    train_tiny_run(base)
    for name, weight in weights(base / "run").items():
        assert torch.equal(weight, unbroken[name]), name


def test_higher_resolutions_than_the_other_run_reached_are_new(trained, base):
    phases = [
        {"resolution": 8, "images": 8, "batch_size": 4},
        {"resolution": 16, "images": 8, "batch_size": 4, "fade_fraction": 0.5},
    ]
    stop = StopAfter(0)
    stop.stop.set()
    run = start(base, trained / "run", config=tiny_config(phases=phases), reporter=stop)
    old = weights(trained / "run")
    state = run.networks.model.state_dict()
    assert "generator.blocks.1.convolution.weight" not in old
    name = "generator.blocks.0.convolution.weight"
    assert torch.equal(state[name], old[name])


def test_another_width_is_refused_before_anything_is_written(trained, base):
    model = {"condition_size": 5, "noise_size": 4, "channel_base": 64, "channel_maximum": 12}
    message = r"generator.first.dense.weight has the shape \(192, 9\) .* but \(128, 9\) in"
    with pytest.raises(ConfigError, match=message):
        start(base, trained / "run", config=tiny_config(model=model))
    assert not (base / "run").exists()


def test_another_kind_of_text_encoder_is_refused(trained, base):
    with pytest.raises(ConfigError, match=r"text.encoder is 'none', but .* has 'lstm'"):
        start(base, trained / "run", config=tiny_config(text={"encoder": "none"}))


def test_a_run_that_started_elsewhere_does_not_go_on_from_another(trained, base):
    train_tiny_run(base)
    with pytest.raises(RunError, match=r"was started from chance, not from .* leave out --from"):
        start(base, trained / "run")


def test_a_warm_run_without_a_checkpoint_asks_for_its_origin(trained, base):
    start(base, trained / "run")
    for checkpoint in (base / "run" / "checkpoints").iterdir():
        checkpoint.rename(base / checkpoint.name)
    with pytest.raises(RunError, match=r"warm-started and stopped .* give the same --from again"):
        train_tiny_run(base)


def test_a_folder_without_a_checkpoint_cannot_be_started_from(trained, tmp_path):
    with pytest.raises(RunError, match=r"holds no run.json"):
        WarmStart.read(tmp_path, "keep")


def test_an_extended_tokenizer_reads_old_words_as_before_and_new_ones_whole():
    old, new = train_tokenizer(OLD_TEXTS, 300), train_tokenizer(NEW_TEXTS, 300)
    before = Tokenizer(old, maximum_tokens=64)
    extended = Tokenizer(extend_tokenizer(old, new), maximum_tokens=64)
    assert extended.vocabulary_size > before.vocabulary_size
    assert extended.padding_token == before.padding_token
    word = extended.encode("sideburns")
    assert len(word) < len(before.encode("sideburns"))
    assert max(word) >= before.vocabulary_size
    # Bytes go on standing for what neither has seen.
    assert extended.encode("日本") == before.encode("日本")


def test_extending_by_what_is_known_already_changes_no_token():
    old = train_tokenizer(OLD_TEXTS, 300)
    before, after = (
        Tokenizer(model, maximum_tokens=64) for model in (old, extend_tokenizer(old, old))
    )
    assert after.vocabulary_size == before.vocabulary_size
    for text in OLD_TEXTS:
        assert after.encode(text) == before.encode(text)


def test_the_record_of_a_run_from_chance_has_no_origin(trained):
    record = RunFolder(trained / "run").read_record()
    assert record.origin is None
