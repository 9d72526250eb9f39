"""The lines of a case's log, and what shows that one was altered, removed, inserted or moved."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.manifest_fields import Count, Sha256, Size
from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.paths import check_path, refuse_device

MAXIMUM_LINE_BYTES = 2**20
MAXIMUM_LOG_BYTES = 2**30
MAXIMUM_OPERATOR_CHARACTERS: Final = 256

BEFORE_THE_FIRST: Final = "0" * 64
"""What the first line has in the place of the hash of the line before."""


_NOT_A_LINE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""Deep nesting is a RecursionError; a number of many digits, or a lone surrogate, a ValueError."""


class LogMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a log ended: a later log that lacks this line, or has another there, was altered.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseLog, LogMark, Session, verify_log
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaseLog.open(Path(folder) / "17.log")
        ...     session = Session.start("a bald man", generator, log=log)
        ...     mark = LogMark(lines=log.mark.lines, sha256=log.mark.sha256)  # as written on paper
        ...     verify_log(log.path, mark).lines
        1
    """

    lines: Count
    """How many lines it had."""
    sha256: Sha256
    """SHA-256 of the last of them, without its newline."""


class LogLine(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One line of a log."""

    line: Size
    """Its number, from 1."""
    previous: Sha256
    """SHA-256 of the line before, without its newline; zeros in the first."""
    time: Annotated[str, Meta(max_length=64)]
    """When it was written: ISO 8601, UTC."""
    operator: Annotated[str, Meta(max_length=MAXIMUM_OPERATOR_CHARACTERS)] | None = None
    """Who was at the screen."""
    operation: Annotated[str, Meta(max_length=64)]
    """What was done."""
    arguments: dict[str, Any]
    """With what."""
    step: Count | None = None
    """The step of the case at which that ended."""
    step_sha256: Sha256 | None = None
    """SHA-256 of that step, with all that it made: see `hash_step`."""
    parent: Count | None = None
    """The step before that one."""
    pictures: dict[str, Sha256] = {}
    """The faces that were on the screen then, with the SHA-256 of each one's pixels."""
    engine: str | None = None
    """What drew them."""
    bundle_id: Sha256 | None = None
    """The bundle they are of."""
    seed: Count | None = None
    """The seed of the case."""


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a log that nobody altered says about itself.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseLog, Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaseLog.open(Path(folder) / "17.log")
        ...     session = Session.start("a bald man", generator, seed=7, log=log)
        ...     report = log.check(session.case, None)
        >>> report.lines, report.seed, report.torn_bytes
        (1, 7, 0)
    """

    lines: int
    """How many whole lines it has."""
    last_sha256: str
    """SHA-256 of the last of them; zeros where there is none."""
    torn_bytes: int
    """Length of what follows the last whole line: not 0 after a power cut."""
    seed: int | None
    """The seed of the case it is of; None of an empty log."""
    bundle_id: str | None
    """The bundle of that case."""


class _Link(NamedTuple):
    """What the chain needs of a line."""

    number: int
    previous: str
    sha256: str


def encode_line(line: LogLine, path: Path) -> bytes:
    """Writes a line, with its newline, and reads it again: a log that cannot be read is lost.

    Args:
        line: The line.
        path: The log that it is for, which errors name.

    Raises:
        CaseError: No reader of logs would take it.
    """
    try:
        data = msgspec.json.encode(line)
        _decode_bytes(data)
    except _NOT_A_LINE as error:
        raise CaseError(f"{path} would get a line that no reader takes: {error}") from error
    return data + b"\n"


def check_operator(operator: str | None) -> None:
    """Refuses a name that no line of a log holds.

    Raises:
        ArgumentError: It is no text, too long, or no Unicode.
    """
    if operator is None:
        return
    if not isinstance(operator, str):
        raise ArgumentError(f"the operator must be text (str) or None, not {operator!r:.50}")
    if len(operator) > MAXIMUM_OPERATOR_CHARACTERS:
        raise ArgumentError(
            f"the operator has {len(operator)} characters; {MAXIMUM_OPERATOR_CHARACTERS} are the "
            "most that a log holds"
        )
    if any("\ud800" <= character <= "\udfff" for character in operator):
        raise ArgumentError(
            "the operator holds a lone surrogate, which is no character: decode the name again, "
            "as UTF-8"
        )


def verify_log(path: str | Path, mark: LogMark | None = None) -> LogReport:
    """Reads a log and follows its chain from the first line to the last.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseError, CaseLog, Session, verify_log
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = CaseLog.open(Path(folder) / "17.log")
        ...     session = Session.start("a bald man", generator, log=log)
        ...     altered = log.path.read_text().replace("bald", "tall")
        ...     _ = log.path.write_text(altered)
        ...     try:
        ...         verify_log(log.path, log.mark)
        ...     except CaseError as error:
        ...         print(str(error).rpartition(": ")[2])
        line 1 was altered

    Args:
        path: The log.
        mark: What the case file, or anybody, knows of its end. Without one, lines that are missing
            at the end are not noticed, nor an altered last line.

    Returns:
        What it says about itself. Half a line at its end is no tampering; see `repair_log`.

    Raises:
        CaseError: A line was altered, removed, inserted or moved, and which; or the log cannot be
            read.
    """
    return read_verified(check_path("the log", path), mark)[1]


def read_log(path: str | Path, mark: LogMark | None = None) -> tuple[LogLine, ...]:
    """Reads the lines of a log that `verify_log` finds nothing wrong with.

    Args:
        path: The log.
        mark: As in `verify_log`.

    Raises:
        CaseError: As in `verify_log`.
    """
    return read_verified(check_path("the log", path), mark)[0]


def read_verified(path: Path, mark: LogMark | None) -> tuple[tuple[LogLine, ...], LogReport]:
    """Both what `read_log` and what `verify_log` give."""
    if mark is not None and not isinstance(mark, LogMark):
        raise ArgumentError(
            f"mark must be a LogMark or None, not {type(mark).__name__}; of a hash on paper, it is "
            "LogMark(lines=…, sha256=…)"
        )
    raw, torn = _read(path)
    lines = tuple(_decode(path, number, data) for number, data in enumerate(raw, start=1))
    links = [
        _Link(line.line, line.previous, hashlib.sha256(data).hexdigest())
        for line, data in zip(lines, raw, strict=True)
    ]
    found = _find_break(links, mark)
    if found is not None:
        raise CaseError(f"{path} is not as it was written: {found}")
    cases = {(line.seed, line.bundle_id) for line in lines if line.seed is not None}
    if len(cases) > 1:
        raise CaseError(f"{path} has lines of {len(cases)} cases")
    seed, bundle_id = next(iter(cases), (None, None))
    last = links[-1].sha256 if links else BEFORE_THE_FIRST
    report = LogReport(
        lines=len(lines), last_sha256=last, torn_bytes=len(torn), seed=seed, bundle_id=bundle_id
    )
    return lines, report


def read_torn(path: Path) -> tuple[bytes, bytes]:
    """Reads a log as its whole lines, together, and what follows the last of them.

    Raises:
        CaseError: It cannot be read, or is too long.
    """
    try:
        refuse_device(path)
        with path.open("rb") as file:
            data = file.read(MAXIMUM_LOG_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = getattr(error, "strerror", None) or error
        raise CaseError(f"{path} cannot be read: {reason}") from error
    if len(data) > MAXIMUM_LOG_BYTES:
        raise CaseError(f"{path} has more than {MAXIMUM_LOG_BYTES} bytes, as no log of a case has")
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _read(path: Path) -> tuple[list[bytes], bytes]:
    whole, torn = read_torn(path)
    return whole.split(b"\n")[:-1], torn


def _decode_bytes(data: bytes) -> LogLine:
    """Reads a line; raises one of `_NOT_A_LINE`."""
    if len(data) > MAXIMUM_LINE_BYTES:
        raise ValueError(f"it has {len(data)} bytes")
    return msgspec.json.decode(data, type=LogLine)


def _decode(path: Path, number: int, data: bytes) -> LogLine:
    try:
        return _decode_bytes(data)
    except _NOT_A_LINE as error:
        raise CaseError(
            f"{path} is not as it was written: line {number} is no line of a log ({error})"
        ) from error


def _find_break(links: Sequence[_Link], mark: LogMark | None) -> str | None:
    """Says which line is not as it was written; None where all are."""
    previous = BEFORE_THE_FIRST
    for place, link in enumerate(links, start=1):
        if link.number != place or link.previous != previous:
            return _explain(links, place, mark)
        previous = link.sha256
    if mark is None:
        return None
    if len(links) < mark.lines:
        return (
            f"it ends after line {len(links)}, and the case file knows {mark.lines}: "
            f"{_lines(len(links) + 1, mark.lines)} removed"
        )
    at_mark = links[mark.lines - 1].sha256 if mark.lines else BEFORE_THE_FIRST
    return None if at_mark == mark.sha256 else f"line {mark.lines} was altered"


def _explain(links: Sequence[_Link], place: int, mark: LogMark | None) -> str:
    """Names the culprit of the first break, which lies at `place` or just before it."""
    link = links[place - 1]
    hashes = [BEFORE_THE_FIRST, *(each.sha256 for each in links)]
    numbers = [each.number for each in links]
    # The line that belongs here follows, or what is here belongs where the line before is.
    if place < len(links) and links[place].previous == hashes[place - 1] != link.previous:
        is_moved = link.number > place and numbers.count(link.number) == 1
        return f"the {_ordinal(place, link)} was {'moved' if is_moved else 'inserted'} there"
    if place > 1 and link.previous == hashes[place - 2]:
        return f"the {_ordinal(place - 1, links[place - 2])} was inserted there"
    if link.number > place:
        if place in numbers[place:]:
            return f"the {_ordinal(place, link)} was moved there"
        return f"{_lines(place, link.number - 1)} removed"
    if link.number < place:
        return f"the {_ordinal(place, link)} was moved or inserted there"
    return _explain_altered(links, place, mark)


def _explain_altered(links: Sequence[_Link], place: int, mark: LogMark | None) -> str:
    """Of two lines that do not fit, the later was altered if the next does not fit it either."""
    if place == 1:
        return "line 1 was altered"
    expected = links[place].previous if place < len(links) else None
    if expected is None and mark is not None and mark.lines == place:
        expected = mark.sha256
    if expected is None:
        return f"line {place - 1} or line {place} was altered"
    is_later = expected != links[place - 1].sha256
    return f"line {place if is_later else place - 1} was altered"


def _ordinal(place: int, link: _Link) -> str:
    says = "" if link.number == place else f", which says it is line {link.number},"
    return f"line at place {place}{says}"


def _lines(first: int, last: int) -> str:
    return f"line {first} was" if first == last else f"lines {first} to {last} were"
