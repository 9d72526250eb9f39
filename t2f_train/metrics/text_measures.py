"""The numbers that ask whether pictures show what their descriptions say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.metrics import attributes, matcher
from t2f_train.metrics.attribute_rows import Rows
from t2f_train.metrics.attributes import (
    AskedPictures,
    StatementAccuracy,
    balanced_accuracy,
    statement_accuracies,
    train_classifier,
)
from t2f_train.metrics.evaluation_data import EvaluationData, Photographs
from t2f_train.metrics.image_network import Progress
from t2f_train.metrics.matcher import CANDIDATES, DescriptionPool, r_precision, train_matcher
from t2f_train.metrics.picture_measures import Measure
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.run_artist import Artist
from t2f_train.metrics.stated_attributes import STATEMENTS, stated_attributes

_MATCHED_AT_LEAST = 256
"""Captioned training faces below which a matcher learns nothing that generalises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFaces:
    """Descriptions of the held-out part, as they come, and the pictures drawn from them."""

    descriptions: Sequence[str]
    """One a picture."""
    owners: NDArray[np.int64]
    """Number of the held-out face that each describes: shape `(count,)`."""
    pictures: Pictures
    """Shape `(count, side, side, 3)`, uint8, RGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedSettings:
    """What the learned metrics need beyond data and pictures."""

    seed: int
    cache: Path
    device: torch.device
    is_quick: bool
    asked_each: int
    """Descriptions that are drawn for each thing that descriptions say, at most."""


def choose_descriptions(held_out: Photographs, count: int, seed: int) -> list[tuple[int, str]]:
    """Descriptions in random order: one of each face first, then the next one of each, and so on.

    Args:
        held_out: The faces; those without a description give none.
        count: How many descriptions; once all were chosen they come again.
        seed: Decides the order.

    Returns:
        The number of the face and the description, `count` times.
    """
    faces = np.random.default_rng(seed).permutation(held_out.captioned())
    chosen = []
    for n in range(count):
        face = int(faces[n % len(faces)])
        texts = held_out.faces[face].descriptions
        chosen.append((face, texts[n // len(faces) % len(texts)]))
    return chosen


def measure_attributes(
    asked: AskedFaces,
    artist: Artist,
    data: EvaluationData,
    rows: tuple[Rows, Rows],
    settings: LearnedSettings,
    progress: Progress,
) -> tuple[list[Measure], list[StatementAccuracy], dict[str, float]]:
    """Measures how often a classifier sees what descriptions ask for.

    Rare things are asked for as often as common ones: for each, so many held-out descriptions are
    drawn that say it, beside those that are drawn as they come, which tell what chance gives.

    Args:
        asked: Pictures of descriptions as they come.
        artist: Draws further ones.
        data: The photographs.
        rows: The attributes of their training part and of their held-out part.
        settings: Seed, cache and size.
        progress: Is told how far it is.

    Returns:
        The averages, the result of each statement, and the classifier's balanced accuracy on the
        held-out photographs by attribute.
    """
    classifier = train_classifier(
        data.training.pictures,
        rows[0],
        settings=attributes.QUICK_SETTINGS if settings.is_quick else attributes.SETTINGS,
        cache=settings.cache,
        device=settings.device,
        progress=progress,
    )
    seen_real = classifier.sees(data.held_out.pictures)
    accuracy = balanced_accuracy(seen_real, rows[1])
    progress("drawing what descriptions ask for", 0, 1)
    chosen, pictures = draw_statements(artist, data.held_out, settings.asked_each, settings.seed)
    progress("drawing what descriptions ask for", 1, 1)
    pairs = AskedPictures(
        stated=[said for _, _, said in chosen],
        drawn=classifier.sees(pictures),
        real=seen_real[[face for face, _, _ in chosen]],
    )
    results = statement_accuracies(pairs, classifier.sees(asked.pictures), accuracy)
    by_name = {
        name: float(value)
        for name, value in zip(ATTRIBUTES, accuracy, strict=True)
        if np.isfinite(value)
    }
    return _averages(results), results, by_name


def draw_statements(
    artist: Artist, held_out: Photographs, each: int, seed: int
) -> tuple[list[tuple[int, str, dict[str, bool]]], Pictures]:
    """Draws descriptions that say each statement up to `each` times, where so many do.

    Returns:
        Number of the held-out face, description, and what it states; and the pictures of them.
    """
    chosen = _asking(held_out, each, seed)
    texts = [text for _, text, _ in chosen]
    # Not the noise of the faces that tell what chance gives.
    return chosen, artist.draw(texts, seed=seed + 1, indices=range(len(texts)))


def _asking(held_out: Photographs, each: int, seed: int) -> list[tuple[int, str, dict[str, bool]]]:
    """Descriptions that say each statement up to `each` times: face, text, what it states."""
    texts = [(n, text) for n, face in enumerate(held_out.faces) for text in face.descriptions]
    order = np.random.default_rng(seed).permutation(len(texts))
    wanted = dict.fromkeys(STATEMENTS, each)
    chosen = []
    for face, text in (texts[n] for n in order):
        said = stated_attributes(text)
        if any(wanted[statement] > 0 for statement in said.items()):
            chosen.append((face, text, said))
            for statement in said.items():
                wanted[statement] -= 1
    return chosen


def _averages(results: Sequence[StatementAccuracy]) -> list[Measure]:
    """Averages over statements: over all, and over those that the classifier knows well."""
    known = [result for result in results if result.classifier >= attributes.RELIABLE]
    measures = []
    for key, some in (("attributes", results), ("attributes_known", known)):
        if some:
            measure = Measure(
                key=key,
                drawn=float(np.mean([result.drawn for result in some])),
                real=float(np.mean([result.real for result in some])),
                chance=float(np.mean([result.chance for result in some])),
                count=sum(result.count for result in some),
            )
            measures.append(measure)
    return measures


def why_not_matched(data: EvaluationData) -> str | None:
    """Why R-precision cannot be measured with this data; None if it can."""
    captioned = len(data.training.captioned())
    if captioned < _MATCHED_AT_LEAST:
        return (
            f"the training part has {captioned} images with descriptions; a matcher needs "
            f"{_MATCHED_AT_LEAST} to learn from"
        )
    pool = _pool(data.held_out)
    different = len({text.casefold() for text in pool.descriptions})
    # Those of the same face are no candidates; 20 descriptions of one face are beyond any data set.
    if different < CANDIDATES + 20 or len(set(pool.owners.tolist())) < 10:
        return (
            f"the held-out part has {different} different descriptions; ranking among "
            f"{CANDIDATES} needs {CANDIDATES + 20}"
        )
    return None


def measure_matching(
    asked: AskedFaces, data: EvaluationData, settings: LearnedSettings, progress: Progress
) -> Measure:
    """R-precision of the pictures, beside that of the photographs with the same descriptions.

    Args:
        asked: Pictures of descriptions as they come.
        data: Large enough, see `why_not_matched`.
        settings: Seed and cache.
        progress: Is told how far it is.
    """
    captioned = data.training.chosen(data.training.captioned())
    trained = train_matcher(
        captioned.faces,
        captioned.pictures,
        settings=matcher.QUICK_SETTINGS if settings.is_quick else matcher.SETTINGS,
        cache=settings.cache,
        device=settings.device,
        progress=progress,
    )
    pool = _pool(data.held_out)
    numbers = {pair: n for n, pair in enumerate(_texts(data.held_out))}
    random = np.random.default_rng(settings.seed)
    own = [numbers[pair] for pair in zip(asked.owners.tolist(), asked.descriptions, strict=True)]
    found = [pool.candidates(n, random) for n in own]
    has_candidates = np.array([row is not None for row in found])
    candidates = np.stack([row for row in found if row is not None])
    texts = trained.place_descriptions(pool.descriptions)
    owners = asked.owners[has_candidates]
    return Measure(
        key="r_precision",
        drawn=r_precision(
            trained.place_pictures(asked.pictures[has_candidates]), texts, candidates
        ),
        real=r_precision(trained.place_pictures(data.held_out.pictures[owners]), texts, candidates),
        chance=1.0 / CANDIDATES,
        count=len(candidates),
    )


def _texts(held_out: Photographs) -> list[tuple[int, str]]:
    return [(n, text) for n, face in enumerate(held_out.faces) for text in face.descriptions]


def _pool(held_out: Photographs) -> DescriptionPool:
    groups = _groups(held_out)
    texts = _texts(held_out)
    return DescriptionPool([text for _, text in texts], groups[[face for face, _ in texts]])


def _groups(held_out: Photographs) -> NDArray[np.int64]:
    """A number a face; faces of equal attributes, whose descriptions fit each other, share one."""
    if held_out.attributes is None:
        return np.arange(len(held_out.faces))
    _, groups = np.unique(held_out.attributes, axis=0, return_inverse=True)
    return groups.reshape(-1).astype(np.int64)
