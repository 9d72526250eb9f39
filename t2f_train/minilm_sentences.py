"""Reads every description of a data set with MiniLM once, and keeps what it made of them."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from t2f_train.errors import DataError
from t2f_train.minilm import MiniLMEncoder

ROWS_AT_ONCE = 32
"""Descriptions of one pass."""


def cached_sentences(
    encoder: MiniLMEncoder,
    rows: Sequence[NDArray[np.int64]],
    *,
    cache: Path,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """As `read_sentences`, but what an earlier run has read comes from the cache.

    Args:
        encoder: On any device.
        rows: Each of shape `(length,)`, one token or more.
        cache: Folder for what is read; made if it is missing.
        progress: As of `read_sentences`; not called when the cache has the sentences.

    Returns:
        Shape `(rows, sentence)`.

    Raises:
        DataError: If the cache cannot be written.
    """
    key = hashlib.sha256(encoder.sha256.encode())
    for row in rows:
        key.update(len(row).to_bytes(8, "little"))
        key.update(row.astype("<i8").tobytes())
    path = cache / f"sentences-{key.hexdigest()[:32]}.npy"
    kept = _read(path)
    if kept is not None and kept.shape == (len(rows), encoder.sentence_size):
        return kept
    sentences = read_sentences(encoder, rows, progress)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _write(path, sentences)
    except OSError as error:
        raise DataError(
            f"the cache {cache} cannot be written: {error}; set T2F_CACHE to another folder"
        ) from error
    return sentences


def _write(path: Path, sentences: NDArray[np.float32]) -> None:
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.npy")  # of this process alone
    try:
        np.save(partial, sentences, allow_pickle=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> NDArray[np.float32] | None:
    try:
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # none, or damaged: read again, at no other cost
        return None
    return kept


@torch.no_grad()
def read_sentences(
    encoder: MiniLMEncoder,
    rows: Sequence[NDArray[np.int64]],
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Reads many descriptions, equal ones once.

    The passes depend on the set of rows alone and never hold padding, so that equal data gives
    equal embeddings, bit for bit on a CPU.

    Args:
        encoder: On any device.
        rows: Each of shape `(length,)`, one token or more.
        progress: Is told how many different descriptions are done, and of how many.

    Returns:
        Shape `(rows, sentence)`.
    """
    device = encoder.words.weight.device
    keys = [(len(row), *row.tolist()) for row in rows]
    different = sorted(set(keys))
    found: dict[tuple[int, ...], NDArray[np.float32]] = {}
    while len(found) < len(different):
        start = len(found)
        length = different[start][0]
        same = [row for row in different[start : start + ROWS_AT_ONCE] if row[0] == length]
        tokens = torch.tensor([row[1:] for row in same], device=device)
        found.update(zip(same, encoder(tokens).cpu().numpy(), strict=True))
        progress(len(found), len(different))
    return np.stack([found[key] for key in keys])
