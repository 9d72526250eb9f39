"""Doing a case again, step by step, to see whether a session makes what it holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from t2f_runtime.cancellation import Cancellation
from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.identikit.case import Case, Step
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.face import Face, array
from t2f_runtime.identikit.named_face import mixed_faces
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.studio import Drawing, Studio, picture_hash

_ROUNDING: Final = 1e-3
"""Values that lie closer are the same. One engine reads a description alike to some 1e-6 on any
processor; what anybody could see in a face is far more."""

_TOLD: Final = {
    "arguments": "has other arguments",
    "given": "takes other faces of other cases",
    "screen": "shows other faces",
    "chosen": "chooses others",
    "locks": "has other locks",
    "generation": "has another generation",
    "next_candidate": "has another next candidate",
}
_FACE_TEXTS: Final = {
    "name": "another name",
    "bundle_id": "another bundle",
    "made_by": "another made_by",
    "parents": "other parents",
    "descriptions": "other descriptions",
    "seed": "another seed",
    "index": "another index",
}

_ALTERED: Final = (
    "the case has been altered, or its engine computes otherwise on this machine: check on the "
    "machine of the session"
)
_OTHER_ENGINE: Final = "check with that engine, and if that differs too, the case has been altered"


def replay_case(case: Case, generator: Drawing, cancellation: Cancellation | None) -> int:
    """Draws and does every step again; see `Case.check`.

    Each step is done from the faces that the case holds before it, so that what processors round
    otherwise does not add up.
    """
    case.check_bundle(generator)
    studio = Studio(generator)
    count = 0
    for step in case.steps:
        # Choices and the like ask no network, and what was drawn is remembered: nobody else looks.
        if cancellation is not None:
            cancellation.check()
        difference = _drawn_otherwise(step, studio)
        if difference is None:
            difference = _done_otherwise(step, _again(case, step, studio), generator)
        if difference is not None:
            raise CaseError(
                f"{_name(step)} is the first that differs: {difference}; "
                + (_ALTERED if step.engine == str(generator.engine) else _OTHER_ENGINE)
            )
        count += len(step.made)
    return count


def _drawn_otherwise(step: Step, studio: Studio) -> str | None:
    """Says which face of a step is drawn otherwise than it was shown; None where none is."""
    for shown in step.made:
        if picture_hash(studio.draw([shown.face])[0]) != shown.picture:
            return (
                f"{studio.generator.engine} draws face {shown.face.name} otherwise than it was "
                f"shown, by {step.engine}"
            )
    return None


def _again(case: Case, step: Step, studio: Studio) -> Step:
    """Does a step again, from the one that it follows."""
    try:
        if step.parent is None:
            description: Any = step.arguments.get("description")
            return Session.start(description, studio.generator, seed=case.seed).step
        return _operate(Session(case.before(step.number), studio), step).step
    except (ArgumentError, DescriptionError) as error:
        raise CaseError(
            f"{_name(step)} cannot be done again: {error}; the case has been altered"
        ) from error


def _operate(session: Session, step: Step) -> Session:
    operations: dict[str, tuple[Callable[..., Session], tuple[str, ...]]] = {
        "candidates": (lambda count, pool: session.candidates(count, pool=pool), ("count", "pool")),
        "choose": (session.choose, ("places",)),
        "breed": (session.breed, ("count",)),
        "describe": (session.describe, ("text",)),
        "more": (session.more, ("words", "amount")),
        "less": (session.less, ("words", "amount")),
        "lock": (session.lock, ("name",)),
        "unlock": (session.unlock, ("name",)),
        "mix": (session.mix, ("amount",)),
        "morph": (session.morph, ("count",)),
    }
    if step.operation not in operations:
        raise CaseError(f"{_name(step)} is an operation that no T2F knows; the case was altered")
    operate, names = operations[step.operation]
    ends = mixed_faces(step) if step.operation in {"mix", "morph"} else ()
    # Whatever a file has there, the operation checks it as it checks any caller's.
    return operate(*ends, *(step.arguments.get(name) for name in names))


def _done_otherwise(step: Step, again: Step, generator: Drawing) -> str | None:
    """Says what a step gives when it is done again; None where that is what the case holds."""
    told = next(_differences(step, again), None)
    if told is None:
        return None
    return f"done again on {generator.engine}, it {told} than when it was done, on {step.engine}"


def _differences(step: Step, again: Step) -> Iterator[str]:
    for field, told in _TOLD.items():
        if not _are_alike(getattr(step, field), getattr(again, field)):
            yield told
    if not _are_close(b"".join(step.directions), b"".join(again.directions)):
        yield "points elsewhere"
    if len(step.made) != len(again.made):
        yield "makes more or fewer faces"
    for shown, other in zip(step.made, again.made, strict=False):
        yield from _face_differences(shown.face, other.face)


def _face_differences(face: Face, again: Face) -> Iterator[str]:
    for field, told in _FACE_TEXTS.items():
        if getattr(face, field) != getattr(again, field):
            yield f"gives face {face.name} {told}"
    if not (
        _are_close(face.reading.mean, again.reading.mean)
        and _are_close(face.reading.deviation, again.reading.deviation)
    ):
        yield f"reads the words of face {face.name} otherwise"
    for field in ("epsilon", "shift", "noise"):
        if not _are_close(getattr(face, field), getattr(again, field)):
            yield f"gives face {face.name} another {field}"


def _are_alike(value: object, again: object) -> bool:
    """Whether arguments and the like are the same, but for how numbers were rounded."""
    if isinstance(value, Mapping) and isinstance(again, Mapping):
        return value.keys() == again.keys() and all(
            _are_alike(value[name], again[name]) for name in value
        )
    if isinstance(value, float) and isinstance(again, float):
        return abs(value - again) <= _ROUNDING
    return value == again


def _are_close(kept: bytes, again: bytes) -> bool:
    return len(kept) == len(again) and bool(
        np.allclose(array(kept), array(again), rtol=_ROUNDING, atol=_ROUNDING)
    )


def _name(step: Step) -> str:
    return f"step {step.number} ({step.operation})"
