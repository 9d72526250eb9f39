"""From a description to tokens: what is refused, and why, before anything is drawn."""

import unicodedata
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import BundleError, DescriptionError
from t2f_runtime.text.whole_words import WholeWords
from t2f_runtime.text.wordpiece import WordPieces

TokenizerKind = Literal["sentencepiece", "wordpiece", "words"]
"""How a text encoder cuts text: `sentencepiece` is trained with a run, `wordpiece` is BERT's,
`words` are the whole words of the original T2F."""

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me"})
"""Unicode categories that alone show nothing. Unassigned code points are not among them: they may
be letters or emoji that are newer than this Python."""


class Pieces(Protocol):
    """One way to cut text into tokens; safe to use from many threads."""

    @property
    def vocabulary_size(self) -> int:
        """Number of different tokens, padding among them."""
        ...

    @property
    def padding_token(self) -> int:
        """The token that no text has; -1 where there is none."""
        ...

    @property
    def meaningless(self) -> frozenset[int]:
        """The tokens that say nothing about a text, such as the one for unknown words."""
        ...

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Cuts a text into tokens, and off after `most`; none for a text that shows nothing."""
        ...

    def piece(self, token: int) -> tuple[str, bool]:
        """Gives what a token stands for, and whether that was known when the pieces were made."""
        ...


class SentencePieces:
    """A SentencePiece model.

    Case folding and byte fallback are part of the model, so every visible text has tokens and none
    of them is unknown.

    Args:
        model: As the trainer of SentencePiece wrote it.

    Raises:
        BundleError: It is no such model.

    Attributes:
        vocabulary_size: Number of different tokens, padding among them.
        padding_token: The token that no text has; -1 where the model has none.
        meaningless: No tokens: each of them says something.
    """

    meaningless: frozenset[int] = frozenset()

    def __init__(self, model: bytes) -> None:
        # Here, not above: it takes a third of the import time, and reading manifests needs none.
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415

        if not model:  # which SentencePiece takes for no model at all, failing at first use
            raise BundleError("the tokenizer is not a SentencePiece model: it is empty")
        try:
            self._processor = SentencePieceProcessor(model_proto=model)
        except (RuntimeError, ValueError) as error:  # ValueError: its message is no UTF-8
            raise BundleError(
                f"the tokenizer is not a SentencePiece model: {error}; export the run again"
            ) from error
        self.vocabulary_size = int(self._processor.vocab_size())
        self.padding_token = int(self._processor.pad_id())

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Cuts a text into tokens, and off after `most`; none for a text that shows nothing."""
        tokens: list[int] = self._processor.encode(text, out_type=int)
        return tokens[:most]

    def piece(self, token: int) -> tuple[str, bool]:
        """Gives what a token stands for; bytes are of characters that the model has not seen."""
        is_known = not (self._processor.is_byte(token) or self._processor.is_unknown(token))
        return str(self._processor.id_to_piece(token)), is_known


