import re
import shutil

import pytest
from tiny_training import COLOURS, StopAfter, tiny_config, train_tiny_run, write_faces

from t2f_train.errors import RunError
from t2f_train.run_folder import RunFolder
from t2f_train.run_words import read_words
from t2f_train.warm_start import WarmStart


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("words")
    train_tiny_run(base)
    return base


def copy_run(trained, tmp_path):

    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return RunFolder(tmp_path / "run")


def new_faces(base):
    """Other faces, of which each is described as `bespectacled`."""
    for path in write_faces(base / "faces").glob("*.txt"):
        path.write_text("bespectacled man\n", encoding="utf-8")


def test_a_run_keeps_the_words_of_its_descriptions(trained):
    words = read_words(RunFolder(trained / "run"))
    assert words.descriptions == 16
    assert words.words["hair"] == 16
    assert all(words.count(colour) == 2 for colour in COLOURS)
    assert set(words.words) == {
        *COLOURS,
        *("a", "face", "hair", "is", "smiling", "somebody", "whose", "with"),
    }


def test_a_run_without_text_keeps_no_words(tmp_path):
    stop = StopAfter(1)
    train_tiny_run(tmp_path, config=tiny_config(text={"encoder": "none"}), reporter=stop)
    assert not (tmp_path / "run" / "words.json").exists()


def test_a_run_that_has_no_list_yet_gets_it_when_it_goes_on(trained, tmp_path):
    folder = copy_run(trained, tmp_path)
    content = folder.words_path.read_bytes()
    folder.words_path.unlink()
    train_tiny_run(tmp_path)
    assert folder.words_path.read_bytes() == content


def test_a_warm_start_knows_the_words_of_both_runs(trained, tmp_path):
    new_faces(tmp_path)
    start = WarmStart.read(trained / "run", "keep")
    train_tiny_run(tmp_path, reporter=StopAfter(1), warm_start=start)
    words = read_words(RunFolder(tmp_path / "run"))
    assert (words.count("bespectacled"), words.count("hair"), words.descriptions) == (8, 16, 24)
    train_tiny_run(tmp_path, reporter=StopAfter(2))
    assert read_words(RunFolder(tmp_path / "run")) == words


def test_a_warm_start_from_a_run_of_unknown_words_keeps_none(trained, tmp_path):
    old = copy_run(trained, tmp_path / "old")
    old.words_path.unlink()
    new_faces(tmp_path / "new")
    start = WarmStart.read(old.path, "keep")
    train_tiny_run(tmp_path / "new", reporter=StopAfter(1), warm_start=start)
    train_tiny_run(tmp_path / "new", reporter=StopAfter(2))
    assert not (tmp_path / "new" / "run" / "words.json").exists()


def test_a_damaged_list_is_told_with_what_repairs_it(trained, tmp_path):
    folder = copy_run(trained, tmp_path)
    folder.words_path.write_bytes(b"rot")
    message = rf"{re.escape(str(folder.words_path))} is damaged: remove it, and give the command"
    with pytest.raises(RunError, match=message):
        read_words(folder)
    with pytest.raises(RunError, match=message):
        train_tiny_run(
            tmp_path / "new", reporter=StopAfter(1), warm_start=WarmStart.read(folder.path, "keep")
        )
