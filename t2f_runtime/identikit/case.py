"""A case as a value: every step of a session, as a tree, with what reproduces its pictures."""

import copy
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.manifest_fields import Count, Sha256, Size
from t2f_runtime.cancellation import Cancellation, check_cancellation
from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.case_checks import (
    check_present,
    check_step,
    check_steps,
    find_shown,
)
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.face import Face, Vector
from t2f_runtime.identikit.studio import Drawing, bundle_id_of
from t2f_runtime.latent import LARGEST_SEED, check_whole_number

CASE_VERSION: Final = 2
"""The one version of the schema of cases that this T2F reads and writes."""

MAXIMUM_STEPS = 10_000
MAXIMUM_SCREEN = 1000
"""The most faces of one step."""
MAXIMUM_LOCKS = 256
"""The most locks that are in force at a time."""

Argument = str | int | float | tuple[str | int, ...] | None
Place = Annotated[int, Meta(ge=0, lt=MAXIMUM_SCREEN)]
Number = Annotated[int, Meta(ge=0, lt=MAXIMUM_STEPS)]
Word = Annotated[str, Meta(max_length=64)]


class ShownFace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A face and the picture that was shown of it.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, picture_hash
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator)
        >>> shown = session.case.shown("0.00")
        >>> shown.face == session.face, shown.picture == picture_hash(session.pictures()[0])
        (True, True)
    """

    face: Face
    """What it is made of."""
    picture: Sha256
    """SHA-256 of the picture's pixels; see `picture_hash`."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a session, and how things stand after it.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> step = Session.start("a bald man", generator).candidates(4).choose([3, 1]).step
        >>> step.number, step.operation, step.arguments, step.chosen
        (2, 'choose', {'places': (3, 1)}, (3, 1))
    """

    number: Number
    """Its place among the case's steps, from 0."""
    parent: Number | None
    """The step that it follows; None of the first."""
    operation: Word
    """What was done: `start`, `candidates`, `choose`, `breed`, …"""
    arguments: Annotated[dict[Word, Argument], Meta(max_length=16)]
    """With what."""
    engine: Annotated[str, Meta(max_length=256)]
    """What drew the pictures."""
    made: Annotated[tuple[ShownFace, ...], Meta(max_length=MAXIMUM_SCREEN)] = ()
    """Faces that are new in this step."""
    given: Annotated[tuple[Face, ...], Meta(max_length=2)] = ()
    """Faces of other cases that it was done with; their own cases have how they came about."""
    directions: Annotated[tuple[Vector, ...], Meta(max_length=64)] = ()
    """What words pointed to here: of a slider its direction, of a lock those that it keeps."""
    screen: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=MAXIMUM_SCREEN)]
    """Names of the faces that are seen after it."""
    chosen: Annotated[tuple[Place, ...], Meta(max_length=MAXIMUM_SCREEN)]
    """Places on the screen of the faces that what follows works on; none where a choice is due."""
    locks: Annotated[tuple[Number, ...], Meta(max_length=MAXIMUM_LOCKS)] = ()
    """Numbers of the steps whose locks are in force."""
    generation: Count = 0
    """How many generations have been bred since the last candidates."""
    next_candidate: Count = 0
    """The first index of the seed that was not drawn for a screen of candidates yet."""

    def __hash__(self) -> int:  # of all fields, it would be none: arguments are a dict
        return hash((self.number, self.operation, self.screen))


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that has happened in a session. Immutable: each operation makes another.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> case = Session.start("a bald man", generator).candidates(4).case
        >>> [step.operation for step in case.path()]
        ['start', 'candidates']
        >>> case.check(generator)
        5
    """

    format: Literal["t2f identikit case"]
    """What the file is."""
    schema_version: Literal[2]
    """`CASE_VERSION`."""
    bundle_id: Sha256
    """The bundle that its faces are of."""
    condition_size: Count
    """Length of the condition of that bundle's model."""
    noise_size: Size
    """Length of its noise."""
    seed: Annotated[int, Meta(ge=0)]
    """What all chance was drawn from."""
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=MAXIMUM_STEPS)]
    """Every step that was ever taken, those undone among them."""
    at: Number
    """The step at which the session stands."""
    undone: Annotated[tuple[Number, ...], Meta(max_length=MAXIMUM_STEPS)] = ()
    """The steps that redo goes to, the next one last."""

    def __post_init__(self) -> None:
        if self.seed > LARGEST_SEED:
            raise ValueError(f"seed is {self.seed}; it must be {LARGEST_SEED} at most")
        check_steps(self)

    def __hash__(self) -> int:  # of every step, it would take longer with each
        return hash((self.bundle_id, self.seed, len(self.steps), self.step))

    @property
    def step(self) -> Step:
        """The step at which the session stands."""
        return self.steps[self.at]

    def with_step(self, step: Step) -> "Case":
        """The case with one more step, at which it stands; only that step is checked.

        Raises:
            ValueError: It cannot follow the others.
        """
        case = self._changed(steps=(*self.steps, step), at=step.number, undone=())
        check_step(case, len(self.steps))
        return case

    def standing_at(self, at: int, undone: tuple[int, ...] = ()) -> "Case":
        """The same case, standing at one of its steps.

        Args:
            at: Number of the step.
            undone: The steps that redo goes to, the next one last.

        Raises:
            ValueError: There is no such step, or redo cannot go there.
        """
        case = self._changed(at=at, undone=undone)
        check_present(case)
        return case

    def before(self, number: int) -> "Case":
        """The case as it was when one of its steps was about to be taken; not the first."""
        parent = self.steps[number].parent
        return self._changed(steps=self.steps[:number], at=parent, undone=())

    def _changed(self, **changes: object) -> "Case":
        """Changes fields. The constructor would check every step, for each step again."""
        case = copy.copy(self)
        for field, value in changes.items():
            msgspec.structs.force_setattr(case, field, value)
        return case

    def path(self, number: int | None = None) -> tuple[Step, ...]:
        """The steps that lead to one, from the first; to the present one where none is named.

        Raises:
            ArgumentError: There is no such step.
        """
        if number is not None:
            number = check_whole_number("number", number, largest=len(self.steps) - 1)
        found = [self.steps[self.at if number is None else number]]
        while found[-1].parent is not None:
            found.append(self.steps[found[-1].parent])
        return tuple(reversed(found))

    def ends(self) -> tuple[Step, ...]:
        """The steps that nothing follows: one a branch."""
        parents = {step.parent for step in self.steps}
        return tuple(step for step in self.steps if step.number not in parents)

    def face(self, name: str) -> Face:
        """A face by its name.

        Raises:
            ArgumentError: No step made one of that name.
        """
        return self.shown(name).face

    def shown(self, name: str) -> ShownFace:
        """A face and its picture's hash, by its name; see `face`."""
        is_text = isinstance(name, str)
        shown = find_shown(self.steps, len(self.steps), name) if is_text else None
        if shown is not None:
            return shown
        raise ArgumentError(f"this case has no face {name!r:.40}; one is named like 0.00")

    def faces(self, step: Step | None = None) -> tuple[Face, ...]:
        """The faces on the screen after a step; after the present one where none is given."""
        return tuple(self.face(name) for name in (step or self.step).screen)

    def locked(self) -> tuple[Vector, ...]:
        """The directions that the locks in force keep."""
        return tuple(
            direction for number in self.step.locks for direction in self.steps[number].directions
        )

    def check(self, generator: Drawing, *, cancellation: Cancellation | None = None) -> int:
        """Does every step again and draws every picture, and holds all of it against what is kept.

        It shows that the case is one that a session makes: descriptions are read, candidates drawn,
        children bred and faces moved and mixed as the case says, every picture is the one whose
        hash is kept, to the bit, and words, choices and locks lead from each step to the next. It
        takes about as long as the session's own drawing did.

        It does not show that it is the case of that day, for whoever has the bundle can make
        another: who did what and when, and what was chosen last, are in the log (`CaseLog.check`).
        Nor does it show where a face of another case comes from that was mixed in: that case does.

        Args:
            generator: Of the case's bundle, on the engine of the session: others draw the same
                faces with pixels that differ by a level here and there.
            cancellation: Stops it before the next step.

        Returns:
            How many pictures there are, all of them the same to the bit.

        Raises:
            CancelledError: It was cancelled; as DeadlineError, its time was up.
            CaseError: A step or a picture differs, or the generator is of another bundle.
        """
        check_cancellation(cancellation)
        # Here, not above: a session, which does the steps, is made of cases.
        from t2f_runtime.identikit.replay import replay_case  # noqa: PLC0415

        return replay_case(self, generator, cancellation)

    def check_bundle(self, generator: Drawing) -> None:
        """Refuses a generator of another bundle.

        Raises:
            CaseError: It is.
        """
        found = bundle_id_of(generator)
        if found != self.bundle_id:
            raise CaseError(
                f"the case is of the bundle {self.bundle_id[:12]}, and this is {found[:12]} "
                f"({generator.manifest.name}): load the bundle that it was made with"
            )
