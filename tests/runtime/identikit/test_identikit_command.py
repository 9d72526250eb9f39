import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from t2f_runtime import ArgumentError
from t2f_runtime.cli import main
from t2f_runtime.identikit import (
    PictureFacts,
    Session,
    load_case,
    picture_hash,
    read_picture,
    save_case,
    verify_log,
)
from t2f_runtime.identikit.command_words import HELP, LONGEST_LINE
from t2f_runtime.identikit.numbered_sheet import numbered_sheet
from t2f_runtime.identikit.studio import Studio


@pytest.fixture
def run(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(commands, *options, bundle=tiny_bundle):
        arguments = ["identikit", str(bundle), *options]
        return CliRunner().invoke(main, arguments, input="\n".join(commands))

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_a_folder_that_is_gone_does_not_end_the_session(run, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = run(["start a man", f"save {tmp_path}/a.case", "save b.case", "load c.case"],
        "--pictures", str(tmp_path / "pictures"))  # fmt: skip
    assert (
        "a.case: 1 step\nError: b.case cannot be found, as the folder in which t2f" in result.output
    )
    assert isinstance(result.exception, SystemExit)


SCRIPT = [
    "start a bald man",
    "candidates 6",
    "choose 3 5",
    "breed 6",
    "choose 2, 4",
    "breed 6",
    "choose 1",
    "describe ... with a beard",
    "more older 0.2",
    "less smiling 0.1",
    "lock a beard",
    "mix 0 1.02 0.4",
    "morph 0 3.03 3",
    "undo 2",
    "redo",
    "unlock a beard",
]


def test_a_scripted_session_says_each_step_and_writes_its_picture(run, tmp_path):
    result = run(SCRIPT, "--case", "a.case", "--operator", "officer 1147", "--seed", "5")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("tiny")
    assert lines[0].endswith("pictures go to a.case-pictures/")
    assert lines[2] == "step 1, 6 faces: a.case-pictures/0001-candidates.png"
    assert lines[3] == "step 2, 6 faces, chosen: 3 5: a.case-pictures/0002-choose.png"
    assert lines[-1] == "step 13, 1 face, chosen: 0: a.case-pictures/0013-unlock.png"
    written = sorted(path.name for path in (tmp_path / "a.case-pictures").iterdir())
    assert len(written) == 14


def test_a_screen_says_what_drew_it_and_when_but_not_the_words(
    run, tmp_path, generator, monkeypatch
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795521600")
    run(SCRIPT[:2], "--pictures", "screens", "--seed", "5")
    session = Session.start("a bald man", generator, seed=5).candidates(6)
    facts, _ = read_picture(tmp_path / "screens" / "0001-candidates.png")
    assert facts == PictureFacts(
        bundle_id=session.case.bundle_id,
        seed=5,
        count=6,
        names="1.00 1.01 1.02 1.03 1.04 1.05",
        engine=str(generator.engine),
        time="2026-11-24T12:00:00Z",
        description_sha256=hashlib.sha256(b"a bald man").hexdigest(),
        faces_sha256=" ".join(map(picture_hash, session.pictures())),
    )


def test_the_case_and_its_log_are_saved_after_every_step(run, tmp_path, generator):
    run(SCRIPT, "--case", "a.case", "--operator", "officer 1147", "--seed", "5")
    saved = load_case(tmp_path / "a.case")
    report = verify_log(tmp_path / "a.case.log", saved.log)
    assert report.lines == saved.log.lines == len(SCRIPT)
    assert saved.case.check(generator) == 1 + 6 + 4 + 4 + 3 + 1 + 3
    line = json.loads((tmp_path / "a.case.log").read_text().splitlines()[-1])
    assert (line["operator"], line["operation"]) == ("officer 1147", "unlock")
    expected = Session.start("a bald man", generator, seed=5).candidates(6).choose([3, 5]).breed(6)
    assert saved.case.steps[3] == expected.step


def test_a_case_goes_on_where_it_ended(run, tmp_path):
    run(SCRIPT, "--case", "a.case")
    result = run(["undo", "check"], "--case", "a.case")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1:] == [
        "step 13, 1 face, chosen: 0: a.case-pictures/0013-unlock.png",
        "step 11, 1 face, chosen: 0, locked: a beard: a.case-pictures/0011-mix.png",
        "22 pictures are the same to the bit",
        "a.case.log: 18 lines, as they were written",
    ]
    assert load_case(tmp_path / "a.case").case.at == 11


def test_errors_keep_the_session_alive_and_end_with_status_1(run):
    result = run(["candidates", "start a bald man", "dance", "choose 7", "show", "quit", "show"])
    assert result.exit_code == 1
    assert result.output.splitlines()[1:] == [
        "Error: there is no case yet; begin one with: start DESCRIPTION",
        "step 0, 1 face, chosen: 0: identikit/0000-start.png",
        "Error: there is no command 'dance'; type: help",
        "Error: a place is 7; it must be 0 to 0",
        "identikit/0000-start.png",
    ]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("candidates many", "this command is: candidates [COUNT]"),
        ("candidates 1 2 3", "this command is: candidates [COUNT] [POOL]"),
        ("candidates 3 2", "pool is 2; it must be 3 to"),
        ("choose", "choose at least one face"),
        ("choose x", "this command is: choose PLACE..."),
        ("describe", "the description is empty"),
        ("more", "name what to change"),
        ("more older nan", "amount must be a number"),
        ("more older 1e999", "amount must be a number"),
        ("less older -1", "it must be above 0"),
        ("mix 0", "this command is: mix FACE FACE [AMOUNT]"),
        ("mix 0 0 x", "'x' is no number; this command is: mix FACE FACE [AMOUNT]"),
        ("mix 0 missing.case", "missing.case cannot be read"),
        ("morph 0 0 nan", "'nan' is no number; this command is: morph FACE FACE [COUNT]"),
        ("morph 0 0 1", "count is 1; it must be 2 to"),
        ("compare 0", "this command is: compare FACE FACE"),
        ("branch", "this command is: branch STEP"),
        ("branch 99999999999999999999999", "this command is: branch STEP"),
        ("lock", "name what to lock"),
        ("unlock hair", "'hair' is not locked"),
        ("load", "name the case file: load FILE"),
        ("save", "name the case file: save FILE"),
        ("save /proc/none/a.case", "cannot be written"),
        ("save a\0b", "cannot be written"),
        ("compare 0 @1", "step is 1; it must be 0 to 0"),
        ("faces of mine", "this command is: faces"),
        ("slider", "name what to change"),
        ("repair", "name the log: repair LOG"),
        ("repair none.log", "none.log cannot be read"),
        ("log", "there is no log; t2f identikit keeps one with --case FILE"),
        ("log x", "this command is: log [COUNT]"),
        ("picture", "name the file: picture FILE [SCALE]"),
        ("picture words", "name the file: picture FILE [SCALE]"),
        ("picture a.jpg", "a.jpg must end in .png"),
        ("picture a.png 65", "scale is 65; it must be 1 to 64"),
        ("picture none/a.png", "the folder none does not exist; make it with: mkdir -p none"),
        ("sheet", "name the file: sheet FILE"),
        ("sheet a.gif", "a.gif must end in .png"),
        ("page", "name the file: page FILE"),
        ("page a.png", "a.png must end in .pdf"),
        ("explain a.jpg", "a.jpg must end in .png"),
        ("facts", "name the file: facts FILE"),
        ("facts none.png", "none.png cannot be read"),
        ("sign a.png", "this command is: sign FILE CERTIFICATE KEY; names have no spaces here"),
    ],
)
def test_a_command_that_is_not_understood_says_what_is_wanted(run, command, message):
    result = run(["start a bald man", command, "show"])
    assert result.exit_code == 1
    assert f"Error: {command.split()[0]}"[:7] == "Error: "
    assert message in result.output
    assert result.output.splitlines()[-1] == "identikit/0000-start.png"


