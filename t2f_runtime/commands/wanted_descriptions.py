"""The descriptions that `t2f generate` is asked to draw, each with the place where it stands."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from t2f_runtime.errors import DescriptionError
from t2f_runtime.generator import FaceGenerator

MAXIMUM_LINE_BYTES: Final = 2**20
"""No bundle reads as much in one description."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A description that is to be drawn."""

    number: int
    """Which of all it is, from 1."""
    text: str | None
    """The description; None of a model without text."""
    place: str | None
    """Where it stands, for errors: `line 3 of list.txt`; None where there is no other."""


def wanted_arguments(descriptions: Sequence[str]) -> list[Wanted]:
    """Gives the descriptions of a command's arguments."""
    are_many = len(descriptions) > 1
    return [
        Wanted(number, text, f"description {number}" if are_many else None)
        for number, text in enumerate(descriptions, start=1)
    ]


def wanted_lines(file: BinaryIO, *, first: int, most_bytes: int | None) -> Iterator[Wanted]:
    """Reads descriptions one by one, one a line, in UTF-8; empty lines are skipped.

    A line is given as soon as it is there, and kept nowhere.

    Args:
        file: What is read.
        first: The number of the first description.
        most_bytes: How long the file may be; None sets no end.

    Raises:
        DescriptionError: A line is too long or not UTF-8, or the file is too long.
    """
    path = getattr(file, "name", None)
    name = path if isinstance(path, str) and path != "<stdin>" else "standard input"
    number, read = first, 0
    for line_number, data in enumerate(_lines(file), start=1):
        place = f"line {line_number} of {name}"
        read += len(data)
        if most_bytes is not None and read > most_bytes:
            raise DescriptionError(
                f"the file of descriptions is longer than {most_bytes} bytes: split it"
            )
        text = _decode(data, place, is_first=line_number == 1)
        if text.strip():
            yield Wanted(number, text, place)
            number += 1


def check_descriptions(generator: FaceGenerator, wanted: Iterable[Wanted]) -> None:
    """Reads every description before the first is drawn, which may take minutes for many.

    Raises:
        DescriptionError: One cannot be read, or the model takes none.
    """
    for each in wanted:
        with told_with(each):
            generator.condition(each.text)


@contextmanager
def told_with(wanted: Wanted) -> Iterator[None]:
    """Has errors of a description tell where it stands."""
    try:
        yield
    except DescriptionError as error:
        if wanted.place is None:
            raise
        raise DescriptionError(f"{wanted.place}: {error}") from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    # `readline` ends lines at "\n" alone; `splitlines` also at characters that words may hold.
    while data := file.readline(MAXIMUM_LINE_BYTES + 1):
        yield data


def _decode(data: bytes, place: str, *, is_first: bool) -> str:
    if len(data) > MAXIMUM_LINE_BYTES:
        raise DescriptionError(f"{place} is longer than {MAXIMUM_LINE_BYTES} bytes: cut it")
    try:
        text = data.decode("utf-8-sig" if is_first else "utf-8")
    except UnicodeDecodeError as error:
        raise DescriptionError(
            f"{place} is not UTF-8 at byte {error.start}: save the file as UTF-8"
        ) from error
    return text.removesuffix("\n").removesuffix("\r")
