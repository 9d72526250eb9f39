"""Faces that operations are given by place, by name or as they are, of this case or of another."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.case import Case, Step
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.face import Face, check_face
from t2f_runtime.latent import check_whole_number

if TYPE_CHECKING:
    from t2f_runtime.identikit.history import History

_OTHER = " of another case, latent "


class NamedFace(NamedTuple):
    """A face that something is done with."""

    face: Face
    """The face; one of another case is named so."""
    label: str
    """What a step says of where it is from."""
    given: Face | None = None
    """The face as it came, where it is of another case."""


def chosen_face(session: "History") -> Face:
    """The one chosen face of a session.

    Raises:
        ArgumentError: None is chosen, or several, so that it is not clear which is meant.
    """
    if len(session.chosen) != 1:
        raise ArgumentError(
            f"{len(session.chosen)} of the {len(session.screen)} faces are chosen; choose the one "
            "that is meant"
        )
    return session.face


def find_face(case: Case, which: int | str | Face) -> NamedFace:
    """A face of a case, or one of another case that can be mixed into it.

    Args:
        case: The case, as it stands.
        which: A place on the screen, a name, or a face.

    Raises:
        ArgumentError: There is no such face, or it is none that a case can hold.
        CaseError: It is of another bundle.
    """
    if isinstance(which, str):
        return NamedFace(case.face(which), which)
    if not isinstance(which, Face):
        name = case.step.screen[check_place(case, which)]
        return NamedFace(case.face(name), name)
    if which.bundle_id != case.bundle_id:
        raise CaseError(
            f"the other face is of the bundle {which.bundle_id:.12}, this case of "
            f"{case.bundle_id[:12]}: faces of two bundles cannot be mixed or compared"
        )
    if _has(case, which):
        return NamedFace(which, which.name)
    check_face(which)
    digest = hashlib.sha256(which.latent().tobytes()).hexdigest()
    foreign = replace(which, name=f"{which.name} of another case")
    return NamedFace(foreign, f"{which.name}{_OTHER}{digest}", given=which)


def check_place(case: Case, place: int) -> int:
    """A place on the screen; raises `ArgumentError` where there is none."""
    return check_whole_number("a place", place, largest=len(case.step.screen) - 1)


def labels(first: NamedFace, second: NamedFace) -> dict[str, str]:
    """What a step that mixes two faces says of where they are from."""
    return {"first": first.label, "second": second.label}


def of_other_cases(*faces: NamedFace) -> tuple[Face, ...]:
    """Those of some faces that are of other cases, as they came."""
    return tuple(face.given for face in faces if face.given is not None)


def mixed_faces(step: Step) -> tuple[int | str | Face, ...]:
    """What a step that mixes two faces was given, for `find_face`.

    Raises:
        ArgumentError: The case lacks one of them.
    """
    others = iter(step.given)
    found: list[str | Face] = []
    for name in ("first", "second"):
        label = step.arguments.get(name)
        if not isinstance(label, str):
            raise ArgumentError(f"the step does not say which face is the {name}")
        found.append(next(others, label) if _OTHER in label else label)
    return tuple(found)


def _has(case: Case, face: Face) -> bool:
    try:
        return case.face(face.name) == face
    except ArgumentError:
        return False
