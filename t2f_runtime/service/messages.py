"""What `t2f serve --stdio` and its host say to each other, one JSON object a line."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.latent import LARGEST_SEED

PROTOCOL: Final = 1
"""Raised when a message changes its meaning. Fields may be added to answers without, so a host
should ignore those that it does not know."""

MAXIMUM_LINE_BYTES: Final = 2**20
"""The longest request: far beyond any description."""

MAXIMUM_CANDIDATES: Final = 64
"""The most faces of one answer, which is a single line."""

Id = Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[str, Meta(max_length=128)]
"""A host's name for a request; its answer has it too."""

PictureFormat = Literal["png", "rgb"]
"""`png` is a whole file, marked as a synthetic face; `rgb` is rows of pixels from the top, three
bytes each."""

ErrorCode = Literal[
    "argument",
    "cancelled",
    "case",
    "closed",
    "deadline",
    "description",
    "duplicate_id",
    "engine",
    "internal",
    "invalid_line",
    "invalid_request",
    "line_too_long",
    "missing_package",
    "picture",
    "queue_full",
    "sessions_full",
    "stale_step",
    "unknown_method",
    "unknown_session",
]
"""Stable names of errors; the messages beside them may change."""

Seed = Annotated[int, Meta(ge=0, extra_json_schema={"maximum": LARGEST_SEED})]
BudgetMs = Annotated[int, Meta(ge=0, le=86_400_000)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a host sends: an unknown field is a mistake."""


class NoParams(Strict, frozen=True, kw_only=True):
    """No parameters."""


class GenerateParams(Strict, frozen=True, kw_only=True):
    """Draw one face."""

    description: str | None = None
    """What the face looks like; left out for a model without text."""
    seed: Seed = 0
    """Equal seeds draw equal faces."""
    format: PictureFormat = "png"
    """How the picture is sent."""
    budget_ms: BudgetMs | None = None
    """Milliseconds after which it is given up, the time in the queue among them."""


class CandidatesParams(GenerateParams, frozen=True, kw_only=True):
    """Draw several faces of one description; the first is the one that `generate` draws."""

    count: Annotated[int, Meta(ge=1, le=MAXIMUM_CANDIDATES)] = 18
    """How many."""


class ReadParams(Strict, frozen=True, kw_only=True):
    """Tell what is understood of a description, without drawing it."""

    description: str
    """Any text."""


class CancelParams(Strict, frozen=True, kw_only=True):
    """Give up a request; its own answer is then the error `cancelled`."""

    id: Id
    """The request's."""


class ShutdownParams(Strict, frozen=True, kw_only=True):
    """End; the answer to this is the last line."""

    drain: bool = True
    """Whether what waits is drawn first; if not, it is cancelled."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: the server is ready."""

    hello: Literal["t2f"] = "t2f"
    """Tells it from any other program."""
    protocol: int = PROTOCOL
    """The protocol that is spoken."""
    version: str
    """Version of T2F."""
    methods: tuple[str, ...]
    """The methods that there are."""
    maximum_line_bytes: int = MAXIMUM_LINE_BYTES
    """The longest request."""


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """One picture."""

    index: int
    """Which candidate of its seed it is, from 0."""
    data: bytes
    """The picture, in base64."""
    sha256: str
    """SHA-256 of its pixels, three bytes each, rows from the top: equal for equal faces, whatever
    the format."""


class Faces(msgspec.Struct, frozen=True, kw_only=True):
    """What `generate` and `candidates` give."""

    width: int
    """Of each picture, in pixels."""
    height: int
    """Likewise."""
    format: PictureFormat
    """What `data` holds."""
    seed: int
    """As asked for."""
    faces: tuple[Face, ...]
    """In the order of their indices."""


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What `info` gives."""

    version: str
    """Version of T2F."""
    bundle_id: str
    """Equal for bundles that draw alike."""
    name: str
    """The bundle's."""
    licence: str | None
    """What its maker allows."""
    image_size: int
    """Width and height of a picture, in pixels."""
    takes_text: bool
    """Whether faces are drawn from descriptions, rather than from seeds alone."""
    maximum_characters: int | None
    """The longest description; None for a model without text."""
    maximum_tokens: int | None
    """The same in tokens."""
    engine: RunningEngine
    """What draws, and what "auto" would rather have taken."""
    capacity: int
    """The most faces that may wait or be drawn at a time."""
    waiting_faces: int
    """How many do now."""
    maximum_sessions: int
    """The most identikit sessions that may be open at a time."""
    open_sessions: int
    """How many are now."""
    slider_words: tuple[str, ...]
    """Words that make good sliders; any others may."""
    lock_names: tuple[str, ...]
    """What `identikit.lock` knows by name; any other words lock themselves."""


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """What `cancel` gives."""

    was_waiting: bool
    """Whether there was such a request; if not, it has had its answer, or never was."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What `shutdown` and `identikit.close` give: nothing but that it is done."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error."""

    code: ErrorCode
    """For programs."""
    message: str
    """For people; it may hold the description."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that failed."""

    id: Id | None
    """The request's; null where it could not be read."""
    error: Problem
    """What is wrong."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request before its parameters are read."""

    id: Id
    """The host's name for it; no other that waits may have it."""
    method: str
    """One of `Hello.methods`."""
    params: msgspec.Raw = msgspec.Raw(b"{}")
    """What the method takes."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that succeeded."""

    id: Id
    """The request's."""
    result: Any
    """What the method gives."""
