import json

import pytest
from click.testing import CliRunner

from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.report import BenchReport
from t2f_runtime.bench.running import Bench
from t2f_runtime.cli import main

QUICK = ["--engine", "onnx-cpu", "--batch", "1", "--rounds", "5", "--seconds", "0", "--starts", "1"]


def run(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def old(tiny_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "old.json"
    result = run(tiny_bundle, *QUICK, "-o", path)
    assert result.exit_code == 0, result.output
    assert "Text to RGB, milliseconds a run" in result.output
    assert "onnx-cpu" in result.output
    return path


def change_rounds(path, out, factor):
    fields = json.loads(path.read_text())
    for case in fields["cases"]:
        case["rounds"] = [seconds * factor for seconds in case["rounds"]]
        case["least_rounds"] = case["rounds"]
        case["yardstick"] = 0.001
    out.write_text(json.dumps(fields))
    return out


def test_the_report_is_printed_as_json(tiny_bundle):
    result = run(tiny_bundle, *QUICK, "--json")
    assert result.exit_code == 0, result.output
    fields = json.loads(result.stdout)
    assert fields["schema_version"] == 1
    assert [case["batch"] for case in fields["cases"]] == [1]


@pytest.mark.parametrize(
    # Beyond what any pause of a busy machine adds to a run, or to one of the old runs.
    ("factor", "outcome", "status"),
    [(1e6, "better", 0), (1e-6, "worse", 1)],
)
def test_a_comparison_says_what_became_of_it(
    tiny_bundle, old, tmp_path, monkeypatch, factor, outcome, status
):
    before = change_rounds(old, tmp_path / "before.json", factor)
    # As of a machine where nothing else runs, which this one need not be.
    now = BenchReport.read(change_rounds(old, tmp_path / "now.json", 1.0))
    monkeypatch.setattr(Bench, "run", lambda bench: now)
    result = run(tiny_bundle, *QUICK, "--compare", before)
    assert result.exit_code == status
    [line] = [line for line in result.stdout.splitlines() if line.endswith(outcome)]
    assert line.startswith("onnx-cpu  float32")


def test_a_comparison_is_part_of_the_json(tiny_bundle, old):
    result = run(tiny_bundle, *QUICK, "--compare", old, "--json", "--margin", "1")
    fields = json.loads(result.stdout)
    assert fields["report"]["bundle_id"] == BenchReport.read(old).bundle_id
    assert fields["comparison"]["cases"][0]["engine"] == "onnx-cpu"


def test_a_wrong_old_report_is_an_error_before_anything_is_measured(tiny_bundle, tmp_path):
    (tmp_path / "old.json").write_text("{}")
    result = run(tiny_bundle, "--compare", tmp_path / "old.json")
    assert result.exit_code == 1
    assert "old.json is no report of t2f bench" in result.output


def test_a_place_that_is_none_is_an_error_before_anything_is_measured(tiny_bundle, tmp_path):
    for place, message in ((tmp_path / "no" / "x.json", "mkdir -p"), (tmp_path, "it is a folder")):
        result = run(tmp_path / "no bundle", "-o", place)
        assert result.exit_code != 0
        assert message in result.output or "is a directory" in result.output


def test_a_report_that_cannot_be_written_is_printed_all_the_same(
    tiny_bundle, tmp_path, monkeypatch
):
    def fail(report, path):
        raise BenchError("disk full")

    monkeypatch.setattr(BenchReport, "write", fail)
    result = run(tiny_bundle, *QUICK, "-o", tmp_path / "x.json")
    assert result.exit_code == 1
    assert "Text to RGB, milliseconds a run" in result.stdout
    assert "Error: disk full" in result.output


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_report_that_cannot_be_compared_is_printed_and_written_all_the_same(
    tiny_bundle, tmp_path, old, form
):
    fields = json.loads(old.read_text())
    fields["cases"][0]["batch"] = 7
    (tmp_path / "old.json").write_text(json.dumps(fields))
    place = tmp_path / "new.json"
    result = run(tiny_bundle, *QUICK, *form, "--compare", tmp_path / "old.json", "-o", place)
    assert result.exit_code == 1
    assert "the two reports have nothing in common" in result.output
    assert ('"schema_version": 1' if form else "Text to RGB") in result.stdout
    assert BenchReport.read(place).cases


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_report_that_cannot_be_printed_is_written_all_the_same(
    tiny_bundle, tmp_path, monkeypatch, form
):
    def fail(*_arguments, **_options):
        raise BrokenPipeError

    monkeypatch.setattr("t2f_runtime.commands.bench.click.echo", fail)
    assert run(tiny_bundle, *QUICK, *form, "-o", tmp_path / "x.json").exit_code != 0
    assert BenchReport.read(tmp_path / "x.json").cases


def test_what_the_bundle_has_not_is_an_error(tiny_bundle):
    result = run(tiny_bundle, *QUICK, "--precision", "int8")
    assert result.exit_code == 1
    assert "nothing that was asked for runs here" in result.output
