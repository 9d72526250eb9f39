"""What waits to be drawn: one description and seed, for one requester or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from t2f_runtime.cancellation import Cancellation
from t2f_runtime.errors import ArgumentError, CancelledError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.latent import Floats, draw_latent
from t2f_runtime.pictures.arrays import Pictures as Pictures  # noqa: PLC0414 (taken from here)
from t2f_runtime.pictures.arrays import empty_pictures

if TYPE_CHECKING:
    from concurrent.futures import Future

Key = tuple[str | None, int, int] | bytes
"""A description, a seed and a number of faces, or the bytes of the latent of one: what is equal
gives equal pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Requester:
    """Somebody who waits for pictures.

    Args:
        future: Gets the pictures or the error.
        cancellation: Stops the waiting; None never does.
        is_single: Whether one picture is wanted, rather than a row of them.
    """

    future: "Future[Pictures]"
    cancellation: Cancellation | None
    is_single: bool

    def fail(self, error: BaseException) -> None:
        """Gives the requester an error, unless nobody waits any more."""
        if self._begin():
            self.future.set_exception(error)

    def give(self, pictures: Pictures) -> None:
        """Gives the requester pictures, which are its own to change."""
        if self._begin():
            self.future.set_result(pictures[0] if self.is_single else pictures)

    def reason_to_stop(self) -> CancelledError | None:
        """Why the pictures are no longer wanted; None while they are."""
        if self.future.done():
            return CancelledError("the future was cancelled")
        try:
            if self.cancellation is not None:
                self.cancellation.check()
        except CancelledError as error:
            return error
        return None

    def _begin(self) -> bool:
        """Whether there is anybody to answer; from then on the future cannot be cancelled."""
        return not self.future.done() and self.future.set_running_or_notify_cancel()


class Job:
    """The faces of one key, drawn once for everybody who asked for them.

    Args:
        key: What is drawn.

    Attributes:
        key: As given.
        requesters: Who waits.
        drawn: How many of the faces are done.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        self.requesters: list[Requester] = []
        self.drawn = 0
        self._condition: tuple[Floats, Floats] | None = None
        self._pictures: Pictures | None = None

    @property
    def faces(self) -> int:
        """How many faces it has."""
        return 1 if isinstance(self.key, bytes) else self.key[2]

    def next_latent(self, generator: FaceGenerator, ahead: int) -> Floats:
        """The latent of a face that is not drawn yet: of words, that of `FaceGenerator.generate`.

        The first time, it also takes the memory for all faces.

        Args:
            generator: Reads the description, the first time.
            ahead: How many such faces come before it.

        Returns:
            Shape `(latent,)`, float32.

        Raises:
            T2FError: The description cannot be read, is missing, or is one too many, or memory does
                not hold the faces.
        """
        if self._pictures is None:
            self._pictures = empty_pictures(self.faces, generator.image_size)
        if isinstance(self.key, bytes):
            return np.frombuffer(self.key, dtype=np.float32)
        text, seed, _ = self.key
        if self._condition is None:
            self._condition = generator.condition(text)
        noise_size = generator.manifest.noise_size
        return draw_latent(
            *self._condition, seed=seed, index=self.drawn + ahead, noise_size=noise_size
        )

    def add(self, pictures: Sequence[Pictures]) -> None:
        """Keeps the next faces, each of shape `(height, width, 3)`; `next_latent` came before."""
        assert self._pictures is not None  # noqa: S101 (nobody draws without a latent)
        for picture in pictures:
            self._pictures[self.drawn] = picture
            self.drawn += 1

    def finish(self) -> None:
        """Gives everybody who waits the pictures, each their own."""
        assert self._pictures is not None  # noqa: S101 (a job has a face or more)
        for requester in self.requesters:
            try:
                own = empty_pictures(self.faces, self._pictures.shape[1])
            except ArgumentError as error:  # the others may still have theirs
                requester.fail(error)
                continue
            own[:] = self._pictures
            requester.give(own)

    def fail(self, error: BaseException) -> None:
        """Gives everybody who waits an error."""
        for requester in self.requesters:
            requester.fail(error)
