"""Cases and logs to spoil, and what is done with a case that was read."""

from contextlib import suppress
from pathlib import Path

from t2f_runtime import FaceGenerator
from t2f_runtime.errors import T2FError
from t2f_runtime.identikit import Case, CaseLog, Session
from t2f_runtime.identikit.case_file import encode_case
from t2f_runtime.identikit.studio import Studio


class MisreadError(Exception):
    """An input was read as something that it is not."""


def expect(holds: bool) -> None:
    """As `assert`, but also where Python leaves those out.

    Raises:
        MisreadError: It does not hold.
    """
    if not holds:
        raise MisreadError("what was read is not what was written")


def case_bytes(generator: FaceGenerator, *, is_long: bool) -> bytes:
    """A case file: just begun, or with every kind of step and a branch."""
    session = Session.start("a bald man", generator, seed=7)
    if is_long:
        session = session.candidates(4).choose([0, 2]).breed(4).choose([1])
        session = session.describe("… with a beard").more("older", 0.5)
        session = session.mix(0, session.case.steps[1].screen[1], 0.5).undo(2)
        session = session.less("smiling", 0.5).morph(0, "0.00", 3).undo()
        session = session.lock("a hat")
    return encode_case(session.case)


def log_bytes(generator: FaceGenerator, path: Path) -> bytes:
    """The log of a short session."""
    log = CaseLog.open(path, operator="officer 1147")
    Session.start("a bald man", generator, seed=7, log=log).candidates(3).choose([1]).undo()
    return path.read_bytes()


def exercise_case(case: Case, generator: FaceGenerator) -> None:
    """Does with a case what a kiosk may; errors of T2F are answers, too.

    Raises:
        T2FError: The case is of another bundle.
    """
    case.check_bundle(generator)
    session = Session(case, Studio(generator))
    expect(session.case.path()[-1] == session.step)
    expect(session.case.ends())
    expect(len(session.locks) == len(session.step.locks))
    expect(len(session.pictures()) == len(session.screen))
    steps = (
        session.undo,
        session.redo,
        lambda: session.candidates(2),
        lambda: session.choose([0]),
        lambda: session.breed(len(session.chosen) + 1),
        lambda: session.describe("… with a hat"),
        lambda: session.more("older", 0.25),
        lambda: session.lock("eyes"),
        lambda: session.mix(0, 0, 0.5),
    )
    for step in steps:
        with suppress(T2FError):  # nothing to undo, no face chosen, …
            step()
    case.check(generator)  # that somebody changed a picture is seen here
