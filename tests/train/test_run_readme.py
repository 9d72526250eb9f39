import shlex

import msgspec
import pytest
from click.testing import CliRunner
from tiny_training import StopAfter, tiny_config, train_tiny_run

from t2f_runtime.cli import main
from t2f_train.checkpoint import latest_checkpoint, read_state
from t2f_train.run_folder import Origin, RunFolder
from t2f_train.run_readme import run_readme


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("read me")
    train_tiny_run(base, reporter=StopAfter(5))
    return base


def commands(base):
    text = (base / "run" / "README.md").read_text(encoding="utf-8")
    block = text.split("```")[1]
    return [shlex.split(line) for line in block.splitlines() if line]


def test_the_commands_are_those_that_t2f_has(base):
    names = [command[1] for command in commands(base)]
    assert names == ["train", "sample", "timelapse", "evaluate", "export"]


def test_the_first_command_continues_the_run(base):
    program, *arguments = commands(base)[0]
    assert program == "t2f"
    result = CliRunner().invoke(main, [*arguments, f"--cache={base / 'cache'}"])
    assert result.exit_code == 0, result.output
    assert "continuing from" in result.output
    assert read_state(latest_checkpoint(base / "run" / "checkpoints")).place.step == 10


def test_the_drawing_commands_do_what_they_say(base, monkeypatch):
    monkeypatch.chdir(base)
    for command, file in ((commands(base)[1], "grid.png"), (commands(base)[2], "growth.mp4")):
        result = CliRunner().invoke(main, command[1:])
        assert result.exit_code == 0, result.output
        assert (base / file).stat().st_size > 0


def test_a_run_without_text_is_sampled_without_one(base):
    record = RunFolder(base / "run").read_record()
    config = tiny_config(text={"encoder": "none"})
    text = run_readme(msgspec.structs.replace(record, config=config), base / "run")
    assert "--text" not in text
    assert "without text" in text


def test_licence_and_origin_are_told(base):
    record = RunFolder(base / "run").read_record()
    assert "none stated; state it with data.licence" in run_readme(record, base / "run")
    origin = Origin(run="runs/first", weights_sha256="0" * 64, images_seen=12000, tokenizer="keep")
    config = tiny_config(data={"reader": "folder", "licence": "CC BY 4.0"})
    told = msgspec.structs.replace(record, config=config, origin=origin)
    text = run_readme(told, base / "run")
    assert "Licence:\nCC BY 4.0." in text
    assert "weights of `runs/first` (12,000 images)" in text
