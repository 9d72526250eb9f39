"""From a description to tokens: what is refused, and why, before anything is drawn."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import BundleError, DescriptionError

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me"})
"""Unicode categories that alone show nothing. Unassigned code points are not among them: they may
be letters or emoji that are newer than this Python."""


class Tokenizer:
    """Cuts descriptions into the tokens that the text encoder was trained on.

    Case folding and byte fallback are part of the SentencePiece model, so every visible text has
    tokens. Immutable, and safe to use from many threads.

    Args:
        model: A SentencePiece model, as a bundle or a run holds it.
        maximum_tokens: The longest description that `tokens` accepts, in tokens.
        maximum_characters: The longest one in characters.

    Raises:
        BundleError: `model` is not a SentencePiece model.

    Attributes:
        maximum_tokens: As given.
        maximum_characters: As given.
    """

    def __init__(
        self, model: bytes, *, maximum_tokens: int, maximum_characters: int = 4096
    ) -> None:
        # Here, not above: it takes a third of the import time, and reading manifests needs none.
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415

        if not model:  # which SentencePiece takes for no model at all, failing at first use
            raise BundleError("the tokenizer is not a SentencePiece model: it is empty")
        try:
            processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise BundleError(
                f"the tokenizer is not a SentencePiece model: {error}; export the run again"
            ) from error
        self._processor = processor
        self.maximum_tokens = maximum_tokens
        self.maximum_characters = maximum_characters

    @property
    def vocabulary_size(self) -> int:
        """Number of different tokens, padding among them."""
        return int(self._processor.vocab_size())

    @property
    def padding_token(self) -> int:
        """The token that no description holds; -1 where the model has none."""
        return int(self._processor.pad_id())

    def encode(self, description: str) -> list[int]:
        """Cuts a description into tokens, whatever its length; for training, which cuts them.

        Raises:
            DescriptionError: It holds a lone surrogate, which no UTF-8 can express.
        """
        try:
            tokens: list[int] = self._processor.encode(description, out_type=int)
        except (UnicodeEncodeError, RuntimeError) as error:
            raise DescriptionError(
                f"the description cannot be written as UTF-8: {description!r:.80}"
            ) from error
        return tokens

    def tokens(self, description: str) -> NDArray[np.int64]:
        """Cuts a description into tokens.

        Returns:
            Shape `(length,)`, 1 to `maximum_tokens` tokens.

        Raises:
            DescriptionError: It is not text, shows nothing, is too long, or holds control
                characters; nothing is ever cut off without a word.
        """
        self._check(description)
        tokens = self.encode(description)
        if not tokens:
            raise DescriptionError(_NOTHING_VISIBLE)
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
