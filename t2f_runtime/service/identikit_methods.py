"""The operations of identikit sessions by the names that hosts call them.

A step gives a new session and is answered with how it stands; a question leaves the session as it
was. All are pure but for files: who holds sessions, and in which order things are done, is told in
`t2f_runtime.service.session_desk`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit import (
    CaseLog,
    Comparison,
    Face,
    Session,
    explain,
    explanation_sheet,
    export_page,
    export_picture,
    export_sheet,
    save_case,
)
from t2f_runtime.identikit.case_log import path_text
from t2f_runtime.identikit.explanation_sheet import explanation_notes
from t2f_runtime.identikit.named_face import chosen_face
from t2f_runtime.identikit.studio import Studio
from t2f_runtime.pictures.files import encode_picture
from t2f_runtime.service.identikit_answers import (
    Checked,
    Explained,
    ExplainedWord,
    Exported,
    PastSteps,
    Saved,
    Screen,
)
from t2f_runtime.service.identikit_params import (
    BranchParams,
    BreedParams,
    CheckParams,
    ChooseParams,
    CompareParams,
    DescribeParams,
    ExplainParams,
    ExportParams,
    FaceRef,
    GoParams,
    HistoryParams,
    LoadParams,
    LockParams,
    MixParams,
    MoreCandidatesParams,
    MorphParams,
    OpenParams,
    OtherSession,
    SaveParams,
    SessionParams,
    ShowParams,
    SlideParams,
    StartParams,
    StepParams,
)
from t2f_runtime.service.identikit_screen import history_of, screen_of
from t2f_runtime.service.open_files import OpenFiles
from t2f_runtime.service.queued_generator import QueuedGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What operations work with.

    Args:
        generator: Reads and draws.
        studio: Remembers what it read and drew, for all sessions.
        find: Gives the session of a number.
        place: Where a path of the host's leads.
        clock: Tells the time, with its time zone.
        files: Which session has which file.
    """

    generator: QueuedGenerator
    studio: Studio
    find: Callable[[int], Session]
    place: Callable[[str], Path]
    clock: Callable[[], datetime]
    files: OpenFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session as it stands, and what belongs to it.

    Args:
        number: What the host calls it.
        session: The session; it does not know its log, which is written once a step has its answer.
        sliders: The words of the host's sliders.
        log: Where steps are written; None where nothing is.
    """

    number: int
    session: Session
    sliders: tuple[str, ...]
    log: CaseLog | None


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session is begun: given its number, it is opened, and the log's arguments are told."""

    operation: str
    params: type[OpenParams]
    run: Callable[[Tools, int, Any], tuple[Opened, dict[str, object] | None]]


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that gives a new session."""

    params: type[StepParams]
    run: Callable[[Tools, Session, Any], Session]


@dataclass(frozen=True, slots=True)
class Question:
    """An operation that leaves the session as it was.

    What `writes` a file is answered once it has: it is too late then to call it cancelled.
    """

    params: type[SessionParams]
    result: type[msgspec.Struct]
    run: Callable[[Tools, Opened, Any], msgspec.Struct]
    writes: bool = False


def _start(
    tools: Tools, number: int, params: StartParams
) -> tuple[Opened, dict[str, object] | None]:
    session = Session.start(
        params.description, tools.generator, seed=params.seed, studio=tools.studio
    )
    log = _open_log(tools, number, params)
    if log is not None:
        log.check_is_new()
    return Opened(number=number, session=session, sliders=params.sliders, log=log), None


def _load(tools: Tools, number: int, params: LoadParams) -> tuple[Opened, dict[str, object] | None]:
    path = tools.place(params.path)
    tools.files.hold(number, path, "case file")
    session = Session.load(path, tools.generator, studio=tools.studio)
    log = _open_log(tools, number, params)
    if log is not None:
        log.check(session.case, session.log_mark)
        session = replace(session, log_mark=None)  # the log gets the lines of further steps
    opened = Opened(number=number, session=session, sliders=params.sliders, log=log)
    return opened, {"file": path_text(path)}


def _open_log(tools: Tools, number: int, params: OpenParams) -> CaseLog | None:
    if params.log is None:
        return None
    path = tools.place(params.log)
    tools.files.hold(number, path, "log")
    return CaseLog.open(path, operator=params.operator, clock=tools.clock)


def _show(tools: Tools, opened: Opened, params: ShowParams) -> Screen:
    number, session, sliders = opened.number, opened.session, opened.sliders
    time = tools.clock()
    return screen_of(number, session, sliders, params.format, time=time, places=params.places)


def _history(_: Tools, opened: Opened, params: HistoryParams) -> PastSteps:
    return history_of(opened.number, opened.session, params)


def _compare(tools: Tools, opened: Opened, params: CompareParams) -> Comparison:
    first, second = _referred(tools, params.first), _referred(tools, params.second)
    return opened.session.compare(first, second)


def _explain(tools: Tools, opened: Opened, params: ExplainParams) -> Explained:
    if params.face is None:
        face = chosen_face(opened.session)
    else:
        face = _face(tools, opened.session, params.face)
    explanation = explain(tools.generator, face)
    sheet = None
    if params.sheet:
        notes = explanation_notes(tools.generator, face, explanation, time=tools.clock())
        sheet = encode_picture(explanation_sheet(explanation), "PNG", notes)
    return Explained(
        description=explanation.description,
        words=tuple(
            ExplainedWord(
                **msgspec.structs.asdict(effect),
                is_negligible=effect.is_negligible,
                is_chance=effect.is_chance,
            )
            for effect in explanation.words
        ),
        sheet=sheet,
    )


def _save(tools: Tools, opened: Opened, params: SaveParams) -> Saved:
    path, case = tools.place(params.path), opened.session.case
    mark = opened.session.log_mark if opened.log is None else opened.log.mark
    is_own = tools.files.has(opened.number, path, "case file")
    tools.files.hold(opened.number, path, "case file")
    try:
        if not (is_own or params.replaces) and os.path.lexists(path):
            raise ArgumentError(
                f"{path} is there already, and not of this case: name another file, or allow it "
                "with replaces"
            )
        save_case(path, case, mark)
    except BaseException:
        if not is_own:
            tools.files.let_go(opened.number, path)
        raise
    return Saved(path=str(path), steps=len(case.steps), log=mark)


def _export(tools: Tools, opened: Opened, params: ExportParams) -> Exported:
    session, path = opened.session, tools.place(params.path)
    if params.faces is not None:
        faces = tuple(_face(tools, session, one) for one in params.faces)
    elif params.kind == "picture":
        faces = (chosen_face(session),)
    else:
        faces = (params.kind == "page" and session.chosen) or session.screen
    generator, time = tools.generator, tools.clock()
    words, replaces = params.tells_description, params.replaces
    if params.kind == "sheet":
        facts = export_sheet(
            path, generator, faces, time=time, tells_description=words, replaces=replaces
        )
    elif params.kind == "page":
        fonts = [tools.place(font) for font in params.fonts]
        facts = export_page(
            path, generator, faces,
            time=time, tells_description=words, fonts=fonts, replaces=replaces,
        )  # fmt: skip
    elif len(faces) > 1:
        raise ArgumentError(
            f"a picture has one face, not {len(faces)}; export a sheet or a page of several"
        )
    else:
        facts = export_picture(
            path, generator, faces[0],
            time=time, scale=params.scale, tells_description=words, replaces=replaces,
        )  # fmt: skip
    return Exported(path=str(path), facts=facts)


def _check(tools: Tools, opened: Opened, _: CheckParams) -> Checked:
    case = opened.session.case
    pictures = case.check(tools.generator, cancellation=tools.generator.cancellation)
    log = opened.log
    lines = None if log is None else log.check(case, log.mark).lines
    return Checked(pictures=pictures, log_lines=lines)


def _mix(tools: Tools, session: Session, params: MixParams) -> Session:
    first, second = _referred(tools, params.first), _referred(tools, params.second)
    return session.mix(first, second, params.amount)


def _morph(tools: Tools, session: Session, params: MorphParams) -> Session:
    first, second = _referred(tools, params.first), _referred(tools, params.second)
    return session.morph(first, second, params.count)


def _referred(tools: Tools, which: FaceRef) -> int | str | Session:
    return tools.find(which.session) if isinstance(which, OtherSession) else which


def _face(tools: Tools, session: Session, which: FaceRef) -> Face:
    found = _referred(tools, which)
    if isinstance(found, Session):
        return found.face
    if isinstance(found, str):
        return session.case.face(found)
    screen = session.screen
    if found >= len(screen):
        raise ArgumentError(f"a place is {found}; it must be 0 to {len(screen) - 1}")
    return screen[found]


OPENINGS: Final[Mapping[str, Opening]] = {
    "identikit.start": Opening("start", StartParams, _start),
    "identikit.load": Opening("load", LoadParams, _load),
}
"""How sessions begin."""

STEPS: Final[Mapping[str, Step]] = {
    "identikit.candidates": Step(
        MoreCandidatesParams,
        lambda _, session, asked: session.candidates(asked.count, pool=asked.pool),
    ),
    "identikit.choose": Step(ChooseParams, lambda _, session, asked: session.choose(asked.places)),
    "identikit.breed": Step(BreedParams, lambda _, session, asked: session.breed(asked.count)),
    "identikit.describe": Step(
        DescribeParams, lambda _, session, asked: session.describe(asked.description)
    ),
    "identikit.more": Step(
        SlideParams, lambda _, session, asked: session.more(asked.words, asked.amount)
    ),
    "identikit.less": Step(
        SlideParams, lambda _, session, asked: session.less(asked.words, asked.amount)
    ),
    "identikit.lock": Step(LockParams, lambda _, session, asked: session.lock(asked.name)),
    "identikit.unlock": Step(LockParams, lambda _, session, asked: session.unlock(asked.name)),
    "identikit.mix": Step(MixParams, _mix),
    "identikit.morph": Step(MorphParams, _morph),
    "identikit.undo": Step(GoParams, lambda _, session, asked: session.undo(asked.steps)),
    "identikit.redo": Step(GoParams, lambda _, session, asked: session.redo(asked.steps)),
    "identikit.branch": Step(BranchParams, lambda _, session, asked: session.branch(asked.step)),
}
"""What changes a session."""

QUESTIONS: Final[Mapping[str, Question]] = {
    "identikit.show": Question(ShowParams, Screen, _show),
    "identikit.history": Question(HistoryParams, PastSteps, _history),
    "identikit.compare": Question(CompareParams, Comparison, _compare),
    "identikit.explain": Question(ExplainParams, Explained, _explain),
    "identikit.save": Question(SaveParams, Saved, _save, writes=True),
    "identikit.export": Question(ExportParams, Exported, _export, writes=True),
    "identikit.check": Question(CheckParams, Checked, _check),
}
"""What leaves a session as it is."""
