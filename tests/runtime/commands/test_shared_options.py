"""The options that commands share, and the rule for files that they write."""

import json
import sys

import pytest

from t2f_runtime import cli
from t2f_runtime.commands import options


@pytest.mark.parametrize("command", ["generate", "read", "explain", "identikit", "serve"])
def test_commands_that_load_a_generator_have_its_options(command):
    params = {param.name: param for param in cli.main.commands[command].params}
    for option in (options.ENGINE, options.PRECISION, options.DEVICE, options.THREADS):
        [expected] = option(lambda: None).__click_params__
        found = params[expected.name]
        assert (found.help, found.opts) == (expected.help, expected.opts)
        assert found.type.to_info_dict() == expected.type.to_info_dict()


@pytest.mark.parametrize("command", ["bench", "verify"])
def test_commands_that_draw_with_several_engines_have_the_others(command):
    params = {param.name: param for param in cli.main.commands[command].params}
    assert params["engines"].multiple
    assert {"device", "threads"} <= set(params)


@pytest.mark.parametrize("command", ["read", "explain"])
def test_an_engine_that_there_is_not_is_told_with_those_that_there_are(t2f, tiny_bundle, command):
    result = t2f(command, tiny_bundle, "a man", "--engine", "abacus")
    assert result.exit_code == 2
    assert "'abacus' is not one of 'auto', 'tensorrt'" in result.stderr


@pytest.mark.parametrize("command", ["bench", "verify"])
def test_a_gpu_beside_engines_on_the_cpu_alone_is_refused(t2f, tiny_bundle, command):
    engines = ("--engine", "onnx-cpu", "--engine", "openvino")
    result = t2f(command, tiny_bundle, *engines, "--device", 3)
    assert result.exit_code == 2
    message = "--device 3 is a GPU, and onnx-cpu and openvino draw on the CPU."
    assert message in " ".join(result.stderr.split())


def test_one_engine_on_the_cpu_refuses_a_gpu_as_well(t2f, tiny_bundle):
    result = t2f("generate", tiny_bundle, "a man", "--json", "--engine", "onnx-cpu", "--device", 3)
    assert result.exit_code == 1
    assert "device 3 is a GPU, and the engine 'onnx-cpu' draws on the CPU" in result.stderr


def test_verify_prints_its_numbers_as_json_and_writes_them(t2f, tiny_bundle, tmp_path):
    result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu", "--json", "-o", "proof.json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["reports"][0]["engine"] == "onnx-cpu"
    assert json.loads((tmp_path / "proof.json").read_text()) == told


def test_a_file_in_a_folder_that_there_is_not_is_refused_with_the_repair(t2f, tiny_bundle):
    for arguments in (
        ("generate", tiny_bundle, "a man", "-o", "no/face.png"),
        ("explain", tiny_bundle, "a man", "-o", "no/words.png"),
        ("pack", tiny_bundle, "-o", "no/faces.t2f"),
        ("verify", tiny_bundle, "-o", "no/proof.json"),
        ("bench", tiny_bundle, "-o", "no/report.json"),
        ("keys", "new", "no/maker"),
    ):
        result = t2f(*arguments)
        assert result.exit_code == 1
        assert "does not exist; make it with: mkdir -p no\n" in result.stderr


def test_a_folder_in_the_place_of_a_file_is_refused(t2f, tiny_bundle, tmp_path):
    (tmp_path / "there").mkdir()
    result = t2f("verify", tiny_bundle, "-o", "there")
    assert result.exit_code == 1
    assert "there is a folder; name the file inside it" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="names there have no such characters")
@pytest.mark.parametrize(
    "words",
    [
        ("pack", "BUNDLE", "-o", "OUT"),
        ("keys", "new", "OUT"),
        ("generate", "BUNDLE", "a man", "-o", "OUT.png"),
        ("explain", "BUNDLE", "an old man", "-o", "OUT.png"),
        ("generate", "BUNDLE", "a man", "--each", "OUT"),
    ],
)
def test_a_path_that_a_terminal_would_obey_is_escaped(t2f, tiny_bundle, words):
    if words[0] == "keys":
        pytest.importorskip("cryptography", reason="needs the extra signing")
    out = "\x1b[31mred"
    result = t2f(*(str(tiny_bundle) if w == "BUNDLE" else w.replace("OUT", out) for w in words))
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "\\x1b[31mred" in result.output
