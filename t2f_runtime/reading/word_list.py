"""The words that a model was trained on, with how many descriptions each was in."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import WORDS
from t2f_runtime.bundle.manifest_fields import Count
from t2f_runtime.errors import BundleError
from t2f_runtime.reading.words import fold, split_words

MAXIMUM_BYTES: Final = 2**26
"""The largest list: some million words. A list may come from anybody."""


class WordList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of a model's training data, as `t2f_runtime.reading.words` tells them apart.

    Example:
        >>> from t2f_runtime.reading.word_list import count_words
        >>> known = count_words(["A bald man.", "a man with a beard"])
        >>> known.count("Man"), known.count("scar"), known.descriptions
        (2, 0, 2)
    """

    format: Literal["t2f words"] = "t2f words"
    """What it is."""
    version: Literal[1] = 1
    """Raised when a field changes its meaning."""
    descriptions: Count
    """How many descriptions were counted."""
    words: dict[str, Annotated[int, Meta(ge=1)]]
    """In how many of them each word is, folded; the most frequent words first."""

    def count(self, word: str) -> int:
        """In how many descriptions of the training data a word is; 0 for one that never was."""
        return self.words.get(fold(word), 0)


def count_words(descriptions: Iterable[str], before: WordList | None = None) -> WordList:
    """Counts the words of descriptions.

    Args:
        descriptions: Of the training data.
        before: What a model had been trained on before; its counts are added.

    Returns:
        The list; the same for the same descriptions in any order.
    """
    keys: dict[str, str] = {}
    counts = Counter(before.words if before else {})
    total = before.descriptions if before else 0
    for description in descriptions:
        written = {word.text for word in split_words(description)}
        keys.update((text, fold(text)) for text in written - keys.keys())
        counts.update({keys[text] for text in written})
        total += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return WordList(descriptions=total, words=dict(ordered))


def encode_words(words: WordList) -> bytes:
    """Writes a list as JSON, one word a line; equal lists give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(words), indent=1) + b"\n"


def decode_words(data: bytes, source: str = WORDS) -> WordList:
    """Reads a list.

    Args:
        data: What `encode_words` wrote.
        source: What errors call it.

    Raises:
        BundleError: It is no such list, or too long.
    """
    if len(data) > MAXIMUM_BYTES:
        raise BundleError(
            f"{source} has {len(data)} bytes; a list of words has {MAXIMUM_BYTES} at most"
        )
    try:
        return msgspec.json.decode(data, type=WordList)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{source} is no list of training words: {error}; export the run again"
        ) from error


def open_words(bundle: Bundle) -> WordList | None:
    """Reads the training words of a bundle; None where it does not tell them.

    Raises:
        BundleError: The list is altered, damaged, or too long.
    """
    entry = bundle.manifest.files.get(WORDS)
    if entry is None or not bundle.manifest.takes_text:
        return None
    where = f"{WORDS} of {bundle.path}"
    if entry.bytes > MAXIMUM_BYTES:  # before it is read
        raise BundleError(
            f"{where} has {entry.bytes} bytes; a list of words has {MAXIMUM_BYTES} at most"
        )
    return decode_words(bundle.read(WORDS), where)
