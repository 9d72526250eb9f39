import json
import math
import struct
from importlib.metadata import version

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from tensorboardX.proto import event_pb2
from tiny_training import SilentReporter, StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_train import run_outputs, training_loop
from t2f_train.checkpoint import OPTIMISERS, WEIGHTS, latest_checkpoint, save_checkpoint
from t2f_train.config import config_from_dict
from t2f_train.errors import DeviceMemoryError, DivergedError, RunError
from t2f_train.run_outputs import RunningLosses
from t2f_train.samples import SampleSheets
from t2f_train.training_loop import sampled_descriptions, train_step

TOTAL_STEPS = 10


def lines(run_folder):
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_takes_all_steps_of_all_phases(finished):
    _, run, reporter = finished
    assert run.is_finished
    assert run.step == TOTAL_STEPS
    seen = [moment.images_seen for moment in reporter.moments]
    assert seen == sorted(seen)
    assert seen[-1] == 40
    assert {moment.phase.resolution for moment in reporter.moments} == {4, 8}


def test_the_log_has_a_line_of_finite_losses_at_each_interval(finished):
    base, _, _ = finished
    logged = lines(base / "run")
    assert [line["images_seen"] for line in logged] == [8, 16, 24, 32, 40]
    assert [line["resolution"] for line in logged] == [4, 4, 8, 8, 8]
    for line in logged:
        assert all(math.isfinite(value) for value in line.values())
        assert {"discriminator_loss", "generator_loss", "wasserstein", "matching"} <= set(line)


def test_sample_sheets_are_drawn_at_their_interval_and_at_the_end_of_each_phase(finished):
    base, _, _ = finished
    names = sorted(path.name for path in (base / "run" / "samples").iterdir())
    assert names == [
        "000000016-images-0004-pixels.png",
        "000000032-images-0008-pixels.png",
        "000000040-images-0008-pixels.png",
        "latest.png",
    ]
    samples = base / "run" / "samples"
    assert (samples / "latest.png").read_bytes() == (samples / names[2]).read_bytes()
    with Image.open(samples / names[2]) as sheet:
        assert np.asarray(sheet).std() > 0


def test_the_record_tells_what_the_run_is(finished):
    base, run, _ = finished
    record = json.loads((base / "run" / "run.json").read_text())
    assert config_from_dict(record["config"], source="run.json") == run.config
    assert (record["data_images"], record["data_descriptions"]) == (8, 16)
    assert record["versions"]["torch"] == version("torch")


@pytest.mark.parametrize("stop_after", [1, 4, 6, 9])
def test_an_interrupted_and_resumed_run_equals_the_unbroken_one_bit_for_bit(
    finished, tmp_path, stop_after
):
    unbroken = finished[0] / "run"
    interrupted = train_tiny_run(tmp_path, reporter=StopAfter(stop_after))
    assert interrupted.step == stop_after
    assert not interrupted.is_finished
    reporter = SilentReporter()
    resumed = train_tiny_run(tmp_path, reporter=reporter)
    assert resumed.is_finished
    assert "continuing from" in reporter.notes[0]
    checkpoints = [latest_checkpoint(f / "checkpoints") for f in (unbroken, tmp_path / "run")]
    weights = [safetensors.torch.load_file(folder / WEIGHTS) for folder in checkpoints]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name
    optimisers = [torch.load(folder / OPTIMISERS, weights_only=True) for folder in checkpoints]
    torch.testing.assert_close(*optimisers, rtol=0, atol=0)
    assert lines(unbroken) == lines(tmp_path / "run")
    sheets = [sorted((f / "samples").iterdir()) for f in (unbroken, tmp_path / "run")]
    assert [path.name for path in sheets[0]] == [path.name for path in sheets[1]]
    for expected, sheet in zip(*sheets, strict=True):
        assert sheet.read_bytes() == expected.read_bytes()


