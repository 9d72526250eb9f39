"""One face after the other, and how long each stage of it takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.tokenizer import open_tokenizer
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.latent import draw_latent
from t2f_runtime.sessions import Session

Clock = Callable[[], float]
"""Seconds since some moment, such as `time.perf_counter`."""

Stage = Literal["tokenise", "encode", "noise", "draw", "copy", "whole"]
"""Text to tokens, with the checks; tokens to the condition; latents; latents to RGB; the checks of
the pictures and the copy that the caller gets; and all of it."""

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

PARTS: Final = STAGES[:-1]
"""The stages that add up to the whole."""

Seconds = dict[Stage, float]
"""How long each stage of one run took."""


@runtime_checkable
class TimedByGpu(Protocol):
    """A session whose GPU can time its runs itself."""

    gpu_seconds: float | None

    def time_runs(self) -> None:
        """Has every run timed from now on."""
        ...


class StagedGenerator:
    """Draws as `FaceGenerator.generate` does, and times its stages.

    Args:
        bundle: What draws.
        wish: In which engine and precision.
        clock: What times it.
    """

    def __init__(
        self, bundle: Bundle, wish: EngineWish, *, clock: Clock = time.perf_counter
    ) -> None:
        opened = open_engine(bundle, wish)
        encoder = opened.text_encoder
        self._encoder = None if encoder is None else _TimedSession(encoder, clock)
        self._painter = _TimedSession(opened.generator, clock)
        self._clock = clock
        self.generator = FaceGenerator(
            bundle.manifest,
            tokenizer=open_tokenizer(bundle),
            text_encoder=self._encoder,
            generator=self._painter,
            engine=opened.engine,
        )
        """What draws."""

    @property
    def gpu_seconds(self) -> float | None:
        """What the generator's last run took on the GPU, by its clock; None where it tells none."""
        return self._painter.gpu_seconds

    def time_faces(self, text: str | None, *, seed: int, batch: int) -> Seconds:
        """Draws candidates of one description in one run of the network.

        Args:
            text: The description; None for a model without text.
            seed: The seed.
            batch: How many candidates.

        Returns:
            Each stage's seconds; they add up to the whole, but for the clock's own.
        """
        clock, noise_size = self._clock, self.generator.manifest.noise_size
        start = clock()
        mean, log_variance = self.generator.condition(text)
        read = clock()
        latents = np.stack(
            [
                draw_latent(mean, log_variance, seed=seed, index=index, noise_size=noise_size)
                for index in range(batch)
            ]
        )
        noised = clock()
        self.generator.draw(latents, faces_per_run=batch)
        end = clock()
        encode = 0.0 if self._encoder is None else self._encoder.seconds
        draw = self._painter.seconds
        return {
            "tokenise": read - start - encode,
            "encode": encode,
            "noise": noised - read,
            "draw": draw,
            "copy": end - noised - draw,
            "whole": end - start,
        }


def described_faces(bundle: Bundle) -> list[str | None]:
    """What is drawn: the descriptions of the bundle's reference pictures.

    Returns:
        At least one; None alone for a model without text.
    """
    texts = dict.fromkeys(reference.description for reference in bundle.manifest.references)
    if bundle.manifest.takes_text:
        return list(texts) or ["a smiling woman with long brown hair"]
    return [None]


def median_of(samples: Sequence[Seconds]) -> Seconds:
    """The median of each stage."""
    return {stage: float(np.median([s[stage] for s in samples])) for stage in STAGES}


class _TimedSession:
    """Runs a network, and keeps how long the last run took."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self.seconds = 0.0
        self._timed = session if isinstance(session, TimedByGpu) else None
        if self._timed is not None:
            self._timed.time_runs()

    @property
    def gpu_seconds(self) -> float | None:
        return None if self._timed is None else self._timed.gpu_seconds

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        start = self._clock()
        outputs = self._session.run(inputs)
        self.seconds = self._clock() - start
        return outputs

    def close(self) -> None:
        close = getattr(self._session, "close", None)
        if close is not None:
            close()
