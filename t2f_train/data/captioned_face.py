"""What every reader of training data gives: an image and what people say about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from t2f_train.data.image_source import ImageSource

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""Endings of the files that count as images, in lower case."""


@dataclass(frozen=True, slots=True)
class CaptionedFace:
    """One image of a face with its descriptions."""

    image: ImageSource
    """The image; it has not been opened yet."""
    descriptions: tuple[str, ...]
    """Its descriptions, none of them blank; empty for an image that nobody has described."""

    def __post_init__(self) -> None:
        if not all(text.strip() for text in self.descriptions):
            raise ValueError(f"{self.image} has a blank description: {self.descriptions}")


def one_a_line(text: str) -> tuple[str, ...]:
    """The descriptions of a text that has one a line; blank lines do not count."""
    return tuple(line.strip() for line in text.split("\n") if line.strip())


def one_an_entry(texts: Iterable[str]) -> tuple[str, ...]:
    """The descriptions of a list; white space becomes single spaces, blank ones do not count."""
    tidied = (" ".join(text.split()) for text in texts)
    return tuple(text for text in tidied if text)
