"""What a model understands of a description: its tokens, unknown words, limits, and negations."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import DescriptionError
from t2f_runtime.reading.description import DescriptionReading, Negation, Piece, ReadWord
from t2f_runtime.reading.negations import Denial, find_denials
from t2f_runtime.reading.reader import MeanOf
from t2f_runtime.reading.spelling import nearest_words
from t2f_runtime.reading.word_list import WordList
from t2f_runtime.reading.words import leave_out, split_words
from t2f_runtime.text.tokenizer import Tokenizer

SUGGESTED_WORDS = 16
"""So many unknown words of a description are looked up, which bounds the work."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def understand(
    text: str, tokenizer: Tokenizer, words: WordList | None, mean_of: MeanOf
) -> DescriptionReading:
    """Tells what is understood of a description; see `FaceGenerator.read`.

    Args:
        text: Any text, of any length.
        tokenizer: Cuts it.
        words: What the model was trained on; None where nobody knows.
        mean_of: Gives the mean of the condition for tokens, shape `(condition,)`.
    """
    known = _known_words(tokenizer, words)
    refusal = _refusal(tokenizer, text)
    # What is longer than the model reads is not looked at, however long it is.
    start = _SURROGATE.sub("\ufffd", text[: tokenizer.maximum_characters])
    pieces = _pieces(tokenizer, start)
    read, unsearched = _read_words(tokenizer, start, known, is_counted=words is not None)
    return DescriptionReading(
        description=start,
        refusal=refusal,
        beyond=_beyond(tokenizer, start, pieces, is_cut=len(text) > len(start)),
        characters=len(text),
        maximum_characters=tokenizer.maximum_characters,
        tokens=len(pieces),
        maximum_tokens=tokenizer.maximum_tokens,
        pieces=pieces,
        words=read,
        knows_words=known is not None,
        unsearched=unsearched,
        negations=_read_negations(tokenizer, start, mean_of, is_refused=bool(refusal)),
    )


def _read_words(
    tokenizer: Tokenizer, text: str, known: Mapping[str, int] | None, *, is_counted: bool
) -> tuple[tuple[ReadWord, ...], int]:
    """The words, and for how many of those never seen the nearest were not looked for."""
    words = split_words(text)
    keys = {word.text: word.key for word in words}
    counts = (known or {}) if is_counted else None
    seen = {written: _seen(tokenizer, written, key, counts) for written, key in keys.items()}
    unseen = dict.fromkeys(keys[written] for written, count in seen.items() if count == 0)
    nearest = {key: nearest_words(key, known or {}) for key in list(unseen)[:SUGGESTED_WORDS]}
    read = tuple(
        ReadWord(
            text=word.text,
            start=word.start,
            end=word.end,
            seen=seen[word.text],
            nearest=nearest.get(keys[word.text], ()),
        )
        for word in words
    )
    return read, len(unseen) - len(nearest) if known else 0


def _seen(
    tokenizer: Tokenizer, written: str, key: str, counts: Mapping[str, int] | None
) -> int | None:
    if counts is not None:
        return counts.get(key, 0)
    # The tokenizer was made of the training data, and knows each of its characters.
    is_known = all(piece.is_known for piece in _pieces(tokenizer, written))
    return None if is_known else 0


def _read_negations(
    tokenizer: Tokenizer, text: str, mean_of: MeanOf, *, is_refused: bool
) -> tuple[Negation, ...]:
    found = []
    for denial in find_denials(text):
        drawn = None if is_refused else _drawn_anyway(tokenizer, text, denial, mean_of)
        denied = text[denial.start : denial.end]
        found.append(Negation(text=denied, start=denial.start, end=denial.end, drawn_anyway=drawn))
    return tuple(found)


def _known_words(tokenizer: Tokenizer, words: WordList | None) -> Mapping[str, int] | None:
    """The words that a model was trained on; None where nobody knows."""
    if words is not None:
        return words.words
    if tokenizer.kind != "words":
        return None
    return {tokenizer.piece(token)[0]: 1 for token in range(tokenizer.vocabulary_size)}


def _refusal(tokenizer: Tokenizer, text: str) -> str | None:
    try:
        tokenizer.tokens(text)
    except DescriptionError as error:
        return str(error)
    return None


def _pieces(tokenizer: Tokenizer, text: str) -> tuple[Piece, ...]:
    tokens = tokenizer.encode(text)
    known = {token: tokenizer.piece(token) for token in set(tokens)}
    pieces = [(token, *known[token]) for token in tokens]
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
    asserted = _mean(tokenizer, denial.asserted(text), mean_of)
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
