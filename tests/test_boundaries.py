"""What each package may import; the layers themselves are import-linter's contracts."""

import subprocess
import sys

import pytest

ENGINES = {"onnxruntime", "tensorrt", "tensorrt_rtx"}


def loaded_by(statement):
    program = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize("module", ["t2f_runtime", "t2f_runtime.cli", "t2f_runtime.verification"])
def test_the_runtime_loads_no_training_no_export_and_no_engine(module):
    loaded = loaded_by(f"import {module}")
    assert not loaded & ({"torch", "onnx", "t2f_train", "t2f_export", "rich"} | ENGINES)
    assert "t2f_runtime" in loaded


@pytest.mark.parametrize("module", ["t2f_train.cli", "t2f_export.cli"])
def test_listing_the_commands_loads_neither_torch_nor_onnx(module):
    assert not loaded_by(f"import {module}") & ({"torch", "onnx"} | ENGINES)


def test_training_loads_no_exporter_and_no_engine():
    loaded = loaded_by("import t2f_train.training_loop")
    assert "torch" in loaded
    assert not loaded & ({"onnx", "t2f_export"} | ENGINES)
