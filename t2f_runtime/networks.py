"""The networks of a generator, for as long as they may be run, in the process that loaded them."""

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle.manifest import (
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    IMAGE,
    LATENT,
    TOKENS,
    Manifest,
)
from t2f_runtime.cancellation import Cancellation, check_cancellation
from t2f_runtime.errors import ClosedError, EngineError
from t2f_runtime.free_memory import give_back_free_memory
from t2f_runtime.latent import Floats, draw_noise
from t2f_runtime.pictures.arrays import Pictures
from t2f_runtime.sessions import Session


class Networks:
    """A text encoder and a generator; what they give is held against the manifest.

    Safe to use from many threads. They belong to the process that made them: the threads of an
    engine do not live on in a process that was forked from it, where a run may wait for them
    forever, and so may an engine that is let go. So a forked process is refused, and never lets go.

    Args:
        manifest: What they take and give.
        text_encoder: None for a model without text.
        generator: Draws.
    """

    def __init__(
        self, manifest: Manifest, *, text_encoder: Session | None, generator: Session
    ) -> None:
        self._manifest = manifest
        self._sessions: tuple[Session | None, Session] | None = (text_encoder, generator)
        self._process = os.getpid()
        # A signal may come while its own thread holds the lock, and its handler may close.
        self._lock = threading.RLock()
        self._runs = 0
        self._is_closed = False
        _ALL.add(self)

    def encode(
        self, tokens: NDArray[np.int64], cancellation: Cancellation | None = None
    ) -> tuple[Floats, Floats]:
        """Reads the tokens of one description into the Gaussian of its condition.

        Args:
            tokens: Shape `(length,)`, int64.
            cancellation: Stops it.

        Returns:
            Mean and logarithm of the variance, each of shape `(condition,)`, float32.

        Raises:
            CancelledError: It was cancelled, or its time is up.
            ClosedError: The networks are closed, or of another process.
            EngineError: The network cannot be run, or gives what the manifest does not say.
        """
        with self._in_use(cancellation) as (text_encoder, _):
            assert text_encoder is not None  # noqa: S101 (whoever has tokens has one)
            outputs = text_encoder.run({TOKENS: tokens[np.newaxis]})
        shape = (1, self._manifest.condition_size)
        mean = _checked(outputs, CONDITION_MEAN, np.float32, shape)
        log_variance = _checked(outputs, CONDITION_LOG_VARIANCE, np.float32, shape)
        return mean[0], log_variance[0]

    def draw(self, latents: Floats, cancellation: Cancellation | None = None) -> Pictures:
        """Draws latents, all in one run.

        Args:
            latents: Shape `(faces, latent)`, float32.
            cancellation: Stops it.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB.

        Raises:
            CancelledError: It was cancelled, or its time is up.
            ClosedError: The networks are closed, or of another process.
            EngineError: The network cannot be run, or gives what the manifest does not say.
        """
        with self._in_use(cancellation) as (_, generator):
            outputs = generator.run({LATENT: latents})
        size = self._manifest.image_size
        pictures: Pictures = _checked(outputs, IMAGE, np.uint8, (len(latents), size, size, 3))
        return pictures

    def warm_up(self) -> None:
        """Gives back the memory that loading left, and runs what takes longer the first time.

        Raises:
            ClosedError: The networks are closed, or of another process.
            EngineError: A network cannot be run, or gives what the manifest does not say.
        """
        self.check_open()
        # For one, ONNX Runtime's weights as they were before it reordered them. Here, since what is
        # given back has to be asked for again by the first runs.
        give_back_free_memory()
        text = self._manifest.text
        for index in range(2):  # TensorRT records the second run
            if text is not None:
                longest = np.full(text.maximum_tokens, text.vocabulary_size - 1, dtype=np.int64)
                self.encode(longest)
            self.draw(draw_noise(0, index, self._manifest.latent_size)[np.newaxis])

    def check_open(self) -> None:
        """Does nothing where the networks can be run.

        Raises:
            ClosedError: They are closed, or of another process.
        """
        here = os.getpid()
        if here != self._process:
            raise ClosedError(
                f"this generator was loaded in process {self._process} and cannot draw in process "
                f"{here}, which was forked from it: the threads of an engine do not live on in a "
                "fork; load the bundle in the new process, and start that with "
                "multiprocessing.get_context('spawn')"
            )
        if self._is_closed:
            raise ClosedError("this generator is closed; load the bundle again")

    def close(self) -> None:
        """Lets the engine go, at once or when the runs that are under way have ended.

        A second time, and in a forked process, it does nothing.
        """
        if os.getpid() == self._process:
            with self._lock:
                self._is_closed = True
                self._release_if_idle()

    @contextmanager
    def _in_use(
        self, cancellation: Cancellation | None
    ) -> Iterator[tuple[Session | None, Session]]:
        check_cancellation(cancellation)
        if cancellation is not None:
            cancellation.check()
        self.check_open()
        with self._lock:
            self.check_open()
            sessions = self._sessions
            assert sessions is not None  # noqa: S101 (released only once closed)
            self._runs += 1
        try:
            yield sessions
        finally:
            del sessions  # before the last run's end, which may be what lets the engine go
            with self._lock:
                self._runs -= 1
                self._release_if_idle()

    def _release_if_idle(self) -> None:
        if not self._is_closed or self._runs or self._sessions is None:
            return
        sessions, self._sessions = self._sessions, None
        for session in sessions:
            # ONNX Runtime's has none: it goes with the last reference.
            close = getattr(session, "close", None)
            if close is not None:
                close()


_ALL: "weakref.WeakSet[Networks]" = weakref.WeakSet()
_OF_THE_PARENT: list[Networks] = []


def _keep_in_fork() -> None:
    """Keeps the engines of the process that this one was forked from.

    Tried with ONNX Runtime 1.32: ending its session in a forked process waits forever for threads
    that are not there.
    """
    _OF_THE_PARENT.extend(_ALL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_in_fork)


def _checked(
    outputs: Mapping[str, NDArray[Any]],
    name: str,
    dtype: type[np.generic],
    shape: tuple[int, ...],
) -> NDArray[Any]:
    """Returns an output of a network that is what the manifest says of it."""
    array = outputs.get(name)
    if array is None:
        raise EngineError(f"the network gave no {name!r}, but {', '.join(outputs)}")
    if array.dtype != dtype or array.shape != shape:
        raise EngineError(
            f"the network gave {name!r} as {array.dtype} {array.shape}; "
            f"the manifest says {np.dtype(dtype)} {shape}; export the run again"
        )
    if not np.isfinite(array).all():
        raise EngineError(f"the network gave {name!r} with values that are not finite")
    return array
