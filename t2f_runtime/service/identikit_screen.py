"""How a session stands, as a host shows it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.identikit import Face, Session, picture_hash
from t2f_runtime.identikit.directions import basis_of, free_share
from t2f_runtime.identikit.exact import Doubles
from t2f_runtime.identikit.picture_export import faces_facts
from t2f_runtime.service.identikit_answers import PastStep, PastSteps, Screen, ScreenFace, Slider
from t2f_runtime.service.identikit_params import HistoryParams, ScreenFormat
from t2f_runtime.service.messages import MAXIMUM_CANDIDATES
from t2f_runtime.service.picture_answers import encode_pixels


def screen_of(
    number: int,
    session: Session,
    sliders: Sequence[str],
    kind: ScreenFormat,
    *,
    time: datetime,
    places: Collection[int] | None = None,
) -> Screen:
    """Describes a session, and draws the pictures that are wanted.

    Args:
        number: Its number.
        session: The session.
        sliders: Words of the sliders that are told of.
        kind: How pictures are sent.
        time: Now, with its time zone, for the pictures to tell.
        places: Faces whose pictures are wanted; None takes the first of the screen.

    Raises:
        ArgumentError: A place is not on the screen.
        CancelledError: It is no longer wanted.
    """
    case, step, screen = session.case, session.step, session.screen
    wanted = set(range(min(len(screen), MAXIMUM_CANDIDATES)) if places is None else places)
    if wanted and max(wanted) >= len(screen):
        raise ArgumentError(f"a place is {max(wanted)}; it must be 0 to {len(screen) - 1}")
    basis = basis_of(case.locked()) if sliders else ()
    side = session.studio.generator.image_size
    return Screen(
        session=number,
        step=step.number,
        operation=step.operation,
        steps=len(case.steps),
        undo_steps=len(case.path()) - 1,
        redo_steps=len(case.undone),
        generation=step.generation,
        seed=case.seed,
        locks=session.locks,
        sliders=tuple(_slider(session, words, basis) for words in sliders),
        width=side,
        height=side,
        format=kind,
        chosen=step.chosen,
        faces=tuple(
            _screen_face(session, place, face, kind if place in wanted else "none", time)
            for place, face in enumerate(screen)
        ),
    )


def history_of(number: int, session: Session, params: HistoryParams) -> PastSteps:
    """Tells the steps of a case that are asked for."""
    case = session.case
    present = {step.number for step in case.path()}
    return PastSteps(
        session=number,
        step=session.step.number,
        total=len(case.steps),
        steps=tuple(
            PastStep(
                number=step.number,
                parent=step.parent,
                operation=step.operation,
                arguments=step.arguments,
                faces=len(step.screen),
                is_present=step.number in present,
            )
            for step in case.steps[params.first : params.first + params.count]
        ),
    )


def _screen_face(
    session: Session, place: int, face: Face, kind: ScreenFormat, time: datetime
) -> ScreenFace:
    data, sha256 = None, session.case.shown(face.name).picture
    if kind != "none":
        generator = session.studio.generator
        pictures = session.studio.draw([face])
        facts = faces_facts(generator, [face], pictures, time=time, tells_description=True)
        data, sha256 = encode_pixels(pictures[0], kind, facts), picture_hash(pictures[0])
    return ScreenFace(
        place=place,
        name=face.name,
        made_by=face.made_by,
        parents=face.parents,
        descriptions=face.descriptions,
        data=data,
        sha256=sha256,
    )


def _slider(session: Session, words: str, basis: Sequence[Doubles]) -> Slider:
    if not session.chosen:
        return Slider(words=words, position=None, per_amount=0.0)
    try:
        direction = session.direction(words)
    except (ArgumentError, DescriptionError) as error:
        return Slider(words=words, position=None, per_amount=0.0, problem=str(error))
    return Slider(
        words=words,
        position=direction.position(session.face),
        per_amount=min(free_share(direction, basis), 1.0),  # 1.00000005, of float32
    )
