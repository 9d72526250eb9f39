"""R-precision: whether a picture can be told to belong to its own description.

Source: Xu et al. 2018, "AttnGAN", arXiv:1711.10485, section 4.1: a picture's own description is
ranked among 99 others; the measure is how often it comes first. What ranks is a matcher of our own
that learns from the training part of the data alone, as in Radford et al. 2021, "CLIP",
arXiv:2103.00020, section 2.3. It has a tokeniser of its own, so that runs with different text
encoders, and models that T2F did not train, are all measured with the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_train.data.captioned_face import CaptionedFace
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
from t2f_train.tokenizer import cut_tokens, train_tokenizer

SETTINGS = TrainingSettings(
    epochs=16, least_steps=150, batch_size=128, learning_rate=2e-3, weight_decay=0.1
)
QUICK_SETTINGS = replace(SETTINGS, epochs=4, least_steps=40)

CANDIDATES = 100
"""Descriptions that a picture's own one is ranked among, itself included."""
_VOCABULARY = 1000
_TOKENS = 96
"""Tokens of a description that the matcher reads."""
_EMBEDDING = 128
"""Length of the embedding that pictures and descriptions meet in."""
_TOKENIZER = "tokenizer"
"""Name of the tokeniser among the stored tensors."""


class TextTower(nn.Module):
    """Reads descriptions by short groups of words: enough to tell "no beard" from "a beard".

    Args:
        vocabulary_size: Number of different tokens, padding among them.
    """

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, 64, padding_idx=0)
        self.groups = nn.Conv1d(64, 192, kernel_size=3, padding=1)
        self.output = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * 192, _EMBEDDING))

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps `(batch, length)`, int64, padded with 0, to unit vectors `(batch, embedding)`."""
        is_padding = (tokens == 0)[:, None]
        features = F.relu(self.groups(self.embedding(tokens).transpose(1, 2)))
        features = features.masked_fill(is_padding, 0.0)  # no feature is below 0
        mean = features.sum(dim=2) / (~is_padding).sum(dim=2)
        return F.normalize(self.output(torch.cat([mean, features.amax(dim=2)], dim=1)), dim=1)


class Matcher(nn.Module):
    """Places pictures and descriptions so that those that belong together are near.

    Args:
        side: Side of the pictures in pixels.
        tokenizer: Reads the descriptions.
    """

    def __init__(self, side: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        trunk, size = convolutional_trunk(side, channels=32)
        self.picture_tower = nn.Sequential(trunk, nn.Dropout(0.3), nn.Linear(size, _EMBEDDING))
        self.text_tower = TextTower(tokenizer.vocabulary_size)
        self.log_scale = nn.Parameter(torch.tensor(1.0 / 0.07).log())
        self._tokenizer = tokenizer

    def place_images(self, images: Tensor) -> Tensor:
        """Maps `(batch, 3, side, side)`, -1 to 1, to unit vectors `(batch, embedding)`."""
        return F.normalize(self.picture_tower(images), dim=1)

    def loss(self, images: Tensor, tokens: Tensor) -> Tensor:
        """InfoNCE both ways: every picture finds its description, and the other way round.

        Source: arXiv:2103.00020, figure 3; the scale is limited to 100 as in section 2.5.
        """
        scale = self.log_scale.exp().clamp(max=100.0)
        scores = scale * self.place_images(images) @ self.text_tower(tokens).T
        target = torch.arange(len(scores), device=scores.device)
        return 0.5 * (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target))

    def read(self, descriptions: Sequence[str]) -> list[NDArray[np.int64]]:
        """Tokens of each description."""
        return [cut_tokens(self._tokenizer, text) for text in descriptions]

    def place_pictures(self, pictures: Pictures) -> NDArray[np.float32]:
        """Unit vectors of pictures: shape `(count, embedding)`."""
        return in_chunks(self.place_images, pictures, self.log_scale.device)

    def place_descriptions(self, descriptions: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of descriptions: shape `(count, embedding)`."""
        rows = self.read(descriptions)
        with torch.no_grad():
            chunks = [pad(rows[start : start + 512]) for start in range(0, len(rows), 512)]
            parts = [self.text_tower(_on(chunk, self.log_scale.device)) for chunk in chunks]
        return np.concatenate([part.cpu().numpy() for part in parts])


