"""Frames of the time-lapse: small pictures of fixed latents, kept as a run goes on."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.model import FaceModel
from t2f_train.samples import FixedFaces
from t2f_train.schedule import Moment

COLUMNS = 4
"""Faces of each description."""


class Frames:
    """Writes frames into a folder, one a moment: a grid of faces at their own resolution.

    A frame is named after the step that it was drawn after, so that a resumed run writes those
    that it draws again over the old ones.

    Args:
        folder: Where they go; made if missing.
        descriptions: One a row; not looked at by a model without text.
        tokenizer: Reads the descriptions; None for a model without text.
        truncation: See `t2f_train.samples.place_samples`.
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
        self._faces = FixedFaces(descriptions, tokenizer, columns=COLUMNS, truncation=truncation)

    def write(self, model: FaceModel, moment: Moment) -> Path:
        """Draws one frame and returns its path; `moment.step` is the step it was drawn after."""
        rows = self._faces.draw(model, moment)
        # Descriptions become columns: pictures are wider than high, as screens are.
        grid = np.concatenate([np.concatenate(list(faces)) for faces in rows], axis=1)
        content = io.BytesIO()
        Image.fromarray(grid).save(content, format="PNG")
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"step-{moment.step:08d}.png"
        write_atomically(path, content.getvalue())
        return path


def frame_steps(total_steps: int, frames: int) -> frozenset[int]:
    """Steps after which a frame is due: `frames` of them, evenly spread, the last one included."""
    return frozenset(max(1, total_steps * (n + 1) // frames) - 1 for n in range(frames))
