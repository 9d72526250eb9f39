import importlib.util
import re
import stat
import sys
from datetime import datetime, timezone

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from t2f_runtime.cli import main
from t2f_runtime.identikit import CaseError, Session, explain_text, explanation_sheet, read_picture
from t2f_runtime.identikit.command_words import HELP
from t2f_runtime.identikit.terminal import Terminal

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)


@pytest.fixture
def told(generator, tmp_path, monkeypatch):
    """Gives commands to a terminal of a fixed time, and what it says to the last of them."""
    monkeypatch.chdir(tmp_path)

    def tell(*commands, generator=generator, **options):
        said = []
        terminal = Terminal(
            generator,
            pictures=tmp_path / "screens",
            say=said.append,
            clock=lambda: NOW,
            seed=7,
            **options,
        )
        terminal.resume()
        for command in commands:
            said.clear()
            terminal.run([command])
        return said

    return tell


def test_every_operation_of_a_session_has_a_command():
    operations = {
        name for name in dir(Session) if name[0] != "_" and callable(getattr(Session, name))
    }
    assert operations - HELP.keys() == {"pictures", "direction"}
    assert {"show", "slider"} <= HELP.keys()  # which are those two


def test_the_face_is_written_with_where_it_comes_from(told, generator, tmp_path):
    said = told("start a bald man", "candidates 4", "choose 2", "picture my face.png")
    assert said == ["my face.png: face 1.02, 8x8 pixels"]
    facts, pixels = read_picture(tmp_path / "my face.png")
    assert (facts.names, facts.seed, facts.time) == ("1.02", 7, "2026-11-24T09:30:00Z")
    assert facts.description is None
    face = Session.start("a bald man", generator, seed=7).candidates(4).choose([2])
    np.testing.assert_array_equal(pixels, face.pictures()[2])


def test_the_face_may_be_enlarged_and_tell_its_words(told, tmp_path):
    said = told("start a bald man", "picture face.png 4 words")
    assert said == ["face.png: face 0.00, 32x32 pixels"]
    facts, pixels = read_picture(tmp_path / "face.png")
    assert (facts.description, pixels.shape) == ("a bald man", (32, 32, 3))
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "face.png").stat().st_mode) == 0o600


def test_which_face_is_meant_must_be_clear(told, tmp_path):
    for command in ("picture face.png", "explain"):
        said = told("start a bald man", "candidates 4", command)
        assert said == ["Error: 0 of the 4 faces are chosen; choose the one that is meant"]
        said = told("start a bald man", "candidates 4", "choose 1 2", command)
        assert said == ["Error: 2 of the 4 faces are chosen; choose the one that is meant"]
    assert not (tmp_path / "face.png").exists()


def test_the_screen_is_written_with_the_names_of_its_faces(told, tmp_path):
    said = told("start a bald man", "candidates 4", "choose 2", "sheet sheet.png")
    assert said == ["sheet.png: 4 faces"]
    facts, _ = read_picture(tmp_path / "sheet.png")
    assert (facts.count, facts.names) == (4, "1.00 1.01 1.02 1.03")


def test_a_page_shows_the_chosen_faces_or_the_screen(told, tmp_path):
    pytest.importorskip("fpdf", reason="fpdf2 is not installed: pip install 't2f[pdf]'")
    commands = ["start a bald man", "candidates 4"]
    assert told(*commands, "page all.pdf") == ["all.pdf: 4 faces"]
    assert told(*commands, "choose 2", "page one.pdf words") == ["one.pdf: 1 face"]
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")


def test_a_page_needs_an_extra(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    [said] = told("start a bald man", "page face.pdf")
    assert said == (
        "Error: a PDF page needs the package 'fpdf'; install it with: pip install 't2f[pdf]'"
    )


def test_a_page_is_written_with_the_fonts_of_the_command(tiny_bundle, tmp_path, monkeypatch):
    pytest.importorskip("fpdf", reason="fpdf2 is not installed: pip install 't2f[pdf]'")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.ttf").write_bytes(b"no font")
    arguments = ["identikit", str(tiny_bundle), "--font", "no.ttf"]
    result = CliRunner().invoke(main, arguments, input="start a bald man\npage face.pdf\n")
    assert result.exit_code == 1
    assert "Error: no.ttf is no TrueType or OpenType font" in result.output


def test_nothing_that_lies_there_is_replaced(told, tmp_path):
    for name in ("face.png", "face.pdf", "face.case"):
        (tmp_path / name).write_text("mine")
    for command in ("picture face.png", "sheet face.png", "explain face.png", "save face.case"):
        [said] = told("start a bald man", command)
        assert said.startswith(f"Error: {command.split()[1]} is there already")
    if importlib.util.find_spec("fpdf") is not None:
        [said] = told("start a bald man", "page face.pdf")
        assert said.startswith("Error: face.pdf is there already")
    assert {path.read_text() for path in tmp_path.glob("face.*")} == {"mine"}


def test_a_case_is_saved_again_where_it_was_saved_or_loaded(told):
    assert told("start a man", "save a.case", "undo", "save a.case") == ["a.case: 1 step"]
    assert told("load a.case", "candidates 4", "save a.case") == ["a.case: 2 steps"]
    said = told("load a.case", "start a girl", "save a.case")
    assert said == ["Error: a.case is there already, and not of this case: name another file"]


def test_the_words_that_moved_the_face_are_told_and_drawn(told, generator, tmp_path):
    text = "a bald man, with glasses"
    said = told(f"start {text}", "explain")
    path = tmp_path / "screens" / "0000-explain.png"
    explanation = explain_text(generator, text, seed=7)
    assert said[:-1] == [str(word) for word in explanation.words]
    assert said[-1] == f"{path}: where each word acts on face 0.00"
    with Image.open(path) as image:
        assert image.text["Title"] == "synthetic face, and what its description changed"
        assert image.text["Description"] == text
        np.testing.assert_array_equal(np.asarray(image), explanation_sheet(explanation))
    assert read_picture(path)[0].names == "0.00"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told(f"start {text}", "explain", "explain") == said
    assert told(f"start {text}", "explain my.png")[-1].startswith("my.png: where each word acts")


def test_a_face_that_no_single_description_made_is_not_explained(told, textless):
    said = told("start a man", "describe a girl", "mix 0.00 1.00", "explain")
    assert said[0].startswith("Error: the face was mixed of 2 descriptions, and no word is its own")
    said = told("start", "explain", generator=textless)
    assert said == ["Error: this face was drawn without a description; no word moved it"]


def test_what_a_picture_says_is_read_and_checked(told, tmp_path):
    said = told("start a bald man", "picture face.png 2", "facts face.png")
    assert said[0] == "face.png: 16x16 pixels, as they were written"
    assert {"Title: synthetic face", "Seed: 7", "Faces: 0.00"} <= set(said)
    with Image.open(tmp_path / "face.png") as image:
        image.putpixel((3, 3), (1, 2, 3))
        image.save(tmp_path / "other.png", pnginfo=_notes(image))
    [said] = told("facts other.png")
    assert said.startswith("Error: other.png was altered: the SHA-256 of its pixels is")


def _notes(image):
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 (here alone)

    notes = PngInfo()
    for name, value in image.text.items():
        notes.add_text(name, value)
    return notes


@pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is not None, reason="test_content_credentials.py signs"
)
def test_signing_needs_an_extra(told):
    [said] = told("start a bald man", "picture face.png", "sign face.png a.pem b.pem")
    assert said.startswith("Error: content credentials need the package 'c2pa'; install it with")


