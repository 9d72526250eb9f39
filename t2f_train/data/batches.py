"""Batches of pixels and tokens, in an order that is a pure function of seed, phase and step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2f_runtime.text.tokenizer import Tokenizer, pad
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.problems import Problems
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.errors import DataError
from t2f_train.schedule import Moment
from t2f_train.tokenizer import cut_tokens

_ORDER_STREAM = 1
_NOISE_STREAM = 2
_CHOICE_STREAM = 3

SentenceReader = Callable[[Sequence[NDArray[np.int64]]], NDArray[np.float32]]
"""Reads rows of tokens, each of shape `(length,)`, into embeddings of shape `(rows, sentence)`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step trains on."""

    pixels: Tensor
    """Shape `(batch, side, side, 3)`, uint8, RGB; all of different images."""
    tokens: Tensor | None
    """Shape `(batch, length)`, int64, padded with 0: one description of each image, or somebody
    else's for one that has none; None where the model has no text."""
    captioned: Tensor | None = None
    """Shape `(batch,)`, float32: 1 for an image with a description of its own, 0 for one without;
    None where all images of the data have descriptions."""
    sentence: Tensor | None = None
    """Shape `(batch, sentence)`, float32: what a pretrained text encoder makes of the tokens, which
    is the same in every step; None where the text encoder learns."""

    is_share: bool = False
    """Whether these are the images of one of several processes. Then `tokens` and `sentence` have
    one row more than there are images: that of the image before the first, of another process."""

    def share(self, rank: int, count: int) -> "Batch":
        """What one of `count` processes trains on: its part of the images, which are a multiple.

        Args:
            rank: Number of the process, from 0.
            count: Number of processes; one of one has the batch as it is.
        """
        if count == 1:
            return self
        images = len(self.pixels) // count
        start = rank * images

        def with_one_before(rows: Tensor | None) -> Tensor | None:
            if rows is None:
                return None
            return torch.cat([rows[start : start + images], rows[start - 1].unsqueeze(0)])

        return Batch(
            self.pixels[start : start + images],
            with_one_before(self.tokens),
            None if self.captioned is None else self.captioned[start : start + images],
            with_one_before(self.sentence),
            is_share=True,
        )

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(
            self.pixels.to(device),
            None if self.tokens is None else self.tokens.to(device),
            None if self.captioned is None else self.captioned.to(device),
            None if self.sentence is None else self.sentence.to(device),
            self.is_share,
        )


def order_random(seed: int, phase_index: int) -> np.random.Generator:
    """The random numbers that decide the order of a phase's images and descriptions."""
    philox = np.random.Philox(key=[seed, _ORDER_STREAM], counter=[0, 0, 0, phase_index])
    return np.random.Generator(philox)


