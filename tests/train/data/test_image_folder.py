import re

import pytest

from t2f_train.data.image_folder import read_image_folder, read_images, read_partly_captioned
from t2f_train.errors import DataError


def write_face(folder, name, text="a man\n"):
    image = folder / name
    image.parent.mkdir(parents=True, exist_ok=True)
    image.touch()
    image.with_suffix(".txt").write_text(text, "utf-8")
    return image


def test_each_line_beside_an_image_is_a_description(tmp_path):
    write_face(tmp_path, "a.jpg", "a man \n\n  \n a tired man, café\n")
    assert read_image_folder(tmp_path)[0].descriptions == ("a man", "a tired man, café")


def test_images_of_all_endings_and_depths_come_in_the_order_of_their_paths(tmp_path):
    names = ["b/c/x.PNG", "a.b.webp", "b.jpeg", "B.JPG", "a.jpg", "b/a.Jpg"]
    for name in names:
        write_face(tmp_path, name)
    faces = read_image_folder(tmp_path)
    assert [face.image.relative_to(tmp_path).as_posix() for face in faces] == sorted(names)


def test_byte_order_marks_and_line_ends_of_windows_are_tolerated(tmp_path):
    image = write_face(tmp_path, "a.jpg")
    image.with_suffix(".txt").write_bytes(b"\xef\xbb\xbfa man\r\na tired man\r\n")
    assert read_image_folder(tmp_path)[0].descriptions == ("a man", "a tired man")


def test_hidden_and_foreign_files_are_ignored(tmp_path):
    write_face(tmp_path, "a.jpg")
    for name in ["._a.jpg", ".cache/b.jpg", "attributes.jsonl", "notes.txt", "film.mp4"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [face.image.name for face in read_image_folder(tmp_path)] == ["a.jpg"]


def test_a_data_set_inside_a_hidden_folder_is_read(tmp_path):
    write_face(tmp_path / ".hidden", "a.jpg")
    assert len(read_image_folder(tmp_path / ".hidden")) == 1


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'none'} does not exist; each")):
        read_image_folder(tmp_path / "none")


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a man")
    with pytest.raises(DataError, match="holds no images; each image"):
        read_image_folder(tmp_path)


def test_an_image_without_a_text_file_is_named(tmp_path):
    image = write_face(tmp_path, "a.jpg")
    image.with_suffix(".txt").unlink()
    with pytest.raises(DataError, match=re.escape(f"{image} has no a.txt beside it; each image")):
        read_image_folder(tmp_path)


def test_a_text_file_of_blank_lines_is_named(tmp_path):
    image = write_face(tmp_path, "a.jpg", " \n\t\n")
    path = image.with_suffix(".txt")
    with pytest.raises(DataError, match=re.escape(f"{path} holds no description")):
        read_image_folder(tmp_path)


def test_text_that_is_not_utf_8_is_reported_with_its_position(tmp_path):
    image = write_face(tmp_path, "a.jpg")
    image.with_suffix(".txt").write_bytes(b"a man\na caf\xe9 owner\n")
    with pytest.raises(DataError, match=r"a\.txt is not UTF-8 text: line 2, byte 11"):
        read_image_folder(tmp_path)


def test_a_folder_in_place_of_a_text_file_is_reported(tmp_path):
    image = write_face(tmp_path, "a.jpg")
    image.with_suffix(".txt").unlink()
    image.with_suffix(".txt").mkdir()
    with pytest.raises(DataError, match=r"a\.txt cannot be read: "):
        read_image_folder(tmp_path)


def test_all_problems_are_reported_at_once_and_many_are_counted(tmp_path):
    for n in range(11):
        write_face(tmp_path, f"{n:02d}.jpg", "")
    (tmp_path / "lonely.jpg").touch()
    with pytest.raises(DataError, match=r"(?s)has 12 problems:\n.*00\.txt holds.*\n  and 2 more\n"):
        read_image_folder(tmp_path)


def test_an_image_without_a_text_file_may_be_part_of_a_partly_captioned_folder(tmp_path):
    for name in ["b.jpg", "a/c.png"]:
        write_face(tmp_path, name).with_suffix(".txt").unlink()
    write_face(tmp_path, "a.jpg", "a man\na tired man\n")
    faces = read_partly_captioned(tmp_path)
    assert [face.image for face in faces] == [
        tmp_path / "a.jpg",
        tmp_path / "a/c.png",
        tmp_path / "b.jpg",
    ]
    assert [face.descriptions for face in faces] == [("a man", "a tired man"), (), ()]


def test_the_error_of_an_image_without_a_text_file_names_the_reader_that_takes_it(tmp_path):
    write_face(tmp_path, "a.jpg").with_suffix(".txt").unlink()
    with pytest.raises(DataError, match=r"or set data\.reader to 'partly-captioned'"):
        read_image_folder(tmp_path)


def test_a_text_file_that_says_nothing_is_refused_in_a_partly_captioned_folder_too(tmp_path):
    write_face(tmp_path, "a.jpg")
    path = write_face(tmp_path, "b.jpg", " \n").with_suffix(".txt")
    with pytest.raises(DataError, match=re.escape(f"{path} holds no description; a described")):
        read_partly_captioned(tmp_path)


def test_a_partly_captioned_folder_needs_one_description(tmp_path):
    write_face(tmp_path, "a.jpg").with_suffix(".txt").unlink()
    (tmp_path / "notes.txt").write_text("a man")
    with pytest.raises(DataError, match="holds no description; at least one image needs one, and"):
        read_partly_captioned(tmp_path)


def test_images_alone_are_read_without_the_texts_beside_them(tmp_path):
    for name in ["b.jpg", "a/c.PNG"]:
        write_face(tmp_path, name)
    (tmp_path / "b.txt").write_bytes(b"\xff")
    faces = read_images(tmp_path)
    assert [face.image for face in faces] == [tmp_path / "a/c.PNG", tmp_path / "b.jpg"]
    assert [face.descriptions for face in faces] == [(), ()]


@pytest.mark.parametrize("read", [read_images, read_partly_captioned])
def test_no_reader_of_folders_takes_one_without_images(tmp_path, read):
    (tmp_path / "a.txt").write_text("a man")
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))} holds no images; "):
        read(tmp_path)
