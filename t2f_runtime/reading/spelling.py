"""Known words that a word may have been meant as: most typing errors are a letter or two."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

MAXIMUM_NEAREST: Final = 3
"""Suggestions for one word: more are no help."""

_LEAST_LETTERS: Final = 3
_LONG_LETTERS: Final = 5
"""From here on, a word may be two errors away."""
_MOST_LETTERS: Final = 64
_LEAST_PART: Final = 3


def nearest_words(word: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Finds the known words that a word may be a typing error of.

    A word of 3 or 4 letters may be one error away, a longer one two; an error is a letter too many,
    too few, wrong, or two changed places, which four typing errors of five are (Damerau 1964, "A
    technique for computer detection and correction of spelling errors", Communications of the ACM
    7(3)). Two known words without the space between them are found too.

    Args:
        word: A word that is not known, folded.
        counts: How often each known word was seen.

    Returns:
        The nearest, `MAXIMUM_NEAREST` at most, the most frequent first.
    """
    if not _LEAST_LETTERS <= len(word) <= _MOST_LETTERS or not word.isalpha():
        return ()
    most = 1 if len(word) < _LONG_LETTERS else 2
    found = [
        (errors, -counts[known], known)
        for known in _alike(word, counts, most)
        if (errors := distance(word, known)) <= most
    ]
    found += [(1, -seen, pair) for pair, seen in _split(word, counts)]
    nearest = [known for errors, _, known in sorted(found) if errors == min(found)[0]]
    return tuple(nearest[:MAXIMUM_NEAREST])


def distance(first: str, second: str) -> int:
    """Counts the errors between two words.

    Source: the restricted Damerau-Levenshtein distance, also called optimal string alignment
    (Boytsov 2011, "Indexing methods for approximate dictionary searching", Journal of Experimental
    Algorithmics 16, section 2.2).
    """
    before: list[int] = []
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first):
        here = [row + 1]
        for column, other in enumerate(second):
            errors = min(above[column + 1] + 1, here[column] + 1, above[column] + (letter != other))
            is_turned = row and column and letter == second[column - 1] and first[row - 1] == other
            here.append(min(errors, before[column - 1] + 1) if is_turned else errors)
        before, above = above, here
    return above[-1]


def _alike(word: str, known: Iterable[str], most: int) -> Iterator[str]:
    """Leaves out what cannot be near, which is nearly all, without counting errors.

    A letter more or less changes the length by one and the set of letters by one, a wrong letter
    the set by two at most.
    """
    length, letters = len(word), _letters(word)
    for other in known:
        if abs(len(other) - length) <= most:
            differing = letters ^ _letters(other)
            if differing.bit_count() <= 2 * most:
                yield other


@lru_cache(maxsize=2**17)
def _letters(word: str) -> int:
    """A set of letters as the bits of a number; letters may share a bit."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits


def _split(word: str, counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Known words that are this word if the space between them is forgotten."""
    for place in range(_LEAST_PART, len(word) - _LEAST_PART + 1):
        first, second = word[:place], word[place:]
        if first in counts and second in counts:
            yield f"{first} {second}", min(counts[first], counts[second])
