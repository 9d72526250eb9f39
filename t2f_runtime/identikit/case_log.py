"""The log of a case: one line a step, each chained to the line before by its SHA-256."""

import base64
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.case import Case, Step
from t2f_runtime.identikit.case_file import write_privately
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.log_chain import (
    LogLine,
    LogMark,
    LogReport,
    check_operator,
    encode_line,
    read_torn,
    read_verified,
    verify_log,
)
from t2f_runtime.identikit.sole_writer import sole_replacer, sole_writer
from t2f_runtime.identikit.step_lines import check_steps_have_lines, hash_step
from t2f_runtime.paths import check_path

Clock = Callable[[], datetime]

_KEPT_TORN_BYTES = 2**16
"""So much of a line that a power cut halved is kept in the line that repairs the log."""


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


class CaseLog:
    """Writes the log of a case, line by line, each on the disk before the call returns.

    The chain shows that a line was altered, removed or moved, to whoever has the hash of a later
    one: the case file holds the last. Who can rewrite log and case file can rewrite both, so give
    the last hash away (on paper, in an e-mail) where that matters.

    Give one log to one case; of branches, and of threads, all lines come in the order of their
    time. Of two programs, or two `CaseLog`, that write to one file, the second is refused: at its
    next line, or, while the first writes, at once (on Windows, and on disks without locks, not in
    the very same moment).

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseLog, Session, verify_log
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "case.log"
        ...     log = CaseLog.open(path, operator="officer 1147")
        ...     session = Session.start("a bald man", generator, log=log).candidates(4)
        ...     verify_log(path).lines
        2

    Attributes:
        path: The file.
        operator: Who is at the screen; None where nobody said.
    """

    def __init__(
        self, path: Path, *, mark: LogMark, size: int, operator: str | None, clock: Clock
    ) -> None:
        check_operator(operator)
        self.path = path
        self.operator = operator
        self._mark = mark
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        operator: str | None = None,
        clock: Clock = utc_now,
    ) -> "CaseLog":
        """Opens a log to be continued, once every line of it is verified, or begins a new one.

        Args:
            path: The file; it is made, for its owner alone to read and write, when missing.
            operator: Who is at the screen, in 256 characters at most.
            clock: Tells the time, with its time zone.

        Raises:
            ArgumentError: The operator is no text, or too long.
            CaseError: The log has been altered, ends in half a line, or cannot be read or written.
        """
        path = check_path("the log", path)
        check_operator(operator)  # before there is a file
        _create_if_missing(path)
        report = verify_log(path)
        if report.torn_bytes:
            raise CaseError(
                f"{path} ends in half a line of {report.torn_bytes} bytes, as after a power cut; "
                "keep a copy, call t2f identikit BUNDLE --operator NAME, without --case, and type: "
                f"repair {path} (a program calls repair_log); the log notes the loss"
            )
        size = path.stat().st_size
        end = LogMark(lines=report.lines, sha256=report.last_sha256)
        return cls(path, mark=end, size=size, operator=operator, clock=clock)

    @property
    def mark(self) -> LogMark:
        """Where the log ends: what a case file keeps."""
        return self._mark

    def check_is_new(self) -> None:
        """Refuses to begin a case in the log of another.

        Raises:
            CaseError: It has lines already.
        """
        if self._mark.lines:
            raise CaseError(f"{self.path} is the log of a case already; give a new case a new log")

    def check(self, case: Case, mark: LogMark | None) -> LogReport:
        """Refuses a case that the log is not of, and a log that lacks what the case knows.

        The chain must be whole, and every step of the case must have its line, with the SHA-256 of
        all that the step holds. What the log cannot tell: whether a picture is of the face that is
        said to be drawn there, for which see `Case.check`; and at which of its steps the case was
        left, since a log may be ahead of its file.

        Args:
            case: The case.
            mark: What its file says of the log's end.

        Returns:
            What the log says about itself.

        Raises:
            CaseError: It is so, and which line is missing or altered, or which step.
        """
        lines, report = read_verified(self.path, mark)
        if report.bundle_id is not None and (report.bundle_id, report.seed) != (
            case.bundle_id,
            case.seed,
        ):
            raise CaseError(
                f"{self.path} is the log of another case, of the seed {report.seed} and the bundle "
                f"{report.bundle_id[:12]}; this one has {case.seed} and {case.bundle_id[:12]}"
            )
        check_steps_have_lines(self.path, lines, case)
        return report

    def append(
        self, operation: str, case: Case, step: Step, arguments: Mapping[str, object] | None = None
    ) -> None:
        """Writes one line, and waits until it is on the disk.

        Args:
            operation: What was done; that of the step, or what moved to it.
            case: The case after it.
            step: Where the case stands after it.
            arguments: With what; None takes those of the step.

        Raises:
            CaseError: It cannot be written, no reader would take it, or another program writes or
                has written to the log; the line is taken back where the disk allows it.
        """
        with self._lock:  # or a thread would chain its line to one that is no longer the last
            self._append(operation, case, step, arguments)

    def _append(
        self, operation: str, case: Case, step: Step, arguments: Mapping[str, object] | None
    ) -> None:
        line = LogLine(
            line=self._mark.lines + 1,
            previous=self._mark.sha256,
            time=_written(self._clock()),
            operator=self.operator,
            operation=operation,
            arguments=dict(step.arguments if arguments is None else arguments),
            step=step.number,
            step_sha256=hash_step(step),
            parent=step.parent,
            pictures={name: case.shown(name).picture for name in step.screen},
            engine=step.engine,
            bundle_id=case.bundle_id,
            seed=case.seed,
        )
        data = encode_line(line, self.path)
        mark = LogMark(lines=line.line, sha256=hashlib.sha256(data[:-1]).hexdigest())
        try:
            self._write(data, mark)
        except OSError as error:
            raise CaseError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def _write(self, data: bytes, mark: LogMark) -> None:
        # Neither created nor truncated: a log that has vanished is an error.
        with sole_writer(self.path) as file:
            size = file.seek(0, os.SEEK_END)
            if size != self._size:
                raise CaseError(
                    f"{self.path} has {size} bytes and had {self._size} after the last line: "
                    "another program has written to it; verify it, and open it again"
                )
            before = self._mark, self._size
            try:
                if file.write(data) != len(data):
                    raise OSError(None, "the disk took a part of the line only")
                os.fsync(file.fileno())
                self._mark, self._size = mark, size + len(data)
            except BaseException:  # an interruption, too, after which the session goes on
                self._mark, self._size = before
                file.truncate(size)
                raise


