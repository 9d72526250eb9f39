"""The words of a text in any script, where they stand, and which count as the same.

One rule for all that speaks of words: the list of those that a model was trained on, what a reading
tells of a description, and what an explanation leaves out of it. Tokenizers cut by their own rules.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""How Unicode's names of letters begin in scripts that put no space between words."""

_CURLED = "\u2019"
"""The apostrophe of printers."""

_HYPHENS = ("-", "\u2010", "\u2011")
_JOINER = "\u200d"
"""Joins emoji into one, such as a person and red hair."""

_SKIN_TONES = range(0x1F3FB, 0x1F400)

# One letter a character: l a letter or digit, s a sign that is a word by itself, m what belongs to
# the character before it, q an apostrophe.
_WORD = re.compile(r"l[lm]*(?:q[lm]+)*|sm*")


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it stands in a text."""

    text: str
    """As it is written there."""
    start: int
    """Its place, in characters."""
    end: int
    """Where it ends: `text == whole[start:end]`."""

    @property
    def key(self) -> str:
        """What the word counts as; see `fold`."""
        return fold(self.text)


def split_words(text: str) -> list[Word]:
    """Finds the words of a text.

    A word is letters, digits and the marks on them, with apostrophes inside; hyphens part words.
    Signs such as emoji are words of their own, and so are the letters of scripts that put no space
    between words, such as Chinese and Thai. Punctuation is in no word.

    Example:
        >>> from t2f_runtime.reading.words import split_words
        >>> [word.text for word in split_words("He's grey-haired, 35 👧")]
        ["He's", 'grey', 'haired', '35', '👧']

    Args:
        text: Any text.
    """
    kinds = "".join(map(_kind, text))
    return [
        Word(text[match.start() : match.end()], match.start(), match.end())
        for match in _WORD.finditer(kinds)
    ]


def split_compounds(text: str) -> list[Word]:
    """Finds the words of a text, with those as one that hyphens join, and emoji that are joined.

    They are made of the words that `split_words` finds, so that a list of words knows their parts.

    Example:
        >>> from t2f_runtime.reading.words import split_compounds
        >>> [word.text for word in split_compounds("He's grey-haired, 35 👧")]
        ["He's", 'grey-haired', '35', '👧']

    Args:
        text: Any text.
    """
    compounds: list[Word] = []
    for word in split_words(text):
        start = word.start
        if compounds and _is_joined(text[compounds[-1].start : start], compounds[-1].text):
            start = compounds.pop().start
        compounds.append(Word(text[start : word.end], start, word.end))
    return compounds


def leave_out(text: str, start: int, end: int) -> str:
    """A text without a part of it, and without the space and the comma that it would leave behind.

    Where no space was on either side, none comes in, as in scripts that put none between words.

    Example:
        >>> from t2f_runtime.reading.words import leave_out
        >>> leave_out("a bald man, old, smiling", 12, 15)
        'a bald man, smiling'

    Args:
        text: Any text.
        start: Where the part begins.
        end: Where it ends.
    """
    before, after = text[:start].rstrip(), text[end:].lstrip()
    if not after or after[0] in ",;:.!?":
        before = before.rstrip(" ,;:")
    if not before:
        after = after.lstrip(" ,;:.!?")
    has_space = text[:start] != text[:start].rstrip() or text[end:] != text[end:].lstrip()
    is_parted = before and after and after[0] not in ",;:.!?" and has_space
    return f"{before} {after}" if is_parted else before + after


def fold(word: str) -> str:
    """Gives what a word counts as: case, compatible forms and invisible signs make no difference.

    Source: Unicode's compatibility caseless match (The Unicode Standard, section 3.13, D146), which
    is also what `nmt_nfkc_cf` of SentencePiece does for letters; format characters are left out.

    Args:
        word: A word.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", word).casefold())
    folded = unicodedata.normalize("NFKC", folded.casefold())
    kept = (character for character in folded if unicodedata.category(character) != "Cf")
    return "".join(kept).replace(_CURLED, "'")


def _is_joined(word_and_gap: str, word: str) -> bool:
    """Whether what follows a word belongs to it, the gap between them given with it."""
    gap = word_and_gap.removeprefix(word)
    return gap in _HYPHENS or (not gap and word.endswith(_JOINER))


@lru_cache(maxsize=2**14)
def _kind(character: str) -> str:
    if character in {"'", _CURLED}:
        return "q"
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf" or ord(character) in _SKIN_TONES:
        return "m"
    if category == "So":
        return "s"
    if category[0] not in "LN":
        return " "
    return "s" if unicodedata.name(character, "").startswith(_SPACELESS) else "l"
