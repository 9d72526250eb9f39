"""Draws faces from written descriptions, with the networks of a bundle; see `FaceGenerator`."""

from typing import TYPE_CHECKING

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.cancellation import Cancellation
from t2f_runtime.engines.running import PassedOver, RunningEngine
from t2f_runtime.errors import (
    ArgumentError,
    BundleError,
    CancelledError,
    ClosedError,
    DeadlineError,
    DescriptionError,
    EngineError,
    KeyFileError,
    MissingPackageError,
    PackError,
    PictureError,
    QueueFullError,
    T2FError,
    VerificationError,
)
from t2f_runtime.generator import FaceGenerator

if TYPE_CHECKING:
    from t2f_runtime.reading import DescriptionReading

__all__ = [
    "ArgumentError",
    "Bundle",
    "BundleError",
    "Cancellation",
    "CancelledError",
    "ClosedError",
    "DeadlineError",
    "DescriptionError",
    "DescriptionReading",
    "EngineError",
    "FaceGenerator",
    "KeyFileError",
    "MissingPackageError",
    "PackError",
    "PassedOver",
    "PictureError",
    "PublicKey",
    "QueueFullError",
    "RunningEngine",
    "T2FError",
    "VerificationError",
    "__version__",
]

__version__ = "0.1.0"

if not TYPE_CHECKING:  # or mypy would take any name for one of this package

    def __getattr__(name: str) -> object:
        """Imports what drawing does not need when it is first asked for."""
        if name == "DescriptionReading":
            from t2f_runtime.reading import DescriptionReading  # noqa: PLC0415 (lazy)

            return DescriptionReading
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