def test_help_names_every_command(run):
    result = run(["help"])
    assert result.exit_code == 0
    lines = result.output.splitlines()[1:]
    listed = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert listed == [*HELP]


def test_every_command_of_the_help_is_known(run):
    result = run(["start a bald man", *HELP])
    assert "there is no command" not in result.output


def test_a_step_that_went_past_the_log_is_found(run, tmp_path, generator):
    run(["start a bald man", "candidates 4"], "--case", "a.case")
    result = run(["load a.case", "choose 2", "save b.case"])
    assert "Error: this case has a log of 2 lines, which was not opened with it" in result.output
    assert load_case(tmp_path / "b.case") == load_case(tmp_path / "a.case")
    saved = load_case(tmp_path / "a.case")
    past = Session(saved.case, Studio(generator)).choose([2])
    save_case(tmp_path / "a.case", past.case, saved.log)
    result = run(["check"], "--case", "a.case")
    assert result.exit_code == 1
    assert "Error: a.case.log has no line of step 2 (choose)" in result.output


def test_history_and_comparison_are_told(run):
    result = run(["start a bald man", "describe a girl", "undo", "history", "compare 0.00 1.00"])
    assert result.exit_code == 0, result.output
    assert "> 0: start (description a bald man, seed 0)" in result.output
    assert "  1 after 0: describe (text a girl)" in result.output
    assert "only 1.00 follows: a girl" in result.output


