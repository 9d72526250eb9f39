import pytest
import torch
from tiny_training import StopAfter, train_tiny_run

from t2f_export.bundle_writer import export_run
from t2f_runtime.verification import verify

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
