"""What TensorRT says while it works, since what fails raises nothing itself."""

from dataclasses import dataclass, field
from typing import Any, Final

from t2f_runtime.engines.tensorrt_api import RunningLibrary

_EXPECTED = ("Int64 binding",)
"""Parts of warnings that say nothing new: TensorRT reminds that an int64 input wants int64."""

_MOST: Final = 1000
"""A session logs for as long as a kiosk runs; its memory must not grow by that."""


@dataclass
class Messages:
    """The library's errors and warnings, in order."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def told(self) -> str:
        """The errors as one text, without those that only mark an ONNX node."""
        lines = (" ".join(error.split()) for error in self.errors)
        kept = [line for line in lines if "--- End node ---" not in line]
        return "; ".join(dict.fromkeys(kept)) or "the library gave no reason"

    def forget(self) -> None:
        """Forgets what was said, so that the next failure is told alone."""
        self.errors.clear()
        self.warnings.clear()


def make_logger(library: RunningLibrary, messages: Messages) -> object:
    """Makes a logger of the library that collects errors and warnings and prints nothing."""
    base: Any = library.ILogger

    class Logger(base):  # type: ignore[misc]  # the library is known only when it is imported
        def __init__(self) -> None:
            base.__init__(self)

        def log(self, severity: object, message: str) -> None:
            if severity in {base.INTERNAL_ERROR, base.ERROR}:
                _keep(messages.errors, message)
            elif severity == base.WARNING and not any(part in message for part in _EXPECTED):
                _keep(messages.warnings, message)

    return Logger()


def _keep(messages: list[str], message: str) -> None:
    if len(messages) < _MOST:
        messages.append(message)
