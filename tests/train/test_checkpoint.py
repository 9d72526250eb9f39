import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_training import tiny_config

from t2f_train.checkpoint import (
    OPTIMISERS,
    STATE,
    WEIGHTS,
    Place,
    latest_checkpoint,
    load_checkpoint,
    read_weights,
    save_checkpoint,
)
from t2f_train.errors import RunError
from t2f_train.training_step import Networks

CPU = torch.device("cpu")


@pytest.fixture
def networks():
    return Networks(tiny_config(), 40, CPU)


def save(folder, networks, step=7):
    place = Place(
        step=step,
        images_seen=4 * step,
        depth=0,
        metrics={"loss": 0.5},
        loss_sums={"loss": 1.5},
        loss_counts={"loss": 2},
    )
    return save_checkpoint(folder, networks, place)


def test_a_checkpoint_brings_back_weights_and_place(tmp_path, networks):
    checkpoint = save(tmp_path, networks)
    other = Networks(tiny_config(seed=9), 40, CPU)
    place = load_checkpoint(checkpoint, other)
    assert (place.step, place.images_seen, place.metrics) == (7, 28, {"loss": 0.5})
    assert (place.loss_sums, place.loss_counts) == ({"loss": 1.5}, {"loss": 2})
    for part in ("model", "averaged", "discriminator"):
        expected = getattr(networks, part).state_dict()
        for name, tensor in getattr(other, part).state_dict().items():
            assert torch.equal(tensor, expected[name]), name


def test_the_latest_two_checkpoints_are_kept(tmp_path, networks):
    for step in (1, 2, 3, 10):
        save(tmp_path, networks, step=step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000010"]
    assert latest_checkpoint(tmp_path).name == "step-00000010"


def test_a_folder_without_checkpoints_has_no_latest(tmp_path):
    assert latest_checkpoint(tmp_path) is None


def test_a_half_written_checkpoint_is_not_seen_and_is_cleared_away(tmp_path, networks, monkeypatch):
    save(tmp_path, networks, step=1)

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, networks, step=2)
    assert latest_checkpoint(tmp_path).name == "step-00000001"
    monkeypatch.undo()
    save(tmp_path, networks, step=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_a_disk_that_is_really_full_is_an_os_error(tmp_path):
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_checkpoint import CPU, Networks, save, tiny_config\n"
        "networks = Networks(tiny_config(), 40, CPU)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: save(Path(sys.argv[1]), networks)\n"
        "except OSError as error: print('refused', error.errno)\n"
    )
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(tests.parent)}
    command = [sys.executable, "-c", program, str(tmp_path / "checkpoints"), str(tests)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("refused"), done.stderr
    assert latest_checkpoint(tmp_path / "checkpoints") is None


def test_weights_of_another_configuration_are_refused(tmp_path, networks):
    checkpoint = save(tmp_path, networks)
    other = Networks(tiny_config(), 41, CPU)
    with pytest.raises(RunError, match=r"the model does not fit the run's configuration"):
        load_checkpoint(checkpoint, other)


def test_nothing_in_a_checkpoint_can_run_code(tmp_path, networks):
    checkpoint = save(tmp_path, networks)
    assert {path.name for path in checkpoint.iterdir()} == {WEIGHTS, OPTIMISERS, STATE}
    weights = safetensors.torch.load_file(checkpoint / WEIGHTS)
    assert all(name.split(".")[0] in {"model", "averaged", "discriminator"} for name in weights)
    loaded = torch.load(checkpoint / OPTIMISERS, weights_only=True)
    assert set(loaded) == {"generator", "discriminator"}


def test_an_optimiser_file_that_carries_code_is_refused_and_not_run(tmp_path, networks):
    checkpoint = save(tmp_path, networks)
    mark = tmp_path / "code-ran"
    program = (
        "import sys, torch, os\n"
        "class Bomb:\n"
        f"    def __reduce__(self): return (os.mkdir, ({str(mark)!r},))\n"
        "torch.save({'generator': Bomb()}, sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", program, checkpoint / OPTIMISERS], check=True)
    with pytest.raises(RunError, match=r"step-00000007 is damaged: optimisers.pt: .*Weights only"):
        load_checkpoint(checkpoint, networks)
    assert not mark.exists()


@pytest.mark.parametrize("name", [WEIGHTS, OPTIMISERS, STATE])
def test_a_truncated_file_is_named(tmp_path, networks, name):
    checkpoint = save(tmp_path, networks)
    os.truncate(checkpoint / name, (checkpoint / name).stat().st_size // 2)
    with pytest.raises(RunError, match=rf"step-00000007 is damaged: {name}: .*; remove that fold"):
        load_checkpoint(checkpoint, networks)


@pytest.mark.parametrize("name", [WEIGHTS, OPTIMISERS, STATE])
def test_a_missing_file_is_named(tmp_path, networks, name):
    checkpoint = save(tmp_path, networks)
    (checkpoint / name).unlink()
    with pytest.raises(RunError, match=rf"step-00000007 is damaged: {name}: .*No such file"):
        load_checkpoint(checkpoint, networks)


def test_altered_weights_are_refused(tmp_path, networks):
    checkpoint = save(tmp_path, networks)
    content = bytearray((checkpoint / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (checkpoint / WEIGHTS).write_bytes(content)
    with pytest.raises(RunError, match=r"weights.safetensors: its SHA-256 is not the one"):
        read_weights(checkpoint, "averaged")