def test_steps_are_compared_by_their_numbers(told):
    said = told("start a bald man", "describe a girl", "undo", "compare @0 @1")
    assert said[0].startswith("0.00 and 1.00: ")
    assert "only 1.00 follows: a girl" in said
    assert told("start a man", "candidates 3", "mix 2 @0", "faces") == [
        "> 0  2.00  mix 0.5 of 1.02 and 0.00: a man"
    ]


def test_faces_are_told_with_their_parents(told):
    said = told("start a bald man", "candidates 3", "choose 1", "describe a girl", "faces")
    assert said == ["> 0  3.00  describe of 1.01: a girl"]
    said = told("start a bald man", "candidates 3", "choose 1", "faces")
    assert said[:2] == [
        "  0  1.00  candidate: a bald man",
        "> 1  1.01  candidate: a bald man",
    ]


def test_a_slider_is_told_before_it_is_moved(told, generator):
    session = Session.start("a bald man", generator, seed=7)
    slider = session.direction("older")
    means, stands = told("start a bald man", "slider older")
    assert means.startswith(f"'older' means {slider.reach:.1f} deviations to this model, with an ")
    assert f"agreement of {slider.agreement:.2f} (1 is" in means
    assert stands == f"0.00 stands at {slider.position(session.face):+.1f}, of -3 to 3"


@pytest.mark.parametrize("command", ["more", "less"])
def test_an_amount_without_words_is_refused_with_the_words_that_are_missing(told, command):
    said = told("start a bald man", f"{command} 0.5")
    assert said == [f"Error: '0.5' is an amount; say of what: {command} WORDS [AMOUNT]"]


def test_words_that_hardly_mean_one_thing_are_told_after_they_moved_a_face(told):
    step, doubt = told("start a bald man", "less a table 0.1", "undo", "more older 0.1")[-2:]
    assert step.startswith("step 2, 1 face")
    assert doubt.startswith("'older' hardly means one thing to this model (an agreement of 0.")
    [step] = told("start a bald man", "more glasses 0.1")
    assert step.startswith("step 1, 1 face")


def test_the_arguments_of_a_step_are_told_in_one_order_after_loading_too(told, tmp_path):
    path = tmp_path / "own.case"
    lines = told("start a bald man", "more glasses 0.1", f"save {path}", "history")[-2:]
    assert re.fullmatch(
        r"> 1 after 0: more \(agreement 0\.8\d+, amount 0\.1, words glasses\)", lines[1]
    )
    assert told(f"load {path}", "history")[-2:] == lines


def test_the_pool_of_candidates_may_be_said(told, generator):
    said = told("start a bald man", "candidates 4 9", "history")
    assert said[-1] == "> 1 after 0: candidates (count 4, pool 9)"


def test_branches_are_told_by_where_they_end(told):
    said = told("start a man", "describe a girl", "branch 0", "describe a boy", "history")
    assert said[-1] == "branches end at the steps 1, 2"


def test_the_log_is_verified_and_told(told, tmp_path):
    case = tmp_path / "a.case"
    options = {"case_file": case, "operator": "officer 1147"}
    said = told("start a bald man", "candidates 4", "choose 1 2", "log", **options)
    who = "2026-11-24T09:30:00.000+00:00, officer 1147"
    assert said == [
        f"1  {who}: start (description a bald man, seed 7), step 0",
        f"2  {who}: candidates (count 4, pool 12), step 1",
        f"3  {who}: choose (places 1 2), step 2",
    ]
    assert told("log 1", **options)[0].startswith("4  ")
    assert told("log 0", **options) == []
    log = tmp_path / "a.case.log"
    log.write_text(log.read_text().replace("officer 1147", "officer 2", 1))
    with pytest.raises(CaseError, match="line 1 was altered"):
        told("log", **options)
