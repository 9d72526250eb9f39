"""What a run refuses before anything is written, or names where it goes on."""

import pytest
from tiny_training import StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_train.errors import DataError, RunError
from t2f_train.run_folder import RunFolder


def test_another_configuration_is_refused_by_the_name_of_the_setting(finished):
    base, _, _ = finished
    other = tiny_config(optimiser={"learning_rate": 0.5})
    with pytest.raises(
        RunError,
        match=r"run was started with optimiser.learning_rate = 0.001, the configuration now says "
        r"0.5; continue with the old one or name a new folder with --out",
    ):
        train_tiny_run(base, config=other)


def test_a_longer_schedule_is_refused_by_name(finished):
    base, run, _ = finished
    phases = [*run.config.to_dict()["phases"], {"resolution": 16, "images": 8, "batch_size": 2}]
    with pytest.raises(RunError, match=r"was started with phases = .* name a new folder"):
        train_tiny_run(base, config=tiny_config(phases=phases))


def test_other_data_is_refused(finished, tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(1))
    (tmp_path / "faces" / "00.txt").write_text("another description\n")
    with pytest.raises(RunError, match=r"was trained on other data \(8 images and 16 descript"):
        train_tiny_run(tmp_path)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match=r"run is not empty and holds no run.json; name a new fold"):
        train_tiny_run(tmp_path)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_two_processes_cannot_train_one_run(tmp_path):
    write_faces(tmp_path / "faces")
    with (
        RunFolder(tmp_path / "run").locked(),
        pytest.raises(RunError, match=r"another process trains .*run now; stop it first"),
    ):
        train_tiny_run(tmp_path)
    assert train_tiny_run(tmp_path).is_finished


def test_a_run_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunError, match=r"run cannot be a run folder: .*File exists"):
        train_tiny_run(tmp_path)


def test_a_damaged_log_is_named_with_its_line(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(3))
    log = tmp_path / "run" / "metrics.jsonl"
    log.write_text('{"images_seen": 8}\n{"images_seen": "many"}\n')
    with pytest.raises(RunError, match=r"metrics.jsonl is damaged in line 2: .*images_seen"):
        train_tiny_run(tmp_path)


def test_a_damaged_tokenizer_is_refused(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(1))
    (tmp_path / "run" / "tokenizer.model").write_bytes(b"rot")
    with pytest.raises(RunError, match=r"tokenizer.model is not the one that the run trained with"):
        train_tiny_run(tmp_path)


def test_a_description_that_shows_nothing_is_named_before_anything_is_written(tmp_path):
    write_faces(tmp_path / "faces")
    (tmp_path / "faces" / "05.txt").write_text("\u200b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"05\.png has the description '\\u200b', which shows noth"):
        train_tiny_run(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_damaged_record_is_named(finished, tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(1))
    (tmp_path / "run" / "run.json").write_text('{"config": 3}')
    with pytest.raises(RunError, match=r"run.json is damaged: .*\$.config"):
        train_tiny_run(tmp_path)


def test_too_few_images_are_refused_before_anything_is_written(tmp_path):
    write_faces(tmp_path / "faces", count=3)
    with pytest.raises(DataError, match=r"a batch of 4 needs 4 different images, .* has 3"):
        train_tiny_run(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_broken_image_is_named_before_anything_is_written(tmp_path):
    write_faces(tmp_path / "faces")
    (tmp_path / "faces" / "03.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"03\.png"):
        train_tiny_run(tmp_path)
    assert not (tmp_path / "run").exists()
