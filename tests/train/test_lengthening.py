import json

import pytest
import torch
from tiny_training import SilentReporter, StopAfter, tiny_config, train_tiny_run

from t2f_train.checkpoint import latest_checkpoint, read_weights
from t2f_train.errors import RunError
from t2f_train.run_folder import RunFolder

PHASES = tiny_config().to_dict()["phases"]


def longer(images, fade_fraction, first_images=16):
    """The tiny configuration with another last phase: it has 24 images, half of them fading."""
    last = {**PHASES[1], "images": images, "fade_fraction": fade_fraction}
    return tiny_config(phases=[{**PHASES[0], "images": first_images}, last])


def weights(base, name):
    checkpoint = latest_checkpoint(base / name / "checkpoints")
    return {part: read_weights(checkpoint, part) for part in ("model", "averaged", "discriminator")}


@pytest.fixture(scope="module")
def lengthened(tmp_path_factory):
    base = tmp_path_factory.mktemp("lengthened")
    first = train_tiny_run(base)
    assert first.is_finished
    reporter = SilentReporter()
    run = train_tiny_run(base, config=longer(48, 0.25), reporter=reporter)
    return base, run, reporter


def test_a_lengthened_run_is_the_one_that_was_longer_from_its_start(lengthened):
    base, run, reporter = lengthened
    assert run.step == 16
    assert [moment.images_seen for moment in reporter.moments][:2] == [40, 44]
    train_tiny_run(base, config=longer(48, 0.25), name="unbroken")
    unbroken = weights(base, "unbroken")
    for part, tensors in weights(base, "run").items():
        assert all(torch.equal(tensor, unbroken[part][name]) for name, tensor in tensors.items())


def test_the_record_and_the_readme_say_where_a_run_was_made_longer(lengthened):
    base, run, _ = lengthened
    record = RunFolder(base / "run").read_record()
    assert record.config == run.config
    assert [step.images_seen for step in record.lengthened] == [40]
    assert "finished after 40 images and made longer" in (base / "run" / "README.md").read_text()
    log = (base / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in log] == [*range(8, 65, 8)]


def test_a_lengthened_run_that_was_interrupted_goes_on_by_the_same_command(lengthened, tmp_path):
    base, _, _ = lengthened
    train_tiny_run(tmp_path)
    train_tiny_run(tmp_path, config=longer(48, 0.25), reporter=StopAfter(12))
    run = train_tiny_run(tmp_path, config=longer(48, 0.25))
    assert run.is_finished
    assert len(RunFolder(tmp_path / "run").read_record().lengthened) == 1
    whole = weights(base, "run")["averaged"]
    averaged = weights(tmp_path, "run")["averaged"]
    assert all(torch.equal(tensor, whole[name]) for name, tensor in averaged.items())


def test_a_run_cannot_be_made_shorter_again(lengthened):
    base, _, _ = lengthened
    with pytest.raises(RunError, match=r"was started with phases\[1\].images = 48, .* now says 24"):
        train_tiny_run(base)


def test_a_run_that_is_not_finished_is_not_made_longer(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(6))
    with pytest.raises(
        RunError, match=r"has seen 24 of its 40 images; only a finished run is made longer: finish"
    ):
        train_tiny_run(tmp_path, config=longer(48, 0.25))
    assert train_tiny_run(tmp_path).is_finished


def test_layers_that_are_in_do_not_fade_in_again(tmp_path):
    train_tiny_run(tmp_path)
    with pytest.raises(
        RunError,
        match=r"with phases.1.fade_fraction = 0.75 .* fade in again; set it to 0.5 or less, "
        r"or phases.1.images to 32 at most",
    ):
        train_tiny_run(tmp_path, config=longer(48, 0.75))


def test_nothing_else_may_change_with_the_length(tmp_path):
    train_tiny_run(tmp_path)
    with pytest.raises(RunError, match=r"was started with phases\[0\].images = 16, .* says 20"):
        train_tiny_run(tmp_path, config=longer(48, 0.25, first_images=20))
    (tmp_path / "faces" / "00.txt").write_text("another description\n")
    with pytest.raises(RunError, match=r"was trained on other data"):
        train_tiny_run(tmp_path, config=longer(48, 0.25))
