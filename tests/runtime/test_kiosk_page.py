"""The programs that docs/kiosk.md shows, run as they stand."""

import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from certificate_authority import Authority
from PIL import Image

import t2f_runtime
from t2f_runtime import T2FError
from t2f_runtime.bundle.packing import pack_bundle
from t2f_runtime.identikit import Session, read_picture
from t2f_runtime.service.messages import ErrorCode
from t2f_runtime.service.server import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "kiosk.md").read_text("utf-8")


def blocks(language):
    every = re.findall(r"^```(.*?)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return [block for its_language, block in every if its_language == language]


@pytest.fixture
def kiosk(tmp_path, monkeypatch, tiny_bundle):
    """A folder with the bundle that the page speaks of."""
    shutil.copytree(tiny_bundle, tmp_path / "bundles" / "faces")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_on_the_page_runs_from_top_to_bottom(kiosk, generator):
    assert len(blocks("python")) == 7
    names = {}
    exec(compile("\n".join(blocks("python")), "docs/kiosk.md", "exec"), names)
    description = "a smiling woman with grey hair"
    np.testing.assert_array_equal(names["face"], generator.generate(description, seed=7))
    assert names["pictures"].shape == (18, 8, 8, 3)
    assert names["session"].face.descriptions == ("a man with a beard and glasses",)
    assert isinstance(names["before"], Session)
    assert names["message"].startswith("the description is empty or shows nothing; describe the fa")
    assert (kiosk / "case-17.case").exists()
    assert names["logged"].log.mark.lines == 3
    np.testing.assert_array_equal(
        names["faces"], [generator.generate("a bald man", seed=seed) for seed in range(4)]
    )
    np.testing.assert_array_equal(names["screen"], generator.generate("a bald man", count=18))


@pytest.fixture
def session_of_the_page(kiosk, generator):
    """What the Python on the page has made when pictures are passed on."""
    session = Session.start("a man with a beard", generator)
    names = {"generator": generator, "session": session}
    run("python pictures", names)
    return names


def run(language, names):
    (program,) = blocks(language)
    exec(compile(program, "docs/kiosk.md", "exec"), names)


def test_a_picture_of_the_page_says_what_it_is(session_of_the_page):
    facts, pixels = session_of_the_page["facts"], session_of_the_page["pixels"]
    assert facts.description is None
    assert facts.engine == str(session_of_the_page["generator"].engine)
    assert pixels.shape == (32, 32, 3)


@pytest.mark.skipif(
    importlib.util.find_spec("fpdf") is None or importlib.util.find_spec("uharfbuzz") is None,
    reason="fpdf2 is not installed: pip install 't2f[pdf]'",
)
def test_the_page_of_the_page_is_written(session_of_the_page, kiosk):
    run("python pdf", session_of_the_page)
    assert (kiosk / "case-17.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None,
    reason="c2pa-python is not installed: pip install 't2f[c2pa]'",
)
def test_the_picture_of_the_page_is_signed_and_checked(session_of_the_page, kiosk):
    authority = Authority(kiosk)
    authority.give("signer", authority.new_key())
    run("python c2pa", session_of_the_page)
    credentials = session_of_the_page["credentials"]
    assert (credentials.is_trusted, credentials.common_name) == (True, "signer")


def test_every_error_on_the_page_exists_where_it_says():
    table = PAGE[PAGE.index("| error | when") :].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    named = {name: row for row in rows for name in re.findall(r"`(\w+Error)`", row)}
    assert {"PictureError", "CaseError", "DeadlineError"} <= set(named)
    for name, row in named.items():
        place = re.search(r"of `(t2f_runtime\.\w+)`", row)
        module = importlib.import_module(place[1]) if place else t2f_runtime
        assert name in module.__all__
        assert issubclass(getattr(module, name), T2FError)


def test_the_methods_and_codes_on_the_page_are_those_of_the_server():
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE[PAGE.index("| method |") :], re.MULTILINE)
    named = re.findall(r"`([\w.]+)`", " ".join(rows))
    assert len(named) == len(METHODS)
    assert set(named) == set(METHODS)
    codes = re.search(r"Error codes are stable: (.*?)\.", PAGE, re.DOTALL)[1]
    assert re.findall(r"`(\w+)`", codes) == list(ErrorCode.__args__)


