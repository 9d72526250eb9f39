"""The command `t2f identikit`: a session at the terminal."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from t2f_runtime.commands.loading import Loading, loading_options
from t2f_runtime.commands.options import BUNDLE, check_standard_input, printable
from t2f_runtime.latent import LARGEST_SEED


@click.command()
@BUNDLE
@click.option(
    "--case",
    "case_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the case here after every step, its log beside it; go on with what is there.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where pictures go.  [default: identikit, or the case file's name with -pictures]",
)
@click.option("--operator", help="Who is at the screen, for the log.")
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Equal seeds draw equal faces.",
)
@click.option(
    "--font",
    "fonts",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    multiple=True,
    help="A TrueType or OpenType font for PDF pages; the next ones write what it lacks.",
)
@loading_options
def identikit(
    bundle: Path,
    case_file: Path | None,
    pictures: Path | None,
    operator: str | None,
    seed: int,
    fonts: tuple[Path, ...],
    *,
    loading: Loading,
) -> None:
    """Find a face by describing, choosing, breeding and sliders.

    Commands come from the keyboard. Every screen is written as a picture with numbers. `help` lists
    the commands. Commands may also be piped in, one a line; the exit status is 1 then if one of
    them failed.

    \b
    Examples:
      t2f identikit BUNDLE
      t2f identikit BUNDLE --case kiosk-17.case --operator "officer 1147"
      printf 'start a bald man\\npicture face.png 4\\n' | t2f identikit BUNDLE
      printf 'start a bald man\\ncandidates\\nchoose 3 7\\nbreed\\n' | t2f identikit BUNDLE
    """  # noqa: D301 (click's mark is the backspace)
    # Here, so that `t2f --help` and the other commands need none of it.
    from t2f_runtime.identikit.command_words import LONGEST_LINE  # noqa: PLC0415
    from t2f_runtime.identikit.terminal import Terminal  # noqa: PLC0415 (as above)

    check_standard_input()
    if pictures is None:
        named = Path("identikit") if case_file is None else case_file
        pictures = named if case_file is None else named.with_name(f"{named.name}-pictures")
    generator = loading.load(bundle)
    terminal = Terminal(
        generator,
        pictures=pictures,
        say=_say,
        case_file=case_file,
        operator=operator,
        seed=seed,
        fonts=fonts,
    )
    _say(f"{generator.manifest.name} on {generator.engine}; pictures go to {pictures}/")
    terminal.resume()
    is_interactive = sys.stdin.isatty()
    failures = terminal.run(_lines(sys.stdin.buffer, LONGEST_LINE, is_interactive=is_interactive))
    if failures and not is_interactive:
        raise click.exceptions.Exit(1)


def _lines(file: BinaryIO, longest: int, *, is_interactive: bool) -> Iterator[str]:
    """The lines that are typed or piped in; what is not UTF-8 is refused where it is used.

    Of a line of more than `longest` characters, more than those come, and not all of the others.
    """
    most = 4 * longest + 4  # bytes of a character, and then some
    while True:
        if is_interactive:
            click.echo("> ", nl=False)
        data = file.readline(most)
        if not data:
            break
        end = data
        while end and not end.endswith(b"\n"):  # its rest is no command of its own
            end = file.readline(most)
        yield data.decode("utf-8-sig", errors="surrogateescape")
    if is_interactive:
        click.echo()


def _say(text: str) -> None:
    for line in text.split("\n"):
        click.echo(printable(line))
