"""The log once more for TensorBoard: curves of the numbers, and the sample sheets."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboardX import SummaryWriter


class TensorBoardLog:
    """Writes event files, with images seen as the step.

    Args:
        folder: Where they go; made if missing.
        images_seen: Where the run goes on: TensorBoard drops what was logged after that, which
            will be trained and logged again.
    """

    def __init__(self, folder: Path, *, images_seen: int) -> None:
        purge = images_seen + 1 if folder.exists() else None
        # Files are named by the second that they are opened in, and opened anew: without the place
        # in the name, a run that goes on within a second would overwrite what it had logged.
        place = f".{images_seen:012d}"
        self._writer = SummaryWriter(str(folder), purge_step=purge, filename_suffix=place)

    def add_numbers(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Adds a point to the curve of each number."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, images_seen)

    def add_picture(self, name: str, path: Path, images_seen: int) -> None:
        """Adds a picture from a file."""
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        self._writer.add_image(name, pixels, images_seen, dataformats="HWC")

    def close(self) -> None:
        """Writes what is still in memory."""
        self._writer.close()
