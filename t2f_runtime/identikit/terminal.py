"""The terminal of `t2f identikit`: a session in words, with its screens as pictures in a folder."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from t2f_runtime.errors import ArgumentError, T2FError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.identikit.case_file import load_case
from t2f_runtime.identikit.case_log import CaseLog, Clock, repair_log, utc_now
from t2f_runtime.identikit.command_words import HELP, LONGEST_LINE, usage
from t2f_runtime.identikit.numbered_sheet import numbered_sheet
from t2f_runtime.identikit.picture_export import faces_facts
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.terminal_exports import Exports
from t2f_runtime.identikit.terminal_steps import STEPS
from t2f_runtime.identikit.terminal_telling import (
    tell_check,
    tell_comparison,
    tell_doubt,
    tell_faces,
    tell_history,
    tell_log,
    tell_slider,
    tell_step,
)
from t2f_runtime.pictures.facts import writing_time
from t2f_runtime.pictures.files import save_picture


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
        fonts: What PDF pages are written with; see `export_page`.
        clock: Tells the time, with its time zone, for the log and for what is exported.

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
        fonts: Sequence[str | Path] = (),
        clock: Clock = utc_now,
    ) -> None:
        self.session: Session | None = None
        self._generator = generator
        self._pictures = pictures
        self._say = say
        self._case_file = case_file
        self._operator = operator
        self._seed = seed
        self._clock = clock
        self._own_files: set[str] = set()
        exports = Exports(generator, fonts=fonts, clock=clock)
        self._without_case: Mapping[str, Callable[[str], Iterable[str]]] = {
            "help": lambda _: HELP.values(),
            "facts": exports.facts,
            "sign": exports.sign,
            "start": self._start,
            "load": self._load,
            "repair": self._repair,
        }
        self._with_case: Mapping[str, Callable[[Session, str], Iterable[str]]] = {
            "history": lambda session, _: tell_history(session),
            "faces": lambda session, _: tell_faces(session),
            "slider": tell_slider,
            "compare": tell_comparison,
            "log": tell_log,
            "check": lambda session, _: tell_check(session),
            "picture": exports.picture,
            "sheet": exports.sheet,
            "page": exports.page,
            "explain": lambda session, rest: exports.explain(
                session, rest, self._picture_path(session, "explain")
            ),
            "show": lambda session, _: [str(self._write_screen(session))],
            "save": self._save,
        }

    def resume(self) -> None:
        """Goes on with the case file, where there is one.

        Raises:
            T2FError: It or its log cannot be read, or is of another bundle.
        """
        if self._case_file is not None and self._case_file.exists():
            load_case(self._case_file)  # so that no log is begun beside what is no case
            session = Session.load(self._case_file, self._generator, log=self._open_log())
            self._say(self._take(session))

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
        command, _, rest = line.strip().partition(" ")
        command, rest = command.lower(), rest.strip()
        if rest and usage(command) == command:
            raise ArgumentError(f"{rest!r:.40} is not understood; this command is: {command}")
        if command in {"quit", "exit"}:
            return False
        if command:
            for told in self._carry_out(command, rest):
                self._say(told)
        return True

    def _carry_out(self, command: str, rest: str) -> Iterable[str]:
        if command in self._without_case:
            return self._without_case[command](rest)
        if command not in HELP:
            raise ArgumentError(f"there is no command {command!r:.40}; type: help")
        if self.session is None:
            raise ArgumentError("there is no case yet; begin one with: start DESCRIPTION")
        if command in STEPS:
            told = self._take(STEPS[command](self.session, rest))
            return [told, *tell_doubt(self.session, command)]
        return self._with_case[command](self.session, rest)

    def _start(self, description: str) -> Iterator[str]:
        if self._case_file is not None and (self.session or self._case_file.exists()):
            raise ArgumentError(
                f"{self._case_file} holds a case already; for another, call t2f identikit with "
                "another --case"
            )
        words = description or None
        session = Session.start(words, self._generator, seed=self._seed, log=self._open_log())
        self._own_files.clear()
        yield self._take(session)

    def _load(self, file: str) -> Iterator[str]:
        if self._case_file is not None:
            raise ArgumentError(
                f"the case here is {self._case_file}; for another, call t2f identikit with another "
                "--case"
            )
        if not file:
            raise ArgumentError(f"name the case file: {usage('load')}")
        session = Session.load(file, self._generator)
        self._own_files = {_place(file)}
        yield self._take(session)

    def _repair(self, log: str) -> Iterator[str]:
        if not log:
            raise ArgumentError(f"name the log: {usage('repair')}")
        lost = repair_log(log, operator=self._operator, clock=self._clock)
        if lost:
            yield f"{log}: {lost} bytes were lost, which its last line tells now"
        else:
            yield f"{log}: every line is whole; nothing was changed"

    def _save(self, session: Session, file: str) -> Iterator[str]:
        path = Path(file) if file else self._case_file
        if path is None:
            raise ArgumentError("name the case file: save FILE")
        place = _place(path)
        is_own = path == self._case_file or place in self._own_files
        if not is_own and os.path.lexists(path):
            raise ArgumentError(f"{path} is there already, and not of this case: name another file")
        session.save(path)
        self._own_files.add(place)
        steps = len(session.case.steps)
        yield f"{path}: {steps} step{'s' * (steps > 1)}"

    def _open_log(self) -> CaseLog | None:
        if self._case_file is None:
            return None
        path = self._case_file.with_name(f"{self._case_file.name}.log")
        return CaseLog.open(path, operator=self._operator, clock=self._clock)

    def _take(self, session: Session) -> str:
        """Takes a session for the present one, saves it, and tells what is seen."""
        self.session = session
        if self._case_file is not None:
            session.save(self._case_file)
        return tell_step(session, str(self._write_screen(session)))

    def _write_screen(self, session: Session) -> Path:
        step = session.step
        path = self._picture_path(session, step.operation)
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

    def _picture_path(self, session: Session, name: str) -> Path:
        """A file in the folder of pictures, which is made if missing."""
        try:
            self._pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise ArgumentError(f"{self._pictures} cannot be made: {reason}") from error
        return self._pictures / f"{session.step.number:04d}-{name}.png"


def _place(path: str | Path) -> str:
    """A path from the root on.

    Raises:
        ArgumentError: The folder in which t2f was called is gone.
    """
    try:
        return os.path.abspath(path)  # noqa: PTH100 (takes any text)
    except OSError as error:
        raise ArgumentError(
            f"{path} cannot be found, as the folder in which t2f was called is gone: name it from "
            "the root, as in /folder/file"
        ) from error
