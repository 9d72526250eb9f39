"""What docs/jetson.md and docker/ say is so, as far as it can be told without a Jetson."""

import ast
import configparser
import http.client
import importlib.util
import io
import re
import shlex
import threading
from urllib.parse import urlencode

import click
import numpy as np
import pytest
import tomli
from packaging.requirements import Requirement
from PIL import Image
from test_documented_commands import ROOT, find, joined, missing

from t2f_runtime import FaceGenerator

PAGE = (ROOT / "docs" / "jetson.md").read_text("utf-8")
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
TINY_BUNDLE = ROOT / "tests" / "runtime" / "tiny_bundle"


def block(page, language):
    """The blocks of a language on a page, in one text."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE))


def arguments_of(line):
    """What a shell hands to `t2f`, of a line that may go on with other commands."""
    words = shlex.split(line, comments=True)
    ends = [words.index(word) for word in ("&&", "|", ";") if word in words]
    return words[: min(ends, default=len(words))]


def parsed(arguments):
    """Parses a command line of `t2f`, types and required arguments included, and runs nothing."""
    command, left = find(arguments)
    assert command is not None, arguments
    return command.make_context(command.name, list(left))


@pytest.fixture(scope="module")
def templates():
    """The packages' texts of 15 characters and more, with None where an f-string has a value."""
    found = set()
    for package in ("t2f_runtime", "t2f_train", "t2f_export"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                texts = tuple(getattr(part, "value", None) for part in parts)
                found.add(tuple(text if isinstance(text, str) else None for text in texts))
    return [parts for parts in found if sum(len(part or "") for part in parts) >= 15]


def is_told(text, templates):
    """Whether a message that one of the templates gives, with some values, begins with a text."""
    return any(begins(template, text) for template in templates)


def begins(template, text):
    """Tells it of one template; 15 characters must be its own, since values may be anything."""
    first = next(part for part in template if part)
    if first[:6] not in text:
        return False
    for count, part in enumerate(template):
        pieces = template[:count]
        own = sum(len(piece) for piece in pieces if piece is not None)
        before = "".join("(.+?)" if piece is None else re.escape(piece) for piece in pieces)
        found = [end for end in range(len(text) + 1) if re.fullmatch(before, text[:end])]
        if part is None:  # the text may end within a value
            if own >= 15 and found:
                return True
        elif any(part.startswith(text[end:]) and own + len(text) - end >= 15 for end in found):
            return True
    return False


def load_kiosk():
    specification = importlib.util.spec_from_file_location("kiosk", ROOT / "docker" / "kiosk.py")
    kiosk = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(kiosk)
    return kiosk


@pytest.fixture
def address():
    """A kiosk that draws with the tiny bundle."""
    server = load_kiosk().FaceServer(("127.0.0.1", 0), FaceGenerator.load(TINY_BUNDLE, threads=1))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def ask(address, path, **query):
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_every_command_line_on_the_page_is_one_that_t2f_takes():
    lines = [
        line for line in joined(block(PAGE, "")).splitlines() if re.search(r"(^|\s)t2f ", line)
    ]
    commands = [arguments_of(re.split(r"(?:^|\s)t2f ", line)[1]) for line in lines]
    assert {"unpack", "verify", "generate", "engine", "info"} <= {words[0] for words in commands}
    for words in commands:
        if words != ["--version"]:
            parsed(words)


def test_a_command_line_that_t2f_does_not_take_is_found():
    with pytest.raises(click.UsageError, match="is not one of 'auto', 'rtx', 'tensorrt'"):
        parsed(["engine", "BUNDLE", "--flavour", "cuda"])
    with pytest.raises(click.UsageError, match="Missing parameter: bundle"):
        parsed(["verify"])


def test_the_service_runs_what_the_page_installs():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(block(PAGE, "ini"))
    check, run = (shlex.split(unit["Service"][name]) for name in ("ExecStartPre", "ExecStart"))
    assert check[0] == "/opt/t2f/venv/bin/t2f"
    assert parsed(check[1:]).params["bundle"].name == "current"
    assert run[:2] == ["/opt/t2f/venv/bin/python", "/opt/t2f/kiosk.py"]
    load_kiosk().main.make_context("kiosk", run[2:])
    for shown in ("venv --system-site-packages /opt/t2f/venv", "cp kiosk.py /opt/t2f/"):
        assert shown in block(PAGE, "")


def test_the_errors_on_the_page_are_those_that_t2f_gives(templates):
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert len(rows) > 10
    assert [row for row in rows if not is_told(row, templates)] == []


@pytest.mark.parametrize(
    "text", ["no GPU was found here", "building with TensorRT needs the module 'tensorrt'"]
)
def test_an_error_that_t2f_does_not_give_is_found(text, templates):
    assert not is_told(text, templates)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_built_of_files_that_exist_and_runs_without_root(path):
    text = re.sub(r"\\\n", " ", path.read_text("utf-8"))
    assert all(missing(line) is None for line in re.findall(r"[ \"]t2f ([a-z]\S* \S+)", text))
    assert "t2f verify /bundle" in re.search(r"^HEALTHCHECK.*", text, re.MULTILINE)[0]
    ignored = path.with_name(f"{path.name}.dockerignore").read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists()
            assert f"!{name}\n" in ignored
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] == "10001"
    base = re.search(r"^FROM (nvcr\.io/nvidia/\S+:\S+) AS base$", text, re.MULTILINE)[1]
    assert f"`{base}`" in PAGE
    arguments = ast.literal_eval(re.search(r"^CMD (.+)$", text, re.MULTILINE)[1])
    load_kiosk().main.make_context("kiosk", arguments[2:])


