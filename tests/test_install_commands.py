"""Whether the commands that pages and messages give to install T2F are true: it is on no index."""

import re
import subprocess
import sys

import pytest
from test_documented_commands import PAGES, ROOT

SOURCES = [
    path
    for package in ("t2f_runtime", "t2f_train", "t2f_export")
    for path in (ROOT / package).rglob("*.py")
]
NAMED = re.compile(r"pip install ([^`\n]*?)'?(?<![\w./*-])t2f\b(?!_|-\*)")


def options_before_t2f(text):
    """What stands between `pip install` and the name `t2f`, wherever that is asked for."""
    return [match[1].strip() for match in NAMED.finditer(text)]


def test_nothing_asks_an_index_for_t2f():
    # Without an option pip keeps the T2F that is installed, and adds what the extra needs.
    allowed = {"", "--no-index --find-links wheelhouse"}
    asked = {path: options_before_t2f(path.read_text("utf-8")) for path in [*PAGES, *SOURCES]}
    assert sum(map(len, asked.values())) > 20
    assert {str(path): found for path, found in asked.items() if set(found) - allowed} == {}


def test_nobody_is_told_to_install_t2f_without_an_extra():
    bare = re.compile(r"pip install '?t2f'?(?![\[\w])")
    texts = {str(path): path.read_text("utf-8") for path in [*PAGES, *SOURCES]}
    assert [path for path, text in texts.items() if bare.search(text)] == []


def test_what_would_ask_an_index_is_found():
    assert options_before_t2f("run: pip install -U 't2f[cpu]'") == ["-U"]
    assert options_before_t2f("RUN pip install t2f") == [""]
    assert options_before_t2f("pip install /tmp/t2f-*.whl, pip install '.[cpu]' t2f_runtime") == []


@pytest.mark.slow
def test_an_extra_is_added_to_the_t2f_that_is_installed():
    pytest.importorskip("pip", reason="pip is not installed")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps"]
    done = subprocess.run([*command, "t2f[gpu]"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Requirement already satisfied: t2f[gpu]" in done.stdout


def test_the_readme_says_how_to_install_from_the_repository_and_from_a_wheel():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "T2F is on no package index" in readme
    assert "pip install --constraint constraints.txt '.[cpu]'" in readme
    assert "pip wheel --no-deps --wheel-dir dist ." in readme
