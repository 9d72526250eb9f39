"""Attribute accuracy: whether a classifier sees in a picture what its description asked for.

The classifier learns CelebA's 40 attributes from the training part of the real photographs. What
it knows is told beside every result: its accuracy on held-out photographs, and how often it sees
the same things in the photographs that the descriptions were written from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.metrics.attribute_rows import Rows
from t2f_train.metrics.image_network import (
    NetworkStore,
    Progress,
    TrainingSettings,
    augmented,
    convolutional_trunk,
    data_key,
    in_chunks,
    train_network,
)
from t2f_train.metrics.pictures import Pictures
from t2f_train.metrics.stated_attributes import STATEMENTS

SETTINGS = TrainingSettings(
    epochs=12, least_steps=400, batch_size=64, learning_rate=2e-3, weight_decay=0.05
)
QUICK_SETTINGS = replace(SETTINGS, epochs=3, least_steps=100)

RELIABLE = 0.75
"""Balanced accuracy on real photographs from which on the classifier counts as knowing an
attribute; tossing a coin gives 0.5."""
FEWEST_STATEMENTS = 10
"""What is stated less often is not reported: the share would be chance."""
_LARGEST_WEIGHT = 20.0
"""An attribute that fewer than one image in 40 has is not weighed up all the way."""


class StatementAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How often one thing that descriptions say is seen in the pictures."""

    attribute: str
    """CelebA's name."""
    asked: bool
    """Whether the descriptions say that it is there, or that it is not."""
    count: int
    """Pictures whose descriptions say so."""
    drawn: float
    """Share of them in which the classifier sees it so."""
    real: float
    """The same share of the photographs that the descriptions belong to."""
    chance: float
    """Share of pictures of any descriptions in which the classifier sees it so."""
    classifier: float
    """Balanced accuracy of the classifier for this attribute on held-out photographs."""


class AttributeClassifier(nn.Module):
    """Sees CelebA's 40 attributes in a face.

    Args:
        side: Side of the pictures in pixels: a power of two, 4 or more.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.trunk, size = convolutional_trunk(side, channels=32)
        self.head = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(size, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, len(ATTRIBUTES)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Maps `(batch, 3, side, side)`, -1 to 1, to logits of shape `(batch, 40)`."""
        logits: Tensor = self.head(self.trunk(images))
        return logits

    def sees(self, pictures: Pictures) -> Rows:
        """Which attributes each picture shows.

        Args:
            pictures: Shape `(count, side, side, 3)`, uint8, RGB.

        Returns:
            Shape `(count, 40)`, bool, in the order of `ATTRIBUTES`.
        """
        seen: Rows = in_chunks(self, pictures, next(self.parameters()).device) > 0.0
        return seen


def train_classifier(
    pictures: Pictures,
    rows: Rows,
    *,
    settings: TrainingSettings,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> AttributeClassifier:
    """Trains the classifier, or takes it from the cache where it was trained before.

    The binary cross entropy weighs, for each attribute, the images that have it as much as those
    that have not: so a rare one is not simply denied.

    Args:
        pictures: Training photographs, shape `(count, side, side, 3)`, uint8, RGB.
        rows: Their attributes, shape `(count, 40)`.
        settings: How it is trained.
        cache: The user's cache folder.
        device: Where to train.
        progress: Is told how far it is.

    Returns:
        The classifier, in evaluation mode.
    """
    side = pictures.shape[1]
    key = data_key("attributes", settings, pictures, rows.tobytes())
    store = NetworkStore(cache, f"attributes-{side}", key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        classifier = AttributeClassifier(side).to(device)
        stored = store.load()
        if stored is not None:
            classifier.load_state_dict(stored)
            return classifier.eval()
        targets = torch.from_numpy(rows.astype(np.float32)).to(device)
        present, absent = _balance(rows, device)

        def batch_loss(numbers: NDArray[np.int64], random: np.random.Generator) -> Tensor:
            images = augmented(pictures[numbers], random).to(device)
            target = targets[torch.from_numpy(numbers).to(device)]
            weight = target * present + (1.0 - target) * absent
            return F.binary_cross_entropy_with_logits(classifier(images), target, weight)

        def report(done: int, total: int) -> None:
            progress("training the attribute classifier", done, total)

        train_network(classifier, len(pictures), batch_loss, settings, report)
    store.save(classifier.state_dict())
    return classifier


def _balance(rows: Rows, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights of an attribute's presence and absence, which make both count the same."""
    share = rows.mean(axis=0)
    smallest = 0.5 / _LARGEST_WEIGHT
    present = 0.5 / np.clip(share, smallest, 1.0)
    absent = 0.5 / np.clip(1.0 - share, smallest, 1.0)
    return (
        torch.from_numpy(present.astype(np.float32)).to(device),
        torch.from_numpy(absent.astype(np.float32)).to(device),
    )


def balanced_accuracy(seen: Rows, rows: Rows) -> NDArray[np.float64]:
    """Mean of the shares of present and of absent attributes that are seen as such.

    Args:
        seen: What a classifier sees, shape `(count, 40)`.
        rows: What is there, shape `(count, 40)`.

    Returns:
        Shape `(40,)`, 0 to 1; NaN for an attribute that all images have, or none.
    """
    is_right = seen == rows
    with np.errstate(invalid="ignore"):
        present = (is_right & rows).sum(axis=0) / rows.sum(axis=0)
        absent = (is_right & ~rows).sum(axis=0) / (~rows).sum(axis=0)
    accuracy: NDArray[np.float64] = (present + absent) / 2.0
    return accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPictures:
    """Pictures drawn from descriptions, and what the descriptions ask for."""

    stated: Sequence[dict[str, bool]]
    """What each description states, see `stated_attributes`."""
    drawn: Rows
    """What the classifier sees in the picture of each."""
    real: Rows
    """What it sees in the photograph that each was written from."""


def statement_accuracies(
    asked: AskedPictures, any_drawn: Rows, accuracy: NDArray[np.float64]
) -> list[StatementAccuracy]:
    """Measures each thing that the descriptions say.

    Args:
        asked: The pictures and their descriptions.
        any_drawn: What the classifier sees in pictures of descriptions as they come, shape
            `(count, 40)`: how often it would see a thing if descriptions were shuffled.
        accuracy: The classifier's own, see `balanced_accuracy`.

    Returns:
        One result a statement that is made often enough, the best known attributes first.
    """
    results = []
    for attribute, value in STATEMENTS:
        chosen = [n for n, said in enumerate(asked.stated) if said.get(attribute) is value]
        column = ATTRIBUTES.index(attribute)
        if len(chosen) < FEWEST_STATEMENTS or not np.isfinite(accuracy[column]):
            continue
        result = StatementAccuracy(
            attribute=attribute,
            asked=value,
            count=len(chosen),
            drawn=float((asked.drawn[chosen, column] == value).mean()),
            real=float((asked.real[chosen, column] == value).mean()),
            chance=float((any_drawn[:, column] == value).mean()),
            classifier=float(accuracy[column]),
        )
        results.append(result)
    return sorted(results, key=lambda result: -result.classifier)