def test_a_case_is_saved_and_loaded_by_name(run, tmp_path):
    first = run(["start a bald man", "candidates 4", "choose 2", "save my.case"])
    assert first.output.splitlines()[-1] == "my.case: 3 steps"
    second = run(["load my.case", "start a girl", "mix 0 my.case 0.5"])
    assert second.exit_code == 0, second.output
    assert second.output.splitlines()[1].startswith("step 2, 4 faces, chosen: 2")


def test_a_case_file_is_never_started_over(run):
    run(["start a bald man"], "--case", "a.case")
    result = run(["start a girl", "load a.case"], "--case", "a.case")
    assert "Error: a.case holds a case already; for another, call t2f identikit" in result.output
    assert "Error: the case here is a.case; for another, call t2f identikit" in result.output


def test_an_altered_log_ends_the_command(run, tmp_path):
    run(SCRIPT, "--case", "a.case")
    log = tmp_path / "a.case.log"
    log.write_text(log.read_text().replace("officer", "x").replace('"breed"', '"bread"', 1))
    result = run(["show"], "--case", "a.case")
    assert result.exit_code == 1
    assert "Error: a.case.log is not as it was written: line 4 was altered" in result.output


def test_a_log_that_a_power_cut_halved_is_repaired_as_the_error_says(run, tmp_path):
    run(["start a man"], "--case", "a.case")
    log = tmp_path / "a.case.log"
    with log.open("a") as file:
        file.write('{"line":2,"prev')
    refused = run(["choose 0"], "--case", "a.case")
    assert refused.exit_code == 1
    assert "a.case.log ends in half a line of 15 bytes" in refused.output
    assert "repair a.case.log" in refused.output
    repaired = run(["repair a.case.log", "repair a.case.log"], "--operator", "technician")
    assert repaired.exit_code == 0, repaired.output
    assert repaired.output.splitlines()[1:] == [
        "a.case.log: 15 bytes were lost, which its last line tells now",
        "a.case.log: every line is whole; nothing was changed",
    ]
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["operation"], last["operator"]) == ("repair", "technician")
    went_on = run(["choose 0", "check"], "--case", "a.case")
    assert went_on.exit_code == 0, went_on.output
    assert "a.case.log: 4 lines, as they were written" in went_on.output


