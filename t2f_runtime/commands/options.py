"""What the commands of the runtime share: arguments, options, and text for terminals."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

import click

from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.errors import DescriptionError, KeyFileError

MAXIMUM_LIST_BYTES = 16 * 2**20
"""The longest file of descriptions."""

TRUST_VARIABLE = "T2F_TRUST"
"""Key files that all commands trust, parted as in PATH."""

BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
TRUST = click.option(
    "--trust",
    "key_files",
    metavar="KEYFILE",
    multiple=True,
    type=click.Path(path_type=Path),
    envvar=TRUST_VARIABLE,
    show_envvar=True,
    help="Open only what this public key has signed; may be given several times.",
)


class InputFile(click.File):
    """A file to read bytes from, or `-`; standard input may have been closed by who called."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(
        self,
        value: Any,  # noqa: ANN401 (as click has it)
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> IO[Any]:
        """Opens it; refuses standard input that is none."""
        if value == "-":
            check_standard_input()
        return super().convert(value, param, ctx)


def check_standard_input() -> None:
    """Refuses to read from nothing.

    Raises:
        UsageError: Standard input is closed, as some programs close it for what they start.
    """
    if sys.stdin is None:
        raise click.UsageError("Standard input is closed; give it a file, a pipe, or /dev/null.")


def read_descriptions(file: BinaryIO) -> tuple[str, ...]:
    """Reads descriptions, one a line, in UTF-8; empty lines are skipped.

    Raises:
        DescriptionError: The file is too long, or not UTF-8.
    """
    data = file.read(MAXIMUM_LIST_BYTES + 1)
    if len(data) > MAXIMUM_LIST_BYTES:
        raise DescriptionError(
            f"the file of descriptions is longer than {MAXIMUM_LIST_BYTES} bytes: split it"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DescriptionError(
            f"the file of descriptions is not UTF-8 in line {line}: save it as UTF-8"
        ) from error
    # Not splitlines, which also breaks lines at characters that a description may hold.
    return tuple(line.removesuffix("\r") for line in text.split("\n") if line.strip())


def read_trusted(key_files: Sequence[Path]) -> list[PublicKey] | None:
    """Reads the keys that a command was told to trust; None where it was told nothing.

    Raises:
        KeyFileError: A file is no public key, or the environment names no file at all.
        MissingPackageError: The package `cryptography` is not installed.
    """
    if not key_files and TRUST_VARIABLE in os.environ:
        # Whoever set it meant to check something.
        raise KeyFileError(f"{TRUST_VARIABLE} is set but names no file; name one, or unset it")
    return [PublicKey.read(path) for path in key_files] or None


def printable(text: str) -> str:
    """Escapes what a terminal would obey rather than show; a bundle may come from anyone."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
