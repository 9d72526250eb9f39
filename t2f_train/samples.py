"""Sample sheets: the same descriptions and latents drawn again and again as training goes on."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from t2f_runtime.latent import draw_noise
from t2f_runtime.sheet import contact_sheet
from t2f_runtime.text import Tokenizer, pad
from t2f_train.model import FaceModel, to_pixels
from t2f_train.schedule import Moment
from t2f_train.tokenizer import cut_tokens

FACES_A_DESCRIPTION = 8
ROWS_WITHOUT_TEXT = 4
"""Rows on the sheets of a model without text."""
SHEET_SIDE = 64
"""Pixels to which small faces are enlarged on a sheet."""


@torch.no_grad()
def draw_samples(
    model: FaceModel,
    tokens: NDArray[np.int64] | None,
    *,
    seeds: list[int],
    indices: list[int],
    depth: int,
    fade: float = 1.0,
) -> NDArray[np.uint8]:
    """Draws faces with torch from the noise that the runtime would draw for the same seeds.

    Args:
        model: The model, on any device.
        tokens: Shape `(batch, length)`, padded with 0; None for a model without text.
        seeds: One a face.
        indices: Number of the face within its seed, one a face.
        depth: 0 for 4x4 pixels, 1 for 8x8 and so on.
        fade: Weight of the newest layers, 0 to 1.

    Returns:
        Shape `(batch, side, side, 3)`, uint8, RGB.
    """
    device = next(model.parameters()).device
    condition_size = model.condition_size
    size = model.generator.latent_size
    noise = np.stack([draw_noise(s, i, size) for s, i in zip(seeds, indices, strict=True)])
    drawn = torch.from_numpy(noise).to(device)
    images = model(
        None if tokens is None else torch.from_numpy(tokens).to(device),
        drawn[:, :condition_size],
        drawn[:, condition_size:],
        depth,
        fade,
    )
    return to_pixels(images).cpu().numpy()


class SampleSheets:
    """Draws sheets of fixed descriptions, one row each, with fixed latents.

    Args:
        folder: Where the sheets go.
        descriptions: One a row; not looked at by a model without text.
        tokenizer: Reads the descriptions; None for a model without text.
    """

    def __init__(self, folder: Path, descriptions: list[str], tokenizer: Tokenizer | None) -> None:
        self._folder = folder
        if tokenizer is None:
            self._labels = [""] * ROWS_WITHOUT_TEXT
            self._tokens = None
            self._indices = list(range(ROWS_WITHOUT_TEXT * FACES_A_DESCRIPTION))
            return
        self._labels = descriptions
        rows = [cut_tokens(tokenizer, text) for text in descriptions]
        self._tokens = pad([row for row in rows for _ in range(FACES_A_DESCRIPTION)])
        self._indices = list(range(FACES_A_DESCRIPTION)) * len(descriptions)

    def write(self, model: FaceModel, moment: Moment) -> Path:
        """Draws one sheet and returns its path, which tells resolution and images seen."""
        pictures = draw_samples(
            model,
            self._tokens,
            seeds=[0] * len(self._indices),
            indices=self._indices,
            depth=moment.depth,
            fade=moment.fade,
        )
        side = pictures.shape[1]
        rows = pictures.reshape(len(self._labels), FACES_A_DESCRIPTION, side, side, 3)
        sheet = contact_sheet(
            list(zip(self._labels, rows, strict=True)), scale=max(1, SHEET_SIDE // side)
        )
        name = f"{moment.images_seen:09d}-images-{side:04d}-pixels.png"
        path = self._folder / name
        partial = path.with_suffix(".partial")
        sheet.save(partial, format="PNG")
        partial.replace(path)
        return path
