"""The reader of descriptions that a generator has."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest import WORDS
from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.latent import Floats
from t2f_runtime.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from t2f_runtime.bundle.bundle import Bundle
    from t2f_runtime.reading.description import DescriptionReading
    from t2f_runtime.reading.word_list import WordList

Tokens = NDArray[np.int64]
MeanOf = Callable[[Tokens], Floats]


class DescriptionReader:
    """Reads descriptions for one model; immutable, and safe to use from many threads.

    Args:
        tokenizer: Cuts them; None for a model without text.
        words: What the model was trained on; None where nobody knows.
    """

    def __init__(self, tokenizer: Tokenizer | None, words: "WordList | None" = None) -> None:
        self._tokenizer = tokenizer
        self._words = words

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

    def check_lists(self, texts: object, seeds: object) -> None:
        """Refuses what are no lists of descriptions and of seeds; otherwise as `check_presence`.

        Raises:
            ArgumentError: They are none: one text, a set, or what can be gone through only once.
            DescriptionError: As `check_presence`.
        """
        if isinstance(texts, str):
            raise ArgumentError("texts is one description; give a list, or call generate")
        if texts is not None and not _is_list(texts):
            raise ArgumentError(f"texts must be a list of descriptions, not {_type_of(texts)}")
        if seeds is not None and (isinstance(seeds, str) or not _is_list(seeds)):
            raise ArgumentError(f"seeds must be a list of whole numbers, not {_type_of(seeds)}")
        self.check_presence(is_given=texts is not None)

    def check_presence(self, *, is_given: bool) -> None:
        """Refuses a description where the model takes none, and none where it takes one.

        Raises:
            DescriptionError: It is so.
        """
        if is_given and self._tokenizer is None:
            raise DescriptionError("this model draws without descriptions; leave it out")
        if self._tokenizer is not None and not is_given:
            raise DescriptionError("this model draws from descriptions; give one")

    def read(self, text: str, mean_of: MeanOf) -> "DescriptionReading":
        """Tells what is understood of a description.

        Args:
            text: Any text, of any length.
            mean_of: Gives the mean of the condition for tokens, shape `(condition,)`.

        Raises:
            DescriptionError: It is no text, or the model takes none.
        """
        # Here, not above: drawing needs none of it, and starts quicker.
        from t2f_runtime.reading.understanding import understand  # noqa: PLC0415

        self.check_presence(is_given=True)
        tokenizer = self._tokenizer
        if tokenizer is None or not isinstance(text, str):
            raise DescriptionError(f"a description must be text (str), not {type(text).__name__}")
        return understand(text, tokenizer, self._words, mean_of)


def open_words(bundle: "Bundle") -> "WordList | None":
    """Reads the training words of a bundle; None where it does not tell them.

    Raises:
        BundleError: The list is altered, damaged, or too long.
    """
    if WORDS not in bundle.manifest.files:
        return None
    from t2f_runtime.reading.word_list import open_words as read_words  # noqa: PLC0415 (as above)

    return read_words(bundle)


def _is_list(values: object) -> bool:
    """Whether it has a length and an order, as lists, tuples and arrays have."""
    return hasattr(values, "__len__") and hasattr(values, "__getitem__")


def _type_of(value: object) -> str:
    return type(value).__name__
