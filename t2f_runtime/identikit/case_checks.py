"""What makes the steps of a case fit together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from t2f_runtime.identikit.face import Face, check_vectors

if TYPE_CHECKING:
    from t2f_runtime.identikit.case import Case, ShownFace, Step


def face_name(step: int, place: int) -> str:
    """The name of a face: the step that made it, and its place among what that step made."""
    return f"{step}.{place:02d}"


def find_shown(steps: Sequence["Step"], count: int, name: str) -> "ShownFace | None":
    """The face of a name and its picture's hash; None where none of the first steps made one.

    Args:
        steps: Steps of a case.
        count: How many of them are looked at.
        name: The face's name.
    """
    number, _, place = name.partition(".")
    if not (number.isdecimal() and place.isdecimal()) or int(number) >= count:
        return None
    found = steps[int(number)].made[int(place) : int(place) + 1]
    # The same numbers can be written otherwise: 1.3 is not 1.03.
    return found[0] if found and found[0].face.name == name else None


def check_steps(case: "Case") -> None:
    """Refuses a case that no session can have made: each of its steps, and where it stands.

    Raises:
        ValueError: A step is out of order, names a face, a place or a lock that there is not, or
            holds vectors of another model; or the case stands at none of its steps.
    """
    for number in range(len(case.steps)):
        check_step(case, number)
    check_present(case)


def check_step(case: "Case", number: int) -> None:
    """Refuses a step that cannot follow those before it, which are not looked at again.

    Args:
        case: The case.
        number: The step's place in it.

    Raises:
        ValueError: As `check_steps`.
    """
    step = case.steps[number]
    _check_place_in_tree(step, number)
    for place, shown in enumerate(step.made):
        if shown.face.name != face_name(number, place):
            raise ValueError(f"step {number} has a face that is named {shown.face.name!r:.40}")
        _check_face(case, shown.face)
    for face in step.given:
        _check_face(case, face)
    check_vectors(**{f"directions of step {number}": b"".join(step.directions)})
    if any(len(direction) != 4 * case.condition_size for direction in step.directions):
        raise ValueError(f"step {number} has directions of another model")
    if step.operation == "lock" and not isinstance(step.arguments.get("name"), str):
        raise ValueError(f"step {number} is a lock without a name")
    _check_references(case, step)


def _check_place_in_tree(step: "Step", number: int) -> None:
    if step.number != number:
        raise ValueError(f"step {number} has the number {step.number}")
    if number == 0:
        if step.parent is not None or step.operation != "start":
            raise ValueError("the first step is no start")
    elif step.parent is None or step.parent >= number or step.operation == "start":
        raise ValueError(f"step {number} does not follow an earlier one")


def _check_face(case: "Case", face: Face) -> None:
    if face.bundle_id != case.bundle_id:
        raise ValueError(f"face {face.name} is of another bundle than its case")
    if (len(face.epsilon), len(face.noise)) != (4 * case.condition_size, 4 * case.noise_size):
        raise ValueError(f"face {face.name} has a latent of another size than its case")


def _check_references(case: "Case", step: "Step") -> None:
    for name in step.screen:
        if find_shown(case.steps, step.number + 1, name) is None:
            raise ValueError(f"step {step.number} shows a face that there is not: {name!r:.40}")
    if len(set(step.chosen)) < len(step.chosen) or not set(step.chosen) <= {
        *range(len(step.screen))
    }:
        raise ValueError(f"step {step.number} chooses places that its screen has not")
    if any(
        not 0 <= lock <= step.number or case.steps[lock].operation != "lock" for lock in step.locks
    ):
        raise ValueError(f"step {step.number} has a lock that no step made")


def check_present(case: "Case") -> None:
    """Refuses a case that stands at none of its steps, or that redo takes somewhere else.

    Raises:
        ValueError: It is so.
    """
    count = len(case.steps)
    if case.at >= count or any(number >= count for number in case.undone):
        raise ValueError("the case stands at a step that there is not")
    parent = case.at
    for number in reversed(case.undone):
        if case.steps[number].parent != parent:
            raise ValueError(f"step {number} cannot be redone from step {parent}")
        parent = number
