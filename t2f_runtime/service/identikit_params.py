"""What a host asks of identikit sessions over `t2f serve --stdio`."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from t2f_runtime.identikit.case import MAXIMUM_SCREEN, MAXIMUM_STEPS
from t2f_runtime.identikit.picture_export import MAXIMUM_SCALE
from t2f_runtime.identikit.session import LARGEST_AMOUNT
from t2f_runtime.service.messages import MAXIMUM_CANDIDATES, BudgetMs, Seed, Strict

MAXIMUM_SESSIONS: Final = 16
"""The most sessions that may be open at a time."""

MAXIMUM_SLIDERS: Final = 32
"""The most sliders of one session."""

LARGEST_POOL: Final = 256
"""The most faces that a screen of candidates is chosen from."""

MAXIMUM_HISTORY: Final = 1000
"""The most steps of one answer."""

SessionNumber = Annotated[int, Meta(ge=1, le=2**53)]
StepNumber = Annotated[int, Meta(ge=0, lt=MAXIMUM_STEPS)]
Steps = Annotated[int, Meta(ge=1, le=MAXIMUM_STEPS)]
Place = Annotated[int, Meta(ge=0, lt=MAXIMUM_SCREEN)]
Count = Annotated[int, Meta(ge=1, le=MAXIMUM_CANDIDATES)]
Amount = Annotated[float, Meta(gt=0, le=LARGEST_AMOUNT)]
FilePath = Annotated[str, Meta(min_length=1)]

ScreenFormat = Literal["png", "rgb", "none"]
"""As for `generate`; with `none`, pictures are left out, and only their hashes are told."""

ExportKind = Literal["picture", "sheet", "page"]
"""A PNG of one face, a PNG of several with their names, or a page in PDF."""


class OtherSession(Strict, frozen=True, kw_only=True):
    """The face of another session, which is another witness's."""

    session: SessionNumber
    """Its number; its first chosen face is taken, as it is when the request's turn comes."""


FaceRef = Place | str | OtherSession
"""A face by its place on the screen, by its name in the case, or by its session."""


class DrawingParams(Strict, frozen=True, kw_only=True):
    """What all requests have that draw."""

    format: ScreenFormat = "png"
    """How pictures are sent."""
    budget_ms: BudgetMs | None = None
    """Milliseconds after which it is given up, all waiting among them; nothing has changed then."""


class OpenParams(DrawingParams, frozen=True, kw_only=True):
    """What a session has that is begun or gone on with."""

    sliders: Annotated[tuple[str, ...], Meta(max_length=MAXIMUM_SLIDERS)] = ()
    """The words of the sliders that the host shows; each answer tells where they stand."""
    log: FilePath | None = None
    """The file that each step is written to; a new session's must be new."""
    operator: Annotated[str, Meta(max_length=256)] | None = None
    """Who is at the screen, for the log."""


class StartParams(OpenParams, frozen=True, kw_only=True):
    """Begin a session, with the face that `generate` draws."""

    description: str | None = None
    """What the witness says; left out for a model without text."""
    seed: Seed = 0
    """All chance of the session comes from it."""


class LoadParams(OpenParams, frozen=True, kw_only=True):
    """Begin a session with a saved case."""

    path: FilePath
    """The case file."""


class SessionParams(DrawingParams, frozen=True, kw_only=True):
    """A request to a session; those to one session are obeyed in the order in which they come."""

    session: SessionNumber
    """Its number, from the answer that began it."""


class CloseParams(Strict, frozen=True, kw_only=True):
    """Forget a session, after what was asked of it before; what was not saved is lost."""

    session: SessionNumber
    """Its number, which no other will have."""


class ShowParams(SessionParams, frozen=True, kw_only=True):
    """Tell how a session stands; nothing is changed."""

    places: Annotated[tuple[Place, ...], Meta(max_length=MAXIMUM_CANDIDATES)] | None = None
    """Faces whose pictures are wanted; left out, the first 64 of the screen."""


class StepParams(SessionParams, frozen=True, kw_only=True):
    """A request that changes a session."""

    after_step: StepNumber | None = None
    """The step that the host believes the session to stand at; where it stands elsewhere, nothing
    is done. Keeps a button that was pressed twice from being obeyed twice."""


class MoreCandidatesParams(StepParams, frozen=True, kw_only=True):
    """Show other faces of the same words, sliders and locks, chosen to differ."""

    count: Count = 18
    """How many."""
    pool: Annotated[int, Meta(ge=1, le=LARGEST_POOL)] | None = None
    """How many are drawn to choose them from; left out, three times as many."""


