"""The commands of `t2f identikit`: a session in words, with its screens as pictures in a folder."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from t2f_runtime.errors import ArgumentError, T2FError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.identikit.case import Step
from t2f_runtime.identikit.case_file import load_case, save_case
from t2f_runtime.identikit.case_log import CaseLog
from t2f_runtime.identikit.log_chain import verify_log
from t2f_runtime.identikit.numbered_sheet import numbered_sheet
from t2f_runtime.identikit.picture_export import faces_facts
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.studio import Studio
from t2f_runtime.identikit.word_pairs import LOCK_SETS
from t2f_runtime.picture_facts import writing_time
from t2f_runtime.picture_files import save_picture

LONGEST_LINE = 2**16
"""Characters of a command."""

HELP = {
    "start": "start [DESCRIPTION]        begin a case",
    "candidates": "candidates [COUNT]         other faces of the same words",
    "choose": "choose PLACE...            the faces that are closest, the closest first",
    "breed": "breed [COUNT]              the chosen faces and their children",
    "describe": "describe TEXT              other words, or more words: describe ... with a beard",
    "more": "more WORDS [AMOUNT]        more older 0.5; more with glasses",
    "less": "less WORDS [AMOUNT]        less smiling",
    "lock": "lock NAME                  keep it: " + ", ".join(LOCK_SETS) + ", or any words",
    "unlock": "unlock NAME                let go of it",
    "mix": "mix FACE FACE [AMOUNT]     a face is a place, a name such as 3.07, or a case file",
    "morph": "morph FACE FACE [COUNT]    the way from one to the other",
    "compare": "compare FACE FACE          how they differ",
    "undo": "undo [STEPS]               go back",
    "redo": "redo [STEPS]               go forth again",
    "branch": "branch STEP                go to any step, and begin a branch there",
    "history": "history                    the steps so far",
    "show": "show                       where the screen's picture lies",
    "save": "save [FILE]                write the case file",
    "load": "load FILE                  go on with a case",
    "check": "check                      draw every picture again, and compare; verify the log",
    "help": "help                       this list",
    "quit": "quit                       end",
}


class Terminal:
    """Carries out commands, one a line, and says what came of them.

    Args:
        generator: Reads and draws.
        pictures: The folder for the pictures of the screens; made when the first is written.
        say: Shows a line to the operator.
        case_file: Where the case is saved after every step, beside its log; None keeps it in memory
            until `save`.
        operator: Who is at the screen, for the log.
        seed: The seed of cases that are started.

    Attributes:
        session: The session; None before `start` or `load`.
    """

    def __init__(
        self,
        generator: FaceGenerator,
        *,
        pictures: Path,
        say: Callable[[str], None],
        case_file: Path | None = None,
        operator: str | None = None,
        seed: int = 0,
    ) -> None:
        self.session: Session | None = None
        self._generator = generator
        self._pictures = pictures
        self._say = say
        self._case_file = case_file
        self._operator = operator
        self._seed = seed

    def resume(self) -> None:
        """Goes on with the case file, where there is one.

        Raises:
            T2FError: It or its log cannot be read, or is of another bundle.
        """
        if self._case_file is not None and self._case_file.exists():
            load_case(self._case_file)  # so that no log is begun beside what is no case
            self._show(Session.load(self._case_file, self._generator, log=self._open_log()))

    def run(self, lines: Iterable[str]) -> int:
        """Carries out commands until they end, or one is `quit`; errors are said, and it goes on.

        Returns:
            How many commands failed.
        """
        failures = 0
        for line in lines:
            try:
                if not self.obey(line):
                    break
            except T2FError as error:
                failures += 1
                self._say(f"Error: {error}")
        return failures

    def obey(self, line: str) -> bool:
        """Carries out one command; False where it ends the session.

        Raises:
            T2FError: It cannot be carried out, and nothing has changed then; or it was, and the
                case or the picture of the screen could not be written.
        """
        if len(line) > LONGEST_LINE:
            raise ArgumentError(f"a command has {LONGEST_LINE} characters at most; shorten it")
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        match word.lower():
            case "":
                pass
            case "quit" | "exit":
                return False
            case "help":
                self._say("\n".join(HELP.values()))
            case "start":
                self._start(rest or None)
            case "load":
                self._load(rest)
            case "save":
                self._save(rest)
            case "show" | "history" | "compare" | "check" as command:
                self._tell(command, rest)
            case command if command in HELP:
                self._show(self._step(command, rest))
            case unknown:
                raise ArgumentError(f"there is no command {unknown!r:.40}; type: help")
        return True

    def _present(self) -> Session:
        if self.session is None:
            raise ArgumentError("there is no case yet; begin one with: start DESCRIPTION")
        return self.session

    def _step(self, command: str, rest: str) -> Session:
        """Does what makes a step, or goes to one."""
        session = self._present()
        with_text: dict[str, Callable[[str], Session]] = {
            "describe": session.describe,
            "lock": session.lock,
            "unlock": session.unlock,
        }
        with_number: dict[str, Callable[..., Session]] = {
            "candidates": session.candidates,
            "breed": session.breed,
            "undo": session.undo,
            "redo": session.redo,
            "branch": session.branch,
        }
        usage = HELP[command].partition("  ")[0]
        if command in with_text:
            return with_text[command](rest)
        if command in with_number:
            least = int(command == "branch")
            return with_number[command](*_whole_numbers(rest, usage, most=1, least=least))
        if command == "choose":
            return session.choose(_whole_numbers(rest.replace(",", " "), usage))
        if command in {"more", "less"}:
            slide = session.more if command == "more" else session.less
            return slide(*_words_and_amount(rest))
        first, second, number = self._two_faces(rest, usage, 0.5 if command == "mix" else 7)
        if command == "mix":
            return session.mix(first, second, number)
        return session.morph(first, second, int(number))

    def _tell(self, command: str, rest: str) -> None:
        """Says something about the case, and changes nothing."""
        session = self._present()
        match command:
            case "show":
                self._say(str(self._write_screen(session)))
            case "history":
                self._say("\n".join(_history(session)))
            case "compare":
                first, second, _ = self._two_faces(rest, "compare FACE FACE", None)
                self._say(str(session.compare(first, second)))
            case _:
                count = session.case.check(self._generator)
                self._say(f"{count} pictures are the same to the bit")
                if session.log is not None:
                    lines = verify_log(session.log.path, session.log.mark).lines
                    self._say(f"{session.log.path}: {lines} lines, as they were written")

    def _start(self, description: str | None) -> None:
        if self._case_file is not None and (self.session or self._case_file.exists()):
            raise ArgumentError(
                f"{self._case_file} holds a case already; for another, call t2f identikit with "
                "another --case"
            )
        log = None if self._case_file is None else self._open_log()
        self._show(Session.start(description, self._generator, seed=self._seed, log=log))

    def _load(self, file: str) -> None:
        if self._case_file is not None:
            raise ArgumentError(f"the case is {self._case_file}; call t2f identikit with another")
        if not file:
            raise ArgumentError("name the case file: load FILE")
        self._show(Session.load(file, self._generator))

    def _save(self, file: str) -> None:
        session = self._present()
        path = Path(file) if file else self._case_file
        if path is None:
            raise ArgumentError("name the case file: save FILE")
        session.save(path)
        self._say(f"{path}: {len(session.case.steps)} steps")

    def _open_log(self) -> CaseLog | None:
        if self._case_file is None:
            return None
        path = self._case_file.with_name(f"{self._case_file.name}.log")
        return CaseLog.open(path, operator=self._operator)

    def _show(self, session: Session) -> None:
        """Takes a session for the present one, saves it, and says what is seen."""
        self.session = session
        if self._case_file is not None:
            mark = None if session.log is None else session.log.mark
            save_case(self._case_file, session.case, mark)
        path = self._write_screen(session)
        faces = len(session.screen)
        state = [f"step {session.step.number}", f"{faces} face{'s' * (faces > 1)}"]
        if session.step.chosen:
            state.append(f"chosen: {' '.join(map(str, session.step.chosen))}")
        if session.locks:
            state.append(f"locked: {', '.join(session.locks)}")
        self._say(f"{', '.join(state)}: {path}")

    def _write_screen(self, session: Session) -> Path:
        step = session.step
        path = self._pictures / f"{step.number:04d}-{step.operation}.png"
        try:
            self._pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise ArgumentError(f"{self._pictures} cannot be made: {reason}") from error
        pictures = session.pictures()
        facts = faces_facts(
            self._generator,
            session.screen,
            pictures,
            time=writing_time(),
            tells_description=False,
        )
        sheet = numbered_sheet(pictures, step.chosen)
        save_picture(sheet, path, notes=facts.notes())
        return path

    def _two_faces(
        self, rest: str, usage: str, default: float | None
    ) -> tuple[int | str | Session, int | str | Session, float]:
        """Reads two faces and, where there is a default for it, a number."""
        words = rest.split()
        if not 2 <= len(words) <= (2 if default is None else 3):
            raise ArgumentError(f"this command is: {usage}")
        number = float(_number(words[2], usage)) if len(words) == 3 else default or 0.0
        return self._face(words[0]), self._face(words[1]), number

    def _face(self, word: str) -> int | str | Session:
        if word.isdecimal():
            return int(word)
        if word.replace(".", "", 1).isdecimal():
            return word
        saved = load_case(word)
        saved.case.check_bundle(self._generator)
        return Session(saved.case, Studio(self._generator))


def _history(session: Session) -> list[str]:
    present = {step.number for step in session.case.path()}
    return [_describe(step, step.number in present, session) for step in session.case.steps]


def _describe(step: Step, is_present: bool, session: Session) -> str:
    arguments = ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in step.arguments.items()
        if value is not None and name != "indices"
    )
    mark = ">" if step.number == session.step.number else "*" if is_present else " "
    after = "" if step.parent is None else f" after {step.parent}"
    return f"{mark} {step.number}{after}: {step.operation} ({arguments})"


def _number(word: str, usage: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentError(f"{word!r:.40} is no number; this command is: {usage}")
    return number


def _whole_numbers(rest: str, usage: str, *, most: int | None = None, least: int = 0) -> list[int]:
    words = rest.split()
    is_plain = all(word.isdecimal() and len(word) < 20 for word in words)
    if not is_plain or len(words) < least or (most is not None and len(words) > most):
        raise ArgumentError(f"{rest!r:.40} is not understood; this command is: {usage}")
    return [int(word) for word in words]


def _words_and_amount(rest: str) -> tuple[str, float]:
    """Words, and the number at their end; 1 where there is none."""
    words, _, last = rest.rpartition(" ")
    try:
        return (words, float(last)) if words else (rest, 1.0)
    except ValueError:
        return rest, 1.0
