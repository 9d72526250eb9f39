"""Commands of the terminal that make a step or go to one, and the faces that are named in them."""

from collections.abc import Callable, Mapping
from typing import Final

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.case_file import load_case
from t2f_runtime.identikit.command_words import number, usage, whole_numbers, words_and_amount
from t2f_runtime.identikit.face import Face
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.studio import Studio
from t2f_runtime.latent import check_whole_number

NamedFace = int | str | Face | Session


def two_faces(
    session: Session, rest: str, command: str, *, takes_number: bool = False
) -> tuple[NamedFace, NamedFace, tuple[float, ...]]:
    """Reads two faces and, if the command takes one, a number.

    Args:
        session: What places, names and steps are of.
        rest: What follows the command.
        command: Its name.
        takes_number: Whether a number may follow.

    Raises:
        ArgumentError: They are not two, or the number is none.
        CaseError: One is neither a place nor a name, and no case file of this bundle.
    """
    words = rest.split()
    if not 2 <= len(words) <= 2 + takes_number:
        raise ArgumentError(f"this command is: {usage(command)}")
    numbers = tuple(number(word, command) for word in words[2:])
    return _find_face(session, words[0]), _find_face(session, words[1]), numbers


def _find_face(session: Session, word: str) -> NamedFace:
    if word.isdecimal():
        return int(word)
    if word.replace(".", "", 1).isdecimal():
        return word
    if word[:1] == "@" and word[1:].isdecimal():
        step = check_whole_number("step", int(word[1:]), largest=len(session.case.steps) - 1)
        # Not branch, which the log would tell of: nobody goes there.
        return Session(session.case.standing_at(step), session.studio).face
    generator = session.studio.generator
    saved = load_case(word)
    saved.case.check_bundle(generator)
    return Session(saved.case, Studio(generator))


def _candidates(session: Session, rest: str) -> Session:
    count, *pool = whole_numbers(rest, "candidates", most=2) or [18]
    return session.candidates(count, pool=pool[0] if pool else None)


def _choose(session: Session, rest: str) -> Session:
    return session.choose(whole_numbers(rest.replace(",", " "), "choose"))


def _mix(session: Session, rest: str) -> Session:
    first, second, amount = two_faces(session, rest, "mix", takes_number=True)
    return session.mix(first, second, *amount)


def _morph(session: Session, rest: str) -> Session:
    first, second, count = two_faces(session, rest, "morph", takes_number=True)
    return session.morph(first, second, *map(int, count))


STEPS: Final[Mapping[str, Callable[[Session, str], Session]]] = {
    "candidates": _candidates,
    "choose": _choose,
    "breed": lambda session, rest: session.breed(*whole_numbers(rest, "breed", most=1)),
    "describe": lambda session, rest: session.describe(rest),
    "more": lambda session, rest: session.more(*words_and_amount(rest, "more")),
    "less": lambda session, rest: session.less(*words_and_amount(rest, "less")),
    "lock": lambda session, rest: session.lock(rest),
    "unlock": lambda session, rest: session.unlock(rest),
    "mix": _mix,
    "morph": _morph,
    "undo": lambda session, rest: session.undo(*whole_numbers(rest, "undo", most=1)),
    "redo": lambda session, rest: session.redo(*whole_numbers(rest, "redo", most=1)),
    "branch": lambda session, rest: session.branch(*whole_numbers(rest, "branch", most=1, least=1)),
}
"""By name: what a command does with the session, given what follows its name."""
