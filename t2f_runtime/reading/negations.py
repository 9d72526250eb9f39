"""English words that deny something, and what they deny: models often draw it all the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from t2f_runtime.reading.words import Word, leave_out, split_words

NEGATIONS: Final = frozenset(
    {
        "cannot", "hardly", "lack", "lacking", "lacks", "minus", "neither", "never", "no", "non",
        "none", "nor", "not", "nothing", "sans", "without",
    }
)  # fmt: skip
"""Beside these, words that end in n't, with or without the apostrophe. English alone: other
languages are not looked at."""

DENYING_WORDS: Final = {
    "beardless": "beard",
    "browless": "brows",
    "cleanshaven": "bearded",
    "earless": "ears",
    "expressionless": "expression",
    "eyebrowless": "eyebrows",
    "freckleless": "freckles",
    "hairless": "hair",
    "hatless": "hat",
    "moustacheless": "moustache",
    "mustacheless": "mustache",
    "smileless": "smile",
    "toothless": "teeth",
    "unbearded": "bearded",
    "unsmiling": "smiling",
    "unwrinkled": "wrinkled",
    "whiskerless": "whiskers",
    "wrinkleless": "wrinkles",
}
"""Words that deny something by themselves, with what they deny."""

MOST_DENIED: Final = 4
"""Words after a negation that it is taken to deny; articles and words such as "very" come free."""

_SPACE: Final = r"\s+"
_HYPHEN: Final = r"[\s\-\u2010\u2011]+"
_PAIRS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("w", "o"): ("/", ""),
    ("w", "out"): ("/", ""),
    ("free", "of"): (_SPACE, ""),
    ("free", "from"): (_SPACE, ""),
    ("devoid", "of"): (_SPACE, ""),
    ("clean", "shaven"): (_HYPHEN, "bearded"),
    ("clean", "shaved"): (_HYPHEN, "bearded"),
}
"""Two words that deny together: what stands between them, and what they deny by themselves."""

_WITHOUT_APOSTROPHE: Final = frozenset(
    {
        "aint", "arent", "cant", "couldnt", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent",
        "isnt", "shouldnt", "wasnt", "werent", "wont", "wouldnt",
    }
)  # fmt: skip
_MORE_THAN_THAT: Final = frozenset({"just", "merely", "only", "simply"})
"""After "not": "not only bald but smiling" denies nothing."""

_FREE: Final = frozenset(
    {
        "a", "an", "any", "at", "all", "the", "extremely", "especially", "particularly", "quite",
        "rather", "real", "really", "so", "such", "too", "very",
    }
)  # fmt: skip
_BOUNDARIES: Final = frozenset(
    {
        "and", "but", "has", "have", "he", "is", "she", "that", "they", "who", "while", "with",
    }
)  # fmt: skip
_POSSESSIVES: Final = frozenset({"her", "his", "their"})
"""They begin another part of a sentence, but not in "on his head"."""

_PREPOSITIONS: Final = frozenset({"around", "at", "behind", "in", "of", "on", "over", "under"})
_MOST_LOOKED_AT: Final = 32
_BREAK: Final = re.compile(r"[^\s\-\u2010\u2011]")
"""Punctuation other than a hyphen between two words."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A negation and what it denies, where they stand in a text."""

    negation: Word
    """What denies: `without`, `free of`, `beardless`."""
    denied: tuple[Word, ...]
    """What it denies: `glasses`; nothing more where the negation names it itself."""
    instead: str = ""
    """What a negation denies that names it itself: `beard` of `beardless`."""

    @property
    def start(self) -> int:
        """Where the negation begins."""
        return self.negation.start

    @property
    def end(self) -> int:
        """Where what it denies ends."""
        return self.denied[-1].end if self.denied else self.negation.end

    def asserted(self, text: str) -> str:
        """The text that says what this one denies."""
        if self.instead:
            return text[: self.start] + self.instead + text[self.negation.end :]
        return leave_out(text, self.start, self.negation.end)


def find_denials(text: str) -> list[Denial]:
    """Finds what a text denies, in English.

    What follows a negation counts as denied, up to punctuation, words such as "and" and "with", or
    `MOST_DENIED` words. That is a rule of thumb, made for warnings. It does not look for negations
    that take each other back ("not without a beard" is told as "without a beard"), for what is
    denied from afar ("a beard is what he lacks"), for words such as "instead of", "except" and "no
    longer" by their meaning, nor for any other language.

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
        denial, after = _denial(text, words, place)
        if denial is not None:
            found.append(denial)
        place = after
    return found


def is_negation(word: Word) -> bool:
    """Whether a word denies what follows it."""
    key = word.key
    return key in NEGATIONS or key in _WITHOUT_APOSTROPHE or key.endswith("n't")


def _denial(text: str, words: list[Word], place: int) -> tuple[Denial | None, int]:
    """What begins to deny at a word, if anything does; and where to look on."""
    word = words[place]
    following = words[place + 1] if place + 1 < len(words) else None
    if word.key in DENYING_WORDS:
        return Denial(word, (), DENYING_WORDS[word.key]), place + 1
    pair = None if following is None else _pair(text, word, following)
    if pair is not None:
        word, instead = pair
        if instead:
            return Denial(word, (), instead), place + 2
    elif not is_negation(word) or (following is not None and following.key in _MORE_THAN_THAT):
        return None, place + 1
    last = place + (pair is not None)
    denied = tuple(_denied(text, words, last))
    if word.key == "non":
        denied = denied[:1]
    return (Denial(word, denied) if denied else None), last + 1 + len(denied)


def _pair(text: str, first: Word, second: Word) -> tuple[Word, str] | None:
    """Two words that deny together, as one, and what they deny by themselves."""
    between, instead = _PAIRS.get((first.key, second.key), ("", ""))
    if not between or re.fullmatch(between, text[first.end : second.start]) is None:
        return None
    return Word(text[first.start : second.end], first.start, second.end), instead


def _denied(text: str, words: list[Word], place: int) -> list[Word]:
    """The words after the one at `place` that it denies."""
    denied: list[Word] = []
    counted = 0
    for before, word in pairwise(words[place : place + _MOST_LOOKED_AT]):
        is_apart = _BREAK.search(text, before.end, word.start)
        if is_apart or _is_boundary(before, word) or is_negation(word):
            break
        counted += word.key not in _FREE
        if counted > MOST_DENIED:
            break
        denied.append(word)
    while denied and counted > MOST_DENIED and denied[-1].key in _FREE:
        denied.pop()  # it belongs to what follows
    return denied


def _is_boundary(before: Word, word: Word) -> bool:
    if word.key in _POSSESSIVES:
        return before.key not in _PREPOSITIONS
    return word.key in _BOUNDARIES
