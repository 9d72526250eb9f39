"""Whether every step of a case has its line in the log, and is as that line has it."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from t2f_runtime.identikit.case import Case, Step
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.log_chain import LogLine

_MOVES: Final = frozenset({"load", "undo", "redo", "branch"})
"""Operations whose lines tell where the session went, to a step that was there before."""


def hash_step(step: Step) -> str:
    """SHA-256 of a step, written as case files hold it: of all its faces, choices and locks."""
    return hashlib.sha256(_encode(step)).hexdigest()


def check_steps_have_lines(path: Path, lines: Sequence[LogLine], case: Case) -> None:
    """Refuses a case with a step that the log has not, or has otherwise.

    A log may have more than the case: a step that a power cut kept from the case file, and that was
    taken anew, has two lines. One of them must be of the step that the case has.

    Args:
        path: The log, which errors name.
        lines: All of its lines, verified.
        case: The case.

    Raises:
        CaseError: It is so, and which step.
    """
    of_steps: dict[int, list[LogLine]] = defaultdict(list)
    for line in lines:
        if line.step is not None and line.operation not in _MOVES:
            of_steps[line.step].append(line)
    for step in case.steps:
        made = of_steps[step.number]
        what = f"step {step.number} ({step.operation})"
        if not made:
            raise CaseError(
                f"{path} has no line of {what}: it was taken without this log; begin a new case "
                "with a new log, and mix this one's face into it"
            )
        if all(line.step_sha256 != hash_step(step) for line in made):
            raise CaseError(
                f"{what} is not as {path} has it: {_difference(made[-1], step, case)}; the case "
                "was altered, or is not the one that was saved with this log"
            )


def _difference(line: LogLine, step: Step, case: Case) -> str:
    """Says what a line tells of a step otherwise than the case."""
    pictures = {name: case.shown(name).picture for name in step.screen}
    for name, told, found in (
        ("operation", line.operation, step.operation),
        ("arguments", line.arguments, step.arguments),
        ("parent", line.parent, step.parent),
        ("pictures", line.pictures, pictures),
        ("engine", line.engine, step.engine),
    ):
        if _encode(told) != _encode(found):
            return f"its {name} differ{'' if name in {'arguments', 'pictures'} else 's'}"
    return "its faces, or what is chosen of them or locked, differ"


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
