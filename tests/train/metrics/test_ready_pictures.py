import numpy as np
import pytest

from t2f_train.errors import DataError
from t2f_train.metrics.ready_pictures import AskedPicture, ReadyPictures, Recorder

SIDE = 8
ASKED = [AskedPicture("a man", 0, 0), AskedPicture("a man", 0, 1), AskedPicture("a girl", 7, 0)]


def write(path, **changes):
    arrays = {
        "name": np.array("the other"),
        "pictures": np.stack([np.full((SIDE, SIDE, 3), n, np.uint8) for n in range(len(ASKED))]),
        "descriptions": np.array([one.description for one in ASKED]),
        "seeds": np.array([one.seed for one in ASKED]),
        "indices": np.array([one.index for one in ASKED], np.uint64),
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_each_request_gets_its_own_picture_in_any_order(tmp_path):
    ready = ReadyPictures.open(write(tmp_path / "pictures.npz"), side=SIDE)
    assert ready.name == "the other"
    drawn = ready.draw(["a man", "a man", "a man"], seed=0, indices=[1, 0, 1])
    assert drawn[:, 0, 0, 0].tolist() == [1, 0, 1]
    assert ready.draw(["a girl"], seed=7, indices=[0])[0, 0, 0, 0] == 2


def test_a_picture_that_is_not_there_is_named():
    ready = ReadyPictures("the other", np.zeros((1, SIDE, SIDE, 3), np.uint8), ASKED[:1], "")
    ready.check(ASKED[:1])
    with pytest.raises(
        DataError,
        match=r"the other has no picture of 2 of 3 .* such as 'a man' \(seed 0, index 1\); "
        r"draw what this lists: t2f evaluate RUN --ask FILE, with the same --faces",
    ):
        ready.check(ASKED)


def test_a_recorder_notes_each_request_once():
    recorder = Recorder()
    assert len(recorder.draw(["a man", "a man"], seed=0, indices=[0, 1])) == 2
    recorder.draw(["a man"], seed=0, indices=[1])
    recorder.draw(["a girl"], seed=7, indices=[0])
    assert recorder.asked == ASKED


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pictures": np.zeros((3, 16, 16, 3), np.uint8)}, r"of the run's side"),
        ({"pictures": np.zeros((2, SIDE, SIDE, 3), np.uint8)}, r"as many as descriptions"),
        ({"pictures": np.zeros((3, SIDE, SIDE, 3))}, r"the pictures are float64"),
        ({"seeds": np.zeros(3)}, r"must be whole numbers, one a picture"),
        ({"indices": np.zeros(2, np.int64)}, r"must be whole numbers, one a picture"),
        ({"name": None}, r"cannot be read as ready pictures: .*with the arrays name, pictures"),
        ({"descriptions": np.array([{}] * 3)}, r"cannot be read as ready pictures"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, changes, complaint):
    with pytest.raises(DataError, match=complaint):
        ReadyPictures.open(write(tmp_path / "pictures.npz", **changes), side=SIDE)


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "pictures.npy", np.zeros((3, SIDE, SIDE, 3), np.uint8))
    with pytest.raises(DataError, match=r"cannot be read as ready pictures"):
        ReadyPictures.open(tmp_path / "pictures.npy", side=SIDE)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "pictures.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as ready pictures"):
        ReadyPictures.open(tmp_path / "pictures.npz", side=SIDE)
