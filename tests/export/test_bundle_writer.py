import hashlib
import io
import json
import shutil

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from PIL import Image
from tiny_training import StopAfter, tiny_config, train_tiny_run

import t2f_runtime
from t2f_export import bundle_writer, parity
from t2f_export.bundle_writer import export_run
from t2f_export.errors import ExportError, ParityError
from t2f_export.parity import DESCRIPTIONS, readable_references
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.packing import pack_bundle
from t2f_runtime.cli import main
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.verification import split_pictures, verify
from t2f_train.checkpoint import WEIGHTS, latest_checkpoint, read_weights
from t2f_train.errors import RunError
from t2f_train.model import FaceModel
from t2f_train.run_folder import RunFolder
from t2f_train.samples import draw_samples


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("export")
    train_tiny_run(base)
    return base


@pytest.fixture(scope="module")
def bundle(base):
    export_run(base / "run", base / "bundle")
    return base / "bundle"


def test_a_bundle_holds_exactly_the_files_of_its_manifest(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    names = {path.name for path in bundle.iterdir()}
    assert names == {*manifest["files"], "manifest.json"}
    for name, entry in manifest["files"].items():
        content = (bundle / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_manifest_has_provenance_and_parity_in_numbers(base, bundle):
    manifest = Bundle.open(bundle).manifest
    provenance = manifest.provenance
    checkpoint = latest_checkpoint(base / "run" / "checkpoints")
    weights = (checkpoint / WEIGHTS).read_bytes()
    assert provenance.checkpoint_sha256 == hashlib.sha256(weights).hexdigest()
    assert (provenance.images_seen, provenance.data_images) == (40, 8)
    assert provenance.data_descriptions == 16
    versions = set(provenance.versions)
    assert {"trained with torch", "trained with python", "exported with onnxruntime"} <= versions
    assert provenance.run_name == "run"
    (report,) = manifest.parity
    assert report.faces == len(DESCRIPTIONS)
    assert report.maximum_levels <= report.tolerance_levels == 1
    assert report.against.startswith("torch 2")


def test_both_graphs_say_what_they_are_outside_their_bundle(bundle):
    provenance = Bundle.open(bundle).manifest.provenance
    for name in ("generator.onnx", "text_encoder.onnx"):
        graph = onnx.load(bundle / name)
        marks = {mark.key: mark.value for mark in graph.metadata_props}
        assert marks == {
            "t2f_version": t2f_runtime.__version__,
            "licence": "not stated",
            "weights_sha256": provenance.checkpoint_sha256,
        }
        assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_runtime_draws_what_torch_draws_with_the_averaged_weights(base, bundle):
    run = RunFolder(base / "run")
    config = run.read_record().config
    generator = FaceGenerator.load(bundle)
    model = FaceModel(config, generator.manifest.text.vocabulary_size).eval()
    model.load_state_dict(read_weights(latest_checkpoint(run.checkpoints), "averaged"))
    tokenizer = Tokenizer(run.read_tokenizer(run.read_record()), maximum_tokens=64)
    text = "somebody with red hair"
    tokens = np.repeat(tokenizer.tokens(text)[None], 6, axis=0)
    expected = draw_samples(model, tokens, seeds=[11] * 6, indices=list(range(6)), depth=1)
    drawn = generator.generate(text, seed=11, count=6)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_the_last_weights_would_draw_other_pictures_than_the_averaged_ones(base, bundle):
    run = RunFolder(base / "run")
    record = run.read_record()
    tokenizer = Tokenizer(run.read_tokenizer(record), maximum_tokens=64)
    model = FaceModel(record.config, tokenizer.vocabulary_size).eval()
    model.load_state_dict(read_weights(latest_checkpoint(run.checkpoints), "model"))
    drawn = parity.draw_references(model, tokenizer, readable_references(tokenizer), depth=1)
    with Image.open(bundle / "reference.png") as image:
        expected = split_pictures(image, 8)
    assert np.abs(drawn.astype(int) - expected).max() > 1


def test_the_reference_picture_is_torchs(bundle):
    with Image.open(io.BytesIO((bundle / "reference.png").read_bytes())) as image:
        assert image.size == (8 * len(DESCRIPTIONS), 8)
        assert np.asarray(image).std() > 0


def test_a_bundle_verifies(bundle):
    assert verify(bundle).maximum_levels <= 1


def test_the_same_run_gives_the_same_bytes_wherever_its_bundle_lies(base, bundle):
    other = base / "again" / "elsewhere"
    export_run(base / "run", other)
    for path in bundle.iterdir():
        assert (other / path.name).read_bytes() == path.read_bytes(), path.name
    pack_bundle(bundle, base / "a.t2f")
    pack_bundle(other, base / "b.t2f")
    assert (base / "a.t2f").read_bytes() == (base / "b.t2f").read_bytes()


def test_a_bundle_is_called_after_its_run_or_as_it_is_told(base, bundle):
    assert Bundle.open(bundle).manifest.name == "run"
    export_run(base / "run", base / "named", name="faces of 2026")
    assert Bundle.open(base / "named").manifest.name == "faces of 2026"


def test_a_failed_parity_check_leaves_no_bundle_behind(base, tmp_path, monkeypatch):
    def other_pictures(model, tokenizer, references, depth):
        pictures = parity.draw_references(model, tokenizer, references, depth)
        return pictures ^ np.uint8(4)

    monkeypatch.setattr(bundle_writer, "draw_references", other_pictures)
    with pytest.raises(
        ParityError, match=r"do not draw what torch draws, so no bundle was written: .*4 levels"
    ):
        export_run(base / "run", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_bundle_behind(base, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_writer, "prove_parity", full)
    with pytest.raises(ExportError, match=r"bundle cannot be written: .*No space left on device"):
        export_run(base / "run", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_overwritten(base, tmp_path):
    (tmp_path / "bundle").mkdir()
    with pytest.raises(ExportError, match=r"bundle exists already; name a new folder, or remove"):
        export_run(base / "run", tmp_path / "bundle")


def test_a_model_that_reads_few_tokens_can_be_exported(tmp_path):
    text = {"vocabulary_size": 300, "maximum_tokens": 8, "embedding_size": 4, "sentence_size": 4}
    train_tiny_run(tmp_path, config=tiny_config(text=text))
    manifest = export_run(tmp_path / "run", tmp_path / "bundle")
    assert manifest.references
    assert manifest.parity[0].faces == len(manifest.references) < len(DESCRIPTIONS)


def test_a_run_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunError, match=r"run.json cannot be read: .*Not a directory"):
        export_run(tmp_path / "run", tmp_path / "bundle")


def test_a_run_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"absent holds no run.json; make a run with: t2f train"):
        export_run(tmp_path / "absent", tmp_path / "bundle")


def test_an_unfinished_run_is_refused_with_how_far_it_is(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(2))
    with pytest.raises(
        ExportError, match=r"run is not finished: it has seen 8 of 40 images; finish it with the"
    ):
        export_run(tmp_path / "run", tmp_path / "bundle")


def test_a_run_without_a_checkpoint_is_refused(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(1))
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    checkpoint.rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"run has no checkpoint yet; train it first"):
        export_run(tmp_path / "run", tmp_path / "bundle")


def test_another_tokenizer_than_the_runs_is_refused(tmp_path, base):
    shutil.copytree(base / "run", tmp_path / "run")
    with (tmp_path / "run" / "tokenizer.model").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(RunError, match=r"tokenizer.model is not the one that the run trained with"):
        export_run(tmp_path / "run", tmp_path / "bundle")


def test_the_command_prints_where_the_bundle_lies_and_how_equal_it_draws(base, tmp_path):
    result = CliRunner().invoke(main, ["export", str(base / "run"), "-o", str(tmp_path / "bundle")])
    assert result.exit_code == 0, result.output
    assert f"bundle   {tmp_path / 'bundle'}" in result.output
    assert f"parity   float32: {len(DESCRIPTIONS)} faces against torch" in result.output
    assert "of 255 levels apart" in result.output
