"""Reading descriptions: into tokens for the text encoder, and into what people should know."""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import DescriptionError
from t2f_runtime.latent import Floats
from t2f_runtime.reading.description import DescriptionReading, Negation, Piece, ReadWord
from t2f_runtime.reading.negations import Denial, find_denials
from t2f_runtime.reading.spelling import nearest_words
from t2f_runtime.reading.word_list import WordList
from t2f_runtime.reading.words import leave_out, split_words
from t2f_runtime.text import Tokenizer

SUGGESTED_WORDS = 16
"""So many unknown words of a description are looked up, which bounds the work."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Tokens = NDArray[np.int64]
MeanOf = Callable[[Tokens], Floats]


class DescriptionReader:
    """Reads descriptions for one model; immutable, and safe to use from many threads.

    Args:
        tokenizer: Cuts them; None for a model without text.
        words: What the model was trained on; None where nobody knows.
    """

    def __init__(self, tokenizer: Tokenizer | None, words: WordList | None = None) -> None:
        self._tokenizer = tokenizer
        self._known = _known_words(tokenizer, words)
        self._is_counted = words is not None

    def tokens(self, text: str | None) -> Tokens | None:
        """Cuts a description into tokens, of shape `(length,)`; None for a model without text.

        Raises:
            DescriptionError: The description cannot be read, is missing, or is one too many.
        """
        self.check_presence(is_given=text is not None)
        return None if self._tokenizer is None or text is None else self._tokenizer.tokens(text)

    def tokens_of_all(self, texts: Sequence[str | None]) -> list[Tokens | None]:
        """Cuts many; see `tokens`. Errors tell which description they are about."""
        rows = []
        for position, text in enumerate(texts):
            try:
                rows.append(self.tokens(text))
            except DescriptionError as error:  # noqa: PERF203 (which one it is must be told)
                place = f"description {position}, counted from 0"
                raise DescriptionError(f"{place}: {error}") from error
        return rows

    def check_presence(self, *, is_given: bool) -> None:
        """Refuses a description where the model takes none, and none where it takes one.

        Raises:
            DescriptionError: It is so.
        """
        if is_given and self._tokenizer is None:
            raise DescriptionError("this model draws without descriptions; leave it out")
        if self._tokenizer is not None and not is_given:
            raise DescriptionError("this model draws from descriptions; give one")

    def read(self, text: str, mean_of: MeanOf) -> DescriptionReading:
        """Tells what is understood of a description.

        Args:
            text: Any text, of any length.
            mean_of: Gives the mean of the condition for tokens, shape `(condition,)`.

        Raises:
            DescriptionError: It is no text, or the model takes none.
        """
        self.check_presence(is_given=True)
        tokenizer = self._tokenizer
        if tokenizer is None or not isinstance(text, str):
            raise DescriptionError(f"a description must be text (str), not {type(text).__name__}")
        refusal = _refusal(tokenizer, text)
        # What is longer than the model reads is not looked at, however long it is.
        start = _SURROGATE.sub("\ufffd", text[: tokenizer.maximum_characters])
        pieces = _pieces(tokenizer, start)
        return DescriptionReading(
            description=start,
            refusal=refusal,
            beyond=_beyond(tokenizer, start, pieces, is_cut=len(text) > len(start)),
            characters=len(text),
            maximum_characters=tokenizer.maximum_characters,
            tokens=len(pieces),
            maximum_tokens=tokenizer.maximum_tokens,
            pieces=pieces,
            words=self._read_words(tokenizer, start),
            knows_words=self._known is not None,
            negations=self._read_negations(tokenizer, start, mean_of, is_refused=bool(refusal)),
        )

    def _read_words(self, tokenizer: Tokenizer, text: str) -> tuple[ReadWord, ...]:
        words = split_words(text)
        keys = {word.text: word.key for word in words}
        seen = {written: self._seen(tokenizer, written, key) for written, key in keys.items()}
        unseen = dict.fromkeys(keys[written] for written, count in seen.items() if count == 0)
        known = self._known or {}
        nearest = {key: nearest_words(key, known) for key in list(unseen)[:SUGGESTED_WORDS]}
        return tuple(
            ReadWord(
                text=word.text,
                start=word.start,
                end=word.end,
                seen=seen[word.text],
                nearest=nearest.get(keys[word.text], ()),
            )
            for word in words
        )

    def _seen(self, tokenizer: Tokenizer, written: str, key: str) -> int | None:
        if self._is_counted and self._known is not None:
            return self._known.get(key, 0)
        # The tokenizer was made of the training data, and knows each of its characters.
        is_known = all(piece.is_known for piece in _pieces(tokenizer, written))
        return None if is_known else 0

    def _read_negations(
        self, tokenizer: Tokenizer, text: str, mean_of: MeanOf, *, is_refused: bool
    ) -> tuple[Negation, ...]:
        found = []
        for denial in find_denials(text):
            drawn = None if is_refused else _drawn_anyway(tokenizer, text, denial, mean_of)
            denied = text[denial.start : denial.end]
            found.append(
                Negation(text=denied, start=denial.start, end=denial.end, drawn_anyway=drawn)
            )
        return tuple(found)


def _known_words(tokenizer: Tokenizer | None, words: WordList | None) -> Mapping[str, int] | None:
    """The words that a model was trained on; None where nobody knows."""
    if words is not None:
        return words.words
    if tokenizer is None or tokenizer.kind != "words":
        return None
    return {tokenizer.piece(token)[0]: 1 for token in range(tokenizer.vocabulary_size)}


def _refusal(tokenizer: Tokenizer, text: str) -> str | None:
    try:
        tokenizer.tokens(text)
    except DescriptionError as error:
        return str(error)
    return None


def _pieces(tokenizer: Tokenizer, text: str) -> tuple[Piece, ...]:
    pieces = [(token, *tokenizer.piece(token)) for token in tokenizer.encode(text)]
    return tuple(
        Piece(token=token, text=written, is_known=is_known) for token, written, is_known in pieces
    )


def _beyond(
    tokenizer: Tokenizer, text: str, pieces: Sequence[Piece], *, is_cut: bool
) -> int | None:
    """Where what a model does not read any more begins: at a word, where there is one."""
    if len(pieces) <= tokenizer.maximum_tokens:
        return len(text) if is_cut else None
    fewest = bisect_right(
        range(len(text) + 1),
        tokenizer.maximum_tokens,
        key=lambda end: len(tokenizer.encode(text[:end])),
    )
    last = max(0, fewest - 1)
    halved = (word.start for word in split_words(text) if word.start < last < word.end)
    return next(halved, last)


def _drawn_anyway(tokenizer: Tokenizer, text: str, denial: Denial, mean_of: MeanOf) -> float | None:
    """How far the condition goes to where it goes without the word that denies."""
    denied = mean_of(tokenizer.tokens(text)).astype(np.float64)
    asserted = _mean(tokenizer, leave_out(text, denial.start, denial.negation.end), mean_of)
    if asserted is None:
        return None
    unnamed = _mean(tokenizer, leave_out(text, denial.start, denial.end), mean_of)
    if unnamed is None:
        # Training draws every condition to N(0, I): what is left where no word says anything.
        unnamed = np.zeros_like(denied)
    step = asserted - unnamed
    square = float(step @ step)
    return float((denied - unnamed) @ step) / square if square else None


def _mean(tokenizer: Tokenizer, text: str, mean_of: MeanOf) -> NDArray[np.float64] | None:
    try:
        return mean_of(tokenizer.tokens(text)).astype(np.float64)
    except DescriptionError:
        return None
