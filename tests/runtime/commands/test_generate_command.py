"""The command `t2f generate`."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from command_results import fails
from PIL import Image

from t2f_runtime import FaceGenerator, __version__
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.pictures.facts import PIXELS, XMP_KEYWORD, read_picture


@pytest.fixture
def at_noon(monkeypatch):
    """Has commands write one time into their pictures."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795521600")


def test_one_description_draws_one_picture_at_its_own_size(t2f, tiny_bundle, generator, at_noon):
    result = t2f("generate", tiny_bundle, "a bald man", "-o", "face.png", "--seed", "7")
    assert result.stdout == "face.png: 1 face, 8x8 pixels\n"
    with Image.open("face.png") as image:
        np.testing.assert_array_equal(np.asarray(image), generator.generate("a bald man", seed=7))
        notes = {
            "Title": "synthetic face",
            "Software": f"T2F {__version__}",
            "Description": "a bald man",
            "Description SHA-256": hashlib.sha256(b"a bald man").hexdigest(),
            "Seed": "7",
            "Index": "0",
            "Count": "1",
            "Bundle": Bundle.open(tiny_bundle).bundle_id,
            "Engine": str(generator.engine),
            "Creation Time": "2026-11-24T12:00:00Z",
        }
        assert notes.items() <= image.text.items()
        assert set(image.text) == {*notes, PIXELS, XMP_KEYWORD}
    facts, pixels = read_picture("face.png")
    np.testing.assert_array_equal(pixels, generator.generate("a bald man", seed=7))
    assert (facts.seed, facts.description, facts.count) == (7, "a bald man", 1)


