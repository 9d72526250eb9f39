import hashlib
import os
import re
import stat
import sys
from datetime import datetime, timezone

import numpy as np
import pytest
from PIL import Image

from t2f_runtime import ArgumentError, Bundle, PictureError, __version__
from t2f_runtime.identikit import Session, export_picture, export_sheet, mix, read_picture
from t2f_runtime.identikit.picture_export import write_export

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
TEXT = "a bald man 老"


@pytest.fixture(scope="module")
def face(generator):
    return Session.start(TEXT, generator, seed=7).face


@pytest.fixture(scope="module")
def screen(generator):
    return Session.start(TEXT, generator, seed=7).candidates(8).screen


@pytest.fixture(autouse=True)
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_picture_has_the_very_pixels_and_says_all_about_itself(
    generator, tiny_bundle, face, tmp_path
):
    written = export_picture(tmp_path / "face.png", generator, face, time=NOW)
    facts, pixels = read_picture(tmp_path / "face.png")
    drawn = generator.generate(TEXT, seed=7)
    np.testing.assert_array_equal(pixels, drawn)
    assert facts == written
    assert facts.bundle_id == Bundle.open(tiny_bundle).bundle_id
    assert facts.software == f"T2F {__version__}"
    assert (facts.seed, facts.index, facts.count, facts.names) == (7, 0, 1, "0.00")
    assert facts.engine == str(generator.engine)
    assert facts.time == "2026-11-24T09:30:00Z"
    assert facts.description_sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert facts.faces_sha256 == hashlib.sha256(drawn.tobytes()).hexdigest()


def test_an_enlarged_picture_tells_the_hash_of_the_face_as_it_was_drawn(generator, face, tmp_path):
    facts = export_picture(tmp_path / "face.png", generator, face, time=NOW, scale=5)
    _, pixels = read_picture(tmp_path / "face.png")
    drawn = generator.generate(TEXT, seed=7)
    expected = Image.fromarray(drawn).resize((40, 40), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(pixels, np.asarray(expected))
    assert facts.faces_sha256 == hashlib.sha256(drawn.tobytes()).hexdigest()


def test_a_witness_s_words_are_in_the_file_only_where_asked_for(generator, face, tmp_path):
    plain, telling = tmp_path / "plain.png", tmp_path / "telling.png"
    export_picture(plain, generator, face, time=NOW)
    export_picture(telling, generator, face, time=NOW, tells_description=True)
    assert TEXT.encode() not in plain.read_bytes()
    assert b"bald" not in plain.read_bytes()
    assert read_picture(plain)[0].description is None
    assert read_picture(telling)[0].description == TEXT


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_a_picture_with_a_witness_s_words_is_for_its_owner_alone(generator, face, tmp_path):
    plain, telling = tmp_path / "plain.png", tmp_path / "telling.png"
    export_picture(plain, generator, face, time=NOW)
    export_picture(telling, generator, face, time=NOW, tells_description=True)
    assert stat.S_IMODE(plain.stat().st_mode) == 0o644
    assert stat.S_IMODE(telling.stat().st_mode) == 0o600


def test_equal_faces_at_equal_times_give_equal_files(generator, face, tmp_path):
    for name in ("a.png", "b.png"):
        export_picture(tmp_path / name, generator, face, time=NOW, scale=2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_is_replaced_without_a_word(generator, face, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(b"old")
    with pytest.raises(PictureError, match=r"face.png is there already; name another file, or"):
        export_picture(path, generator, face, time=NOW)
    assert path.read_bytes() == b"old"
    export_picture(path, generator, face, time=NOW, replaces=True)
    assert read_picture(path)[0].seed == 7


def test_a_link_that_leads_nowhere_is_not_replaced_either(generator, face, tmp_path):
    (tmp_path / "face.png").symlink_to(tmp_path / "none")
    with pytest.raises(PictureError, match="is there already"):
        export_picture(tmp_path / "face.png", generator, face, time=NOW)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("face.jpg", "face.jpg must end in .png"),
        ("none/face.png", "none does not exist; make it with: mkdir -p"),
        ("folder.png", "folder.png is a folder; name the file inside it"),
        ("x" * 300 + ".png", "cannot be written: File name too long"),
        ("a\0.png", "cannot be written: .*null"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(generator, face, tmp_path, name, message):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PictureError, match=message):
        export_picture(tmp_path / name, generator, face, time=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PictureError, match=r"a.png cannot be written: No space left on device"):
        write_export(tmp_path / "a.png", b"content", is_private=True)
    assert not list(tmp_path.iterdir())


def test_a_face_of_another_bundle_is_not_drawn(sibling, face, tmp_path):
    for export, what in ((export_picture, face), (export_sheet, [face])):
        with pytest.raises(ArgumentError, match=r"face 0.00 is of the bundle .*: load the bundle"):
            export(tmp_path / "face.png", sibling, what, time=NOW)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [0, 65, 1.5, True])
def test_a_scale_out_of_range_is_refused(generator, face, tmp_path, scale):
    with pytest.raises(ArgumentError, match="scale"):
        export_picture(tmp_path / "face.png", generator, face, time=NOW, scale=scale)
    with pytest.raises(ArgumentError, match="the time has no time zone"):
        export_picture(tmp_path / "face.png", generator, face, time=NOW.replace(tzinfo=None))
    assert not list(tmp_path.iterdir())


def test_a_bred_or_mixed_face_has_no_index_and_tells_all_its_words(generator, face, tmp_path):
    other = Session.start("a smiling woman", generator, seed=7).face
    facts = export_picture(
        tmp_path / "face.png",
        generator,
        mix(face, other, 0.5),
        time=NOW,
        tells_description=True,
    )
    assert facts.index is None
    assert facts.description == f"{TEXT}\na smiling woman"
    assert read_picture(tmp_path / "face.png")[0] == facts


def test_a_face_without_words_says_nothing_of_them(textless, tmp_path):
    face = Session.start(None, textless, seed=7).face
    facts = export_picture(tmp_path / "face.png", textless, face, time=NOW, tells_description=True)
    assert (facts.description, facts.description_sha256) == (None, None)


def test_a_sheet_shows_every_face_with_its_number_and_name(generator, screen, tmp_path):
    facts = export_sheet(tmp_path / "sheet.png", generator, screen, time=NOW)
    read, pixels = read_picture(tmp_path / "sheet.png")
    assert read == facts
    assert (facts.count, facts.index, facts.seed) == (8, None, 7)
    assert facts.names == " ".join(face.name for face in screen)
    drawn = generator.draw(np.stack([face.latent() for face in screen]))
    assert facts.faces_sha256.split() == [
        hashlib.sha256(picture.tobytes()).hexdigest() for picture in drawn
    ]
    shown = Image.fromarray(drawn[7]).resize((128, 128), Image.Resampling.LANCZOS)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (128, 128, 3))[:, :, 0]
    assert (windows[:, 8 + 136] == np.asarray(shown)).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("count", [0, 10_001])
def test_a_sheet_has_faces_but_not_too_many(generator, face, tmp_path, count):
    with pytest.raises(ArgumentError, match=re.escape(f"there are {count} faces; a sheet has 1")):
        export_sheet(tmp_path / "sheet.png", generator, [face] * count, time=NOW)
