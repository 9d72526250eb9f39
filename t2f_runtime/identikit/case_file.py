"""Case files: JSON that is whole or absent, for its owner alone, and checked when it is read."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from t2f_runtime.atomic_files import new_file
from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.case import CASE_VERSION, Case
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.log_chain import LogMark
from t2f_runtime.paths import check_path, refuse_device

MAXIMUM_CASE_BYTES = 2**28
"""Longer files are refused before they are read."""

_FORMAT = "t2f identikit case"


class CaseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a case file holds.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import CaseFile, Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> held = CaseFile(case=Session.start("a bald man", generator).case, log=None)
        >>> held.case.step.operation
        'start'
    """

    case: Case
    """The case."""
    log: LogMark | None
    """Where its log ended when it was saved; None for a case without a log."""


class _Header(msgspec.Struct, frozen=True):
    """The part of every version's schema that stays, read before everything else."""

    format: str
    schema_version: Annotated[int, Meta(ge=0, le=2**31)]


class _Outer(msgspec.Struct, frozen=True):
    case: _Header


def save_case(path: str | Path, case: Case, log: LogMark | None = None) -> None:
    """Writes a case file; what lay there is replaced only when all of it is on the disk.

    The file is for its owner alone to read and write (mode 0600; on Windows, as its folder is).

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, load_case, save_case
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> case = Session.start("a bald man", generator).case
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_case(Path(folder) / "17.case", case)
        ...     load_case(Path(folder) / "17.case").case == case
        True

    Args:
        path: The file; its folder is made if missing.
        case: The case.
        log: Where its log ends.

    Raises:
        ArgumentError: `case` or `log` is another thing.
        CaseError: It cannot be written there, is too long, or could not be loaded again; the file
            there before, if any, is untouched.
    """
    file = check_path("the case file", path)
    if not isinstance(case, Case):
        raise ArgumentError(
            f"case must be a Case, not {type(case).__name__}; of a session, take session.case"
        )
    if log is not None and not isinstance(log, LogMark):
        raise ArgumentError(
            f"log must be a LogMark or None, not {type(log).__name__}; of a log, take log.mark"
        )
    try:
        data = encode_case(case, log)
    except UnicodeEncodeError as error:
        raise _cannot_be_loaded(error) from error
    if len(data) > MAXIMUM_CASE_BYTES:
        raise CaseError(
            f"the case has {len(data)} bytes, and a case file {MAXIMUM_CASE_BYTES} at most: start "
            "a new case, and mix this one's face into it"
        )
    try:
        decode_case(data)  # before it takes the place of a file that can be loaded
    except CaseError as error:
        raise _cannot_be_loaded(error) from error
    write_privately(file, data)


def load_case(path: str | Path) -> CaseFile:
    """Reads a case file, and checks that its steps fit together.

    Example:
        >>> from t2f_runtime.identikit import CaseError, load_case
        >>> try:
        ...     load_case("tests/runtime/tiny_bundle/manifest.json")
        ... except CaseError as error:
        ...     print(str(error)[:56])
        tests/runtime/tiny_bundle/manifest.json is no case file:

    Raises:
        CaseError: It cannot be read, is no case file, of another version, or damaged.
    """
    path = check_path("the case file", path)
    try:
        refuse_device(path)
        with path.open("rb") as file:
            data = file.read(MAXIMUM_CASE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise CaseError(f"{path} cannot be read: {_reason(error)}") from error
    return decode_case(data, source=str(path))


def encode_case(case: Case, log: LogMark | None = None) -> bytes:
    """Writes a case as JSON; equal cases give equal bytes."""
    return msgspec.json.encode(CaseFile(case=case, log=log), order="deterministic") + b"\n"


def decode_case(data: bytes, source: str = "the case file") -> CaseFile:
    """Reads a case from JSON; see `load_case`.

    Args:
        data: The file's bytes, from anybody.
        source: What errors call it.

    Raises:
        CaseError: It is no case, of another version, too long, or damaged.
    """
    if len(data) > MAXIMUM_CASE_BYTES:
        raise CaseError(f"{source} has more than {MAXIMUM_CASE_BYTES} bytes, as no case file has")
    # Deep nesting is a RecursionError, and a number of many digits a ValueError.
    failures = (msgspec.MsgspecError, ValueError, RecursionError)
    try:
        header = msgspec.json.decode(data, type=_Outer).case
    except failures as error:
        raise CaseError(f"{source} is no case file: {error}") from error
    if header.format != _FORMAT or header.schema_version != CASE_VERSION:
        raise CaseError(
            f"{source} is a {header.format!r:.40} of version {header.schema_version}; this "
            f"T2F reads a {_FORMAT!r} of version {CASE_VERSION}: take the T2F that wrote it"
        )
    try:
        return msgspec.json.decode(data, type=CaseFile)
    except failures as error:
        raise CaseError(f"{source} is damaged: {error}; take a copy of it") from error


def write_privately(path: Path, data: bytes) -> None:
    """Writes a file for its owner alone, so that it holds what it held before or all of `data`.

    Raises:
        CaseError: It cannot be written.
    """
    try:
        with new_file(path, is_lasting=True) as file:
            # Before anything is in it: it was made as the process's umask lets others read.
            Path(file.name).chmod(0o600)
            file.write(data)
    except (OSError, ValueError) as error:
        raise CaseError(f"{path} cannot be written: {_reason(error)}") from error


def _cannot_be_loaded(error: Exception) -> CaseError:
    return CaseError(f"the case could not be loaded again, and is not saved: {error}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
