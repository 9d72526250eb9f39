"""What `t2f serve --stdio` answers to a host about identikit sessions."""

import msgspec

from t2f_runtime.identikit.case import Argument
from t2f_runtime.identikit.directions import SLIDER_END
from t2f_runtime.identikit.log_chain import LogMark
from t2f_runtime.pictures.facts import PictureFacts
from t2f_runtime.service.identikit_params import ScreenFormat


class ScreenFace(msgspec.Struct, frozen=True, kw_only=True):
    """A face on the screen."""

    place: int
    """Its place, from 0."""
    name: str
    """Its name, which no other face of the case has: the step that made it and its place there."""
    made_by: str
    """What made it: `candidate`, `child`, `describe`, `more older`, …"""
    parents: tuple[str, ...]
    """Names of the faces that it was made of."""
    descriptions: tuple[str, ...]
    """The words that it follows; several of a mixed face, none of a model without text."""
    data: bytes | None
    """The picture, in base64; null where it was not asked for, and beyond the first 64."""
    sha256: str
    """SHA-256 of its pixels as they are sent; where they are not, as they were first shown."""


class Slider(msgspec.Struct, frozen=True, kw_only=True):
    """Where a slider stands, on the first chosen face."""

    words: str
    """What `identikit.more` and `identikit.less` take."""
    position: float | None
    """In standard deviations of faces from the middle; null while no face is chosen, and where
    there is a problem."""
    least: float = -SLIDER_END
    """Where it ends on the one side."""
    most: float = SLIDER_END
    """Where it ends on the other."""
    per_amount: float
    """How far an amount of 1 moves it: 1, or less where locks keep a part of it, and 0 where it
    cannot be moved. To bring it to p, ask for more of (p - position) / per_amount."""
    problem: str | None = None
    """Why the model has no such slider."""


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """How a session stands: what a host shows after each step."""

    session: int
    """Its number."""
    step: int
    """The number of the step at which it stands."""
    operation: str
    """What that step did: `start`, `candidates`, `choose`, …"""
    steps: int
    """How many steps the case has, those undone among them."""
    undo_steps: int
    """How many can be undone."""
    redo_steps: int
    """How many can be redone."""
    generation: int
    """How many generations have been bred since the last candidates."""
    seed: int
    """What all chance comes from."""
    locks: tuple[str, ...]
    """The names of the locks in force."""
    sliders: tuple[Slider, ...]
    """Those that the session was begun with."""
    width: int
    """Of each picture, in pixels."""
    height: int
    """Likewise."""
    format: ScreenFormat
    """What `data` holds."""
    chosen: tuple[int, ...]
    """Places of the faces that what follows works on, the closest first; none where a choice is
    due."""
    faces: tuple[ScreenFace, ...]
    """The faces on the screen, in the order of their places."""


class PastStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a case."""

    number: int
    """Its number, from 0."""
    parent: int | None
    """The step that it follows; null of the first."""
    operation: str
    """What it did."""
    arguments: dict[str, Argument]
    """With what."""
    faces: int
    """How many were on the screen after it."""
    is_present: bool
    """Whether it leads to where the session stands, rather than being undone or on another
    branch."""


class PastSteps(msgspec.Struct, frozen=True, kw_only=True):
    """What `identikit.history` gives."""

    session: int
    """As asked for."""
    step: int
    """Where the session stands."""
    total: int
    """How many steps there are."""
    steps: tuple[PastStep, ...]
    """Those asked for, in their order."""


class ExplainedWord(msgspec.Struct, frozen=True, kw_only=True):
    """What one word of a description does to the picture."""

    word: str
    """As it was written."""
    start: int
    """Where it begins in the description, in Unicode characters."""
    end: int
    """Where it ends."""
    difference: float
    """How far the picture without it is from the picture with it, in levels of 255."""
    share: float
    """The same as a share of the sum over all words."""
    seen: int | None
    """How many descriptions of the training data have it; null where the bundle does not tell."""
    is_negligible: bool
    """Whether it did practically nothing."""
    is_chance: bool
    """Whether training never had it, so that what it moves is chance."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What `identikit.explain` gives."""

    description: str
    """The face's."""
    words: tuple[ExplainedWord, ...]
    """Its words, in their order."""
    sheet: bytes | None
    """A PNG of where each word acts, in base64; null where it was not asked for."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What `identikit.save` gives."""

    path: str
    """The file."""
    steps: int
    """How many steps it holds."""
    log: LogMark | None
    """Where the log ends; null without one. Who keeps its hash elsewhere can show later that no
    line was altered."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What `identikit.export` gives."""

    path: str
    """The file."""
    facts: PictureFacts
    """What it says about itself."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What `identikit.check` gives."""

    pictures: int
    """How many there are, all of them the same to the bit."""
    log_lines: int | None
    """How many lines the log has, all of them as they were written; null without one."""