def test_a_picture_says_when_it_was_written(t2f, tiny_bundle, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    before = datetime.now(timezone.utc).replace(microsecond=0)
    t2f("generate", tiny_bundle, "a bald man", "-o", "face.png")
    written = datetime.fromisoformat(read_picture("face.png")[0].time.replace("Z", "+00:00"))
    assert before <= written <= datetime.now(timezone.utc)


@pytest.mark.parametrize("name", ["face.png", "face.jpg", "face.webp"])
def test_equal_commands_at_one_time_write_equal_files(t2f, tiny_bundle, at_noon, name):
    files = []
    for _ in range(2):
        t2f("generate", tiny_bundle, "un été", "--count", 2, "-o", name)
        files.append(Path(name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("seconds", ["noon", "-1", "1.5", "9" * 30, ""])
def test_a_time_that_is_none_is_refused_before_anything_is_drawn(
    t2f, tiny_bundle, monkeypatch, tmp_path, seconds
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
    result = t2f("generate", tiny_bundle, "a man", "--each", "faces")
    fails(result, "^Error: SOURCE_DATE_EPOCH is '.*; give the seconds since 1970 as a whole number")
    assert list(tmp_path.iterdir()) == []


def test_words_can_be_left_out_of_all_that_is_written(t2f, tiny_bundle, tmp_path):
    arguments = ("generate", tiny_bundle, "Zebediah", "--no-description")
    t2f(*arguments, "-o", "face.png")
    t2f(*arguments, "-o", "face.jpg")
    t2f(*arguments, "--each", "faces")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in written) == ["00001-s0-0000.png", "face.jpg", "face.png"]
    for path in written:
        content = path.read_bytes()
        assert b"Zebediah" not in content
        assert "Zebediah".encode("utf-16-le") not in content
    facts, _ = read_picture("face.png")
    assert facts.description is None
    assert facts.description_sha256 == hashlib.sha256(b"Zebediah").hexdigest()


def test_a_sheet_without_words_has_no_captions(t2f, tiny_bundle):
    sizes = []
    for options in ([], ["--no-description"]):
        t2f("generate", tiny_bundle, "a man", "a girl", "-o", "sheet.png", *options)
        with Image.open("sheet.png") as image:
            sizes.append(image.size)
    assert sizes[0][0] - sizes[1][0] == 224 + 8  # the column of captions, and a gap
    assert sizes[0][1] == sizes[1][1]


def never_draw(*arguments, **options):
    raise AssertionError("nothing must be drawn here")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", 10000, "--scale", 64, "-o", "a.png"], r"would have \d+x\d+ pixels; 134217728"),
        (
            ["--count", 9000, "--scale", 8, "-o", "a.jpg"],
            "too many for JPEG, whose sides have 6550",
        ),
        (
            ["--count", 2000, "--scale", 8, "-o", "a.webp"],
            "for WEBP, whose sides have 16383 at mos",
        ),
    ],
)
def test_a_picture_that_would_be_too_large_is_refused_before_a_face_is_drawn(
    t2f, tiny_bundle, monkeypatch, arguments, message
):
    monkeypatch.setattr(FaceGenerator, "draw", never_draw)
    fails(t2f("generate", tiny_bundle, "a man", *arguments), message)


def test_a_dash_is_no_description(t2f, tiny_bundle):
    result = t2f("generate", tiny_bundle, "-", "-o", "a.png", stdin="a man\n")
    fails(result, r"'-' is no description; for standard input, give --from -\.", exit_code=2)


def test_a_picture_is_enlarged_by_the_scale(t2f, tiny_bundle):
    result = t2f("generate", tiny_bundle, "a bald man", "-o", "face.png", "--scale", "4")
    assert result.stdout == "face.png: 1 face, 32x32 pixels\n"


@pytest.mark.parametrize(
    ("arguments", "faces"),
    [
        (["a man", "a woman"], 2),
        (["a man", "--count", "3"], 3),
        (["a man", "a woman", "--count", "3"], 6),
    ],
)
def test_several_faces_draw_a_sheet(t2f, tiny_bundle, arguments, faces):
    result = t2f("generate", tiny_bundle, *arguments, "-o", "sheet.png")
    assert re.fullmatch(rf"sheet.png: {faces} faces, \d+x\d+ pixels\n", result.stdout)
    with Image.open("sheet.png") as image:
        assert image.height > 128
        assert image.text["Title"] == "synthetic faces"


def test_a_sheet_of_one_face_can_be_asked_for(t2f, tiny_bundle):
    assert t2f("generate", tiny_bundle, "a man", "-o", "a.png", "--sheet").exit_code == 0
    with Image.open("a.png") as image:
        assert image.width > 300


def test_descriptions_come_from_a_file_in_any_common_form(t2f, tiny_bundle, tmp_path):
    lines = "\ufeffa bald man\r\n\r\n  \na girl \u2028 smiling\nun été"
    (tmp_path / "list.txt").write_bytes(lines.encode())
    result = t2f("generate", tiny_bundle, "first", "--from", "list.txt", "-o", "sheet.png")
    assert result.stdout.startswith("sheet.png: 4 faces, ")
    with Image.open("sheet.png") as image:
        assert image.text["Description"].split("\n") == [
            "first",
            "a bald man",
            "a girl \u2028 smiling",
            "un été",
        ]


def test_descriptions_come_from_standard_input(t2f, tiny_bundle):
    result = t2f("generate", tiny_bundle, "--from", "-", "-o", "face.png", stdin="a bald man\n")
    assert result.stdout == "face.png: 1 face, 8x8 pixels\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"\na man\xff",
            "^Error: line 2 of list.txt is not UTF-8 at byte 5: save the file as UTF-8",
        ),
        (
            b"a man\n\nx\x00\n",
            "^Error: line 3 of list.txt: the description holds the control character U.0000 at ",
        ),
        ((b" " * (2**20 - 1) + b"\n") * 16 + b"\n", "is longer than 16777216 bytes: split it"),
        (b"\n" + b"x" * 2**20 + b"\n", "line 2 of list.txt is longer than 1048576 bytes: cut it"),
    ],
)
def test_a_bad_file_of_descriptions_is_refused(t2f, tiny_bundle, tmp_path, data, message):
    (tmp_path / "list.txt").write_bytes(data)
    fails(t2f("generate", tiny_bundle, "--from", "list.txt", "-o", "a.png"), message)
    assert not (tmp_path / "a.png").exists()


