import json
import os
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from click.testing import CliRunner

from t2f_runtime import Bundle, cli
from t2f_runtime.bundle.manifest import GENERATOR
from t2f_runtime.doctor import report
from t2f_runtime.doctor.finding import Finding
from t2f_runtime.doctor.patient import examine_bundle
from t2f_runtime.engines.gpu import Device, NoDevice
from t2f_runtime.engines.probe import EngineState


@pytest.fixture
def t2f(monkeypatch, tmp_path):
    monkeypatch.setenv("T2F_CACHE", str(tmp_path / "cache"))

    def run(*arguments):
        return CliRunner().invoke(cli.main, ["doctor", *map(str, arguments)])

    return run


def engines(*, works):
    def tried():
        return (
            EngineState(
                name="onnx-cpu",
                works=works,
                version="1.0" if works else None,
                device="cpu" if works else None,
                reason=None if works else "the package 'onnxruntime' is not installed",
                repair=None if works else "install it with: pip install 't2f[cpu]'",
            ),
        )

    return tried


def test_a_machine_that_draws_is_told_so_with_status_0(t2f):
    result = t2f()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "installed"
    assert lines[-1] == "faces can be drawn here"
    assert any(line.startswith("  ok     onnx-cpu: ") for line in lines)
    assert "cache: " in result.stdout
    assert "bundle" not in lines


def test_a_bundle_is_opened_and_its_pictures_are_compared(t2f, tiny_bundle):
    result = t2f(tiny_bundle, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["works"] is True
    assert [engine["name"] for engine in told["engines"]][-2:] == ["onnx-cpu", "openvino"]
    found = {one["subject"]: one for one in told["findings"] if one["topic"] == "bundle"}
    assert found["files"]["text"].startswith(Bundle.open(tiny_bundle).short_id)
    assert found["engine"]["text"].startswith("onnx-cpu ")
    assert found["pictures"]["verdict"] == "ok"
    assert "3 faces differ from " in found["pictures"]["text"]


def broken(findings):
    return [(one.subject, one.text, one.repair) for one in findings if one.verdict == "broken"]


def test_an_altered_bundle_is_broken_with_status_1(t2f, bundle, monkeypatch):
    monkeypatch.setattr(report, "try_engines", engines(works=True))
    os.truncate(bundle / GENERATOR, 10)
    result = t2f(bundle)
    assert result.exit_code == 1
    assert "  BROKEN bundle: " in result.stdout
    assert "is truncated: 10 of " in result.stdout
    assert result.stdout.endswith("something that drawing needs is broken\n")
    assert result.stderr == ""


def test_a_bundle_that_draws_other_faces_is_broken(bundle, change_manifest, tiny_manifest):
    changed = [
        {"description": reference.description, "seed": 99} for reference in tiny_manifest.references
    ]
    change_manifest(lambda fields: fields.update(references=changed))
    ((subject, text, repair),) = broken(examine_bundle(bundle, None, {"onnx-cpu"}))
    assert subject == "pictures"
    assert text.startswith("it draws other faces here than it should: 3 faces differ from ")
    assert repair == "draw with --engine onnx-cpu --precision float32, or export the run again"


def test_no_bundle_is_broken(tmp_path):
    ((subject, text, repair),) = broken(examine_bundle(tmp_path / "none", None, set()))
    assert (subject, text) == ("bundle", f"{tmp_path}/none is no folder and no packed bundle")
    assert repair.startswith("make a bundle with: t2f export")


def test_without_an_engine_nothing_is_drawn_and_the_status_is_1(t2f, tiny_bundle, monkeypatch):
    monkeypatch.setattr(report, "try_engines", engines(works=False))
    result = t2f(tiny_bundle)
    assert result.exit_code == 1
    assert "the package 'onnxruntime' is not installed" in result.stdout
    assert "         repair: install it with: pip install 't2f[cpu]'" in result.stdout
    assert "  BROKEN auto: no engine works, so nothing can be drawn" in result.stdout
    files = f"  ok     files: {Bundle.open(tiny_bundle).short_id}, 4 files with their SHA-256"
    assert files in result.stdout
    assert "  -      pictures: were not drawn and compared: no engine works here" in result.stdout


def test_without_metadata_the_doctor_goes_on(t2f, monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(report, "try_engines", engines(works=True))
    monkeypatch.setattr("importlib.metadata.requires", requires)
    result = t2f()
    assert (result.exit_code, result.exception) == (0, None)
    assert "  !      metadata: T2F's own are not installed" in result.stdout


@pytest.mark.parametrize("has_gpu", [True, False])
def test_a_cache_that_nobody_can_find_is_told_where_there_is_a_gpu(t2f, monkeypatch, has_gpu):
    gpu = Device(name="GPU", compute_capability="sm_86", multiprocessors=28)
    monkeypatch.setattr(report, "find_device", lambda: gpu if has_gpu else NoDevice("no driver"))
    monkeypatch.setattr(report, "try_engines", engines(works=True))
    monkeypatch.delenv("T2F_CACHE")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    result = t2f()
    assert result.exit_code == 0
    told = "  -      cache: finding the user's cache folder needs the package"
    assert (told in result.stdout) is has_gpu


def test_a_repair_of_several_engines_is_said_once_and_the_marks_are_explained():
    findings = [
        Finding(topic="engines", subject=name, verdict="note", text="does not work", repair=repair)
        for name, repair in (("a", "buy one"), ("b", "buy one"), ("c", "wait"))
    ]
    found = report.Report(machine="Linux", works=True, engines=(), findings=tuple(findings))
    assert list(report.describe(found)) == [
        "engines",
        "  -      a: does not work",
        "  -      b: does not work",
        "         repair: buy one",
        "  -      c: does not work",
        "         repair: wait",
        "ok: as it should be; -: how it is; !: wrong, but faces are drawn; BROKEN: they are not",
        "faces can be drawn here",
    ]
