import shutil

import pytest
from tiny_training import train_tiny_run

from t2f_export.bundle_writer import export_run
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import WORDS
from t2f_train.errors import RunError
from t2f_train.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    base = tmp_path_factory.mktemp("words")
    train_tiny_run(base)
    return base / "run"


def test_a_bundle_has_the_words_of_its_run_and_reads_with_them(run, tmp_path):
    export_run(run, tmp_path / "bundle")
    listed = Bundle.open(tmp_path / "bundle").manifest.files
    assert WORDS in listed
    assert (tmp_path / "bundle" / WORDS).read_bytes() == RunFolder(run).words_path.read_bytes()
    reading = FaceGenerator.load(tmp_path / "bundle").read("a face with purpel, bleu hair")
    assert reading.knows_words
    assert {word.text: word.nearest for word in reading.unseen} == {
        "purpel": (),
        "bleu": ("blue",),
    }


def test_a_damaged_list_makes_no_bundle(run, tmp_path):
    folder = RunFolder(shutil.copytree(run, tmp_path / "run"))
    folder.words_path.write_bytes(b"rot")
    with pytest.raises(RunError, match=r"words.json is damaged: remove it"):
        export_run(folder.path, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_run_without_a_list_becomes_a_bundle_without_one(run, tmp_path):
    folder = RunFolder(shutil.copytree(run, tmp_path / "run"))
    folder.words_path.unlink()
    export_run(folder.path, tmp_path / "bundle")
    assert WORDS not in Bundle.open(tmp_path / "bundle").manifest.files
    assert not FaceGenerator.load(tmp_path / "bundle").read("a face").knows_words
