"""What a host is told when something fails: a stable code, and a message."""

import traceback
from pathlib import Path
from typing import Final

from t2f_runtime.errors import (
    ArgumentError,
    CancelledError,
    ClosedError,
    DeadlineError,
    DescriptionError,
    EngineError,
    MissingPackageError,
    PictureError,
    QueueFullError,
    T2FError,
)
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.service.messages import ErrorCode, Problem


class UnknownSessionError(T2FError):
    """There is no session of that number: it was closed, or never was."""


class SessionsFullError(T2FError):
    """As many sessions are open as may be; close one."""


class StaleStepError(T2FError):
    """The session does not stand at the step that the host believes it to."""


_CODES: Final[tuple[tuple[type[Exception], ErrorCode], ...]] = (
    (DeadlineError, "deadline"),
    (CancelledError, "cancelled"),
    (QueueFullError, "queue_full"),
    (ClosedError, "closed"),
    (DescriptionError, "description"),
    (ArgumentError, "argument"),
    (EngineError, "engine"),
    (CaseError, "case"),
    (PictureError, "picture"),
    (MissingPackageError, "missing_package"),
    (UnknownSessionError, "unknown_session"),
    (SessionsFullError, "sessions_full"),
    (StaleStepError, "stale_step"),
)
"""The codes of errors, of subclasses before those of their bases."""


def describe_failure(error: Exception) -> Problem:
    """What is told of an error; of a bug, where it is."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return Problem(code=code, message=str(error))
    # Where, but not what: a bug's own words may quote a description.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    message = f"a bug in T2F, {type(error).__name__} at {place}; please report it"
    return Problem(code="internal", message=message)
