"""Trains the tokeniser of a run on the run's own descriptions."""

import io
from collections.abc import Iterable

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.config import TextSettings
from t2f_train.errors import ConfigError
from t2f_train.text_encoder import PADDING_TOKEN


def train_tokenizer(descriptions: Iterable[str], vocabulary_size: int) -> bytes:
    """Trains a SentencePiece model: cases folded, bytes for what it has never seen.

    Source: SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226), unigram model; with byte
    fallback every text has tokens, none of them unknown.

    Args:
        descriptions: The texts to learn from.
        vocabulary_size: Most tokens; little text gives fewer.

    Returns:
        The model, as in the file `tokenizer.model`; equal for equal arguments.

    Raises:
        ConfigError: If the descriptions have more different letters than the vocabulary holds.
    """
    model = io.BytesIO()
    texts = list(descriptions)
    try:
        _train(texts, model, vocabulary_size)
    except RuntimeError as error:
        raise ConfigError(
            f"text.vocabulary_size is {vocabulary_size}, with which SentencePiece finds no "
            f"vocabulary for these descriptions: {error}; raise it"
        ) from error
    return model.getvalue()


def _train(descriptions: list[str], model: io.BytesIO, vocabulary_size: int) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(descriptions),
        max_sentence_length=max(len(text.encode()) for text in descriptions),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocabulary_size,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc_cf",
        byte_fallback=True,
        character_coverage=1.0,
        pad_id=PADDING_TOKEN,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )


def open_tokenizer(model: bytes, settings: TextSettings) -> Tokenizer:
    """The tokeniser of a run.

    Args:
        model: The run's `tokenizer.model`.
        settings: The run's `config.text`.

    Raises:
        BundleError: `model` is of another kind than the settings say.
    """
    return Tokenizer(model, kind=settings.tokenizer_kind, maximum_tokens=settings.maximum_tokens)


def cut_tokens(tokenizer: Tokenizer, description: str) -> NDArray[np.int64]:
    """Reads a description for training, where what is too long is cut rather than refused.

    Returns:
        Shape `(length,)`, at most `tokenizer.maximum_tokens` tokens.
    """
    return np.array(tokenizer.encode(description, most=tokenizer.maximum_tokens), np.int64)
