"""Draws grids from a run: descriptions, walks between them, and truncation sweeps."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from t2f_runtime.pictures.sheet import contact_sheet
from t2f_runtime.text.tokenizer import pad
from t2f_train.errors import ConfigError
from t2f_train.metrics.run_artist import TrainedRun, open_run
from t2f_train.samples import draw_latents, place_samples

Row = tuple[str, NDArray[np.uint8]]
"""A label and its faces, shape `(faces, side, side, 3)`, uint8, RGB."""

SHEET_SIDE = 64
"""Pixels to which small faces are enlarged."""

WALKS = 4
"""Rows of a walk that goes from noise to noise."""

BATCH_SIZE = 32
"""Faces that are drawn at a time."""


class Sampler:
    """Draws rows of faces with the averaged weights of a run's checkpoint.

    With a truncation of 1 a face is the one that `t2f generate` draws from the exported bundle for
    the same description, seed and number.

    Args:
        run: The run folder.
        seed: Decides the noise.
        truncation: See `t2f_train.samples.place_samples`.
        checkpoint: One of the run's; None takes the newest.

    Raises:
        RunError: If there is no run, or it has no checkpoint, or a damaged one.
    """

    def __init__(
        self,
        run: Path,
        *,
        seed: int = 0,
        truncation: float = 1.0,
        checkpoint: Path | None = None,
    ) -> None:
        self._run: TrainedRun = open_run(run, torch.device("cpu"), checkpoint=checkpoint)
        self._seed = seed
        self._truncation = truncation

    @property
    def is_conditional(self) -> bool:
        """Whether the run's model draws from descriptions."""
        return self._run.record.config.is_conditional

    def grid(self, descriptions: Sequence[str], count: int) -> list[Row]:
        """One row of `count` faces a description; a model without text ignores those it gets."""
        return [
            (text, self._draw(self._place(text, range(count), self._truncation)))
            for text in self._rows(descriptions)
        ]

    def truncation_sweep(
        self, descriptions: Sequence[str], count: int, truncations: Sequence[float]
    ) -> list[Row]:
        """One row of the same `count` faces for each description and truncation.

        Raises:
            ConfigError: If the model has no text.
        """
        return [
            (f"{text}, truncation {t:g}", self._draw(self._place(text, range(count), t)))
            for text in self._rows(descriptions)
            for t in truncations
        ]

    def walk(self, descriptions: Sequence[str], steps: int) -> list[Row]:
        """One row of `steps` faces from each description to the next, with the same noise.

        With one description, or none where the model has no text, the walk goes from the first
        noise of the seed to the second and so on, in `WALKS` rows.

        Raises:
            ConfigError: If a model with text gets no description.
        """
        texts = self._rows(descriptions)
        if len(texts) == 1:
            text = texts[0]
            latents = self._place(text, range(WALKS + 1), self._truncation)
            start = f"{text}, " if text else ""
            labels = [f"{start}face {n + 1} to face {n + 2}" for n in range(WALKS)]
        else:
            latents = torch.cat([self._place(text, [0], self._truncation) for text in texts])
            labels = [f"from {start} to {end}" for start, end in pairwise(texts)]
        ends = zip(labels, latents[:-1], latents[1:], strict=True)
        weights = torch.linspace(0.0, 1.0, steps)
        return [(label, self._draw(slerp(start, end, weights))) for label, start, end in ends]

    def sheet(self, rows: Sequence[Row]) -> Image.Image:
        """Draws rows as one picture."""
        return contact_sheet(list(rows), scale=max(1, SHEET_SIDE // self._run.side), columns=16)

    def _rows(self, descriptions: Sequence[str]) -> Sequence[str]:
        if not self.is_conditional:
            return [""]
        if not descriptions:
            raise ConfigError("this model draws from descriptions; give --text or --from")
        return descriptions

    def _place(self, text: str, indices: Sequence[int], truncation: float) -> Tensor:
        tokenizer = self._run.artist.tokenizer
        tokens = None if tokenizer is None else pad([tokenizer.tokens(text)] * len(indices))
        return place_samples(
            self._run.artist.model,
            tokens,
            seeds=[self._seed] * len(indices),
            indices=indices,
            truncation=truncation,
        )

    def _draw(self, latents: Tensor) -> NDArray[np.uint8]:
        moment, model = self._run.moment, self._run.artist.model
        parts = [
            draw_latents(model, some, depth=moment.depth, fade=moment.fade)
            for some in torch.split(latents, BATCH_SIZE)
        ]
        return np.concatenate(parts)


def slerp(start: Tensor, end: Tensor, weights: Tensor) -> Tensor:
    """Goes from one latent to another along the great circle of the hypersphere.

    Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.

    Args:
        start: Shape `(latent,)`.
        end: Shape `(latent,)`, of the same length.
        weights: Shape `(steps,)`, 0 at `start` and 1 at `end`.

    Returns:
        Shape `(steps, latent)`.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0).clamp(-1.0, 1.0)
    angle = torch.acos(cosine)
    if angle < 1e-4:  # nearly the same point: the circle is a line
        return torch.lerp(start, end, weights[:, None])
    parts = torch.stack([torch.sin((1.0 - weights) * angle), torch.sin(weights * angle)], dim=1)
    return (parts / torch.sin(angle)) @ torch.stack([start, end])
