import subprocess
import sys

import pytest

import t2f_runtime

HEAVY = {"torch", "torchvision", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx"}

GENERATE = """
import sys
from t2f_runtime.cli import main
main(["generate", {bundle!r}, "a bald man", "-o", {output!r}], standalone_mode=False)
print(*sys.modules)
"""


NOT_TO_IMPORT = {"PIL", "click", "dataclasses", "hashlib"}
"""What importing the package loads none of, beyond what numpy loads: it takes long."""


def modules_after(code):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return {name.partition(".")[0] for name in result.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("module", ["t2f_runtime", "t2f_runtime.cli"])
def test_importing_the_runtime_loads_no_engine_and_no_torch(module):
    loaded = modules_after(f"import sys, {module}; print(*sys.modules)")
    assert "t2f_runtime" in loaded
    assert not loaded & (HEAVY | {"sentencepiece"})


def test_importing_the_runtime_loads_little_beyond_numpy():
    code = "import sys, numpy; before = set(sys.modules); import t2f_runtime; "
    loaded = modules_after(f"{code} print(*set(sys.modules) - before)")
    assert not loaded & NOT_TO_IMPORT


def test_what_drawing_does_not_need_is_imported_when_it_is_asked_for():
    code = "import sys, t2f_runtime; name = 't2f_runtime.reading.description'; "
    code += "before = name in sys.modules; t2f_runtime.DescriptionReading; "
    assert modules_after(f"{code} print(before, name in sys.modules)") == {"False", "True"}


def test_a_name_that_the_runtime_lacks_is_told():
    with pytest.raises(AttributeError, match="'t2f_runtime' has no attribute 'FaceGenerators'"):
        t2f_runtime.FaceGenerators  # noqa: B018 (asking for it is the test)


def test_drawing_a_face_loads_the_engine_but_no_torch(tiny_bundle, tmp_path):
    output = tmp_path / "face.png"
    loaded = modules_after(GENERATE.format(bundle=str(tiny_bundle), output=str(output)))
    assert output.exists()
    assert loaded & HEAVY == {"onnxruntime"}


def test_the_list_of_commands_loads_no_torch():
    code = "import sys; from t2f_runtime.cli import main; main(['--help'], standalone_mode=False)"
    assert not modules_after(f"{code}; print(*sys.modules)") & HEAVY


def test_the_installed_command_draws_a_face(tiny_bundle, tmp_path):
    code = "import sys; from t2f_runtime.cli import main; sys.argv[0] = 't2f'; main()"
    command = ["generate", str(tiny_bundle), "a bald man", "-o", "face.png"]
    result = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "face.png: 1 face, 8x8 pixels\n"
    assert (tmp_path / "face.png").read_bytes().startswith(b"\x89PNG")
