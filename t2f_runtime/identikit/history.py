"""What a session remembers: its steps, the way back and forth between them, its file and log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from t2f_runtime.errors import ArgumentError
from t2f_runtime.generator import Pictures
from t2f_runtime.identikit.case import (
    CASE_VERSION,
    MAXIMUM_STEPS,
    Argument,
    Case,
    ShownFace,
    Step,
)
from t2f_runtime.identikit.case_checks import face_name
from t2f_runtime.identikit.case_file import load_case, save_case
from t2f_runtime.identikit.case_log import CaseLog, check_log, path_text
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.face import Face, first_face
from t2f_runtime.identikit.log_chain import LogMark
from t2f_runtime.identikit.studio import Drawing, Studio, picture_hash, studio_of
from t2f_runtime.latent import check_whole_number

_Session = TypeVar("_Session", bound="History")


@dataclass(frozen=True, slots=True, repr=False)
class History:
    """The part of a session that keeps its case; `Session` adds what is done with faces.

    Attributes:
        case: All that has happened, as a value; two sessions are equal if their cases are.
        studio: What reads and draws.
        log: Where each step is written; None where nothing is.
        log_mark: Where its log ended, of a case that has one and was loaded without it; else None.
    """

    case: Case
    studio: Studio = field(compare=False)
    log: CaseLog | None = field(default=None, compare=False)
    log_mark: LogMark | None = field(default=None, compare=False)

    def __repr__(self) -> str:  # of the case, it would put a witness's words into every traceback
        step = self.case.step
        return (
            f"<{type(self).__name__} of bundle {self.case.bundle_id[:12]}: step {step.number} "
            f"({step.operation}), {len(step.screen)} on the screen>"
        )

    def __deepcopy__(self: _Session, memo: object) -> _Session:
        return self  # nothing changes it, and what draws cannot be copied

    @classmethod
    def start(
        cls: type[_Session],
        description: str | None,
        generator: Drawing,
        *,
        seed: int = 0,
        log: CaseLog | None = None,
        studio: Studio | None = None,
    ) -> _Session:
        """Begins a session with the face that `generator.generate(description, seed=seed)` draws.

        Args:
            description: What the witness says; None for a model without text.
            generator: Reads and draws.
            seed: 0 to 2**64 - 1; all chance of the session comes from it.
            log: Where each step is written: a new one.
            studio: The generator's, if it is shared with other sessions; None makes one.

        Raises:
            DescriptionError: The description cannot be read, is missing, or the model takes none.
            ArgumentError: The seed is out of range, or what should be a generator, a log or a
                studio is another thing.
            CaseError: The log has lines already, or cannot be written.
        """
        seed = check_whole_number("seed", seed)
        check_log(log)
        if log is not None:
            log.check_is_new()
        studio = studio_of(generator, studio)
        manifest = generator.manifest
        face = first_face(
            () if description is None else (description,),
            studio.read(description),
            bundle_id=studio.bundle_id,
            seed=seed,
            index=0,
            noise_size=manifest.noise_size,
        )
        step = Step(
            number=0,
            parent=None,
            operation="start",
            arguments={"description": description, "seed": seed},
            engine=str(generator.engine)[:256],
            made=_shown(studio, 0, [face]),
            screen=(face_name(0, 0),),
            chosen=(0,),
        )
        case = Case(
            format="t2f identikit case",
            schema_version=CASE_VERSION,
            bundle_id=studio.bundle_id,
            condition_size=manifest.condition_size,
            noise_size=manifest.noise_size,
            seed=seed,
            steps=(step,),
            at=0,
        )
        return cls(case, studio, log)._noted("start")

    @classmethod
    def load(
        cls: type[_Session],
        path: str | Path,
        generator: Drawing,
        *,
        log: CaseLog | None = None,
        studio: Studio | None = None,
    ) -> _Session:
        """Goes on with a saved case.

        Nothing is drawn; `session.case.check(generator)` does all of it again and compares.

        A case that has a log can be looked at without it, and saved elsewhere; no step is added to
        it then, which the log would lack.

        Args:
            path: The case file.
            generator: Of the case's bundle.
            log: The case's log.
            studio: As in `start`.

        Raises:
            CaseError: The file is no case, damaged, of another bundle or version, or the log is
                not the case's, lacks lines that the case file knows, or has a step otherwise.
        """
        check_log(log)
        saved = load_case(path)
        saved.case.check_bundle(generator)
        if log is not None:
            log.check(saved.case, saved.log)
        left_out = saved.log if log is None else None
        session = cls(saved.case, studio_of(generator, studio), log, left_out)
        return session._noted("load", {"file": path_text(path)})

    def save(self, path: str | Path) -> None:
        """Writes the case file, whole or not at all, for its owner alone to read.

        It holds where the log ends, by which a log that is cut short later is known.

        Raises:
            CaseError: It cannot be written; what lay there is untouched then.
        """
        save_case(path, self.case, self.log_mark if self.log is None else self.log.mark)

    @property
    def step(self) -> Step:
        """The step at which the session stands."""
        return self.case.step

    @property
    def screen(self) -> tuple[Face, ...]:
        """The faces that are seen."""
        return self.case.faces()

    @property
    def chosen(self) -> tuple[Face, ...]:
        """The faces that operations work on; none where a choice is due."""
        screen = self.screen
        return tuple(screen[place] for place in self.step.chosen)

    @property
    def face(self) -> Face:
        """The first chosen face; the first on the screen where none is chosen."""
        return (self.chosen or self.screen)[0]

    def pictures(self) -> Pictures:
        """Draws the screen.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB, in the order of `screen`.
        """
        return self.studio.draw(self.screen)

    def undo(self: _Session, steps: int = 1) -> _Session:
        """Goes back; the steps stay in the case, and redo goes to them.

        Raises:
            ArgumentError: There are fewer steps to undo.
        """
        steps = check_whole_number("steps", steps, largest=MAXIMUM_STEPS, least=1)
        at, undone = self.case.at, list(self.case.undone)
        for _ in range(steps):
            parent = self.case.steps[at].parent
            if parent is None:
                raise ArgumentError("there is nothing more to undo: this is where the case began")
            undone.append(at)
            at = parent
        return self._stand("undo", at, undone, {"steps": steps})

    def redo(self: _Session, steps: int = 1) -> _Session:
        """Takes back an undo, until something else is done.

        Raises:
            ArgumentError: There are fewer steps to redo.
        """
        steps = check_whole_number("steps", steps, largest=MAXIMUM_STEPS, least=1)
        undone = list(self.case.undone)
        if len(undone) < steps:
            raise ArgumentError(f"there is nothing more to redo: {len(undone)} steps were undone")
        at = undone[-steps]
        return self._stand("redo", at, undone[:-steps], {"steps": steps})

    def branch(self: _Session, step: int) -> _Session:
        """Goes to any step of the case; what is done next begins a branch there.

        `case.ends()` lists where the branches end.

        Raises:
            ArgumentError: There is no such step.
        """
        step = check_whole_number("step", step, largest=len(self.case.steps) - 1)
        return self._stand("branch", step, [], {"step": step})

    def _stand(
        self: _Session, operation: str, at: int, undone: Sequence[int], arguments: Mapping[str, int]
    ) -> _Session:
        case = self.case.standing_at(at, tuple(undone))
        return with_changes(self, case=case)._noted(operation, arguments)

    def _noted(
        self: _Session, operation: str, arguments: Mapping[str, object] | None = None
    ) -> _Session:
        """Writes a line of the log, if there is one."""
        if self.log is not None:
            self.log.append(operation, self.case, self.step, arguments)
        return self

    def _advance(
        self: _Session,
        operation: str,
        arguments: Mapping[str, Argument],
        *,
        made: Sequence[Face] = (),
        given: Sequence[Face] = (),
        kept: Sequence[str] = (),
        chosen: Sequence[int] | None = None,
        directions: Sequence[bytes] = (),
        **changes: object,
    ) -> _Session:
        """Adds a step.

        Args:
            operation: What is done.
            arguments: With what.
            made: New faces; without any, the screen stays.
            given: Faces of other cases that it is done with.
            kept: Names of faces that come before them on the screen.
            chosen: Places that are chosen now; None leaves the choice.
            directions: What words pointed to.
            changes: Fields of the step that become others than those of the step before.
        """
        if self.log_mark is not None:
            raise CaseError(
                f"this case has a log of {self.log_mark.lines} lines, which was not opened with it "
                "and would lack this step: load the case with its log (t2f identikit --case FILE, "
                "or log in identikit.load), or begin a new case and mix this one's face into it"
            )
        number = len(self.case.steps)
        if number >= MAXIMUM_STEPS:
            raise ArgumentError(
                f"a case has {MAXIMUM_STEPS} steps at most: start a new case, and mix this one's "
                "face into it"
            )
        shown = _shown(self.studio, number, made)
        screen = (*kept, *(one.face.name for one in shown)) if made else self.step.screen
        fields: dict[str, object] = {
            "number": number,
            "parent": self.case.at,
            "operation": operation,
            "arguments": dict(arguments),
            "engine": str(self.studio.generator.engine)[:256],
            "made": shown,
            "given": tuple(given),
            "directions": tuple(directions),
            "screen": screen,
            "chosen": self.step.chosen if chosen is None else tuple(chosen),
        }
        step = replace(self.step, **fields, **changes)
        return with_changes(self, case=self.case.with_step(step))._noted(operation)


def _shown(studio: Studio, number: int, faces: Sequence[Face]) -> tuple[ShownFace, ...]:
    """Names the faces that a step makes, and draws them."""
    named = [replace(face, name=face_name(number, place)) for place, face in enumerate(faces)]
    pictures = studio.draw(named)
    return tuple(
        ShownFace(face=face, picture=picture_hash(picture))
        for face, picture in zip(named, pictures, strict=True)
    )
