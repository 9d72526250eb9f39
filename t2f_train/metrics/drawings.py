"""What an evaluation has drawn: faces of held-out descriptions, and rows that differ in words."""

from collections.abc import Sequence

import numpy as np

from t2f_train.errors import DataError
from t2f_train.metrics.evaluation_data import EvaluationData
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.run_artist import Artist
from t2f_train.metrics.text_measures import AskedFaces, choose_descriptions

FACES_A_ROW = 8
_ROWS = 8

PROBES = (
    "A young woman with blond hair, smiling.",
    "A young woman with black hair.",
    "A young man with black hair, smiling.",
    "A young man with blond hair.",
    "An older man with grey hair.",
    "A bald man with a beard.",
    "A man wearing glasses.",
    "A woman wearing a hat.",
)
"""Descriptions of the report's rows where the data has CelebA's attributes: in the words of its
grammar, and of what descriptions ought to steer first."""


def draw(
    artist: Artist,
    data: EvaluationData,
    count: int,
    seed: int,
    progress: Progress,
    *,
    is_conditional: bool,
) -> tuple[AskedFaces, list[tuple[str, Pictures]]]:
    """Draws what a report shows and most measures look at.

    Args:
        artist: Draws.
        data: Gives the descriptions.
        count: Faces of descriptions as they come.
        seed: Decides the noise, and which descriptions are drawn.
        progress: Is told how far it is.
        is_conditional: Whether the artist draws from descriptions.

    Returns:
        Faces of held-out descriptions, or as many from noise alone; and rows of pictures from the
        same latents, a description each, none without text.

    Raises:
        DataError: If the artist draws from descriptions and no held-out image has one.
    """
    chosen = _chosen(data, count, seed, is_conditional=is_conditional)
    texts = [text for _, text in chosen]
    progress("drawing faces", 0, len(texts))
    pictures = artist.draw(texts, seed=seed, indices=range(len(texts)))
    progress("drawing faces", len(texts), len(texts))
    asked = AskedFaces(
        descriptions=texts, owners=np.array([face for face, _ in chosen]), pictures=pictures
    )
    return asked, _rows(artist, texts, data, seed) if is_conditional else []


def _chosen(
    data: EvaluationData, count: int, seed: int, *, is_conditional: bool
) -> list[tuple[int, str]]:
    held_out = data.held_out
    if not is_conditional:
        order = np.random.default_rng(seed).permutation(len(held_out.faces))
        return [(int(order[n % len(order)]), "") for n in range(count)]
    if not len(held_out.captioned()):
        raise DataError(
            "no held-out image has a description to draw from; raise data.held_out or write "
            "descriptions"
        )
    return choose_descriptions(held_out, count, seed)


def _rows(
    artist: Artist, asked: Sequence[str], data: EvaluationData, seed: int
) -> list[tuple[str, Pictures]]:
    indices = list(range(FACES_A_ROW))
    has_attributes = data.held_out.attributes is not None
    texts = PROBES if has_attributes else list(dict.fromkeys(asked))[:_ROWS]
    return [(text, artist.draw([text] * FACES_A_ROW, seed=seed, indices=indices)) for text in texts]


def references(data: EvaluationData, asked: AskedFaces) -> Pictures:
    """Held-out photographs to compare with, as many as pictures where there are so many.

    Those of the descriptions come first, each once.
    """
    order = dict.fromkeys([*asked.owners.tolist(), *range(len(data.held_out.faces))])
    return data.held_out.pictures[list(order)[: len(asked.pictures)]]
