import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_training import tiny_config, train_tiny_run, write_faces

from t2f_export.bundle_writer import export_run
from t2f_export.frozen_model import freeze_conditioning
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.cli import main
from t2f_train.model import FaceModel
from t2f_train.progan import ProGAN

CONFIG = tiny_config(data={"reader": "images"}, text={"encoder": "none"})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("textless")
    train_tiny_run(base, config=CONFIG)
    return base


@pytest.fixture(scope="module")
def bundle(base):
    export_run(base / "run", base / "bundle")
    return base / "bundle"


def test_a_bundle_without_text_holds_no_tokenizer_and_no_text_encoder(bundle):
    names = {path.name for path in bundle.iterdir()}
    assert names == {"manifest.json", "generator.onnx", "reference.png", "MODEL_CARD.md"}
    entries = json.loads((bundle / "manifest.json").read_text())["files"]
    for name in names - {"manifest.json"}:
        content = (bundle / name).read_bytes()
        expected = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert entries[name] == expected


def test_the_manifest_says_that_seeds_decide_alone(bundle):
    manifest = Bundle.open(bundle).manifest
    assert not manifest.takes_text
    assert manifest.graphs["float32"].text_encoder is None
    assert (manifest.condition_size, manifest.noise_size, manifest.latent_size) == (0, 4, 4)
    assert [reference.description for reference in manifest.references] == [None] * 8
    assert len({reference.seed for reference in manifest.references}) == 8
    assert manifest.provenance.data_descriptions == 0


def test_parity_is_proven_on_eight_seeds(bundle):
    (report,) = Bundle.open(bundle).manifest.parity
    assert report.maximum_levels <= report.tolerance_levels == 1
    assert (report.faces, report.worst_description) == (8, None)
    assert report.against.startswith("torch 2")


def test_the_runtime_draws_what_torch_samples(base, bundle):
    drawn = FaceGenerator.load(bundle).generate(seed=5, count=9)
    expected = ProGAN.load(base / "run").sample(9, seed=5)
    assert expected.std() > 10  # real pictures, not one flat colour
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_the_same_run_gives_the_same_bytes(base, bundle):
    export_run(base / "run", base / "again" / "bundle")
    for path in bundle.iterdir():
        assert (base / "again" / "bundle" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_model_without_text_has_no_condition_to_freeze():
    with pytest.raises(TypeError, match="the model draws without text and has no condition"):
        freeze_conditioning(FaceModel(CONFIG, 0))


def test_from_a_folder_of_images_to_pictures_on_the_command_line(tmp_path):
    write_faces(tmp_path / "photos", count=4)
    config = tmp_path / "tiny.toml"
    config.write_text(
        "[data]\nreader = 'images'\n[text]\nencoder = 'none'\n"
        "[model]\nnoise_size = 4\nchannel_maximum = 4\n[optimiser]\nloss = 'logistic-r1'\n"
        "[[phases]]\nresolution = 4\nimages = 8\nbatch_size = 4\n"
    )
    run, bundle, sheet = (tmp_path / name for name in ("run", "bundle", "faces.png"))

    def t2f(*arguments):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    cache = tmp_path / "cache"
    t2f("train", config, "--data", tmp_path / "photos", "--out", run, "--cache", cache)
    exported = t2f("export", run, "-o", bundle)
    assert f"next     t2f generate {bundle} --count 16 -o faces.png" in exported
    assert "16 faces" in t2f("generate", bundle, "--count", 16, "-o", sheet)
    assert "none: faces are drawn from seeds alone" in t2f("info", bundle)
    assert "ok: 8 faces in float32 with onnx-cpu" in t2f("verify", bundle)
