"""The command `t2f verify`."""

import re

import pytest
from command_results import fails


def test_verify_tells_every_check_and_the_numbers(t2f, tiny_bundle):
    output = t2f("verify", tiny_bundle, "--threads", "1").stdout.splitlines()
    lines = [line for line in output if not line.startswith("not run: ")]
    assert lines[0] == "ok: generator.onnx has its 9078 bytes and its SHA-256"
    assert len(lines) == 5
    assert re.fullmatch(
        r"ok: 3 faces in float32 with onnx-cpu differ from reference.png by at most "
        r"(0 levels|1 level) "
        r"\(1 allowed\), 0.\d+ on average, (identical|PSNR .* dB)",
        lines[-1],
    )


def test_a_bundle_without_text_verifies(t2f, textless_bundle):
    lines = t2f("verify", textless_bundle).stdout.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["generator.onnx", "reference.png"]
    assert lines[2].startswith("ok: 3 faces in float32 with onnx-cpu differ from ")


def test_verify_fails_with_the_numbers(t2f, bundle, tiny_manifest, change_manifest):
    changed = [
        {"description": reference.description, "seed": 99} for reference in tiny_manifest.references
    ]
    change_manifest(lambda fields: fields.update(references=changed))
    result = t2f("verify", bundle)
    assert result.exit_code == 1
    assert re.match(r"Error: .* draws other faces with onnx-cpu .* levels apart", result.stderr)


def test_verify_draws_with_a_named_engine_alone(t2f, tiny_bundle):
    result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu")
    lines = [line for line in result.stdout.splitlines() if " has its " not in line]
    assert result.exit_code == 0
    assert len(lines) == 1
    assert lines[0].startswith("ok: 3 faces in float32 with onnx-cpu differ from ")


def test_verify_with_an_engine_that_cannot_run_here_fails_with_the_repair(
    t2f, tiny_bundle, find_no_gpu
):
    for engine in ("tensorrt", "onnx-tensorrt"):
        result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu", "--engine", engine)
        assert result.exit_code == 1
        assert f"Error: engine '{engine}' cannot run here: " in result.stderr
        assert "; draw with the engine onnx-cpu, or give this machine an NVIDIA" in result.stderr


@pytest.mark.parametrize("option", ["--openvino", "--write"])
def test_verify_refuses_what_a_named_engine_leaves_out(t2f, tiny_bundle, option):
    result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu", option)
    fails(result, f"{option} is about more than one engine: leave --engine out", exit_code=2)
    fails(t2f("verify", tiny_bundle, "--engine", "abacus"), "'abacus' is not one of", exit_code=2)
