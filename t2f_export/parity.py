"""Proves that a bundle draws what the trained model draws: torch against the runtime."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from t2f_export.errors import ParityError
from t2f_runtime.bundle.manifest import ParityReport, Reference
from t2f_runtime.errors import VerificationError
from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_runtime.verification import verify
from t2f_train.model import FaceModel
from t2f_train.samples import draw_samples

DESCRIPTIONS = (
    "a young woman with long blond hair, smiling",
    "a bald man with a grey beard and glasses",
    "he looks serious and has short black hair",
    "an old lady with grey curly hair and earrings",
    "a man in a hat with a moustache",
    "she has brown wavy hair and a wide smile",
    "middle aged man, receding hair, thick eyebrows",
    "A girl. Dark skin, dark eyes, an open mouth.",
)
"""What parity is proven on, and what `t2f verify` draws again on the machine that will draw. A
model without text draws as many faces from seeds alone."""


def readable_references(tokenizer: Tokenizer | None) -> tuple[Reference, ...]:
    """The references of a model.

    Args:
        tokenizer: Cuts their descriptions; None for a model without text.

    Returns:
        Those that the tokeniser reads with its limit of tokens; one of one word if it reads none,
        since a tokeniser of another language cuts English into letters and bytes.
    """
    if tokenizer is None:
        return tuple(Reference(description=None, seed=seed) for seed in range(len(DESCRIPTIONS)))
    fitting = tuple(
        Reference(description=description, seed=seed)
        for seed, description in enumerate(DESCRIPTIONS)
        if len(tokenizer.encode(description)) <= tokenizer.maximum_tokens
    )
    return fitting or (Reference(description="man", seed=0),)


def draw_references(
    model: FaceModel, tokenizer: Tokenizer | None, references: Sequence[Reference], depth: int
) -> NDArray[np.uint8]:
    """Draws the references with torch: shape `(faces, side, side, 3)`, uint8, RGB."""
    model.eval()
    descriptions = [r.description for r in references if r.description is not None]
    return draw_samples(
        model,
        None if tokenizer is None else pad([tokenizer.tokens(text) for text in descriptions]),
        seeds=[reference.seed for reference in references],
        indices=[0] * len(references),
        depth=depth,
    )


def prove_parity(folder: Path) -> ParityReport:
    """Draws a bundle's references with the runtime and compares them with torch's pictures.

    Args:
        folder: The bundle, complete but for its parity report: what is proven is what is shipped,
            read and drawn as a kiosk reads and draws it.

    Returns:
        The differences, in numbers.

    Raises:
        ParityError: If any value of any picture differs by more than the tolerance.
    """
    try:
        report = verify(folder)
    except VerificationError as error:
        raise ParityError(
            f"the exported networks do not draw what torch draws, so no bundle was written: {error}"
        ) from error
    return msgspec.structs.replace(report, against=f"torch {torch.__version__}")
