"""A generator for identikit sessions whose faces take turns with those of everybody else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from t2f_runtime.bundle.manifest import Manifest
from t2f_runtime.cancellation import Cancellation
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.errors import ClosedError
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.latent import Floats
from t2f_runtime.reading import DescriptionReading
from t2f_runtime.service.batcher import DynamicBatcher
from t2f_runtime.service.job import Pictures


class QueuedGenerator:
    """Draws through a queue, face by face, for as long as the request that draws is wanted.

    The operations of a session know nothing of cancellation; whoever calls one says with `under`
    what stops it, and it stops before the next face or description.

    Safe to use from many threads.

    Args:
        generator: Reads.
        batcher: Draws with the same generator.
    """

    def __init__(self, generator: FaceGenerator, batcher: DynamicBatcher) -> None:
        self._generator = generator
        self._batcher = batcher
        self._asked = threading.local()

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""
        return self._generator.manifest

    @property
    def engine(self) -> RunningEngine:
        """What runs the networks."""
        return self._generator.engine

    @property
    def image_size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return self._generator.image_size

    @property
    def takes_text(self) -> bool:
        """Whether faces are drawn from descriptions."""
        return self._generator.takes_text

    @property
    def cancellation(self) -> Cancellation | None:
        """What stops this thread's request; None outside of `under`."""
        found: Cancellation | None = getattr(self._asked, "cancellation", None)
        return found

    @contextmanager
    def under(self, cancellation: Cancellation) -> Iterator[None]:
        """Lets a cancellation stop what this thread asks for meanwhile."""
        self._asked.cancellation = cancellation
        try:
            yield
        finally:
            self._asked.cancellation = None

    def read(self, text: str) -> DescriptionReading:
        """As `FaceGenerator.read`."""
        self._check()
        return self._generator.read(text)

    def condition(self, text: str | None) -> tuple[Floats, Floats]:
        """As `FaceGenerator.condition`; raises CancelledError as well."""
        self._check()
        return self._generator.condition(text)

    def draw(self, latents: Floats) -> Pictures:
        """As `DynamicBatcher.draw`."""
        try:
            return self._batcher.draw(latents, cancellation=self.cancellation)
        except ClosedError:
            # Whoever ends a server cancels first and closes then, and this came between the two.
            self._check()
            raise

    def _check(self) -> None:
        cancellation = self.cancellation
        if cancellation is not None:
            cancellation.check()
