"""Every `t2f` command that the documentation shows exists, with every option that it shows."""

import re
import shlex
from pathlib import Path

import click
import pytest

from t2f_runtime.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def shown_commands(text):
    """The command lines in a page's blocks and between its backticks, without what is optional."""
    blocks = re.findall(r"^```[a-z ]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in joined(block).splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        found = re.search(r"(?:^|[$\s])t2f (.+)", line)
        if found:
            yield re.sub(r"[\[\]…]| #.*| / .*|\|.*", " ", found[1])


def joined(block):
    """A block whose commands each take one line: those go on after a backslash or indented."""
    block = re.sub(r"\\\n", " ", block)
    return re.sub(r"\n[ ]{2,}(?=[\[-])", " ", block)


def words(line):
    try:
        return shlex.split(line)
    except ValueError:  # a value over several lines
        return shlex.split(line.replace("'", " ").replace('"', " "))


def find(arguments):
    """The command that arguments name, and what is left of them."""
    command = main
    while isinstance(command, click.Group) and arguments:
        inner = command.get_command(click.Context(command), arguments[0])
        if inner is None:
            return None, arguments
        command, arguments = inner, arguments[1:]
    return command, arguments


def missing(line):
    """What a command line names that does not exist; None where all does."""
    arguments = words(line)
    if arguments[0].startswith("-"):
        return None if arguments[0] in {"--help", "--version"} else arguments[0]
    command, left = find(arguments)
    if command is None or isinstance(command, click.Group):
        return arguments[0]
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    for word in left:
        name = word.partition("=")[0]
        if re.match(r"--?[a-z]", name) and name not in options | {"--help"}:
            return f"{command.name} {name}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    wrong = [
        f"t2f {line}"
        for line in shown_commands(page.read_text("utf-8"))
        if re.match(r"[a-z-]", line) and missing(line)
    ]
    assert wrong == []


def test_the_pages_show_commands_at_all():
    shown = [line for page in PAGES for line in shown_commands(page.read_text("utf-8"))]
    assert len(shown) > 40
    assert any(line.startswith("engine BUNDLE --for") for line in shown)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("bake BUNDLE", "bake"),
        ("export RUN --quickly", "export --quickly"),
        ("keys forge maker", "keys"),
        ("--loud", "--loud"),
        ("export RUN -o BUNDLE --precision float16", None),
    ],
)
def test_a_command_that_does_not_exist_is_found(line, what):
    assert missing(line) == what


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_the_list_of_commands_tells_each_in_a_whole_sentence_and_one_mood(name):
    command = main.get_command(click.Context(main), name)
    told = command.get_short_help_str(limit=61)  # what `t2f --help` has room for in 80 columns
    assert told.endswith(".")
    assert not told.endswith("...")
    assert not told.split()[0].endswith("s"), "say what it is to do: Draw, not Draws"
