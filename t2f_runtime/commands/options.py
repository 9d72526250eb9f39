"""What the commands of the runtime share: arguments, options, and text for terminals."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, get_args

import click

from t2f_runtime.bundle.manifest_fields import Precision
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.engines.limits import MAXIMUM_DEVICE, MAXIMUM_THREADS
from t2f_runtime.engines.names import AUTO, CPU_ENGINES, EngineName
from t2f_runtime.errors import DescriptionError, KeyFileError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
"""A function, or the command that click has made of it."""

MAXIMUM_LIST_BYTES = 16 * 2**20
"""The longest file of descriptions."""

TRUST_VARIABLE = "T2F_TRUST"
"""Key files that all commands trust, parted as in PATH."""

BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
ENGINE = click.option(
    "--engine",
    type=click.Choice((AUTO, *get_args(EngineName))),
    default=AUTO,
    show_default=True,
    help="What runs the networks; auto takes the best that works here. See t2f doctor.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice((AUTO, *get_args(Precision))),
    default=AUTO,
    show_default=True,
    help="Which of the bundle's networks draw; auto is float32 on a CPU.",
)
DEVICE = click.option(
    "--device",
    type=click.IntRange(0, MAXIMUM_DEVICE),
    default=0,
    show_default=True,
    help="Which GPU, of those that CUDA shows. An engine on the CPU that is named refuses another "
    "than 0; auto draws on the CPU where there is no such GPU.",
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(1, MAXIMUM_THREADS),
    help="Threads a face, on a CPU.  [default: the usable CPUs]",
)
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


def engines_option(default: str) -> Callable[[Decorated], Decorated]:
    """The option `--engine` of a command that draws with several.

    Args:
        default: What is taken where none is named, for its help.
    """
    return click.option(
        "--engine",
        "engines",
        type=click.Choice(get_args(EngineName)),
        multiple=True,
        help="What runs the networks; may be given several times. Each must work here; "
        f"onnx-tensorrt builds its own first, which takes minutes.  [default: {default}]",
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


def check_device(engines: Sequence[str], device: int) -> None:
    """Refuses the number of a GPU beside engines that are all on the CPU.

    Args:
        engines: Those that were named; none refuses nothing.
        device: Which GPU.

    Raises:
        UsageError: It is another than 0.
    """
    if device and engines and set(engines) <= set(CPU_ENGINES):
        names = " and ".join(engines)
        raise click.UsageError(f"--device {device} is a GPU, and {names} draw on the CPU.")


def check_output_file(path: Path) -> None:
    """Refuses a place where no file can be written, before anything is done for it.

    Raises:
        ClickException: Its folder is missing, or it is a folder itself.
    """
    if path.is_dir():
        raise click.ClickException(f"{path} is a folder; name the file inside it")
    if not path.parent.is_dir():
        raise click.ClickException(
            f"the folder {path.parent} does not exist; make it with: mkdir -p {path.parent}"
        )


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
