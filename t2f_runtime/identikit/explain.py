"""Which words moved a picture, and where: each word is left out in turn.

Source of the method: occlusion (Zeiler and Fergus 2014, "Visualizing and Understanding
Convolutional Networks", section 4.2) and erasure of words (Li et al. 2016, arXiv:1612.08220,
section 3): what a part does is told by what is missing without it. Nothing of the network is looked
at but its pictures, so it holds for every engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.generator import Pictures
from t2f_runtime.identikit.face import Face, first_face
from t2f_runtime.identikit.studio import Drawing, Studio
from t2f_runtime.reading.description import ReadWord
from t2f_runtime.reading.words import leave_out, split_compounds

MAXIMUM_WORDS: Final = 128
"""The longest description that is explained: each of its words is drawn once."""

NEGLIGIBLE_LEVELS: Final = 4.0
"""A word that moves the picture by less did practically nothing. Tried on a model of CelebA at 64
pixels, five descriptions and four seeds each: articles and "with" moved it by 0.1 to 4 levels,
names of features by 7 to 50; "and" and "is" lie between."""


class WordEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one word of a description does to the picture.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import explain_text
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> effect = explain_text(generator, "a bald man", seed=7).words[1]
        >>> effect.word, effect.start, effect.end, effect.difference > 0, effect.seen
        ('bald', 2, 6, True, None)
    """

    word: str
    """The word as it was written."""
    start: int
    """Where it begins in the description, in characters."""
    end: int
    """Where it ends."""
    difference: float
    """How far the picture without it is from the picture with it: mean absolute difference, in
    levels of 255."""
    share: float
    """`difference` as a share of the sum over all words, 0 to 1; 0 where no word does anything."""
    seen: int | None = None
    """How many descriptions of the training data have the word; None where the bundle does not
    tell. What a word moves that was never seen is chance, however much it is."""

    @property
    def is_negligible(self) -> bool:
        """Whether the word did practically nothing: less than `NEGLIGIBLE_LEVELS`."""
        return self.difference < NEGLIGIBLE_LEVELS

    @property
    def is_chance(self) -> bool:
        """Whether training never had the word, so that the model cannot know what it means."""
        return self.seen == 0

    def __str__(self) -> str:
        note = "  practically nothing" if self.is_negligible else ""
        note += "  never seen in training: what it moves is chance" if self.is_chance else ""
        return f"{self.difference:5.1f} levels  {self.share:4.0%}  {self.word}{note}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # arrays have no one answer to ==
class Explanation:
    """What the words of a description do to one face. Equal to itself alone.

    Words that go together share what they do: without "dark", "dark hair" is still hair, and a
    second word that says the same hides the first. So a word of no effect may be one that the
    others already say, and a word that the model never saw may still have one.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import explain_text
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> explanation = explain_text(generator, "a bald man with glasses", seed=7)
        >>> explanation.maps.shape
        (5, 8, 8)
        >>> strongest = explanation.strongest()[0]
        >>> strongest.difference == max(effect.difference for effect in explanation.words)
        True
    """

    description: str
    """The description."""
    picture: Pictures
    """The face, shape `(height, width, 3)`, uint8, RGB."""
    words: tuple[WordEffect, ...]
    """One a word, in their order."""
    maps: NDArray[np.float32]
    """Where each word acts: shape `(words, height, width)`, the mean over RGB of the absolute
    difference, in levels of 255."""

    def strongest(self) -> tuple[WordEffect, ...]:
        """The words in the order of their effect, the greatest first."""
        return tuple(sorted(self.words, key=lambda effect: -effect.difference))


def explain(generator: Drawing, face: Face) -> Explanation:
    """Leaves each word of a face's description out in turn, and compares the pictures.

    Words are those of any script, accents and vowel signs with them; those that hyphens join are
    one. In scripts that put no space between words, such as Chinese and Thai, each letter is one.
    Chance, noise and sliders stay as they are; only what the words say changes.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, explain
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> face = Session.start("a bald man with glasses", generator, seed=7).face
        >>> [effect.word for effect in explain(generator, face).words]
        ['a', 'bald', 'man', 'with', 'glasses']

    Args:
        generator: What draws.
        face: A face with one description.

    Raises:
        ArgumentError: The face was mixed of several descriptions, or is of another bundle.
        DescriptionError: There is none, it has a single word or more than `MAXIMUM_WORDS`, or what
            is left of it cannot be read.
    """
    studio = Studio(generator)
    studio.check_faces([face])
    if len(face.descriptions) > 1:
        raise ArgumentError(
            f"the face was mixed of {len(face.descriptions)} descriptions, and no word is its own; "
            "explain one of the faces that it was made of"
        )
    if not face.descriptions:
        raise DescriptionError("this face was drawn without a description; no word moved it")
    (description,) = face.descriptions
    found = split_compounds(description)
    if not 2 <= len(found) <= MAXIMUM_WORDS:
        has = "1 word" if len(found) == 1 else f"{len(found)} words"
        raise DescriptionError(f"the description has {has}; 2 to {MAXIMUM_WORDS} can be compared")
    without = [
        replace(face, reading=studio.read(leave_out(description, word.start, word.end)))
        for word in found
    ]
    picture = studio.draw([face])[0]
    differences = studio.draw(without).astype(np.float32) - picture.astype(np.float32)
    maps: NDArray[np.float32] = np.abs(differences).mean(axis=-1, dtype=np.float32)
    means = maps.mean(axis=(1, 2), dtype=np.float64)
    total = float(means.sum())
    read = generator.read(description).words
    words = tuple(
        WordEffect(
            word=word.text,
            start=word.start,
            end=word.end,
            difference=float(mean),
            share=float(mean) / total if total else 0.0,
            seen=_seen(read, word.start, word.end),
        )
        for word, mean in zip(found, means, strict=True)
    )
    return Explanation(description=description, picture=picture, words=words, maps=maps)


def explain_text(
    generator: Drawing, description: str | None, *, seed: int = 0, index: int = 0
) -> Explanation:
    """As `explain`, of the face that `FaceGenerator.generate` draws.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import explain_text
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> explanation = explain_text(generator, "a bald man", seed=7)
        >>> bool((explanation.picture == generator.generate("a bald man", seed=7)).all())
        True

    Args:
        generator: What draws.
        description: The description; None is an error, as no word is left out of it.
        seed: 0 to 2**64 - 1.
        index: Which candidate of the seed.

    Raises:
        ArgumentError: The seed or the index is out of range.
        DescriptionError: As `explain`.
    """
    studio = Studio(generator)
    reading = studio.read(description)
    noise_size = generator.manifest.noise_size
    face = first_face(
        () if description is None else (description,),
        reading,
        bundle_id=studio.bundle_id,
        seed=seed,
        index=index,
        noise_size=noise_size,
    )
    return explain(generator, face)


def _seen(words: Sequence[ReadWord], start: int, end: int) -> int | None:
    """How often training had a word; of one with a hyphen, its rarest part."""
    counts = [word.seen for word in words if start <= word.start < end]
    known = [count for count in counts if count is not None]
    return min(known) if 0 in known or (known and len(known) == len(counts)) else None
