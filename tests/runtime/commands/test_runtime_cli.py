import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from t2f_runtime import FaceGenerator, __version__, cli
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import GENERATOR, REFERENCE, decode_manifest
from t2f_runtime.pictures.facts import PIXELS, XMP_KEYWORD, read_picture


@pytest.fixture
def t2f(tmp_path, monkeypatch):
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(cli.main, [str(part) for part in arguments], input=stdin)

    return run


def fails(result, message, exit_code=1):
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert re.search(message, result.stderr), result.stderr
    if exit_code == 1:
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


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


def test_a_bad_bundle_is_one_line(t2f, bundle):
    os.truncate(bundle / GENERATOR, 10)
    for command in (["generate", bundle, "a man", "-o", "a.png"], ["info", bundle]):
        fails(t2f(*command), r"generator.onnx is truncated: 10 of \d+ bytes")


def test_an_error_shows_no_control_characters(t2f):
    fails(t2f("info", "evil\x1b[2J"), r"evil\\x1b\[2J is no folder")


def test_a_bug_keeps_its_traceback(t2f, monkeypatch):
    def bug(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(Bundle, "open", bug)
    assert isinstance(t2f("info", "x").exception, ZeroDivisionError)


def test_info_says_what_a_bundle_is(t2f, tiny_bundle):
    result = t2f("info", tiny_bundle)
    assert result.exit_code == 0
    short_id = Bundle.open(tiny_bundle).short_id
    for line in (
        r"name: +tiny",
        rf"bundle id: +{short_id}",
        r"pictures: +8x8 pixels",
        r"latent: +8 = condition 4 \+ noise 4",
        r"text: +325 tokens known \(sentencepiece\), 64 a description",
        r"precisions: +float32",
        r"data: +made up: 0 images, 8 descriptions, licence not stated",
        r"signed: +no",
        r"size: +0.3 MiB in 4 files",
        r"file: +generator.onnx, 9078 bytes \(3.3%\), SHA-256 [0-9a-f]{64}",
    ):
        assert re.search(f"^{line}$", result.stdout, re.MULTILINE), line


def test_info_says_that_a_bundle_has_no_text(t2f, textless_bundle):
    result = t2f("info", textless_bundle)
    for line in (
        r"latent: +4 = condition 0 \+ noise 4",
        r"text: +none: faces are drawn from seeds alone",
    ):
        assert re.search(f"^{line}$", result.stdout, re.MULTILINE), line
    facts = json.loads(t2f("info", textless_bundle, "--json").stdout)
    assert facts["manifest"]["text"] is None


def test_info_shows_parity_and_metrics(t2f, bundle, change_manifest):
    parity = {
        "precision": "float32",
        "engine": "onnx-cpu",
        "against": "torch",
        "faces": 8,
        "maximum_levels": 1,
        "mean_levels": 0.0012,
        "psnr_db": 77.25,
        "tolerance_levels": 1,
        "worst_description": "a man",
        "worst_seed": 3,
    }
    change_manifest(lambda fields: fields.update(parity=[parity]))
    change_manifest(lambda fields: fields["provenance"].update(metrics={"distance": 0.5}))
    result = t2f("info", bundle)
    assert (
        "8 faces in float32 with onnx-cpu differ from torch by at most 1 level (1 allowed), "
        "0.0012 on average, PSNR 77.2 dB"
    ) in result.stdout
    assert re.search("^metrics: +distance 0.5$", result.stdout, re.MULTILINE)


def test_info_shows_no_control_characters(t2f, bundle, change_manifest):
    change_manifest(lambda fields: fields.update(name="evil\x1b[2J"))
    assert "evil\\x1b[2J" in t2f("info", bundle).stdout


def test_info_as_json_is_the_manifest(t2f, tiny_bundle, tiny_manifest):
    facts = json.loads(t2f("info", tiny_bundle, "--json").stdout)
    assert facts["bundle_id"] == Bundle.open(tiny_bundle).bundle_id
    assert decode_manifest(json.dumps(facts["manifest"]).encode()) == tiny_manifest


def test_verify_tells_every_check_and_the_numbers(t2f, tiny_bundle):
    output = t2f("verify", tiny_bundle, "--threads", "1").stdout.splitlines()
    lines = [line for line in output if not line.startswith("not run: ")]
    assert lines[0] == "ok: generator.onnx has its 9078 bytes and its SHA-256"
    assert len(lines) == 5
    assert re.fullmatch(
        r"ok: 3 faces in float32 with onnx-cpu differ from reference.png by at most "
        r"(0 levels|1 level) "
        r"\(1 allowed\), 0.\d+ on average, (identical|PSNR .* dB)",
        lines[-1],
    )


def test_a_bundle_without_text_verifies(t2f, textless_bundle):
    lines = t2f("verify", textless_bundle).stdout.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["generator.onnx", "reference.png"]
    assert lines[2].startswith("ok: 3 faces in float32 with onnx-cpu differ from ")


def test_verify_fails_with_the_numbers(t2f, bundle, tiny_manifest, change_manifest):
    changed = [
        {"description": reference.description, "seed": 99} for reference in tiny_manifest.references
    ]
    change_manifest(lambda fields: fields.update(references=changed))
    result = t2f("verify", bundle)
    assert result.exit_code == 1
    assert re.match(r"Error: .* draws other faces with onnx-cpu .* levels apart", result.stderr)


def test_verify_draws_with_a_named_engine_alone(t2f, tiny_bundle):
    result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu")
    lines = [line for line in result.stdout.splitlines() if " has its " not in line]
    assert result.exit_code == 0
    assert len(lines) == 1
    assert lines[0].startswith("ok: 3 faces in float32 with onnx-cpu differ from ")


def test_verify_with_an_engine_that_cannot_run_here_fails_with_the_repair(
    t2f, tiny_bundle, find_no_gpu
):
    for engine in ("tensorrt", "onnx-tensorrt"):
        result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu", "--engine", engine)
        assert result.exit_code == 1
        assert f"Error: engine '{engine}' cannot run here: " in result.stderr
        assert "; draw with the engine onnx-cpu, or give this machine an NVIDIA" in result.stderr


@pytest.mark.parametrize("option", ["--openvino", "--write"])
def test_verify_refuses_what_a_named_engine_leaves_out(t2f, tiny_bundle, option):
    result = t2f("verify", tiny_bundle, "--engine", "onnx-cpu", option)
    fails(result, f"{option} is about more than one engine: leave --engine out", exit_code=2)
    fails(t2f("verify", tiny_bundle, "--engine", "abacus"), "'abacus' is not one of", exit_code=2)


def test_the_version_is_told(t2f):
    assert t2f("--version").stdout == f"t2f, version {__version__}\n"


def test_python_runs_the_command_where_it_is_not_on_the_path():
    result = subprocess.run(
        [sys.executable, "-m", "t2f_runtime", "generate"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("Usage: t2f generate [OPTIONS] BUNDLE")


PLUGIN = """
import click

@click.command()
@click.argument("rest", nargs=-1)
def works(rest):
    '''Works well.'''
    click.echo(f"worked {rest}")

@click.command()
@click.argument("rest", nargs=-1)
def needs_torch(rest):
    '''Needs torch when it runs.'''
    import a_package_that_nobody_has.deep

@click.command()
def own_bug():
    '''Lacks a module of its own.'''
    import t2f_plugin.absent
"""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Commands of a package above the runtime, some of them broken."""
    package = tmp_path / "t2f_plugin"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(PLUGIN)
    (package / "broken.py").write_text("import a_package_that_nobody_has\n")
    (package / "faulty.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = [
        EntryPoint(name, f"t2f_plugin.{value}", cli.COMMANDS_GROUP)
        for name, value in {
            "works": "cli:works",
            "needs-torch": "cli:needs_torch",
            "own-bug": "cli:own_bug",
            "broken": "broken:command",
            "faulty": "faulty:command",
            "info": "cli:works",
        }.items()
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found)


def test_commands_of_other_packages_are_found(t2f, plugins):
    assert t2f("works", "1", "2").stdout == "worked ('1', '2')\n"


def test_help_lists_all_commands_even_broken_ones(t2f, plugins):
    result = t2f("--help")
    assert result.exit_code == 0
    listed = re.findall(r"^  ([a-z-]+)  ", result.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == [
        *(
            "bench",
            "broken",
            "doctor",
            "explain",
            "faulty",
            "generate",
            "identikit",
            "info",
            "keys",
        ),
        *("needs-torch", "own-bug", "pack", "read", "serve", "sign", "unpack", "verify", "works"),
    ]
    assert re.search("broken +Not available: No module named", result.stdout)


@pytest.mark.parametrize("command", ["needs-torch", "broken"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(t2f, plugins, command):
    fails(
        t2f(command, "argument"),
        f"the command '{command}' needs the package 'a_package_that_nobody_has'; "
        r"install it with: pip install 't2f\[plugin\]'",
    )


@pytest.mark.parametrize(
    ("command", "install"),
    [
        ("engine", r"pip install 't2f\[rtx\]' or pip install 't2f\[tensorrt\]'"),
        ("evaluate", r"pip install 't2f\[evaluate\]'"),
        ("timelapse", r"pip install 't2f\[evaluate\]'"),
    ],
)
def test_a_command_with_an_extra_of_its_own_names_that(t2f, plugins, monkeypatch, command, install):
    needy = EntryPoint(command, "t2f_plugin.cli:needs_torch", cli.COMMANDS_GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [needy])
    fails(t2f(command, "argument"), f"'{command}' needs the package .*; install it with: {install}")


def test_a_command_that_cannot_be_loaded_says_so_whatever_its_options(t2f, plugins):
    fails(t2f("broken", "--data", "x", "--help"), "the command 'broken' needs the package")


def test_a_missing_module_of_our_own_is_a_bug(t2f, plugins):
    assert isinstance(t2f("own-bug").exception, ModuleNotFoundError)


def test_a_command_whose_module_has_a_bug_keeps_its_traceback(t2f, plugins):
    assert isinstance(t2f("faulty").exception, ZeroDivisionError)


def test_no_package_can_replace_a_command_of_the_runtime(t2f, plugins, tiny_bundle):
    assert "bundle id:" in t2f("info", tiny_bundle).stdout


def test_an_unknown_command_is_told(t2f):
    fails(t2f("paint"), "No such command 'paint'", exit_code=2)


def test_the_reference_picture_is_one_that_people_can_open(tiny_bundle):
    with Image.open(io.BytesIO(Bundle.open(tiny_bundle).read(REFERENCE))) as image:
        assert image.size == (24, 8)