class ChooseParams(StepParams, frozen=True, kw_only=True):
    """Choose the faces that what follows works on."""

    places: Annotated[tuple[Place, ...], Meta(min_length=1, max_length=MAXIMUM_SCREEN)]
    """Their places on the screen, the closest first."""


class BreedParams(StepParams, frozen=True, kw_only=True):
    """Show the chosen faces and their children."""

    count: Count = 18
    """How many faces in all."""


class DescribeParams(StepParams, frozen=True, kw_only=True):
    """Change the words of the chosen faces, and keep the rest of them."""

    description: str
    """The new description; one that begins with `...` goes on after the old one."""


class SlideParams(StepParams, frozen=True, kw_only=True):
    """Move the chosen faces towards some words, or away from them."""

    words: str
    """Such as `older` or `with a beard`."""
    amount: Amount = 1.0
    """How far; see `Slider`."""


class LockParams(StepParams, frozen=True, kw_only=True):
    """Keep what some words would change, or let go of it."""

    name: str
    """One of `Info.lock_names`, or any words."""


class MixParams(StepParams, frozen=True, kw_only=True):
    """Mix two faces into one; locks keep what the first has."""

    first: FaceRef
    """A face."""
    second: FaceRef
    """Another."""
    amount: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """0 gives the first, 1 the second."""


class MorphParams(StepParams, frozen=True, kw_only=True):
    """Show the way from one face to another, both ends among the faces."""

    first: FaceRef
    """Where it begins."""
    second: FaceRef
    """Where it ends."""
    count: Annotated[int, Meta(ge=2, le=MAXIMUM_CANDIDATES)] = 7
    """How many faces."""


class GoParams(StepParams, frozen=True, kw_only=True):
    """Go back, or forth again."""

    steps: Steps = 1
    """How many steps."""


class BranchParams(StepParams, frozen=True, kw_only=True):
    """Go to any step of the case; what is done next begins a branch there."""

    step: StepNumber
    """Its number; see `identikit.history`."""


class HistoryParams(SessionParams, frozen=True, kw_only=True):
    """Tell the steps of a case, those undone among them."""

    first: StepNumber = 0
    """The first that is told."""
    count: Annotated[int, Meta(ge=1, le=MAXIMUM_HISTORY)] = MAXIMUM_HISTORY
    """How many at most."""


class CompareParams(SessionParams, frozen=True, kw_only=True):
    """Tell how two faces differ."""

    first: FaceRef
    """A face."""
    second: FaceRef
    """Another."""


class ExplainParams(SessionParams, frozen=True, kw_only=True):
    """Tell which words moved a face, by leaving each out in turn."""

    face: FaceRef | None = None
    """The face; left out, the chosen one, and refused where none or several are."""
    sheet: bool = False
    """Whether a picture of where each word acts is wanted."""


class SaveParams(SessionParams, frozen=True, kw_only=True):
    """Write the case file, whole or not at all, for its owner alone to read."""

    path: FilePath
    """The file. A relative path begins where the server was started."""
    replaces: bool = False
    """Whether a file that is there may be replaced; one that this session loaded or wrote is."""


class ExportParams(SessionParams, frozen=True, kw_only=True):
    """Write a picture to pass on, which says that it is synthetic and where it comes from."""

    path: FilePath
    """The file: .png, or .pdf for a page."""
    kind: ExportKind = "picture"
    """What is written."""
    faces: Annotated[tuple[FaceRef, ...], Meta(min_length=1, max_length=MAXIMUM_SCREEN)] | None = (
        None
    )
    """The faces; left out, the chosen one for a picture, which is refused where none or several
    are, the chosen ones for a page, if any, and else the whole screen."""
    scale: Annotated[int, Meta(ge=1, le=MAXIMUM_SCALE)] = 1
    """Of a picture: how many times it is enlarged."""
    tells_description: bool = False
    """Whether the words are in the file, or only their SHA-256. With them, it is for its owner
    alone to read."""
    replaces: bool = False
    """Whether a file that is there may be replaced."""
    fonts: Annotated[tuple[FilePath, ...], Meta(max_length=8)] = ()
    """Of a page: fonts, for words beyond the letters of Western Europe."""


class CheckParams(SessionParams, frozen=True, kw_only=True):
    """Do every step again, draw every picture, and hold all of it against the case and its log."""
