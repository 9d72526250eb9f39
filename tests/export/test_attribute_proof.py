"""Whether descriptions still take effect in other precisions: `t2f verify --attributes`."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tiny_training import tiny_config, train_tiny_run, write_faces

from t2f_export import cli
from t2f_export.errors import ExportError
from t2f_export.proof import classifying, proving
from t2f_export.proof.classifying import accuracy, compare_attributes
from t2f_runtime.cli import CommandGroup
from t2f_runtime.commands.verify import verify
from t2f_runtime.proof import AttributeReport
from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.run_folder import RunFolder
from t2f_train.tokenizer import open_tokenizer

MAN = {"Male", "Black_Hair", "Eyeglasses", "Wearing_Hat", "Smiling"}
WOMAN = {"Blond_Hair", "Wavy_Hair", "Wearing_Earrings", "Young", "No_Beard"}
BLUE, RED = (20, 20, 220), (220, 20, 20)
PHOTOGRAPHS = 160
SIDE = 16

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def quick_classifier(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2F_CACHE", str(tmp_path_factory.mktemp("cache")))
        quick = replace(classifying.SETTINGS, epochs=4, least_steps=40)
        patch.setattr(classifying, "SETTINGS", quick)
        yield


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Men before blue and women before red: a classifier can tell all of it by the colour."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "img_align_celeba").mkdir()
    rows = [str(PHOTOGRAPHS), " ".join(ATTRIBUTES)]
    random = np.random.default_rng(0)
    for number in range(PHOTOGRAPHS):
        colour, present = (BLUE, MAN) if number % 2 else (RED, WOMAN)
        pixels = np.clip(random.normal(colour, 15, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "img_align_celeba" / f"{number:06}.jpg")
        rows.append(
            " ".join([f"{number:06}.jpg", *("1" if a in present else "-1" for a in ATTRIBUTES)])
        )
    (folder / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    base = tmp_path_factory.mktemp("attributes")
    (base / "faces").symlink_to(photographs)
    train_tiny_run(base, config=tiny_config(data={"reader": "celeba", "held_out": 0.5}))
    return base / "run"


@pytest.fixture(scope="module")
def bundle(run):
    path = run.parent / "bundle"
    result = command("export", run, "-o", path, "--precision", "float32,float16")
    assert result.exit_code == 0, result.output
    return path


def command(*arguments):
    group = CommandGroup(commands=[cli.export, verify])
    return CliRunner().invoke(group, list(map(str, arguments)))


class Painter:
    """Paints a description's colour, or the other one; draws as a `FaceGenerator` does."""

    image_size = 8
    manifest = SimpleNamespace(noise_size=1)

    def __init__(self, *, is_right):
        self._sign = 1 if is_right else -1

    def condition(self, text):
        is_man = not {"she", "her", "woman", "lady", "female"} & set(
            text.lower().replace(",", " ").replace(".", " ").split()
        )
        mean = np.array([10.0 if is_man else -10.0], dtype=np.float32)
        return mean * self._sign, np.full(1, -20.0, dtype=np.float32)

    def draw(self, latents):
        colours = np.where(latents[:, :1] > 0, BLUE, RED).astype(np.uint8)
        return np.broadcast_to(colours[:, None, None], (len(latents), 8, 8, 3)).copy()


def compared(run, photographs, **generators):
    record = RunFolder(run).read_record()
    tokenizer = open_tokenizer(RunFolder(run).read_tokenizer(record), record.config.text)
    told = []
    return compare_attributes(generators, tokenizer, record, photographs, told.append), told


def test_a_precision_that_ignores_what_is_asked_for_is_found_out(run, photographs):
    right, wrong = Painter(is_right=True), Painter(is_right=False)
    (same, other), told = compared(run, photographs, float32=right, float16=right, int8=wrong)
    assert (same.precision, other.precision) == ("float16", "int8")
    assert same.accuracy == same.float32_accuracy == other.float32_accuracy
    assert same.accuracy > 0.9
    assert same.passes
    assert other.accuracy < 0.3
    assert not other.passes
    assert "drawing what descriptions ask for in int8" in told


def test_accuracy_is_the_mean_over_what_can_be_stated():
    stated = [{"Male": True}] * 10 + [{"Male": False}] * 20 + [{"Smiling": True}] * 9
    seen = np.zeros((39, len(ATTRIBUTES)), dtype=bool)
    seen[:5, ATTRIBUTES.index("Male")] = True
    # Half of the men and all women; smiles are stated too seldom to count.
    assert accuracy(stated, seen) == pytest.approx((0.5 + 1.0) / 2)
    assert accuracy(stated[-9:], seen[-9:]) is None


def test_verify_counts_what_a_classifier_sees_in_every_precision(bundle, run, tmp_path):
    # Some descriptions of the data are longer than the bundle reads: they are left out.
    proof = tmp_path / "proof.json"
    result = command("verify", bundle, "--against", run, "--attributes", "-o", proof)
    assert result.exit_code == 0, result.output
    assert "ok: in float16 with onnx-cpu a classifier sees " in result.output
    (report,) = json.loads(proof.read_text())["attributes"]
    assert report["precision"] == "float16"
    assert report["tolerance"] == 0.02
    assert abs(report["accuracy"] - report["float32_accuracy"]) <= 0.02


def test_verify_fails_where_descriptions_take_less_effect(bundle, run, monkeypatch):
    report = AttributeReport(
        precision="float16",
        engine="onnx-cpu",
        accuracy=0.7,
        float32_accuracy=0.75,
        tolerance=0.02,
    )
    monkeypatch.setattr(proving, "compare_attributes", lambda *_: [report])
    result = command("verify", bundle, "--against", run, "--attributes")
    assert result.exit_code == 1
    assert "bad: in float16 with onnx-cpu a classifier sees 70.0% of what" in result.output
    assert "75.0% in float32 (at most 2 points less); draw in float32, or export again" in (
        result.output
    )


def test_verify_against_a_run_draws_with_a_named_engine_alone(bundle, run, tmp_path):
    proof = tmp_path / "proof.json"
    options = ("--against", run, "--engine", "onnx-cpu", "--faces", "2", "-o", proof)
    result = command("verify", bundle, *options)
    assert result.exit_code == 0, result.output
    found = json.loads(proof.read_text())
    assert {report["engine"] for report in found["reports"]} == {"onnx-cpu"}
    assert {report["precision"] for report in found["reports"]} == {"float32", "float16"}
    assert found["not_run"] == []


def test_data_without_attributes_are_refused(tmp_path):
    write_faces(tmp_path / "faces", count=40)
    train_tiny_run(tmp_path)
    with pytest.raises(ExportError, match=r"needs a model that reads .* this run read folder"):
        compared(tmp_path / "run", tmp_path / "faces", float32=Painter(is_right=True))


def test_attributes_go_with_a_run(bundle):
    result = command("verify", bundle, "--attributes")
    assert result.exit_code == 2
    assert "--attributes goes with --against RUN." in result.output
