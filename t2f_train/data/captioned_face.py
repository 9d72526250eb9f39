"""What every reader of training data gives: an image file and what people say about it."""

from dataclasses import dataclass
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""Endings of the files that count as images, in lower case."""


@dataclass(frozen=True, slots=True)
class CaptionedFace:
    """One image of a face with its descriptions."""

    image: Path
    """The image file; it has not been opened yet."""
    descriptions: tuple[str, ...]
    """One description or more, none of them blank."""

    def __post_init__(self) -> None:
        if not self.descriptions or not all(text.strip() for text in self.descriptions):
            raise ValueError(f"{self.image} needs descriptions, none blank: {self.descriptions}")