def step_random(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step's noise: so a resumed run draws what an unbroken one does."""
    philox = np.random.Philox(key=[seed, _NOISE_STREAM], counter=[0, 0, 0, step])
    return np.random.Generator(philox)


def choice_random(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step's flips and borrowed descriptions."""
    philox = np.random.Philox(key=[seed, _CHOICE_STREAM], counter=[0, 0, 0, step])
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
        tokenizer: Reads the descriptions; None for a model without text.
        seed: Decides order and choice of descriptions.
        flips: Whether half of the images are mirrored.

    Raises:
        DataError: If a description has no tokens, such as one of invisible characters, or fewer
            than two images have a description.
    """

    def __init__(
        self,
        faces: Sequence[CaptionedFace],
        pyramid: ImagePyramid,
        tokenizer: Tokenizer | None,
        *,
        seed: int,
        flips: bool = False,
    ) -> None:
        self._pyramid = pyramid
        self._seed = seed
        self._flips = flips
        self._count = len(faces)
        self._tokens = None if tokenizer is None else read_descriptions(faces, tokenizer)
        self._descriptions = np.array([len(rows) for rows in self._tokens or ()])
        self._first = np.cumsum(self._descriptions) - self._descriptions
        self._captioned = np.flatnonzero(self._descriptions)
        self._sentences: NDArray[np.float32] | None = None
        if tokenizer is not None and len(self._captioned) < 2:
            raise DataError(
                f"{len(self._captioned)} of {self._count} images have a description; a model that "
                f"draws from descriptions needs two or more, or set text.encoder to 'none'"
            )

    @property
    def uncaptioned(self) -> int:
        """Number of images without a description, which only a second head can use."""
        return 0 if self._tokens is None else self._count - len(self._captioned)

    def remember_sentences(self, read: SentenceReader) -> None:
        """Has a pretrained text encoder read every description, once for all steps.

        Args:
            read: Maps rows of tokens to their sentence embeddings, shape `(rows, sentence)`.
        """
        self._sentences = read([row for rows in self._tokens or () for row in rows])

    def check_batch_size(self, batch_size: int) -> None:
        """Raises `DataError` if a batch of different images cannot be filled."""
        if self._count < batch_size:
            raise DataError(
                f"a batch of {batch_size} needs {batch_size} different images, but the data has "
                f"{self._count}; lower batch_size or add images"
            )

    def from_moment(self, moment: Moment) -> Iterator[Batch]:
        """Endless batches of a phase, from any of its steps on.

        An image with several descriptions gives the next one each time that it is drawn.
        """
        random = order_random(self._seed, moment.phase_index)
        upcoming = random.integers(np.maximum(self._descriptions, 1))
        order = image_order(self._count, moment.phase.batch_size, random)
        for skipped in islice(order, moment.phase_step):
            if self._tokens is not None:
                upcoming[skipped] += 1
        images = self._pyramid.images(moment.phase.resolution)
        for step, numbers in enumerate(order, start=moment.step):
            choices = choice_random(self._seed, step)
            pixels = images[numbers]
            if self._flips:
                is_flipped = choices.random(len(numbers)) < 0.5
                pixels[is_flipped] = pixels[is_flipped, :, ::-1]
            if self._tokens is None:
                yield Batch(torch.from_numpy(pixels), None)
                continue
            yield self._with_descriptions(pixels, self._tokens, numbers, upcoming, choices)
            upcoming[numbers] += 1

    def _with_descriptions(
        self,
        pixels: NDArray[np.uint8],
        tokens: list[list[NDArray[np.int64]]],
        numbers: NDArray[np.int64],
        upcoming: NDArray[np.int64],
        choices: np.random.Generator,
    ) -> Batch:
        is_captioned = self._descriptions[numbers] > 0
        authors = numbers.copy()
        if not is_captioned.all():
            authors[~is_captioned] = self._lenders(numbers, choices)[~is_captioned]
        choice = upcoming[authors] % self._descriptions[authors]
        rows = pad([tokens[a][c] for a, c in zip(authors, choice, strict=True)])
        captioned = torch.from_numpy(is_captioned.astype(np.float32)) if self.uncaptioned else None
        sentence = None
        if self._sentences is not None:
            sentence = torch.from_numpy(self._sentences[self._first[authors] + choice])
        return Batch(torch.from_numpy(pixels), torch.from_numpy(rows), captioned, sentence)

    def _lenders(
        self, numbers: NDArray[np.int64], choices: np.random.Generator
    ) -> NDArray[np.int64]:
        """Whose description each image would borrow.

        Never that of the image after it, which gets this row's as somebody else's.
        """
        places = choices.integers(len(self._captioned), size=len(numbers))
        is_next = self._captioned[places] == np.roll(numbers, -1)
        lenders: NDArray[np.int64] = self._captioned[(places + is_next) % len(self._captioned)]
        return lenders


def read_descriptions(
    faces: Sequence[CaptionedFace], tokenizer: Tokenizer
) -> list[list[NDArray[np.int64]]]:
    """Tokens of every description of every face, cut to the tokeniser's limit.

    Raises:
        DataError: With every description that has no tokens.
    """
    problems = Problems("descriptions", "each needs a visible letter; write or remove them")
    for face in faces:
        for text in face.descriptions:
            if not tokenizer.encode(text):
                problems.add(face.image, f"has the description {text!r}, which shows nothing")
    problems.raise_if_any()
    return [[cut_tokens(tokenizer, text) for text in face.descriptions] for face in faces]
