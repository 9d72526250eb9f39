"""What operators type: the commands of `t2f identikit`, and how their words are read."""

import math
from pathlib import Path
from typing import Final

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.word_pairs import LOCK_SETS

LONGEST_LINE: Final = 2**16
"""Characters of a command."""

TELLING: Final = "words"
"""At the end of an export, this lets it tell the description."""

HELP: Final = {
    "start": "start [DESCRIPTION]        begin a case",
    "candidates": "candidates [COUNT] [POOL]  other faces of the same words, chosen from so many",
    "choose": "choose PLACE...            the faces that are closest, the closest first",
    "breed": "breed [COUNT]              the chosen faces and their children",
    "describe": "describe TEXT              other words, or more words: describe ... with a beard",
    "more": "more WORDS [AMOUNT]        more older 0.5; more with glasses",
    "less": "less WORDS [AMOUNT]        less smiling",
    "slider": "slider WORDS               where the slider stands; moves nothing",
    "lock": "lock NAME                  keep it: " + ", ".join(LOCK_SETS) + ", or any words",
    "unlock": "unlock NAME                let go of it",
    "mix": "mix FACE FACE [AMOUNT]     a face is a place, a name such as 3.07, @3 for that of "
    "step 3,\n                           or a case file",
    "morph": "morph FACE FACE [COUNT]    the way from one to the other",
    "compare": "compare FACE FACE          how they differ",
    "undo": "undo [STEPS]               go back",
    "redo": "redo [STEPS]               go forward again",
    "branch": "branch STEP                go to any step, and begin a branch there",
    "history": "history                    the steps so far; > is the present one, * leads to it",
    "faces": "faces                      names, words and parents of the faces on the screen",
    "show": "show                       where the screen's picture lies",
    "explain": "explain [FILE]             which words moved the face, and a PNG of where",
    "picture": "picture FILE [SCALE]       the face as PNG, with where it comes from; enlarged",
    "sheet": "sheet FILE                 the screen as PNG, with the names of its faces",
    "page": "page FILE                  the chosen faces, or the screen, as PDF\n"
    "                           (with 'words' at the end, these three tell the description)",
    "facts": "facts FILE                 what an exported PNG says, checked against its pixels",
    "sign": "sign FILE CERTIFICATE KEY  content credentials for an exported PNG",
    "save": "save [FILE]                write the case file",
    "load": "load FILE                  go on with a case",
    "log": "log [COUNT]                the last lines of the log",
    "repair": "repair LOG                 cut off half a line that a power cut left; noted there",
    "check": "check                      do every step again, and compare; verify the log",
    "help": "help                       this list",
    "quit": "quit                       end",
}


def usage(command: str) -> str:
    """How a command is given, such as `mix FACE FACE [AMOUNT]`; empty for one that there is not."""
    return HELP.get(command, "").partition("  ")[0]


def number(word: str, command: str) -> float:
    """Reads a number.

    Raises:
        ArgumentError: It is none, or not finite.
    """
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ArgumentError(f"{word!r:.40} is no number; this command is: {usage(command)}")
    return found


def whole_numbers(rest: str, command: str, *, most: int | None = None, least: int = 0) -> list[int]:
    """Reads whole numbers, parted by spaces.

    Raises:
        ArgumentError: They are none, too many or too few.
    """
    words = rest.split()
    is_plain = all(word.isdecimal() and len(word) < 20 for word in words)
    if not is_plain or len(words) < least or (most is not None and len(words) > most):
        raise ArgumentError(f"{rest!r:.40} is not understood; this command is: {usage(command)}")
    return [int(word) for word in words]


def words_and_amount(rest: str, command: str) -> tuple[str, float]:
    """Words, and the number at their end; 1 where there is none.

    Raises:
        ArgumentError: There is a number alone.
    """
    words, _, last = rest.rpartition(" ")
    try:
        amount = float(last)
    except ValueError:
        return rest, 1.0
    if not words:
        raise ArgumentError(f"{rest!r:.40} is an amount; say of what: {usage(command)}")
    return words, amount


def file_and_telling(rest: str, command: str) -> tuple[Path, bool]:
    """A file, whose name may have spaces, and whether `TELLING` follows it.

    Raises:
        ArgumentError: No file is named.
    """
    file, _, last = rest.rpartition(" ")
    tells = last == TELLING
    file = file.strip() if tells else rest
    if not file:
        raise ArgumentError(f"name the file: {usage(command)}")
    return Path(file), tells


def file_and_scale(file: Path) -> tuple[Path, int]:
    """A file, and the whole number after its name; 1 where there is none."""
    name, _, last = str(file).rpartition(" ")
    if name.strip() and last.isdecimal() and len(last) < 20:
        return Path(name.strip()), int(last)
    return file, 1
