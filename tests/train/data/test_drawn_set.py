import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from t2f_runtime.cli import main
from t2f_train.data import drawn_set
from t2f_train.data.drawn_set import drawn_face, write_drawn_faces
from t2f_train.data.image_folder import read_image_folder
from t2f_train.errors import DataError


def test_a_face_is_a_function_of_seed_and_number():
    assert drawn_face(5, seed=1) == drawn_face(5, seed=1)
    assert drawn_face(5, seed=1) != drawn_face(6, seed=1)
    assert drawn_face(5, seed=1) != drawn_face(5, seed=2)


def test_a_written_set_is_what_the_reader_of_folders_reads(tmp_path):
    write_drawn_faces(tmp_path / "faces", count=6, size=16, seed=4)
    faces = read_image_folder(tmp_path / "faces")
    assert [face.image.name for face in faces] == [f"{number:05}.png" for number in range(6)]
    for number, face in enumerate(faces):
        drawn = drawn_face(number, seed=4)
        assert face.descriptions == drawn.descriptions
        with Image.open(face.image) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(drawn.draw(16)))


def test_the_attributes_of_every_face_are_beside_the_images(tmp_path):
    write_drawn_faces(tmp_path / "faces", count=3, size=8)
    lines = (tmp_path / "faces" / "attributes.jsonl").read_text().splitlines()
    for number, line in enumerate(lines):
        record = json.loads(line)
        assert record.pop("image") == f"{number:05}.png"
        assert record == dataclasses.asdict(drawn_face(number).attributes)
    assert len(lines) == 3


def test_many_processes_draw_what_one_draws(tmp_path, monkeypatch):
    write_drawn_faces(tmp_path / "one", count=5, size=8)
    monkeypatch.setattr(drawn_set, "FACES_WORTH_A_POOL", 2)
    write_drawn_faces(tmp_path / "many", count=5, size=8)
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "many" / path.name).read_bytes() == path.read_bytes()


def test_progress_counts_the_faces(tmp_path):
    done = []
    write_drawn_faces(tmp_path / "faces", count=3, size=8, progress=done.append)
    assert done == [1, 2, 3]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(DataError, match="is not an empty folder; name a new one for the drawn"):
        write_drawn_faces(tmp_path, count=1, size=8)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_interrupted_drawing_leaves_no_folder(tmp_path):
    def interrupt(done):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_drawn_faces(tmp_path / "faces", count=3, size=8, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "size"), [(0, 8), (1, 7)])
def test_numbers_out_of_range_are_refused(tmp_path, count, size):
    with pytest.raises(DataError, match="ask for 1 face or more, of 8 pixels or more"):
        write_drawn_faces(tmp_path / "faces", count=count, size=size)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/faces cannot be written"):
        write_drawn_faces(tmp_path / "file" / "faces", count=1, size=8)


def test_the_command_draws_a_set(tmp_path):
    result = CliRunner().invoke(
        main, ["draw", "--count", "2", "--size", "8", "-o", str(tmp_path / "faces")]
    )
    assert result.exit_code == 0, result.output
    assert f"faces    {tmp_path / 'faces'}: " in result.output
    assert len(list((tmp_path / "faces").glob("*.png"))) == 2
