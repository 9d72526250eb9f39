"""Draws with the averaged weights of one of a run's checkpoints, as evaluation needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_train.checkpoint import latest_checkpoint, load_weights, read_state
from t2f_train.errors import RunError
from t2f_train.metrics.pictures import Pictures
from t2f_train.model import FaceModel
from t2f_train.run_folder import RunFolder, RunRecord
from t2f_train.samples import draw_samples
from t2f_train.schedule import Moment, Schedule
from t2f_train.tokenizer import cut_tokens, open_tokenizer

BATCH_SIZE = 32
"""Faces that are drawn at a time."""


class Artist(Protocol):
    """Whatever draws faces from descriptions; evaluation asks no more of a model."""

    def draw(self, descriptions: Sequence[str], *, seed: int, indices: Sequence[int]) -> Pictures:
        """Draws one face a description.

        Args:
            descriptions: One a face; not looked at by a model without text.
            seed: Decides the noise, together with the index.
            indices: Number of each face within the seed; equal ones get equal noise.

        Returns:
            Shape `(count, side, side, 3)`, uint8, RGB.
        """
        ...


class ModelArtist:
    """Draws with a model.

    Args:
        model: The model, on any device.
        tokenizer: Reads the descriptions; None for a model without text.
        depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
        fade: Weight of the newest layers, 0 to 1.
    """

    def __init__(
        self, model: FaceModel, tokenizer: Tokenizer | None, *, depth: int, fade: float
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._depth = depth
        self._fade = fade

    def draw(self, descriptions: Sequence[str], *, seed: int, indices: Sequence[int]) -> Pictures:
        """Draws one face a description; see `Artist.draw`."""
        parts = []
        for start in range(0, len(indices), BATCH_SIZE):
            some = slice(start, start + BATCH_SIZE)
            numbers = list(indices[some])
            part = draw_samples(
                self.model,
                self._tokens(descriptions[some]),
                seeds=[seed] * len(numbers),
                indices=numbers,
                depth=self._depth,
                fade=self._fade,
            )
            parts.append(part)
        return np.concatenate(parts)

    def _tokens(self, descriptions: Sequence[str]) -> NDArray[np.int64] | None:
        if self.tokenizer is None:
            return None
        return pad([cut_tokens(self.tokenizer, text) for text in descriptions])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A run, as a checkpoint left it."""

    record: RunRecord
    """What the run is."""
    artist: ModelArtist
    """Draws with the averaged weights."""
    moment: Moment
    """The step that the checkpoint was written after."""
    images_seen: int
    """Real images that the weights have seen."""
    weights_sha256: str
    """SHA-256 of the checkpoint's weights."""

    @property
    def side(self) -> int:
        """Side of the pictures, in pixels: of the phase that the checkpoint is in."""
        return self.moment.phase.resolution


def open_run(path: Path, device: torch.device, *, checkpoint: Path | None = None) -> TrainedRun:
    """Opens a run to draw with.

    Args:
        path: The run folder.
        device: Where to draw.
        checkpoint: One of the run's; None takes the latest.

    Raises:
        RunError: If it holds no run, no checkpoint, or a damaged one.
    """
    folder = RunFolder(path)
    record = folder.read_record()
    checkpoint = checkpoint or latest_checkpoint(folder.checkpoints)
    if checkpoint is None:
        raise RunError(f"{path} has no checkpoint to evaluate; train it first")
    state = read_state(checkpoint)
    tokenizer: Tokenizer | None = None
    if record.config.is_conditional:
        tokenizer = open_tokenizer(folder.read_tokenizer(record), record.config.text)
    model = FaceModel(record.config, tokenizer.vocabulary_size if tokenizer else 0)
    load_weights(model, checkpoint, "averaged")
    # What the checkpoint draws is what its last step drew: the next may be of another resolution.
    moment = Schedule(record.config.phases).at(max(0, state.place.step - 1))
    model.to(device).eval().requires_grad_(requires_grad=False)
    return TrainedRun(
        record=record,
        artist=ModelArtist(model, tokenizer, depth=moment.depth, fade=moment.fade),
        moment=moment,
        images_seen=state.place.images_seen,
        weights_sha256=state.weights_sha256,
    )
