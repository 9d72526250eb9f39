"""Reads the vocabulary of the original T2F out of its pickle, without running what is in it.

Source: `process_text_annotations.py` of akanimax/T2F, which writes a mapping of `images`, `vocab`
(words by their tokens), `rev_vocab` (tokens by their words) and `data`, all of them plain values.
"""

import io
import pickle
from pathlib import Path
from typing import NoReturn

from t2f_export.errors import ForeignModelError
from t2f_export.imported.weights_file import read_bytes
from t2f_runtime.errors import BundleError
from t2f_runtime.text.whole_words import PADDING, UNKNOWN, WholeWords, encode_vocabulary

MAXIMUM_BYTES = 256 * 2**20
"""The original's file of Face2Text has 175 kB."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds mappings, lists, numbers and texts; whatever a pickle has to name is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise ForeignModelError(f"it names {module_name}.{global_name}, which could run code")

    def persistent_load(self, pid: object) -> NoReturn:
        raise ForeignModelError(f"it refers to {pid!r:.40} outside of itself")


def read_original_vocabulary(path: Path) -> bytes:
    """Reads the vocabulary of a processed text file.

    Args:
        path: The original's `processed_annotations/processed_text.pkl`.

    Returns:
        The vocabulary, as `WholeWords` reads it: each word has the token that it was trained with.

    Raises:
        ForeignModelError: If the file cannot be read safely, or holds another vocabulary.
    """
    content = read_bytes(path)
    if len(content) > MAXIMUM_BYTES:
        raise ForeignModelError(
            f"{path} has {len(content)} bytes; a file of processed text has {MAXIMUM_BYTES} at most"
        )
    words = _words(_unpickle(content, path), path)
    vocabulary = encode_vocabulary(words)
    try:
        WholeWords(vocabulary)
    except BundleError as error:
        raise ForeignModelError(
            f"{path} holds words that its program never made: {error}"
        ) from error
    return vocabulary


def _unpickle(content: bytes, path: Path) -> object:
    try:
        return _PlainUnpickler(io.BytesIO(content)).load()
    except ForeignModelError as error:
        raise ForeignModelError(
            f"{path} holds more than plain values: {error}; a file of processed text has texts, "
            f"numbers, lists and mappings alone"
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its opcodes run into
        raise ForeignModelError(f"{path} is no pickle, or is damaged: {error!r:.200}") from error


def _words(loaded: object, path: Path) -> list[str]:
    words = loaded.get("vocab") if isinstance(loaded, dict) else None
    if not isinstance(words, dict):
        raise ForeignModelError(
            f"{path} holds no mapping with a 'vocab', as the original T2F's "
            f"process_text_annotations.py writes it"
        )
    # The keys are in whatever order they were added.
    ordered = [words.get(token) for token in range(len(words))]
    if ordered[:2] != [PADDING, UNKNOWN]:
        raise ForeignModelError(
            f"{path}: tokens 0 and 1 are {ordered[:2]}, not {PADDING} and {UNKNOWN}"
        )
    for token, word in enumerate(ordered):
        if not isinstance(word, str):
            raise ForeignModelError(f"{path}: token {token} of {len(words)} has no word")
    return [word for word in ordered[2:] if isinstance(word, str)]
