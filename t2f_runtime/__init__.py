"""Draws faces from written descriptions, with the networks of a bundle; see `FaceGenerator`."""

from t2f_runtime.bundle import Bundle
from t2f_runtime.errors import (
    ArgumentError,
    BundleError,
    DescriptionError,
    EngineError,
    KeyFileError,
    MissingPackageError,
    PackError,
    PictureError,
    T2FError,
    VerificationError,
)
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.trust import PublicKey

__all__ = [
    "ArgumentError",
    "Bundle",
    "BundleError",
    "DescriptionError",
    "EngineError",
    "FaceGenerator",
    "KeyFileError",
    "MissingPackageError",
    "PackError",
    "PictureError",
    "PublicKey",
    "T2FError",
    "VerificationError",
    "__version__",
]

__version__ = "0.1.0"
