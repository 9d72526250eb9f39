"""English words that deny something, and what they deny: models often draw it all the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from t2f_runtime.reading.words import Word, split_words

NEGATIONS: Final = frozenset(
    {
        "cannot", "hardly", "lack", "lacking", "lacks", "neither", "never", "no", "none", "nor",
        "not", "sans", "without",
    }
)  # fmt: skip
"""Beside these, words that end in n't. English alone: other languages are not looked at."""

MOST_DENIED: Final = 4
"""Words after a negation that it is taken to deny."""

_BOUNDARIES: Final = frozenset(
    {
        "and", "but", "has", "have", "he", "her", "his", "is", "she", "that", "their", "they",
        "who", "while", "with",
    }
)  # fmt: skip
_BREAK: Final = re.compile(r"[^\s\-\u2010\u2011]")
"""Punctuation other than a hyphen between two words."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A negation and what it denies, where they stand in a text."""

    negation: Word
    """The word that denies: `without`."""
    denied: tuple[Word, ...]
    """What it denies: `glasses`."""

    @property
    def start(self) -> int:
        """Where the negation begins."""
        return self.negation.start

    @property
    def end(self) -> int:
        """Where what it denies ends."""
        return self.denied[-1].end


def find_denials(text: str) -> list[Denial]:
    """Finds what a text denies, in English.

    What follows a negation counts as denied, up to punctuation, words such as "and" and "with", or
    `MOST_DENIED` words. That is a rule of thumb, made for warnings.

    Example:
        >>> from t2f_runtime.reading.negations import find_denials
        >>> [denial] = find_denials("a man without glasses, smiling")
        >>> [word.text for word in denial.denied]
        ['glasses']

    Args:
        text: Any text.
    """
    words = split_words(text)
    found: list[Denial] = []
    place = 0
    while place < len(words):
        if not is_negation(words[place]):
            place += 1
            continue
        denied = tuple(_denied(text, words, place))
        if denied:
            found.append(Denial(words[place], denied))
        place += 1 + len(denied)
    return found


def is_negation(word: Word) -> bool:
    """Whether a word denies what follows it."""
    key = word.key
    return key in NEGATIONS or key.endswith("n't")


def _denied(text: str, words: list[Word], place: int) -> Iterator[Word]:
    following = words[place + 1 : place + 1 + MOST_DENIED]
    for before, word in zip(words[place:], following, strict=False):
        is_apart = _BREAK.search(text, before.end, word.start)
        if is_apart or word.key in _BOUNDARIES or is_negation(word):
            return
        yield word
