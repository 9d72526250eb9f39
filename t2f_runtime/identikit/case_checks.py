"""What makes the steps of a case fit together."""

from typing import TYPE_CHECKING

from t2f_runtime.identikit.face import Face, check_vectors

if TYPE_CHECKING:
    from t2f_runtime.identikit.case import Case, Step


def face_name(step: int, place: int) -> str:
    """The name of a face: the step that made it, and its place among what that step made."""
    return f"{step}.{place:02d}"


def check_steps(case: "Case") -> None:
    """Refuses steps that no session can have made.

    Raises:
        ValueError: A step is out of order, names a face, a place or a lock that there is not, or
            holds vectors of another model.
    """
    names: set[str] = set()
    locks: set[int] = set()
    for number, step in enumerate(case.steps):
        _check_place_in_tree(step, number)
        for place, shown in enumerate(step.made):
            if shown.face.name != face_name(number, place):
                raise ValueError(f"step {number} has a face that is named {shown.face.name!r:.40}")
            _check_face(case, shown.face)
            names.add(shown.face.name)
        for face in step.given:
            _check_face(case, face)
        check_vectors(**{f"directions of step {number}": b"".join(step.directions)})
        if any(len(direction) != 4 * case.condition_size for direction in step.directions):
            raise ValueError(f"step {number} has directions of another model")
        if step.operation == "lock":
            if not isinstance(step.arguments.get("name"), str):
                raise ValueError(f"step {number} is a lock without a name")
            locks.add(number)
        _check_references(step, names, locks)
    _check_present(case)


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


def _check_references(step: "Step", names: set[str], locks: set[int]) -> None:
    unknown = [name for name in step.screen if name not in names]
    if unknown:
        raise ValueError(f"step {step.number} shows a face that there is not: {unknown[0]!r:.40}")
    if len(set(step.chosen)) < len(step.chosen) or not set(step.chosen) <= {
        *range(len(step.screen))
    }:
        raise ValueError(f"step {step.number} chooses places that its screen has not")
    if not set(step.locks) <= locks:
        raise ValueError(f"step {step.number} has a lock that no step made")


def _check_present(case: "Case") -> None:
    count = len(case.steps)
    if case.at >= count or any(number >= count for number in case.undone):
        raise ValueError("the case stands at a step that there is not")
    parent = case.at
    for number in reversed(case.undone):
        if case.steps[number].parent != parent:
            raise ValueError(f"step {number} cannot be redone from step {parent}")
        parent = number
