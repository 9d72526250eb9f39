"""Whole words, as the original T2F reads text: known ones are tokens, all others one unknown token.

Source of the rules: `basic_preprocess` and `tokenize` in `data_processing/TextExtractor.py` of
akanimax/T2F: lower case; every character that is no letter from a to z stands alone, digits and
letters with accents among them; white space parts words.
"""

import re
from collections.abc import Sequence

from t2f_runtime.errors import BundleError

PADDING = "<pad>"
UNKNOWN = "<unk>"
"""The first two lines of a vocabulary. No text has them: their brackets are words of their own."""

_WORD = re.compile(r"[a-z]+|[^a-z\s]")


class WholeWords:
    """A vocabulary of whole words.

    Args:
        vocabulary: UTF-8, one word a line; the number of the line, from 0, is the token. The first
            two lines are `PADDING` and `UNKNOWN`.

    Raises:
        BundleError: It is no such vocabulary.

    Attributes:
        vocabulary_size: Number of different tokens, padding among them.
        padding_token: The token that no text has: 0.
        meaningless: The token of unknown words.
    """

    def __init__(self, vocabulary: bytes) -> None:
        try:
            words = vocabulary.decode().removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise BundleError(_not_a_vocabulary(str(error))) from error
        if words[:2] != [PADDING, UNKNOWN]:
            raise BundleError(
                _not_a_vocabulary(f"its first two lines are not {PADDING} and {UNKNOWN}")
            )
        for number, word in enumerate(words[2:], start=3):
            if not _WORD.fullmatch(word):
                raise BundleError(_not_a_vocabulary(f"line {number} is no word: {word!r:.40}"))
        self._words = words
        self._tokens = {word: token for token, word in enumerate(words)}
        if len(self._tokens) != len(words):
            raise BundleError(_not_a_vocabulary("it holds a word twice"))
        self.vocabulary_size = len(words)
        self.padding_token = 0
        self._unknown = 1
        self.meaningless = frozenset({self._unknown})

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Cuts a text into tokens, and off after `most`; none for a text of white space."""
        return [self._tokens.get(word, self._unknown) for word in split_words(text)[:most]]

    def piece(self, token: int) -> tuple[str, bool]:
        """Gives the word of a token, and whether it is one."""
        return self._words[token], token != self._unknown


def split_words(text: str) -> list[str]:
    """A text's words, in lower case."""
    return _WORD.findall(text.lower())


def encode_vocabulary(words: Sequence[str]) -> bytes:
    """Writes a vocabulary as `WholeWords` reads it.

    Args:
        words: The words by their tokens, from 2 on: padding and unknown words come first.
    """
    return "".join(f"{word}\n" for word in (PADDING, UNKNOWN, *words)).encode()


def _not_a_vocabulary(reason: str) -> str:
    return f"the tokenizer is not a vocabulary of whole words: {reason}; export the model again"
