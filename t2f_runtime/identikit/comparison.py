"""How two faces differ, in numbers and in words."""

from collections.abc import Iterator

import msgspec
import numpy as np

from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.identikit.directions import Direction, find_direction
from t2f_runtime.identikit.exact import dot, norm
from t2f_runtime.identikit.face import Face, array
from t2f_runtime.identikit.studio import Studio

COMPARED_WORDS = (
    "older",
    "feminine",
    "smiling",
    "blond hair",
    "longer hair",
    "bald",
    "a beard",
    "glasses",
    "pale",
    "chubby",
)
"""Words by which any two faces are compared."""

LEAST_TRAIT = 0.5
"""Sliders that stand closer together are not worth a word."""


class Trait(msgspec.Struct, frozen=True, kw_only=True):
    """A slider that stands elsewhere on two faces.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator).more("a beard", 1)
        >>> trait = session.compare("0.00", "1.00").traits[0]
        >>> trait.words, trait.second > trait.first
        ('a beard', True)
    """

    words: str
    """What it is of."""
    first: float
    """Where it stands on the first face; see `Direction.position`."""
    second: float
    """Where it stands on the second."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How two faces differ; as text, in sentences.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator).describe("a bald man with glasses")
        >>> comparison = session.compare("0.00", "1.00")
        >>> comparison.noise_angle, comparison.only_second
        (0.0, ('a bald man with glasses',))
    """

    first: str
    """Name of the first face."""
    second: str
    """Name of the second."""
    latent_angle: float
    """Angle between their latents, in degrees: about 90 for faces that have nothing in common."""
    condition_distance: float
    """Distance of their conditions: what words, their chance and sliders make."""
    noise_angle: float
    """Angle between what no word decides, in degrees."""
    mean_levels: float
    """Mean difference of their pictures, in levels of 0 to 255."""
    changed_pixels: float
    """Share of the pixels that differ by more than 16 levels in a colour."""
    only_first: tuple[str, ...]
    """Descriptions that only the first follows."""
    only_second: tuple[str, ...]
    """Descriptions that only the second follows."""
    traits: tuple[Trait, ...]
    """Sliders that stand elsewhere, by `LEAST_TRAIT` or more, the farthest first."""

    def __str__(self) -> str:
        return "\n".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        yield (
            f"{self.first} and {self.second}: {self.latent_angle:.0f} degrees apart, "
            f"{self.noise_angle:.0f} in what no word decides; the pictures differ by "
            f"{self.mean_levels:.1f} levels, {self.changed_pixels:.0%} of the pixels visibly"
        )
        for name, descriptions in (
            (self.first, self.only_first),
            (self.second, self.only_second),
        ):
            for description in descriptions:
                yield f"only {name} follows: {description}"
        for trait in self.traits:
            way = "higher" if trait.second > trait.first else "lower"
            yield (
                f"{self.second} is {way} on the slider {trait.words!r}: {trait.second:+.1f} "
                f"against {trait.first:+.1f}"
            )


def compare_faces(studio: Studio, first: Face, second: Face) -> Comparison:
    """Compares two faces of one bundle.

    Raises:
        ArgumentError: One is of another bundle than the studio's.
    """
    pictures = studio.draw([first, second]).astype(np.int16)
    levels = np.abs(pictures[0] - pictures[1])
    return Comparison(
        first=first.name,
        second=second.name,
        latent_angle=_angle(first.latent().astype(np.float64), second.latent().astype(np.float64)),
        condition_distance=norm(first.condition() - second.condition()),
        noise_angle=_angle(array(first.noise), array(second.noise)),
        mean_levels=float(levels.mean()),
        changed_pixels=float((levels.max(axis=-1) > 16).mean()),
        only_first=tuple(text for text in first.descriptions if text not in second.descriptions),
        only_second=tuple(text for text in second.descriptions if text not in first.descriptions),
        traits=_traits(studio, first, second),
    )


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    lengths = norm(first) * norm(second)
    if not lengths or np.array_equal(first, second):
        return 0.0
    return float(np.degrees(np.arccos(np.clip(dot(first, second) / lengths, -1, 1))))


def _traits(studio: Studio, first: Face, second: Face) -> tuple[Trait, ...]:
    known = [_direction(studio, words) for words in COMPARED_WORDS]
    found = [
        Trait(
            words=direction.words,
            first=direction.position(first),
            second=direction.position(second),
        )
        for direction in known
        if direction is not None
    ]
    told = [trait for trait in found if abs(trait.second - trait.first) >= LEAST_TRAIT]
    return tuple(sorted(told, key=lambda trait: -abs(trait.second - trait.first)))


def _direction(studio: Studio, words: str) -> Direction | None:
    """The direction of some words; None where this model has none."""
    if not studio.generator.takes_text:
        return None
    try:
        return find_direction(words, studio.read)
    except (ArgumentError, DescriptionError):
        return None