def test_a_killed_run_goes_on_from_its_last_checkpoint_without_repeating_the_log(
    finished, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    taken = []

    def die_in_the_seventh(*arguments):
        taken.append(1)
        if len(taken) == 7:
            raise Killed
        return train_step(*arguments)

    monkeypatch.setattr(training_loop, "train_step", die_in_the_seventh)
    with pytest.raises(Killed):
        train_tiny_run(tmp_path)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as log:
        log.write('{"images_seen": 24, "half')
    monkeypatch.undo()
    train_tiny_run(tmp_path)
    assert lines(tmp_path / "run") == lines(finished[0] / "run")


def test_a_finished_run_stays_as_it_is(finished):
    base, _, _ = finished
    before = {path: path.stat().st_mtime_ns for path in (base / "run").rglob("*.png")}
    assert train_tiny_run(base).is_finished
    assert {path: path.stat().st_mtime_ns for path in (base / "run").rglob("*.png")} == before


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    taken = []

    def poisoned(*arguments):
        taken.append(1)
        losses = train_step(*arguments)
        return {**losses, "wasserstein": torch.tensor(float("nan"))} if len(taken) > 5 else losses

    monkeypatch.setattr(training_loop, "train_step", poisoned)
    with pytest.raises(
        DivergedError,
        match=r"stopped after 24 images: wasserstein is nan; the last good checkpoint is "
        r".*step-00000004; lower optimiser.learning_rate",
    ):
        train_tiny_run(tmp_path)
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").name == "step-00000004"


def test_weights_that_are_not_finite_are_never_saved(tmp_path, monkeypatch):
    taken = []

    def poisoned(networks, *arguments):
        taken.append(1)
        losses = train_step(networks, *arguments)
        if len(taken) == 4:
            with torch.no_grad():
                networks.model.generator.first.dense.weight[0, 0] = float("inf")
        return losses

    monkeypatch.setattr(training_loop, "train_step", poisoned)
    with pytest.raises(
        DivergedError, match=r"weight generator.first.dense.weight has values .*no checkpoint yet"
    ):
        train_tiny_run(tmp_path)
    assert latest_checkpoint(tmp_path / "run" / "checkpoints") is None


def test_a_full_disk_stops_the_run_and_leaves_what_was_saved(tmp_path, monkeypatch):
    saved = []

    def fail_at_the_end(*arguments):
        if len(saved) == 1:
            raise OSError(28, "No space left on device")
        saved.append(save_checkpoint(*arguments))
        return saved[-1]

    monkeypatch.setattr(run_outputs, "save_checkpoint", fail_at_the_end)
    with pytest.raises(RunError, match=r"No space left on device; what was saved before is whole"):
        train_tiny_run(tmp_path)
    assert latest_checkpoint(tmp_path / "run" / "checkpoints") == saved[0]
    monkeypatch.undo()
    assert train_tiny_run(tmp_path).is_finished


def test_a_run_that_was_killed_at_its_very_start_goes_on(finished, tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".lock", ".run.json.partial", "tokenizer.model"):
        (tmp_path / "run" / name).write_bytes(b"")
    assert train_tiny_run(tmp_path).is_finished
    assert lines(tmp_path / "run") == lines(finished[0] / "run")


def test_a_run_goes_on_with_the_tokenizer_that_it_began_with(finished, tmp_path, monkeypatch):
    train_tiny_run(tmp_path, reporter=StopAfter(3))
    other = training_loop.train_tokenizer(["other words"] * 9, 300)
    monkeypatch.setattr(training_loop, "train_tokenizer", lambda *_: other)
    assert train_tiny_run(tmp_path).is_finished
    assert lines(tmp_path / "run") == lines(finished[0] / "run")


def test_a_learning_rate_far_too_high_ends_as_diverged(tmp_path):
    config = tiny_config(optimiser={"learning_rate": 1e6})
    with pytest.raises(DivergedError, match=r"stopped after .* images: .*lower optimiser.learning"):
        train_tiny_run(tmp_path, config=config)


def test_a_run_with_a_lazy_penalty_resumes_bit_for_bit_too(tmp_path):
    config = tiny_config(optimiser={"loss": "logistic-r1", "penalty": 0.1, "penalty_interval": 4})
    train_tiny_run(tmp_path, config=config, name="unbroken")
    for step in (2, 5, 7):
        train_tiny_run(tmp_path, config=config, reporter=StopAfter(step))
    train_tiny_run(tmp_path, config=config)
    folders = [latest_checkpoint(tmp_path / n / "checkpoints") for n in ("unbroken", "run")]
    contents = [(folder / WEIGHTS).read_bytes() for folder in folders]
    assert contents[0] == contents[1]
    assert lines(tmp_path / "unbroken") == lines(tmp_path / "run")


def test_sample_sheets_are_drawn_with_the_averaged_weights(tmp_path, monkeypatch):
    drawn = []
    original = SampleSheets.write
    monkeypatch.setattr(
        SampleSheets,
        "write",
        lambda self, model, moment: drawn.append(model) or original(self, model, moment),
    )
    run = train_tiny_run(tmp_path)
    assert drawn
    assert all(model is run.networks.averaged for model in drawn)


def test_running_losses_are_means_and_start_anew():
    losses = RunningLosses()
    losses.add({"loss": torch.tensor(1.0), "penalty": torch.tensor(5.0)})
    losses.add({"loss": torch.tensor(2.0)})
    assert losses.means() == {"loss": 1.5, "penalty": 5.0}
    losses.add({"loss": torch.tensor(7.0)})
    assert losses.means() == {"loss": 7.0}


def test_sampled_descriptions_are_different_ones_from_all_over_the_data():
    texts = ["a", "a", "b", *[f"text {number}" for number in range(60)]]
    sampled = sampled_descriptions(texts)
    assert len(sampled) == len(set(sampled)) == 6
    assert sampled[0] == "a"
    assert int(sampled[-1].split()[1]) >= 45


def test_tensorboard_gets_the_numbers_and_sheets_and_no_point_twice(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(5))
    train_tiny_run(tmp_path)
    events = [
        event
        for path in sorted((tmp_path / "run" / "tensorboard").iterdir())
        for event in read_events(path)
    ]
    logged = [line["images_seen"] for line in lines(tmp_path / "run")]
    points = [
        event.step
        for event in events
        for value in event.summary.value
        if value.tag == "generator_loss"
    ]
    assert points == logged
    sheets = [e.step for e in events for value in e.summary.value if value.tag.startswith("sampl")]
    assert sheets == [16, 32, 40]


def read_events(path):
    """Events of a TensorBoard file: records of a length, its checksum, the event, a checksum."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def test_evaluations_join_the_log_at_their_interval(tmp_path):
    write_faces(tmp_path / "faces", count=32)
    output = {"log_every": 8, "evaluate_every": 20, "sample_every": 16, "checkpoint_every": 16}
    phases = [{"resolution": 16, "images": 40, "batch_size": 4}]
    train_tiny_run(tmp_path, config=tiny_config(output=output, phases=phases))
    measured = [line for line in lines(tmp_path / "run") if "swd" in line]
    assert [line["images_seen"] for line in measured] == [20, 40]
    for line in measured:
        assert {"swd_16", "ms_ssim", "ms_ssim_real", "resolution"} <= line.keys()


def test_the_run_folder_explains_itself(finished):
    text = (finished[0] / "run" / "README.md").read_text(encoding="utf-8")
    for part in (
        "8x8 pixels, descriptions read by `lstm`, loss\n`wgan-gp`, seed 3",
        "| 8x8 | 24 | 4 | 50% |",
        "8 images with 16 descriptions",
        "none stated; state it with data.licence",
        "t2f sample ",
        "t2f timelapse ",
        "t2f evaluate ",
        "t2f export ",
    ):
        assert part in text


def test_networks_that_do_not_fit_into_a_gpu_are_told(tmp_path, monkeypatch):
    def outgrown(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB ...")

    monkeypatch.setattr(training_loop, "Networks", outgrown)
    with pytest.raises(DeviceMemoryError, match=r"the networks alone do not fit into .* of cpu; "):
        train_tiny_run(tmp_path)


def test_a_gpu_that_is_too_small_is_told_with_the_phase(tmp_path, monkeypatch):
    taken = []

    def outgrown(*arguments):
        taken.append(1)
        if len(taken) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB ...")
        return train_step(*arguments)

    monkeypatch.setattr(training_loop, "train_step", outgrown)
    with pytest.raises(
        DeviceMemoryError,
        match=r"stopped after 20 images: out of GPU memory at 8x8 pixels with 4 images a step on "
        r"each device; the last checkpoint is .*step-00000004; .*lower batch_size in phase 2 and",
    ):
        train_tiny_run(tmp_path)
