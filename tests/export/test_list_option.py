import click
import pytest
from click.testing import CliRunner

from t2f_export.cli import engine, export, precision
from t2f_export.list_option import list_option


@click.command()
@list_option("--precision", "precisions", default="float32", help="Some.")
@list_option("--for", "targets", help="Others.")
def told(precisions, targets):
    click.echo(f"{precisions} {targets}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "float32 None"),
        (["--precision", "float16,int8"], "float16,int8 None"),
        (["--precision", "float16", "--precision", "int8"], "float16,int8 None"),
        (["--for", "sm_86", "--for", "sm_89,sm_120"], "float32 sm_86,sm_89,sm_120"),
    ],
)
def test_a_list_is_parted_by_commas_or_given_again(words, expected):
    result = CliRunner().invoke(told, words)
    assert (result.exit_code, result.output) == (0, f"{expected}\n")


def test_the_help_tells_the_default_as_it_is_typed():
    text = " ".join(CliRunner().invoke(told, ["--help"]).output.split())
    assert "--precision LIST Some. May be given again. [default: float32]" in text
    assert "--for LIST Others. May be given again. --help" in text


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (export, ["run", "-o", "new", "--precision", "int8", "--precision", "int4"], "int8,int4"),
        (precision, ["bundle", "--add", "int8", "--add", "int4"], "int8,int4"),
        (engine, ["bundle", "--precision", "int8", "--precision", "int4"], "int8,int4"),
        (engine, ["bundle", "--network", "generator", "--network", "head"], "generator,head"),
    ],
)
def test_every_use_of_a_list_is_read(command, words, message):
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert f"{message}: {message.split(',')[1]!r} is none of " in result.output.replace("\n", " ")
