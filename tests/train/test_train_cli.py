import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tiny_training import tiny_config, write_faces

from t2f_runtime import FaceGenerator
from t2f_runtime.cli import main
from t2f_train.config import load_config
from t2f_train.devices import open_device
from t2f_train.errors import ConfigError
from t2f_train.sampling import Sampler


def toml(config) -> str:
    """The tiny configuration as TOML, by hand: the standard library only reads it."""
    plain = config.to_dict()
    lines = [f"seed = {plain['seed']}"]
    tables = [
        (f"[{section}]", plain[section])
        for section in ("data", "text", "model", "optimiser", "output", "compute")
    ]
    tables += [("[[phases]]", phase) for phase in plain["phases"]]
    for heading, settings in tables:
        values = {name: value for name, value in settings.items() if value is not None}
        lines += [heading, *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    return "\n".join(lines)


@pytest.fixture
def arguments(tmp_path):
    write_faces(tmp_path / "faces")
    config = tmp_path / "tiny.toml"
    config.write_text(toml(tiny_config()), encoding="utf-8")
    return [
        "train",
        str(config),
        f"--data={tmp_path / 'faces'}",
        f"--out={tmp_path / 'run'}",
        f"--cache={tmp_path / 'cache'}",
    ]


def test_the_hand_written_toml_is_the_tiny_configuration(arguments):
    assert load_config(arguments[1]) == tiny_config()


def test_train_says_where_everything_lies(arguments, tmp_path):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert f"run      {tmp_path / 'run'}" in result.output
    assert f"t2f export {tmp_path / 'run'} -o BUNDLE" in result.output
    assert (tmp_path / "run" / "samples").is_dir()


def test_a_misspelt_preset_is_one_line_of_error(arguments):
    arguments[1] = "celebra"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: celebra cannot be read as a configuration")
    assert "celeba, demo, face2text" in result.output


def test_missing_data_is_one_error_and_nothing_is_written(arguments, tmp_path):
    arguments[2] = f"--data={tmp_path / 'nowhere'}"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "nowhere does not exist" in result.output
    assert not (tmp_path / "run").exists()


def test_all_that_is_wrong_with_the_data_is_listed_one_file_a_line(arguments, tmp_path):
    (tmp_path / "faces" / "01.txt").unlink()
    (tmp_path / "faces" / "03.txt").write_text(" \n")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("Error: ")
    assert any("01.png has no 01.txt beside it" in line for line in lines[1:])
    assert any("03.txt" in line for line in lines[1:])
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_one_line_of_error(arguments, tmp_path):
    result = CliRunner().invoke(main, [*arguments, "--device", "cuda:77"])
    assert result.exit_code == 1
    assert "Error: device 'cuda:77' cannot be used" in result.output
    assert not (tmp_path / "run").exists()


def test_a_device_that_torch_does_not_know_is_refused():
    with pytest.raises(ConfigError, match=r"device 'abacus' cannot be used: .*; try --device cpu"):
        open_device("abacus")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_and_the_same_command_goes_on(arguments, tmp_path, number):
    config = tiny_config(
        phases=[{"resolution": 4, "images": 4_000_000, "batch_size": 4}],
        output={"log_every": 4, "sample_every": 1_000_000, "checkpoint_every": 1_000_000},
    )
    (tmp_path / "tiny.toml").write_text(toml(config), encoding="utf-8")
    program = "from t2f_runtime.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run" / "metrics.jsonl").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert "saved and stopped; the same command continues the run" in output
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    step = json.loads((checkpoint / "state.json").read_text())["place"]["step"]
    assert step > 0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stderr:
            if "continuing from" in line:
                assert f"({4 * step:,} images)" in line
                break
        else:
            pytest.fail("the same command did not continue the run")
        process.terminate()


def test_settings_are_changed_from_the_command_line(arguments, tmp_path):
    changed = [*arguments, "--set", "phases.1.images=8", "--set", "output.log_every=4"]
    result = CliRunner().invoke(main, changed)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [4, 8, 12, 16, 20, 24]


def test_a_setting_that_does_not_exist_is_one_line_of_error(arguments, tmp_path):
    result = CliRunner().invoke(main, [*arguments, "--set", "phases.1.pictures=8"])
    assert result.exit_code == 1
    assert "Error: --set: there is no setting phases.1.pictures" in result.output
    assert not (tmp_path / "run").exists()


def test_a_dry_run_tells_what_it_would_take_and_writes_nothing(arguments, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(main, ["train", arguments[1], "--dry-run"])
    assert result.exit_code == 0, result.output
    for part in ("What this run would take", "4x4", "8x8", "images/s", "40"):
        assert part in result.output
    assert sorted(tmp_path.rglob("*")) == before


def test_without_data_training_asks_for_it(arguments):
    result = CliRunner().invoke(main, arguments[:2])
    assert result.exit_code == 2
    assert "--data and --out are needed, unless --dry-run is given" in result.output


def test_a_run_starts_from_another(arguments, tmp_path):
    assert CliRunner().invoke(main, arguments).exit_code == 0
    arguments[3] = f"--out={tmp_path / 'tuned'}"
    result = CliRunner().invoke(main, [*arguments, "--from", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "tuned" / "run.json").read_text())
    assert record["origin"]["run"] == str(tmp_path / "run")


@pytest.fixture
def run(arguments, tmp_path):
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return str(tmp_path / "run")


def test_sample_draws_grids_walks_and_sweeps(run, tmp_path):
    texts = ["--text", "a face with red hair", "--text", "hair is green"]
    for name, options, rows in (
        ("grid.png", ["--count", "3"], 2),
        ("walk.png", ["--walk", "--count", "5"], 1),
        ("sweep.png", ["--truncation", "0", "--truncation", "1"], 4),
    ):
        result = CliRunner().invoke(
            main, ["sample", run, "-o", str(tmp_path / name), *texts, *options]
        )
        assert result.exit_code == 0, result.output
        assert f"{rows} rows" in result.output
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"


def test_a_walk_of_one_step_goes_nowhere_and_is_refused(tmp_path):
    result = CliRunner().invoke(
        main, ["sample", "run", "-o", str(tmp_path / "walk.png"), "--walk", "--count", "1"]
    )
    assert result.exit_code == 2
    assert "--walk takes a --count of 2 or more" in result.output


def test_a_face_of_sample_is_the_face_of_the_exported_bundle(run, tmp_path):
    text = "a face with red hair"
    bundle = str(tmp_path / "bundle")
    assert CliRunner().invoke(main, ["export", run, "-o", bundle]).exit_code == 0
    faces = FaceGenerator.load(bundle).generate(text, seed=9, count=3)
    ((_, drawn),) = Sampler(tmp_path / "run", seed=9).grid([text], 3)
    assert np.abs(faces.astype(int) - drawn).max() <= 1


def test_timelapse_writes_a_film(run, tmp_path):
    film = tmp_path / "growth.gif"
    result = CliRunner().invoke(main, ["timelapse", run, "-o", str(film)])
    assert result.exit_code == 0, result.output
    assert "10 frames" in result.output
    assert film.stat().st_size > 0


def test_the_signal_handlers_of_the_caller_come_back(arguments):
    before = signal.getsignal(signal.SIGINT)
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert signal.getsignal(signal.SIGINT) is before
