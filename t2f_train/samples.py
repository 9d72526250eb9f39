"""Sample sheets: the same descriptions and latents drawn again and again as training goes on."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.latent import draw_noise
from t2f_runtime.pictures.sheet import contact_sheet
from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_train.errors import ConfigError
from t2f_train.model import FaceModel, to_pixels
from t2f_train.schedule import Moment
from t2f_train.tokenizer import cut_tokens

FACES_A_DESCRIPTION = 8
ROWS_WITHOUT_TEXT = 4
"""Rows on the sheets of a model without text."""
LATEST = "latest.png"
"""The newest sheet once more, always under the same name."""
SHEET_SIDE = 64
"""Pixels to which small faces are enlarged on a sheet."""


@torch.no_grad()
def place_samples(
    model: FaceModel,
    tokens: NDArray[np.int64] | None,
    *,
    seeds: Sequence[int],
    indices: Sequence[int],
    truncation: float = 1.0,
) -> Tensor:
    """Places descriptions in the space of latents, with the noise that the runtime would draw.

    Args:
        model: The model, on any device.
        tokens: Shape `(batch, length)`, padded with 0; None for a model without text.
        seeds: One a face.
        indices: Number of the face within its seed, one a face.
        truncation: Factor of epsilon and noise, 0 to 1: at 0 every face is the mean one of its
            description, at 1 faces vary as in training.

    Returns:
        Shape `(batch, latent)`, float32, each row of unit mean square.

    Raises:
        ConfigError: If a model without text is to truncate: its latents have no middle.
    """
    if truncation != 1.0 and model.conditioning is None:
        raise ConfigError(
            "a model without text cannot truncate: its noise has no mean face to go towards; "
            "leave truncation at 1"
        )
    device = next(model.parameters()).device
    size = model.generator.latent_size
    drawn = np.stack([draw_noise(s, i, size) for s, i in zip(seeds, indices, strict=True)])
    noise = torch.from_numpy(drawn).to(device) * truncation
    sentence = model.read(None if tokens is None else torch.from_numpy(tokens).to(device))
    latents, _ = model.place(
        sentence, noise[:, : model.condition_size], noise[:, model.condition_size :]
    )
    return latents


@torch.no_grad()
def draw_latents(
    model: FaceModel, latents: Tensor, *, depth: int, fade: float = 1.0
) -> NDArray[np.uint8]:
    """Draws one face a latent.

    Args:
        model: The model, on any device.
        latents: Shape `(batch, latent)`, each row of unit mean square.
        depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
        fade: Weight of the newest layers, 0 to 1.

    Returns:
        Shape `(batch, side, side, 3)`, uint8, RGB.
    """
    return to_pixels(model.generator(latents, depth, fade)).cpu().numpy()


def draw_samples(
    model: FaceModel,
    tokens: NDArray[np.int64] | None,
    *,
    seeds: Sequence[int],
    indices: Sequence[int],
    depth: int,
    fade: float = 1.0,
    truncation: float = 1.0,
) -> NDArray[np.uint8]:
    """Draws faces with torch from the noise that the runtime would draw for the same seeds.

    Args as for `place_samples` and `draw_latents`.

    Returns:
        Shape `(batch, side, side, 3)`, uint8, RGB.
    """
    latents = place_samples(model, tokens, seeds=seeds, indices=indices, truncation=truncation)
    return draw_latents(model, latents, depth=depth, fade=fade)


class FixedFaces:
    """The same descriptions and latents, drawn again and again as training goes on.

    Args:
        descriptions: One a row; not looked at by a model without text.
        tokenizer: Reads the descriptions; None for a model without text.
        columns: Faces a row.
        truncation: See `place_samples`.
    """

    def __init__(
        self,
        descriptions: Sequence[str],
        tokenizer: Tokenizer | None,
        *,
        columns: int,
        truncation: float = 1.0,
    ) -> None:
        self._truncation = truncation
        self._tokens = None
        if tokenizer is None:
            self.labels = [""] * ROWS_WITHOUT_TEXT
            self._indices = list(range(ROWS_WITHOUT_TEXT * columns))
        else:
            self.labels = list(descriptions)
            rows = [cut_tokens(tokenizer, text) for text in descriptions]
            self._tokens = pad([row for row in rows for _ in range(columns)])
            self._indices = list(range(columns)) * len(rows)

    def draw(self, model: FaceModel, moment: Moment) -> NDArray[np.uint8]:
        """Draws them at a moment: shape `(rows, columns, side, side, 3)`, uint8, RGB."""
        pictures = draw_samples(
            model,
            self._tokens,
            seeds=[0] * len(self._indices),
            indices=self._indices,
            depth=moment.depth,
            fade=moment.fade,
            truncation=self._truncation,
        )
        return pictures.reshape(len(self.labels), -1, *pictures.shape[1:])


def picture_name(moment: Moment) -> str:
    """Name of a picture of a moment: images seen and resolution."""
    return f"{moment.images_seen:09d}-images-{moment.phase.resolution:04d}-pixels.png"


class SampleSheets:
    """Draws sheets of fixed descriptions, one row each, with fixed latents.

    Args:
        folder: Where the sheets go.
        descriptions: One a row; not looked at by a model without text.
        tokenizer: Reads the descriptions; None for a model without text.
        truncation: See `place_samples`.
    """

    def __init__(
        self,
        folder: Path,
        descriptions: Sequence[str],
        tokenizer: Tokenizer | None,
        *,
        truncation: float = 1.0,
    ) -> None:
        self._folder = folder
        self._faces = FixedFaces(
            descriptions, tokenizer, columns=FACES_A_DESCRIPTION, truncation=truncation
        )

    def write(self, model: FaceModel, moment: Moment) -> Path:
        """Draws one sheet and returns its path, which tells resolution and images seen.

        `latest.png` beside it is the same sheet, for a viewer that follows one file.
        """
        rows = self._faces.draw(model, moment)
        sheet = contact_sheet(
            list(zip(self._faces.labels, rows, strict=True)),
            scale=max(1, SHEET_SIDE // rows.shape[2]),
        )
        content = io.BytesIO()
        sheet.save(content, format="PNG")
        path = self._folder / picture_name(moment)
        write_atomically(path, content.getvalue())
        write_atomically(self._folder / LATEST, content.getvalue())
        return path
