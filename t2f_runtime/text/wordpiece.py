"""WordPiece, as BERT's uncased models read text: words, cut into the longest pieces known.

Sources: BERT (Devlin et al. 2018, arXiv:1810.04805), section 3; the rules are those of
`tokenization.py` in google-research/bert, in the order in which the package `tokenizers` 0.23
applies them (its `BertNormalizer`, `BertPreTokenizer` and `WordPiece`), since that is what MiniLM
was trained with. The pieces of a text are the same but for two differences, both wanted: names of
special tokens, such as "[PAD]", are ordinary text here, so that no description can hold padding;
and a character that came into Unicode or changed its category after version 8 has the category
that Python knows.
"""

import unicodedata
from collections.abc import Iterator

from t2f_runtime.errors import BundleError

PADDING = "[PAD]"
UNKNOWN = "[UNK]"
START = "[CLS]"
END = "[SEP]"
CONTINUED = "##"
"""Marks a piece that goes on with a word."""

LONGEST_WORD = 100
"""Characters; a longer word is unknown as a whole, which bounds the work of cutting it."""

_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    # From 2B820 in BERT's own code; MiniLM's tokeniser, which we follow, starts here.
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""First and last code points of Chinese characters, each of which is a word."""

_DELETED = frozenset({"Cc", "Cf", "Co", "Cs"})
"""Unicode categories that show nothing. Unassigned code points stay, as unknown letters."""


class WordPieces:
    """A vocabulary of word pieces, and how it cuts texts.

    Args:
        vocabulary: UTF-8, one piece a line; the number of the line, from 0, is the token.

    Raises:
        BundleError: It is no such vocabulary.

    Attributes:
        vocabulary_size: Number of different tokens, padding among them.
        padding_token: The token that no text has.
        meaningless: The tokens that say nothing about a text.
    """

    def __init__(self, vocabulary: bytes) -> None:
        try:
            lines = vocabulary.decode().removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise BundleError(
                f"the tokenizer is not a WordPiece vocabulary: {error}; export the run again"
            ) from error
        self._tokens = {line.rstrip(): token for token, line in enumerate(lines)}
        if len(self._tokens) != len(lines):
            raise BundleError(
                f"the tokenizer is not a WordPiece vocabulary: it has {len(lines)} lines, but "
                f"{len(self._tokens)} different ones; export the run again"
            )
        for name in (PADDING, UNKNOWN, START, END):
            if name not in self._tokens:
                raise BundleError(
                    f"the tokenizer is not a WordPiece vocabulary: it lacks {name}; "
                    f"export the run again"
                )
        self._lines = lines
        self.vocabulary_size = len(lines)
        self.padding_token = self._tokens[PADDING]
        self._unknown = self._tokens[UNKNOWN]
        self._start, self._end = self._tokens[START], self._tokens[END]
        self.meaningless = frozenset({self._start, self._end, self._unknown})

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Cuts a text into tokens, between a start and an end.

        Args:
            text: Any text.
            most: Cuts pieces off the text's end until there are this many tokens in all, 2 or
                more; None keeps all.

        Returns:
            The tokens; none at all for a text that shows nothing.
        """
        pieces = [token for word in split_words(text) for token in self._cut(word)]
        if not pieces:
            return []
        kept = pieces if most is None else pieces[: most - 2]
        return [self._start, *kept, self._end]

    def piece(self, token: int) -> tuple[str, bool]:
        """Gives the piece of a token, and whether it is known."""
        return self._lines[token].rstrip(), token != self._unknown

    def _cut(self, word: str) -> list[int]:
        """Takes the longest known piece off the word's front until nothing is left."""
        if len(word) > LONGEST_WORD:
            return [self._unknown]
        tokens = []
        start = 0
        while start < len(word):
            mark = CONTINUED if start else ""
            for end in range(len(word), start, -1):
                token = self._tokens.get(mark + word[start:end])
                if token is not None:
                    break
            else:
                return [self._unknown]  # the whole word, known beginnings and all
            tokens.append(token)
            start = end
        return tokens


def split_words(text: str) -> Iterator[str]:
    """Yields a text's words in lower case, without accents; every sign of punctuation is one.

    Args:
        text: Any text.
    """
    spaced = "".join(_spaced(character) for character in text)
    stripped = (
        # One by one: in a whole word, Python writes a Greek sigma at its end in another form.
        character.lower()
        for character in unicodedata.normalize("NFD", spaced)
        if unicodedata.category(character) != "Mn"
    )
    for word in "".join(stripped).split():
        yield from _split_punctuation(word)


def _spaced(character: str) -> str:
    """White space as one space, nothing for what shows nothing, spaces around ideographs."""
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in _DELETED:
        return ""
    code = ord(character)
    if any(first <= code <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character


def _split_punctuation(word: str) -> Iterator[str]:
    start = 0
    for position, character in enumerate(word):
        if _is_punctuation(character):
            if start < position:
                yield word[start:position]
            yield character
            start = position + 1
    if start < len(word):
        yield word[start:]


def _is_punctuation(character: str) -> bool:
    """Whether Unicode calls it punctuation, or it is no letter, digit or space of ASCII."""
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character).startswith("P")