class Tokenizer:
    """Cuts descriptions into the tokens that the text encoder was trained on.

    Immutable, and safe to use from many threads.

    Args:
        model: A SentencePiece model or a vocabulary, as a bundle or a run holds it.
        kind: Which of them.
        maximum_tokens: The longest description that `tokens` accepts, in tokens.
        maximum_characters: The longest one in characters.

    Raises:
        BundleError: `model` is not of its kind.

    Attributes:
        kind: As given.
        maximum_tokens: As given.
        maximum_characters: As given.
    """

    def __init__(
        self,
        model: bytes,
        *,
        kind: TokenizerKind = "sentencepiece",
        maximum_tokens: int,
        maximum_characters: int = 4096,
    ) -> None:
        self._pieces = _open_pieces(model, kind)
        self.kind: TokenizerKind = kind
        self.maximum_tokens = maximum_tokens
        self.maximum_characters = maximum_characters

    @property
    def vocabulary_size(self) -> int:
        """Number of different tokens, padding among them."""
        return self._pieces.vocabulary_size

    @property
    def padding_token(self) -> int:
        """The token that no description holds; -1 where the model has none."""
        return self._pieces.padding_token

    def encode(self, description: str, *, most: int | None = None) -> list[int]:
        """Cuts a description into tokens, whatever its length.

        Args:
            description: The description.
            most: Cuts off what comes after so many tokens, for training; None cuts nothing off.

        Returns:
            The tokens; none for a description that shows nothing.

        Raises:
            DescriptionError: It holds a lone surrogate, which no UTF-8 can express.
        """
        try:
            description.encode()
        except UnicodeEncodeError as error:
            raise DescriptionError(
                f"the description cannot be written as UTF-8: {description!r:.80}"
            ) from error
        return self._pieces.encode(description, most)

    def piece(self, token: int) -> tuple[str, bool]:
        """Gives what a token stands for.

        Args:
            token: One that `encode` gave.

        Returns:
            The piece of text, as the tokenizer has it, and whether it was known when the tokenizer
            was made: False for unknown words, and for bytes of unknown characters.
        """
        return self._pieces.piece(token)

    def tokens(self, description: str) -> NDArray[np.int64]:
        """Cuts a description into tokens.

        Returns:
            Shape `(length,)`, 1 to `maximum_tokens` tokens.

        Raises:
            DescriptionError: It is not text, shows nothing, has only unknown words, is too long,
                or holds control characters; nothing is ever cut off without a word.
        """
        self._check(description)
        tokens = self.encode(description)
        if not tokens:
            raise DescriptionError(_NOTHING_VISIBLE)
        if self._pieces.meaningless.issuperset(tokens):
            raise DescriptionError(
                f"this bundle knows no word of the description {description!r:.80}; its face "
                f"would have nothing to do with it: describe the face in other words"
            )
        if len(tokens) > self.maximum_tokens:
            raise DescriptionError(
                f"the description has {len(tokens)} tokens; this bundle reads "
                f"{self.maximum_tokens} at most: shorten it"
            )
        return np.array(tokens, dtype=np.int64)

    def _check(self, description: str) -> None:
        if not isinstance(description, str):
            raise DescriptionError(
                f"a description must be text (str), not {type(description).__name__}"
            )
        # First of all, since it bounds the work of every check that follows.
        if len(description) > self.maximum_characters:
            raise DescriptionError(
                f"the description has {len(description)} characters; this bundle reads "
                f"{self.maximum_characters} at most: shorten it"
            )
        for position, character in enumerate(description):
            _check_character(character, position)
        if all(unicodedata.category(character) in _INVISIBLE for character in description):
            raise DescriptionError(_NOTHING_VISIBLE)


def import_library(kind: TokenizerKind) -> None:
    """Imports what tokenizers of a kind need; without, opening the first of them does."""
    if kind == "sentencepiece":
        import sentencepiece  # noqa: F401, PLC0415 (takes long)


def _open_pieces(model: bytes, kind: TokenizerKind) -> Pieces:
    match kind:
        case "sentencepiece":
            return SentencePieces(model)
        case "wordpiece":
            return WordPieces(model)
        case "words":
            return WholeWords(model)


_NOTHING_VISIBLE = "the description is empty or shows nothing; describe the face, in any words"


def _check_character(character: str, position: int) -> None:
    category = unicodedata.category(character)
    if category == "Cs":
        raise DescriptionError(
            f"the description holds the lone surrogate U+{ord(character):04X} at position "
            f"{position}, which is no character: decode the text again, as UTF-8"
        )
    if category == "Cc" and character not in "\t\n\r":
        raise DescriptionError(
            f"the description holds the control character U+{ord(character):04X} at position "
            f"{position}: remove it"
        )


def pad(rows: Sequence[NDArray[np.int64]], padding_token: int = 0) -> NDArray[np.int64]:
    """Joins rows of tokens into one array, filled up at their ends.

    Args:
        rows: Each of shape `(length,)`, of any lengths.
        padding_token: What fills up the shorter ones.

    Returns:
        Shape `(batch, length)`, the length of the longest row.
    """
    length = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), length), padding_token, dtype=np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
