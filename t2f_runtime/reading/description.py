"""A description as it is understood: what `FaceGenerator.read` tells before anything is drawn."""

import msgspec


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and the part of the description that it stands for."""

    token: int
    """Its number: what the text encoder takes."""
    text: str
    """What it stands for, as the tokenizer has it; `▁` and `##` mark where words begin or go on."""
    is_known: bool
    """False for a byte of a character that the tokenizer lacks, and for an unknown word."""


class ReadWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the description."""

    text: str
    """As it is written there."""
    start: int
    """Its place, in characters."""
    end: int
    """Where it ends."""
    seen: int | None
    """How many descriptions of the training data have it, 0 for none; None where the bundle does
    not tell."""
    nearest: tuple[str, ...] = ()
    """Of a word that was never seen: known ones that it may be a typing error of. Looked for of the
    first 16 such words alone; see `DescriptionReading.unsearched`."""


class Negation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the description denies, in English."""

    text: str
    """As it is written there: `without glasses`."""
    start: int
    """Its place, in characters."""
    end: int
    """Where it ends."""
    drawn_anyway: float | None
    """How far the condition goes to where it would go without the word that denies: 1 is all the
    way, so that glasses are drawn; 0 not at all, as if they had not been named. None where it
    cannot be told."""

    @property
    def is_obeyed(self) -> bool | None:
        """Whether the model heeds it; None where it cannot be told."""
        return None if self.drawn_anyway is None else self.drawn_anyway <= MOST_DRAWN


MOST_DRAWN = 1 / 3
"""A negation beyond this is not obeyed. Of a model that was trained on CelebA's attributes, "no
glasses" and "not smiling", which its data has, stand at -0.15 to 0.18; "without glasses", "isn't
bald" and others that it lacks at 0.45 to 1.4, and are drawn; so does "no beard" at 0.46 to 0.66,
which its data has and which the pictures do not follow either."""


UNKNOWN_WORDS = "the bundle does not tell which words it was trained on"
"""Said where nobody can tell which words are chance."""

MOST_SHOWN = 64
"""Tokens that are shown to people; the value has all."""


class DescriptionReading(msgspec.Struct, frozen=True, kw_only=True):
    """What a model understands of a description; as text, in sentences.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> reading = generator.read("a bald man without a beard")
        >>> reading.is_accepted, [negation.text for negation in reading.negations]
        (True, ['without a beard'])
    """

    description: str
    """The description; where it is longer than the model reads, its beginning. A lone surrogate,
    which is no character, is shown as U+FFFD."""
    refusal: str | None
    """Why no face is drawn of it; None where one is. Nothing is ever cut off silently."""
    beyond: int | None = None
    """Of a description that is too long: the place, in characters, from where on there is too
    much."""
    characters: int
    """How long it is, in characters."""
    maximum_characters: int
    """How long it may be."""
    tokens: int
    """How long it is, in tokens: of a description with too many characters, its beginning."""
    maximum_tokens: int
    """How long it may be."""
    pieces: tuple[Piece, ...] = ()
    """Its tokens, in order."""
    words: tuple[ReadWord, ...] = ()
    """Its words, in order."""
    knows_words: bool
    """Whether the bundle tells the words that it was trained on. Where it does not, `seen` is 0 for
    words with a character that its tokenizer lacks, and None for all others."""
    unsearched: int = 0
    """Of how many words that were never seen nobody looked for the nearest, to bound the work."""
    negations: tuple[Negation, ...] = ()
    """What it denies."""

    @property
    def is_accepted(self) -> bool:
        """Whether a face can be drawn of it."""
        return self.refusal is None

    @property
    def unseen(self) -> tuple[ReadWord, ...]:
        """The words that were never seen in training, each once."""
        words = {word.text: word for word in self.words if word.seen == 0}
        return tuple(words.values())

    def __str__(self) -> str:
        return "\n".join(self._sentences())

    def _sentences(self) -> list[str]:
        sentences = [
            f"{self.characters} of {self.maximum_characters} characters, "
            f"{self.tokens} of {self.maximum_tokens} tokens: "
            + " ".join(piece.text for piece in self.pieces[:MOST_SHOWN])
            + " …" * (len(self.pieces) > MOST_SHOWN)
        ]
        if self.refusal is not None:
            sentences.append(f"refused: {self.refusal}")
        if self.beyond is not None:
            rest = self.description[self.beyond :][:MOST_SHOWN]
            where = f"too much from character {self.beyond} on, counted from 0"
            sentences.append(f"{where}: {rest!r}" if rest else where)
        for word in self.unseen:
            meant = " or ".join(repr(near) for near in word.nearest)
            sentences.append(
                f"never seen in training: {word.text!r}" + (f"; is it {meant}?" if meant else "")
            )
        if self.unsearched:
            sentences.append(
                f"too many words were never seen: of {self.unsearched} of them, those that they "
                "may be typing errors of were not looked for"
            )
        if not self.knows_words:
            sentences.append(UNKNOWN_WORDS)
        return sentences + [_warning(n) for n in self.negations if n.is_obeyed is not True]


def _warning(negation: Negation) -> str:
    if negation.drawn_anyway is None:
        return f"denied: {negation.text!r}; models often draw it all the same"
    return (
        f"not obeyed: {negation.text!r} is read as {negation.drawn_anyway:.0%} of what it denies; "
        "leave it out, and say what is there instead"
    )
