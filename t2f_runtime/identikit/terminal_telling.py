"""What the terminal says about a case: its steps, its faces, its sliders and its log."""

from collections.abc import Iterator, Mapping

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.command_words import whole_numbers
from t2f_runtime.identikit.directions import SLIDER_END
from t2f_runtime.identikit.log_chain import LogLine, read_log
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.terminal_steps import two_faces

_LOG_LINES = 10

_LEAST_AGREEMENT = 0.3
"""Words without a meaning reach as much by chance, in a small model."""


def tell_step(session: Session, picture: str) -> str:
    """Where a session stands, in one line, and where the picture of its screen lies."""
    faces = len(session.screen)
    state = [f"step {session.step.number}", f"{faces} face{'s' * (faces > 1)}"]
    if session.step.chosen:
        state.append(f"chosen: {' '.join(map(str, session.step.chosen))}")
    if session.locks:
        state.append(f"locked: {', '.join(session.locks)}")
    return f"{', '.join(state)}: {picture}"


def tell_history(session: Session) -> Iterator[str]:
    """The steps, a line each: `>` where the session stands, `*` those on the way there."""
    present = {step.number for step in session.case.path()}
    for step in session.case.steps:
        mark = ">" if step.number == session.step.number else " *"[step.number in present]
        after = "" if step.parent is None else f" after {step.parent}"
        yield f"{mark} {step.number}{after}: {step.operation} ({_written(step.arguments)})"
    ends = session.case.ends()
    if len(ends) > 1:
        yield f"branches end at the steps {', '.join(str(step.number) for step in ends)}"


def tell_faces(session: Session) -> Iterator[str]:
    """The faces on the screen, a line each; `>` those that are chosen."""
    for place, face in enumerate(session.screen):
        mark = ">" if place in session.step.chosen else " "
        parents = f" of {' and '.join(face.parents)}" if face.parents else ""
        words = "".join(f": {description}" for description in face.descriptions)
        yield f"{mark} {place}  {face.name}  {face.made_by}{parents}{words}"


def tell_slider(session: Session, words: str) -> Iterator[str]:
    """What a slider is to the model, and where it stands on the faces that it would move.

    Raises:
        ArgumentError: The model reads nothing in the words.
        DescriptionError: It cannot read them, or takes no text.
    """
    slider = session.direction(words)
    yield (
        f"{words!r:.80} means {slider.reach:.1f} deviations to this model, with an agreement of "
        f"{slider.agreement:.2f} (1 is the same in every description)"
    )
    for face in session.chosen or session.screen:
        place = slider.position(face)
        yield f"{face.name} stands at {place:+.1f}, of {-SLIDER_END:g} to {SLIDER_END:g}"


def tell_doubt(session: Session, command: str) -> Iterator[str]:
    """Warns of words that hardly mean one thing to the model, after a slider was moved by them.

    Args:
        session: After that.
        command: What was obeyed; of any but `more` and `less`, nothing is said.
    """
    if command not in {"more", "less"}:
        return
    told = session.step.arguments
    agreement = told["agreement"]
    if isinstance(agreement, float) and agreement < _LEAST_AGREEMENT:
        yield (
            f"{told['words']!r:.80} hardly means one thing to this model (an agreement of "
            f"{agreement:.2f}; 1 is the same in every description): look whether the face is what "
            "was meant, or undo"
        )


def tell_comparison(session: Session, rest: str) -> Iterator[str]:
    """How two faces differ.

    Raises:
        ArgumentError: They are not two faces of the session.
        CaseError: One is no face, and no case file of this bundle.
    """
    first, second, _ = two_faces(session, rest, "compare")
    yield from str(session.compare(first, second)).split("\n")


def tell_check(session: Session) -> Iterator[str]:
    """Does every step of the case again, compares, and holds the case against its log.

    Raises:
        CaseError: A step or a picture is another, the log was altered, or lacks a step.
    """
    count = session.case.check(session.studio.generator)
    yield f"{count} pictures are the same to the bit"
    if session.log is not None:
        lines = session.log.check(session.case, session.log.mark).lines
        yield f"{session.log.path}: {lines} lines, as they were written"


def tell_log(session: Session, rest: str) -> Iterator[str]:
    """The last lines of the log, ten or as many as are asked for; it is verified first.

    Raises:
        ArgumentError: There is none, or no number is asked for.
        CaseError: It was altered, or cannot be read.
    """
    [count] = whole_numbers(rest, "log", most=1) or [_LOG_LINES]
    if session.log is None:
        raise ArgumentError("there is no log; t2f identikit keeps one with --case FILE")
    lines = read_log(session.log.path, session.log.mark)
    yield from map(_tell_line, lines[max(0, len(lines) - count) :])


def _tell_line(line: LogLine) -> str:
    who = "" if line.operator is None else f", {line.operator}"
    step = "" if line.step is None else f", step {line.step}"
    arguments = _written(line.arguments)
    return f"{line.line}  {line.time}{who}: {line.operation} ({arguments}){step}"


def _written(arguments: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, tuple | list) else value}"
        for name, value in sorted(arguments.items())  # case files sort them too
        if value is not None and name != "indices"
    )
