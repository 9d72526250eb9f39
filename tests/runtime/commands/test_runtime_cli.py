"""The command `t2f` itself: errors, and commands of other packages."""

import io
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from command_results import fails
from PIL import Image

from t2f_runtime import __version__, cli
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import GENERATOR, REFERENCE


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