def test_the_images_differ_in_nothing_but_their_base():
    after = [path.read_text("utf-8").split(" AS base\n", 1)[1] for path in DOCKERFILES]
    assert len(after) == 2
    assert after[0] == after[1]


@pytest.mark.parametrize("python", ["3.10", "3.12"])
def test_everything_that_a_board_installs_is_pinned(python):
    board = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": "aarch64",
        "sys_platform": "linux",
    }
    project = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {}
    for pin in (Requirement(line) for line in lines if not line.startswith("#")):
        if pin.marker is None or pin.marker.evaluate(board):
            pins[pin.name.lower()] = str(pin.specifier).removeprefix("==")
    wanted = map(Requirement, [*project["dependencies"], *extras["cpu"], *extras["tensorrt"]])
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate(board)]
    assert len(wanted) > 7
    assert [one.name for one in wanted if not one.specifier.contains(pins[one.name.lower()])] == []


def test_the_kiosk_draws_the_face_that_the_generator_draws(address):
    status, body = ask(address, "/face", text="a bald man", seed=7)
    assert status == 200
    expected = FaceGenerator.load(TINY_BUNDLE).generate("a bald man", seed=7)
    image = Image.open(io.BytesIO(body))
    assert np.array_equal(np.asarray(image), expected)
    assert image.text["Title"] == "synthetic face"
    assert "Description" not in image.text


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("/", {}, 200, "GET /face"),
        ("/faces", {}, 404, "GET /face"),
        ("/face", {}, 400, "draws from descriptions; give one"),
        ("/face", {"text": " "}, 400, "empty"),
        ("/face", {"text": "a man", "seed": "-1"}, 400, "seed is '-1'; it must be a whole number"),
        ("/face", {"text": "a man", "seed": "9" * 20}, 400, "it must be 0 to"),
    ],
)
def test_the_kiosk_says_what_is_wrong(address, path, query, status, says):
    found, body = ask(address, path, **query)
    assert (found, says in body.decode()) == (status, True)


def test_the_kiosk_logs_no_descriptions(address, capfd):
    ask(address, "/face", text="the man from next door")
    ask(address, "/face", text="the man from next door", seed="none")
    assert capfd.readouterr() == ("", "")
