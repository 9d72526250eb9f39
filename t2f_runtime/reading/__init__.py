"""What is understood of a description before anything is drawn; see `FaceGenerator.read`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2f_runtime.reading.description import DescriptionReading

__all__ = ["DescriptionReading"]

if not TYPE_CHECKING:  # or mypy would take any name for one of this package

    def __getattr__(name: str) -> object:
        """Imports what drawing does not need when it is first asked for."""
        if name == "DescriptionReading":
            from t2f_runtime.reading.description import DescriptionReading  # noqa: PLC0415 (lazy)

            return DescriptionReading
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