def test_no_description_at_all_is_a_mistake_in_usage(t2f, tiny_bundle):
    for arguments in (["-o", "a.png"], ["--from", os.devnull, "-o", "a.png"], ["--json"]):
        result = t2f("generate", tiny_bundle, *arguments)
        fails(result, "Give a DESCRIPTION, such as .* or --from FILE", exit_code=2)


@pytest.mark.skipif(sys.platform == "win32", reason="the shell that closes files is another there")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("generate {} --from - -o a.png <&-", "Standard input is closed; give it a file, a pipe"),
        ("identikit {} <&-", "Standard input is closed; give it a file, a pipe, or /dev/null."),
        ("info {} >/dev/full", "Error: the output cannot be written: No space left on device"),
        ("generate {} 'a man' --json >/dev/full", "Error: the output cannot be written: No space"),
        ("--help >/dev/full", "Error: the output cannot be written: No space left on device"),
        ("--version >/dev/full", "Error: the output cannot be written: No space left on device"),
        ("--help >/dev/full 2>/dev/full", None),
        ("generate {} 'a man' --count 99 --json | head -1", None),
    ],
)
def test_what_the_shell_does_to_input_and_output_is_no_bug(
    tiny_bundle, tmp_path, arguments, message
):
    if ">/dev/full" in arguments and not Path("/dev/full").exists():
        pytest.skip("this system has no disk that is always full")
    code = "from t2f_runtime.cli import main; main()"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} "
    command += arguments.format(shlex.quote(str(tiny_bundle)))
    result = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in result.stderr
    assert (message in result.stderr) if message else (result.stderr == "")
    assert not list(tmp_path.iterdir())


def test_a_bundle_without_text_draws_without_descriptions(t2f, textless_bundle, textless):
    result = t2f("generate", textless_bundle, "-o", "face.png", "--seed", "7")
    assert result.stdout == "face.png: 1 face, 8x8 pixels\n"
    with Image.open("face.png") as image:
        np.testing.assert_array_equal(np.asarray(image), textless.generate(seed=7))
        assert "Description" not in image.text
        assert (image.text["Title"], image.text["Seed"]) == ("synthetic face", "7")


def test_many_faces_without_descriptions_draw_a_sheet(t2f, textless_bundle):
    result = t2f("generate", textless_bundle, "--count", "16", "-o", "faces.png")
    assert re.fullmatch(r"faces.png: 16 faces, \d+x\d+ pixels\n", result.stdout)
    with Image.open("faces.png") as image:
        assert image.text["Title"] == "synthetic faces"


@pytest.mark.parametrize("arguments", [["a man"], ["a man", "a woman"], ["--from", "-"]])
def test_a_bundle_without_text_takes_no_description(t2f, textless_bundle, arguments):
    result = t2f("generate", textless_bundle, *arguments, "-o", "a.png", stdin="a girl\n")
    fails(result, "^Error: this model draws without descriptions; leave it out$")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("", "the description is empty or shows nothing"),
        ("a man " * 100, r"has \d+ tokens; this bundle reads 64 at most"),
        ("x" * 10**6, "has 1000000 characters; this bundle reads 4096 at most"),
        ("\x1b[31m", r"control character U\+001B at position 0"),
    ],
)
def test_a_description_that_cannot_be_read_is_one_line(t2f, tiny_bundle, description, message):
    fails(t2f("generate", tiny_bundle, description, "-o", "a.png"), message)


@pytest.mark.parametrize("name", ["a.gif", "none/a.png", "."])
def test_a_bad_output_is_told_before_the_bundle_is_opened(t2f, name):
    result = t2f("generate", "no bundle", "a man", "-o", name)
    fails(result, "has no suffix of a picture|the folder none does not exist")