def repair_log(path: str | Path, *, operator: str | None = None, clock: Clock = utc_now) -> int:
    """Cuts half a line off a log's end, and writes a line that says what was lost.

    The lines before it stay as they are; either all of this happens or nothing does.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseLog, Session, repair_log
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaseLog.open(Path(folder) / "17.log")
        ...     session = Session.start("a bald man", generator, log=log)
        ...     with log.path.open("a") as file:
        ...         _ = file.write('{"line":2,"prev')  # the power fails
        ...     lost = repair_log(log.path, operator="technician")
        ...     lost, CaseLog.open(log.path).mark.lines
        (15, 2)

    Args:
        path: The log.
        operator: Who repairs it, in 256 characters at most.
        clock: Tells the time, with its time zone.

    Returns:
        How many bytes were lost; 0 where the log is whole, and nothing is written then.

    Raises:
        ArgumentError: The operator is no text, or too long.
        CaseError: The log has been altered, has no whole line, cannot be read or written, or
            another program writes to it.
    """
    path = check_path("the log", path)
    check_operator(operator)
    if not verify_log(path).torn_bytes:
        return 0
    try:
        with sole_replacer(path):
            return _repair(path, operator, clock)
    except OSError as error:
        raise CaseError(f"{path} cannot be written: {error.strerror or error}") from error


def _repair(path: Path, operator: str | None, clock: Clock) -> int:
    """Does what `repair_log` says, with nobody else at the log."""
    report = verify_log(path)
    whole, torn = read_torn(path)
    if not whole:
        raise CaseError(f"{path} holds no whole line: keep it, and begin a new log")
    line = LogLine(
        line=report.lines + 1,
        previous=report.last_sha256,
        time=_written(clock()),
        operator=operator,
        operation="repair",
        arguments={
            "lost_bytes": len(torn),
            "lost_sha256": hashlib.sha256(torn).hexdigest(),
            "lost": base64.b64encode(torn[:_KEPT_TORN_BYTES]).decode(),
        },
    )
    write_privately(path, whole + encode_line(line, path))
    return len(torn)


def check_log(log: CaseLog | None) -> None:
    """Refuses what is no log, such as its path; raises `ArgumentError`."""
    if log is not None and not isinstance(log, CaseLog):
        raise ArgumentError(
            f"log must be a CaseLog or None, not {log!r:.80}; open it with: CaseLog.open(path)"
        )


def path_text(path: str | Path) -> str:
    """A path as a log can hold it: bytes of it that are no UTF-8 are written as hexadecimal."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _create_if_missing(path: Path) -> None:
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = getattr(error, "strerror", None) or error
        raise CaseError(f"{path} cannot be written: {reason}") from error


def _written(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds")