def train_matcher(
    faces: Sequence[CaptionedFace],
    pictures: Pictures,
    *,
    settings: TrainingSettings,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> Matcher:
    """Trains the matcher, or takes it from the cache where it was trained before.

    Each time that a photograph is seen, any one of its descriptions is.

    Args:
        faces: Training faces, each with one description or more.
        pictures: Their photographs, shape `(count, side, side, 3)`, uint8, RGB.
        settings: How it is trained.
        cache: The user's cache folder.
        device: Where to train.
        progress: Is told how far it is.

    Returns:
        The matcher, in evaluation mode.
    """
    side = pictures.shape[1]
    labels = repr([face.descriptions for face in faces]).encode()
    store = NetworkStore(cache, f"matcher-{side}", data_key("matcher", settings, pictures, labels))
    stored = store.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if stored is not None:
            model = bytes(stored.pop(_TOKENIZER).numpy())
            matcher = _new_matcher(side, model, device)
            matcher.load_state_dict(stored)
            return matcher.eval()
        model = train_tokenizer((t for face in faces for t in face.descriptions), _VOCABULARY)
        matcher = _new_matcher(side, model, device)
        _train(matcher, faces, pictures, settings, progress)
    tokenizer = torch.from_numpy(np.frombuffer(model, np.uint8).copy())
    store.save({**matcher.state_dict(), _TOKENIZER: tokenizer})
    return matcher


def _new_matcher(side: int, tokenizer: bytes, device: torch.device) -> Matcher:
    return Matcher(side, Tokenizer(tokenizer, maximum_tokens=_TOKENS)).to(device)


def _train(
    matcher: Matcher,
    faces: Sequence[CaptionedFace],
    pictures: Pictures,
    settings: TrainingSettings,
    progress: Progress,
) -> None:
    device = matcher.log_scale.device
    tokens = [matcher.read(face.descriptions) for face in faces]

    def batch_loss(numbers: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        images = augmented(pictures[numbers], random).to(device)
        rows = [tokens[n][int(random.integers(len(tokens[n])))] for n in numbers]
        return matcher.loss(images, _on(pad(rows), device))

    def report(done: int, total: int) -> None:
        progress("training the matcher", done, total)

    train_network(matcher, len(faces), batch_loss, settings, report)


def _on(rows: NDArray[np.int64], device: torch.device) -> Tensor:
    return torch.from_numpy(rows).to(device)


@dataclass(frozen=True, slots=True)
class DescriptionPool:
    """Descriptions to rank, and whom they describe."""

    descriptions: Sequence[str]
    """All of them."""
    owners: NDArray[np.int64]
    """The face of each: shape `(count,)`. Faces of the same attributes have the same number."""

    def candidates(
        self, own: int, random: np.random.Generator, count: int = CANDIDATES
    ) -> NDArray[np.int64] | None:
        """A description and others that are not true of the same face by their origin.

        Args:
            own: Number of the description, which comes first in the result.
            random: Chooses the others.
            count: All of them together.

        Returns:
            Shape `(count,)`, the numbers of different descriptions; None if there are too few.
        """
        others: dict[str, int] = {}
        text = self.descriptions[own].casefold()
        for n in random.permutation(len(self.descriptions)).tolist():
            other = self.descriptions[n].casefold()
            if self.owners[n] != self.owners[own] and other != text:
                others.setdefault(other, n)
            if len(others) == count - 1:
                return np.array([own, *others.values()])
        return None


def r_precision(
    pictures: NDArray[np.float32],
    descriptions: NDArray[np.float32],
    candidates: NDArray[np.int64],
) -> float:
    """Share of pictures whose own description is nearer than all others it is ranked with.

    Args:
        pictures: Unit vectors, shape `(count, embedding)`.
        descriptions: Unit vectors of the whole pool, shape `(pool, embedding)`.
        candidates: Shape `(count, candidates)`: numbers in the pool, the own one first.

    Returns:
        0 to 1; one in `candidates` by chance.
    """
    scores = np.einsum("ne,nce->nc", pictures, descriptions[candidates])
    return float((scores[:, 0] > scores[:, 1:].max(axis=1)).mean())
