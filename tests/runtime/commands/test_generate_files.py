import hashlib
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from t2f_runtime import FaceGenerator, cli
from t2f_runtime.commands.face_files import (
    Destination,
    DrawnFace,
    FaceWriter,
    draw_faces,
    file_name,
)
from t2f_runtime.commands.progress import Progress


@pytest.fixture
def t2f(tmp_path, monkeypatch):
    """Runs `t2f generate` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(cli.main, ["generate", *map(str, arguments)], input=stdin)

    return run


def test_each_face_has_a_file_of_its_own(t2f, tiny_bundle, generator, tmp_path):
    result = t2f(tiny_bundle, "a bald man", "une fée", "--count", 2, "--seed", 7, "--each", "a/b")
    assert (result.exit_code, result.stdout) == (0, "a/b: 4 faces, a file each\n")
    names = sorted(path.name for path in (tmp_path / "a/b").iterdir())
    assert names == [
        "00001-a-bald-man-s7-0000.png",
        "00001-a-bald-man-s7-0001.png",
        "00002-une-fee-s7-0000.png",
        "00002-une-fee-s7-0001.png",
    ]
    expected = [
        *generator.generate("a bald man", seed=7, count=2),
        *generator.generate("une fée", seed=7, count=2),
    ]
    for name, face in zip(names, expected, strict=True):
        with Image.open(tmp_path / "a/b" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), face)
            assert image.text["Title"] == "synthetic face"
            assert image.text["Index"] == str(int(name[-8:-4]))
            assert image.text["Seed"] == "7"
    with Image.open(tmp_path / "a/b" / names[2]) as image:
        assert image.text["Description"] == "une fée"


def face(description, seed=0, index=0):
    return DrawnFace(
        description=description,
        seed=seed,
        index=index,
        picture=np.zeros((1, 1, 3), np.uint8),
        milliseconds=1,
    )


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("../../etc/passwd", "00001-etc-passwd-s0-0000.png"),
        ("CON", "00001-con-s0-0000.png"),
        ("a\tman: <b>|\\*?\"'", "00001-a-man-b-s0-0000.png"),
        ("👧 笑顔", "00001-s0-0000.png"),
        ("-rf .", "00001-rf-s0-0000.png"),
        (None, "00001-s0-0000.png"),
        ("x" * 500, f"00001-{'x' * 40}-s0-0000.png"),
        ("x" * 39 + " y", f"00001-{'x' * 39}-s0-0000.png"),
    ],
)
def test_a_file_has_a_safe_name_whatever_the_description(description, name):
    assert file_name(1, face(description)) == name


def test_no_two_faces_have_one_name():
    names = {
        file_name(number, face("a man", seed=seed, index=index))
        for number in (1, 2, 12345)
        for seed in (0, 2**64 - 1)
        for index in (0, 9999)
    }
    assert len(names) == 12


def test_json_tells_each_face_in_a_line(t2f, tiny_bundle, generator):
    result = t2f(
        tiny_bundle, "--from", "-", "--seed", 3, "--each", "faces", "--json", stdin="a man\n👧\n"
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(line) for line in lines] == [
        ["file", "description", "seed", "index", "sha256", "milliseconds"]
    ] * 2
    for line, text in zip(lines, ["a man", "👧"], strict=True):
        assert (line["description"], line["seed"], line["index"]) == (text, 3, 0)
        pixels = generator.generate(text, seed=3).tobytes()
        assert line["sha256"] == hashlib.sha256(pixels).hexdigest()
        assert line["milliseconds"] > 0
        with Image.open(line["file"]) as image:
            assert image.convert("RGB").tobytes() == pixels


def test_lines_are_answered_as_they_come(tiny_bundle, generator):
    code = "import sys; from t2f_runtime.cli import main; sys.argv[0] = 't2f'; main()"
    command = [sys.executable, "-c", code, "generate", str(tiny_bundle), "--from", "-", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for text in ("a man", "a girl", "👧"):
            process.stdin.write(f"{text}\r\n\n".encode())
            process.stdin.flush()
            line = json.loads(process.stdout.readline())  # before the next line is written
            pixels = generator.generate(text).tobytes()
            assert line["description"] == text
            assert line["sha256"] == hashlib.sha256(pixels).hexdigest()
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_a_bad_line_ends_a_stream_and_what_came_before_stays(t2f, tiny_bundle, tmp_path):
    lines = "a man\n\nx\0\na girl\n"
    result = t2f(tiny_bundle, "--from", "-", "--each", "faces", "--json", stdin=lines)
    assert result.exit_code == 1
    assert [json.loads(line)["description"] for line in result.stdout.splitlines()] == ["a man"]
    assert [path.name for path in (tmp_path / "faces").iterdir()] == ["00001-a-man-s0-0000.png"]
    assert result.stderr.startswith(
        "faces: 1 face, a file each, until here\n"
        "Error: line 3 of standard input: the description holds the control character U+0000"
    )


def test_a_stream_goes_on_after_the_arguments(t2f, tiny_bundle, tmp_path):
    (tmp_path / "list.txt").write_text("\ufeffa girl\n", "utf-8")
    result = t2f(tiny_bundle, "a man", "--from", "list.txt", "--each", "faces")
    assert result.stdout == "faces: 2 faces, a file each\n"
    names = sorted(path.name for path in (tmp_path / "faces").iterdir())
    assert names == ["00001-a-man-s0-0000.png", "00002-a-girl-s0-0000.png"]


def test_a_stream_may_be_longer_than_what_fits_on_a_sheet(t2f, tiny_bundle, monkeypatch):
    monkeypatch.setattr("t2f_runtime.commands.generate.MAXIMUM_LIST_BYTES", 4)
    result = t2f(tiny_bundle, "--from", "-", "--json", stdin="a man\na girl\n")
    assert len(result.stdout.splitlines()) == 2
    result = t2f(tiny_bundle, "--from", "-", "-o", "a.png", stdin="a man\na girl\n")
    assert "the file of descriptions is longer than 4 bytes: split it" in result.stderr


def test_json_alone_writes_nothing(t2f, tiny_bundle, tmp_path):
    result = t2f(tiny_bundle, "a man", "--count", 3, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["file"], line["index"]) for line in lines] == [(None, 0), (None, 1), (None, 2)]
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_and_files_can_be_had_together(t2f, tiny_bundle, tmp_path):
    arguments = (tiny_bundle, "a man", "a girl", "-o", "sheet.png", "--each", "faces")
    result = t2f(*arguments)
    assert re.fullmatch(
        r"sheet.png: 2 faces, \d+x\d+ pixels\nfaces: 2 faces, a file each\n", result.stdout
    )
    assert len(list((tmp_path / "faces").iterdir())) == 2
    lines = [json.loads(line) for line in t2f(*arguments, "--json").stdout.splitlines()]
    assert [line["file"] for line in lines] == [
        "faces/00001-a-man-s0-0000.png",
        "faces/00002-a-girl-s0-0000.png",
    ] or sys.platform == "win32"


def test_the_lines_of_a_sheet_name_it(t2f, tiny_bundle):
    result = t2f(tiny_bundle, "a man", "--count", 2, "-o", "sheet.png", "--json")
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == ["sheet.png"] * 2


def test_files_are_enlarged_by_the_scale(t2f, tiny_bundle, tmp_path):
    assert t2f(tiny_bundle, "a man", "--each", "faces", "--scale", 3).exit_code == 0
    with Image.open(next((tmp_path / "faces").iterdir())) as image:
        assert image.size == (24, 24)


def test_a_model_without_text_writes_its_seeds(t2f, textless_bundle, textless, tmp_path):
    result = t2f(textless_bundle, "--count", 2, "--seed", 5, "--each", "faces", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["description"] for line in lines] == [None, None]
    assert (tmp_path / "faces" / "00001-s5-0001.png").exists()
    pixels = textless.generate(seed=5, count=2)[1].tobytes()
    assert lines[1]["sha256"] == hashlib.sha256(pixels).hexdigest()


def test_a_bad_description_is_told_before_anything_is_written(t2f, tiny_bundle, tmp_path):
    result = t2f(tiny_bundle, "a man", "x\0", "--each", "faces", "--json")
    assert result.exit_code == 1
    assert "Error: description 2: the description holds the control character" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(t2f, tiny_bundle, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    result = t2f(tiny_bundle, "a man", "--each", "file/faces")
    assert result.exit_code == 1
    assert re.match(r"Error: the folder file.faces cannot be made: ", result.stderr)


def test_somewhere_to_put_the_faces_must_be_named(t2f, tiny_bundle):
    result = t2f(tiny_bundle, "a man")
    assert result.exit_code == 2
    assert "Give -o PICTURE, --each FOLDER, or --json." in result.stderr


def test_a_missing_bundle_is_told_before_where_to_put_the_faces(t2f):
    result = t2f("nothere", "a man")
    assert result.exit_code == 1
    assert "nothere" in result.stderr


def test_an_interrupted_stream_tells_how_many_files_there_are(t2f, tiny_bundle, monkeypatch):
    drawn = []

    def draw(self, latents, **options):
        drawn.append(latents)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return np.zeros((1, 8, 8, 3), np.uint8)

    monkeypatch.setattr(FaceGenerator, "draw", draw)
    result = t2f(tiny_bundle, "a man", "--count", 5, "--each", "faces")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line]
    assert lines == ["faces: 2 faces, a file each, until here", "Aborted!"]


class Watched(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self):
        return True


def test_whoever_watches_is_told_how_far_it_is(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Watched())
    destination = Destination(
        output=tmp_path / "sheet.png",
        folder=None,
        scale=None,
        as_json=False,
        is_sheet=False,
        tells_description=True,
    )
    writer = FaceWriter(generator, destination)
    writer.expects(2)
    for face in draw_faces(generator, "a man", seed=0, count=2):
        writer.add(1, face)
    writer.finish()
    lines = sys.stderr.getvalue().split("\r\x1b[K")
    assert lines == ["", "face 1 of 2", "face 2 of 2", ""]


def test_where_nobody_watches_nothing_is_said():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.say("face 1 of 2")
    progress.clear()
    assert stream.getvalue() == ""