@pytest.fixture
def t2f_path(tmp_path):
    """The variable PATH with this `t2f` first."""
    command = tmp_path / "bin" / "t2f"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom t2f_runtime.cli import main\nmain()\n")
    command.chmod(0o755)
    return f"{command.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="links and mv -T are those of Linux")
def test_the_commands_on_the_page_install_a_bundle_and_update_it(
    tmp_path, monkeypatch, t2f_path, tiny_bundle
):
    monkeypatch.chdir(tmp_path)
    install, update = (block for block in blocks("") if "t2f unpack" in block)
    for number in (1, 2):
        pack_bundle(tiny_bundle, Path(f"faces-{number}.t2f"))
    for script, folder in ((install, "faces-1"), (update, "faces-2")):
        result = subprocess.run(
            ["bash", "-e", "-c", script],
            env={**os.environ, "PATH": t2f_path},
            capture_output=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, b"")
        assert Path("bundles/faces").readlink() == Path(folder)
        assert Path("bundles/faces/manifest.json").is_file()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the program on the page is for Linux")
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_the_cpp_on_the_page_compiles_and_draws(kiosk, generator, t2f_path):
    (program,) = blocks("cpp")
    (kiosk / "host.cpp").write_text(program)
    subprocess.run(
        ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "host.cpp", "-o", "host"], check=True
    )
    result = subprocess.run(
        ["./host", "bundles/faces", "face.png"],
        env={**os.environ, "PATH": t2f_path},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")
    with Image.open("face.png") as image:
        np.testing.assert_array_equal(np.asarray(image), generator.generate("a bald man", seed=7))
    result = subprocess.run(
        ["./host", "bundles/faces", "face.png"],
        env={"PATH": str(kiosk)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "t2f cannot be started: No such file or directory",
        "t2f ended; see its standard error",
    ]


NEWTONSOFT_JSON = Path("/usr/lib/cli/Newtonsoft.Json-5.0")
"""Where Debian's libnewtonsoft-json5.0-cil has it."""


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("mcs") is None or shutil.which("mono") is None or not NEWTONSOFT_JSON.is_dir(),
    reason="there is no Mono with Newtonsoft.Json: "
    "apt-get install mono-mcs mono-runtime libnewtonsoft-json5.0-cil",
)
def test_the_csharp_on_the_page_compiles_and_does_the_session_of_the_python(
    kiosk, generator, t2f_path
):
    (program,) = blocks("csharp")
    (kiosk / "host.cs").write_text(program, "utf-8")
    subprocess.run(
        ["mcs", "-langversion:7", "-warn:4", "-warnaserror",
         f"-r:{NEWTONSOFT_JSON}/Newtonsoft.Json.dll", "host.cs"],
        check=True,
    )  # fmt: skip
    (kiosk / "case").mkdir()
    environment = {**os.environ, "PATH": t2f_path, "MONO_PATH": str(NEWTONSOFT_JSON)}

    def run_host(folder):
        return subprocess.run(
            ["mono", "host.exe", "bundles/faces", folder],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    result = run_host("case")
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
    names = {}
    exec(compile("\n".join(blocks("python")[:3]), "docs/kiosk.md", "exec"), names)
    session = Session.load("case/case-17.case", generator)
    assert session == names["session"]
    with Image.open(f"case/{session.face.name}.png") as image:
        np.testing.assert_array_equal(np.asarray(image), session.pictures()[0])
    assert read_picture("case/case-17.png")[0].description is None

    result = run_host("case")
    assert result.returncode == 1
    assert "case-17.case" in result.stderr


def test_the_csharp_on_the_page_uses_fields_that_there_are():
    (program,) = blocks("csharp")
    schema = json.loads((Path(__file__).parents[2] / "docs" / "serve.schema.json").read_text())
    properties = set(re.findall(r'"(\w+)":', json.dumps(schema)))
    used = set(re.findall(r'\["(\w+)"\]', program))
    assert used == {"protocol", "error", "message", "result", "session", "faces", "data", "name"}
    assert used <= properties
    asked = set(re.findall(r'Ask\("([\w.]+)"', program))
    assert {"identikit.start", "identikit.save"} <= asked <= set(METHODS)
