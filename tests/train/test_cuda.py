import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_train_cli import toml
from tiny_training import StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_export.bundle_writer import export_run
from t2f_runtime.verification import verify
from t2f_train.checkpoint import latest_checkpoint, read_weights
from t2f_train.errors import DeviceMemoryError

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU here"),
]


def test_a_run_trains_on_the_gpu_goes_on_and_exports_a_bundle_that_verifies(tmp_path):
    assert not train_tiny_run(tmp_path, reporter=StopAfter(6), device="cuda").is_finished
    run = train_tiny_run(tmp_path, device="cuda")
    assert run.is_finished
    assert next(run.networks.model.parameters()).is_cuda
    export_run(tmp_path / "run", tmp_path / "bundle")
    assert verify(tmp_path / "bundle").maximum_levels <= 1


@pytest.mark.parametrize(
    "compute",
    [
        {"precision": "bfloat16", "channels_last": True},
        {"precision": "float16", "channels_last": True},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_a_run_in_lower_precision_trains_on_the_gpu_and_goes_on(tmp_path, compute):
    config = tiny_config(compute=compute)
    assert not train_tiny_run(
        tmp_path, config=config, reporter=StopAfter(6), device="cuda"
    ).is_finished
    run = train_tiny_run(tmp_path, config=config, device="cuda")
    assert run.is_finished
    for parameter in run.networks.discriminator.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.isfinite().all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what torch's compiler warns of is its own
def test_a_compiled_run_trains_on_the_gpu(tmp_path):
    config = tiny_config(compute={"compile": True, "precision": "bfloat16"})
    run = train_tiny_run(tmp_path, config=config, device="cuda")
    assert run.is_finished
    assert not any("_orig_mod" in name for name in run.networks.model.state_dict())


def test_a_gpu_that_is_too_small_is_one_line_of_error(tmp_path):
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        with pytest.raises(DeviceMemoryError, match=r"networks alone do not fit into the .* cuda"):
            train_tiny_run(tmp_path, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds fewer than two GPUs here")
def test_two_gpus_train_one_run_together(tmp_path):
    write_faces(tmp_path / "faces")
    (tmp_path / "tiny.toml").write_text(toml(tiny_config()), encoding="utf-8")
    torchrun, t2f = (Path(sys.executable).parent / name for name in ("torchrun", "t2f"))
    command = [torchrun, "--standalone", "--no-python", "--nproc-per-node=2", t2f, "train"]
    subprocess.run(
        [*command, "tiny.toml", "--data=faces", "--out=run", "--cache=cache", "--device=cuda"],
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    alone = train_tiny_run(tmp_path, name="alone", device="cuda")
    checkpoint = latest_checkpoint(tmp_path / "run" / "checkpoints")
    saved = read_weights(checkpoint, "model")
    for name, tensor in alone.networks.model.state_dict().items():
        torch.testing.assert_close(saved[name], tensor.cpu(), rtol=0, atol=1e-3)
