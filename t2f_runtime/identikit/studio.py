"""What a session has of a generator: it reads and draws, and nothing twice."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from t2f_runtime.bundle.bundle import identify
from t2f_runtime.bundle.manifest import Manifest
from t2f_runtime.engines.running import RunningEngine
from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.generator import Pictures
from t2f_runtime.identikit.face import Face, Reading, check_is_face, vector
from t2f_runtime.latent import Floats
from t2f_runtime.pictures.arrays import empty_pictures
from t2f_runtime.pictures.facts import picture_hash as picture_hash  # noqa: PLC0414 (taken from here)
from t2f_runtime.reading.description import DescriptionReading

KEPT_PICTURE_BYTES = 2**26
"""Pictures that are remembered, so that going back and forth in a session draws nothing."""

KEPT_READINGS = 2048


class Drawing(Protocol):
    """What identikit sessions need of a generator: a `FaceGenerator`, or what draws through one."""

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""

    @property
    def engine(self) -> RunningEngine:
        """What runs the networks."""

    @property
    def image_size(self) -> int:
        """Height and width of the pictures, in pixels."""

    @property
    def takes_text(self) -> bool:
        """Whether faces are drawn from descriptions."""

    def read(self, text: str) -> DescriptionReading:
        """As `FaceGenerator.read`."""

    def condition(self, text: str | None) -> tuple[Floats, Floats]:
        """As `FaceGenerator.condition`."""

    def draw(self, latents: Floats) -> Pictures:
        """As `FaceGenerator.draw`."""


class Studio:
    """Reads descriptions and draws faces, and remembers what it did last.

    Safe to use from many threads, and shared by all sessions that come of one.

    Args:
        generator: What reads and draws.

    Attributes:
        generator: As given.
        bundle_id: The bundle that it was loaded from.
    """

    def __init__(self, generator: Drawing) -> None:
        self.generator = generator
        self.bundle_id = bundle_id_of(generator)
        self._lock = threading.Lock()
        self._pictures: OrderedDict[bytes, Pictures] = OrderedDict()
        self._readings: OrderedDict[str, Reading] = OrderedDict()

    def read(self, description: str | None) -> Reading:
        """Reads a description; None for a model without text.

        Raises:
            DescriptionError: It cannot be read, is missing, or the model takes none.
        """
        takes_text = self.generator.takes_text
        if description is None:
            if takes_text:
                raise DescriptionError("this model draws from descriptions; give one")
            return Reading(mean=b"", deviation=b"")
        with self._lock:
            is_text = takes_text and isinstance(description, str)  # what is none is refused below
            known = self._readings.get(description) if is_text else None
        if known is not None:
            return known
        mean, log_variance = self.generator.condition(description)
        # As `t2f_runtime.latent.condition` takes it, to the bit.
        deviation = np.exp(log_variance * np.float32(0.5))
        reading = Reading(mean=vector(mean), deviation=vector(deviation))
        with self._lock:
            self._readings[description] = reading
            while len(self._readings) > KEPT_READINGS:
                self._readings.popitem(last=False)
        return reading

    def check_faces(self, faces: Sequence[Face]) -> None:
        """Refuses what are no faces, and those of a bundle that draws others, if any.

        Raises:
            ArgumentError: One is.
        """
        for face in faces:
            check_is_face(face)
            if face.bundle_id != self.bundle_id:
                raise ArgumentError(
                    f"face {face.name} is of the bundle {face.bundle_id[:12]}, and this is "
                    f"{self.bundle_id[:12]}: load the bundle that it was made with"
                )

    def draw(self, faces: Sequence[Face]) -> Pictures:
        """Draws faces, each once.

        Returns:
            Shape `(faces, height, width, 3)`, uint8, RGB; the caller's own.

        Raises:
            ArgumentError: A face is of another bundle, or memory does not hold so many.
        """
        self.check_faces(faces)
        pictures = empty_pictures(len(faces), self.generator.image_size)
        for place, face in enumerate(faces):
            pictures[place] = self._draw(face)
        return pictures

    def _draw(self, face: Face) -> Pictures:
        latent = face.latent()
        key = latent.tobytes()
        with self._lock:
            known = self._pictures.get(key)
            if known is not None:
                self._pictures.move_to_end(key)
                return known
        picture: Pictures = self.generator.draw(latent[np.newaxis])[0]
        with self._lock:
            self._pictures[key] = picture
            while len(self._pictures) * picture.nbytes > KEPT_PICTURE_BYTES:
                self._pictures.popitem(last=False)
        return picture


def studio_of(generator: Drawing, studio: Studio | None) -> Studio:
    """The studio that a session is given; a new one where it is given none.

    Raises:
        ArgumentError: The generator is none, or the studio is none or of another bundle.
    """
    if studio is None:
        return Studio(generator)
    is_studio = isinstance(studio, Studio)
    if not is_studio or studio.bundle_id != bundle_id_of(generator):
        raise ArgumentError(
            "studio must be a Studio of the same bundle as the generator, or None; of another "
            "session, take session.studio"
        )
    return studio


def bundle_id_of(generator: Drawing) -> str:
    """The id of the bundle that a generator was loaded from; see `Bundle.bundle_id`.

    Raises:
        ArgumentError: It is no generator, such as a bundle or a queue.
    """
    is_generator = isinstance(getattr(generator, "manifest", None), Manifest)
    if not is_generator or not hasattr(generator, "condition"):
        raise ArgumentError(
            f"generator must be a FaceGenerator, not {type(generator).__name__}; load one with: "
            "FaceGenerator.load(bundle)"
        )
    return identify(generator.manifest.files)