def test_what_is_no_utf8_is_refused_and_escaped(run, tiny_bundle):
    arguments = ["identikit", str(tiny_bundle)]
    result = CliRunner().invoke(main, arguments, input=b"start a b\xffld man\n\xff\x1b[2J\n")
    assert result.exit_code == 1
    assert "Error: the description holds the lone surrogate U+DCFF" in result.output
    assert "\x1b" not in result.output


def test_a_line_that_is_too_long_is_refused_whole(run):
    for letter in ("a", "ü", "\U0001f467"):
        result = run(["start a man", f"describe {letter * LONGEST_LINE} undo", "show"])
        assert result.exit_code == 1
        assert result.output.splitlines()[2:] == [
            "Error: a command has 65536 characters at most; shorten it",
            "identikit/0000-start.png",
        ]


def test_no_log_is_begun_beside_what_is_no_case(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    result = run(["start a man"], "--case", "notes.txt")
    assert "Error: notes.txt is no case file" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_the_end_of_what_is_typed_ends_the_line(tiny_bundle, tmp_path):
    import pty  # noqa: PLC0415 (Windows has none)

    ours, theirs = pty.openpty()
    os.write(ours, b"\x04")
    code = "import sys; from t2f_runtime.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "identikit", str(tiny_bundle)],
        cwd=tmp_path,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("\n> \n")


def test_a_model_without_text_is_started_without_words(run, textless_bundle):
    result = run(["start", "candidates 4", "choose 1", "breed 3"], bundle=textless_bundle)
    assert result.exit_code == 0, result.output
    result = run(["start a man", "start", "more older"], bundle=textless_bundle)
    assert "Error: this model draws without descriptions" in result.output
    assert "Error: a slider needs a model that reads descriptions" in result.output


def test_the_pictures_folder_can_be_named_but_must_be_one(run, tmp_path):
    result = run(["start a bald man"], "--pictures", "here/there")
    assert "here/there/0000-start.png" in result.output
    assert (tmp_path / "here" / "there" / "0000-start.png").exists()
    (tmp_path / "file").write_text("")
    result = run(["start a bald man"], "--pictures", "file/there")
    assert "Error: file/there cannot be made" in result.output


def test_the_installed_command_reads_from_a_pipe(tiny_bundle, tmp_path):
    code = "import sys; from t2f_runtime.cli import main; sys.argv[0] = 't2f'; main()"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "identikit", str(tiny_bundle)],
        cwd=tmp_path,
        input="start a bald man\ncandidates 4\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "step 1, 4 faces: identikit/0001-candidates.png"


def test_a_sheet_shows_every_face_where_its_number_is():
    pictures = np.zeros((8, 64, 64, 3), dtype=np.uint8)
    pictures[7, :, :, 1] = 250
    sheet = np.asarray(numbered_sheet(pictures, chosen=[7]))
    # Six in a row, each 128 pixels wide with 8 between, and a line for the numbers below.
    green = np.argwhere((sheet == [0, 250, 0]).all(axis=-1))
    across, down = 128 + 8, 128 + 8 + 22
    assert green.min(axis=0).tolist() == [8 + down, 8 + across]
    assert green.max(axis=0).tolist() == [8 + down + 127, 8 + across + 127]
    frame = np.argwhere((sheet == [200, 30, 30]).all(axis=-1))
    assert frame.min(axis=0).tolist() == [8 + down - 4, 8 + across - 4]
    assert frame.max(axis=0).tolist() == [8 + down + 131, 8 + across + 131]
    below = sheet[8 + 128 + 4 : 8 + down - 8, 8 : 8 + 128]
    assert (below < 100).any()


def test_a_sheet_of_no_faces_or_too_many_is_refused():
    with pytest.raises(ArgumentError, match="a sheet needs a face"):
        numbered_sheet(np.zeros((0, 8, 8, 3), dtype=np.uint8))
    pictures = np.broadcast_to(np.uint8(0), (100, 2048, 2048, 3))
    with pytest.raises(ArgumentError, match="show fewer faces"):
        numbered_sheet(pictures)
