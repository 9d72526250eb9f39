import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard_events import points, read_events
from tensorboardX.proto import event_pb2

from t2f_train.tensorboard_log import TensorBoardLog


@pytest.fixture
def one_second(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)


def write(folder, images_seen, numbers):
    log = TensorBoardLog(folder, images_seen=images_seen)
    for seen, value in numbers.items():
        log.add_numbers({"loss": value}, seen)
    log.close()


def test_numbers_are_points_over_images_seen(tmp_path):
    write(tmp_path / "log", 0, {8: 0.5, 16: 0.25})
    (file,) = (tmp_path / "log").iterdir()
    assert points(file, "loss") == [(8, 0.5), (16, 0.25)]


def test_a_run_that_goes_on_within_a_second_overwrites_nothing(tmp_path, one_second):
    write(tmp_path / "log", 0, {8: 0.5, 16: 0.25})
    write(tmp_path / "log", 16, {24: 0.125})
    # In the order of their names, which is the one that TensorBoard reads them in.
    first, second = sorted((tmp_path / "log").iterdir())
    assert points(first, "loss") == [(8, 0.5), (16, 0.25)]
    assert points(second, "loss") == [(24, 0.125)]


def test_what_was_logged_after_the_checkpoint_is_dropped(tmp_path, one_second):
    write(tmp_path / "log", 0, {8: 0.5, 16: 0.25, 24: 3.0})
    write(tmp_path / "log", 16, {24: 0.125})
    _, second = sorted((tmp_path / "log").iterdir())
    starts = [
        event.step
        for event in read_events(second)
        if event.session_log.status == event_pb2.SessionLog.START
    ]
    assert starts == [17]  # TensorBoard drops earlier events from this step on


def test_a_picture_is_kept_whole(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "sheet.png")
    log = TensorBoardLog(tmp_path / "log", images_seen=0)
    log.add_picture("samples", tmp_path / "sheet.png", 8)
    log.close()
    (file,) = (tmp_path / "log").iterdir()
    (picture,) = [v.image for e in read_events(file) for v in e.summary.value if v.tag == "samples"]
    with Image.open(io.BytesIO(picture.encoded_image_string)) as kept:
        assert (np.asarray(kept) == pixels).all()
