"""Batches of pixels and tokens, in an order that is a pure function of seed, phase and step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2f_runtime.text import Tokenizer, pad
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.problems import Problems
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.errors import DataError
from t2f_train.schedule import Moment
from t2f_train.tokenizer import cut_tokens

_ORDER_STREAM = 1
_NOISE_STREAM = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step trains on."""

    pixels: Tensor
    """Shape `(batch, side, side, 3)`, uint8, RGB; all of different images."""
    tokens: Tensor
    """Shape `(batch, length)`, int64, padded with 0: one description of each image."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(self.pixels.to(device), self.tokens.to(device))


def order_random(seed: int, phase_index: int) -> np.random.Generator:
    """The random numbers that decide the order of a phase's images and descriptions."""
    philox = np.random.Philox(key=[seed, _ORDER_STREAM], counter=[0, 0, 0, phase_index])
    return np.random.Generator(philox)


def step_random(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step's noise: so a resumed run draws what an unbroken one does."""
    philox = np.random.Philox(key=[seed, _NOISE_STREAM], counter=[0, 0, 0, step])
    return np.random.Generator(philox)


def image_order(
    count: int, batch_size: int, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Endless batches of image numbers: every image once an epoch, none twice in a batch.

    Args:
        count: Number of images, `batch_size` or more.
        batch_size: Images of a batch.
        random: Decides the order.

    Yields:
        Shape `(batch_size,)`, int64. A batch may hold the end of one epoch and the start of the
        next; what is at the end is then kept out of the start.
    """
    rest = np.empty(0, np.int64)
    while True:
        epoch = random.permutation(count)
        is_fresh = ~np.isin(epoch, rest)
        head = epoch[is_fresh][: batch_size - len(rest)]
        tail = epoch[~np.isin(epoch, head)]
        stream = np.concatenate([rest, head, tail])
        whole = len(stream) // batch_size * batch_size
        yield from stream[:whole].reshape(-1, batch_size)
        rest = stream[whole:]


class FaceBatches:
    """Draws batches from a pyramid of images and their descriptions.

    Args:
        faces: The captioned faces, in the order of the pyramid.
        pyramid: Their images.
        tokenizer: Reads the descriptions.
        seed: Decides order and choice of descriptions.

    Raises:
        DataError: If a description has no tokens, such as one of invisible characters.
    """

    def __init__(
        self,
        faces: Sequence[CaptionedFace],
        pyramid: ImagePyramid,
        tokenizer: Tokenizer,
        *,
        seed: int,
    ) -> None:
        problems = Problems("descriptions", "each needs a visible letter; write or remove them")
        for face in faces:
            for text in face.descriptions:
                if not tokenizer.encode(text):
                    problems.add(face.image, f"has the description {text!r}, which shows nothing")
        problems.raise_if_any()
        self._pyramid = pyramid
        self._seed = seed
        self._tokens = [
            [cut_tokens(tokenizer, text) for text in face.descriptions] for face in faces
        ]
        self._descriptions = np.array([len(rows) for rows in self._tokens])

    def check_batch_size(self, batch_size: int) -> None:
        """Raises `DataError` if a batch of different images cannot be filled."""
        if len(self._tokens) < batch_size:
            raise DataError(
                f"a batch of {batch_size} needs {batch_size} different images, but the data has "
                f"{len(self._tokens)}; lower batch_size or add images"
            )

    def from_moment(self, moment: Moment) -> Iterator[Batch]:
        """Endless batches of a phase, from any of its steps on.

        An image with several descriptions gives the next one each time that it is drawn.
        """
        random = order_random(self._seed, moment.phase_index)
        upcoming = random.integers(self._descriptions)
        order = image_order(len(self._tokens), moment.phase.batch_size, random)
        for skipped in islice(order, moment.phase_step):
            upcoming[skipped] += 1
        images = self._pyramid.images(moment.phase.resolution)
        for numbers in order:
            choice = upcoming[numbers] % self._descriptions[numbers]
            upcoming[numbers] += 1
            rows = [self._tokens[n][c] for n, c in zip(numbers, choice, strict=True)]
            yield Batch(torch.from_numpy(images[numbers]), torch.from_numpy(pad(rows)))
