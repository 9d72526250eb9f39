import threading

import pytest
import torch
from tiny_training import SilentReporter, tiny_config, write_faces

from t2f_export.bundle_writer import export_run
from t2f_runtime.verification import verify
from t2f_train.training_loop import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU here"),
]


def test_a_run_trains_on_the_gpu_goes_on_and_exports_a_bundle_that_verifies(tmp_path):
    write_faces(tmp_path / "faces")
    for _ in range(2):
        run = train(
            tiny_config(),
            data=tmp_path / "faces",
            out=tmp_path / "run",
            cache=tmp_path / "cache",
            device=torch.device("cuda"),
            reporter=SilentReporter(),
            stop=threading.Event(),
        )
    assert run.is_finished
    export_run(tmp_path / "run", tmp_path / "bundle")
    assert verify(tmp_path / "bundle").maximum_levels <= 1
