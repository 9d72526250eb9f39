import hashlib
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from t2f_runtime import ArgumentError, Bundle, PictureError
from t2f_runtime.pictures.facts import (
    DIGITAL_SOURCE_TYPE,
    PIXELS,
    XMP_KEYWORD,
    PictureFacts,
    description_hash,
    facts_of,
    picture_hash,
    read_picture,
    utc_text,
    writing_time,
    xmp_packet,
)
from t2f_runtime.pictures.files import encode_picture, save_picture

PIXEL_VALUES = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
IMAGE = Image.fromarray(PIXEL_VALUES)
FACTS = PictureFacts(
    bundle_id="ab" * 32,
    seed=2**64 - 1,
    index=3,
    count=2,
    names="1.00 1.03",
    engine="onnx-cpu 1.32.0 on cpu, float32",
    time="2026-11-24T09:30:00Z",
    description="un été\n老人 👧",
    description_sha256=description_hash(("un été", "老人 👧")),
    faces_sha256=f"{'1' * 64} {'2' * 64}",
)


def chunks(data):
    """The chunks of a PNG, by the book: length, type, data, CRC."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place = 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (crc,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert crc == zlib.crc32(kind + body)
        yield kind, body
        place += 12 + length


def xmp_of(packet):
    """The digital source type of an XMP packet, and the tool that it names."""
    root = ET.fromstring(packet)
    source = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
    tool = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
    return root.findtext(f".//{source}"), root.findtext(f".//{tool}")


def test_a_picture_gives_back_what_it_says_and_its_pixels(tmp_path):
    save_picture(IMAGE, tmp_path / "face.png", notes=FACTS.notes())
    facts, pixels = read_picture(tmp_path / "face.png")
    assert facts == FACTS
    np.testing.assert_array_equal(pixels, PIXEL_VALUES)


def test_the_least_that_a_picture_says(tmp_path):
    facts = PictureFacts(bundle_id="0" * 64)
    assert facts.notes() == {
        "Title": "synthetic face",
        "Software": facts.software,
        "Count": "1",
        "Bundle": "0" * 64,
    }
    save_picture(IMAGE, tmp_path / "face.png", notes=facts.notes())
    assert read_picture(tmp_path / "face.png")[0] == facts


def test_the_hash_is_that_of_the_rows_of_pixels():
    rows = b"".join(bytes(value for pixel in row for value in pixel) for row in PIXEL_VALUES)
    assert picture_hash(PIXEL_VALUES) == hashlib.sha256(rows).hexdigest()
    assert picture_hash(PIXEL_VALUES[:, ::-1][:, ::-1]) == picture_hash(PIXEL_VALUES)


def test_the_mark_of_machine_made_media_is_in_the_chunk_for_xmp():
    data = encode_picture(IMAGE, "PNG", FACTS.notes())
    [body] = [b for kind, b in chunks(data) if kind == b"iTXt" and b.startswith(b"XML:com.adobe")]
    keyword, _, rest = body.partition(b"\0")
    assert keyword.decode() == XMP_KEYWORD
    assert rest[:4] == b"\0\0\0\0"  # not compressed, no language, no translated keyword
    assert xmp_of(rest[4:]) == (DIGITAL_SOURCE_TYPE, FACTS.software)
    kinds = [kind for kind, _ in chunks(data)]
    assert kinds.index(b"iTXt") < kinds.index(b"IDAT")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_other_formats_have_the_mark_too(kind):
    data = encode_picture(IMAGE, kind, FACTS.notes())
    packet = re.search(rb"<x:xmpmeta.*</x:xmpmeta>", data, re.DOTALL).group()
    assert xmp_of(packet) == (DIGITAL_SOURCE_TYPE, FACTS.software)


@given(st.text(st.characters(codec="utf-8")))
@example("]]></x:xmpmeta>&\x00\x1f\ufffe")
def test_any_title_makes_good_xml(title):
    ET.fromstring(xmp_packet({"Title": title, "Software": title}))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_long_description_is_shortened_where_the_mark_has_no_room(kind):
    data = encode_picture(IMAGE, kind, {"Description": "'" * 2**16})
    packet = re.search(rb"<x:xmpmeta.*</x:xmpmeta>", data, re.DOTALL).group()
    words = ET.fromstring(packet).find(".//{http://purl.org/dc/elements/1.1/}description")
    assert "".join(words.itertext()) == "'" * 7_999 + "…"


@pytest.mark.parametrize("change", ["a pixel", "saved anew"])
def test_altered_pixels_are_noticed(tmp_path, change):
    path = tmp_path / "face.png"
    save_picture(IMAGE, path, notes=FACTS.notes())
    with Image.open(path) as image:
        image.load()
        text = image.text
    if change == "a pixel":
        image.putpixel((2, 2), (0, 0, 0))
    else:
        image = image.resize((12, 16)).resize((6, 8))
    notes = PngInfo()
    for key, value in text.items():
        notes.add_text(key, str(value))
    image.save(path, pnginfo=notes)
    with pytest.raises(PictureError, match=r"face.png was altered: the SHA-256 of its pixels is "):
        read_picture(path)


def spoiled(**changes):
    notes = {**FACTS.notes(), **{name.replace("_", " "): text for name, text in changes.items()}}
    return {name: text for name, text in notes.items() if text is not None}


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({}, "does not say that it is a synthetic face of T2F"),
        (spoiled(Title="holiday"), "does not say that it is a synthetic face of T2F"),
        (spoiled(Bundle=None), "does not say that it is a synthetic face of T2F"),
        (spoiled(Bundle="x"), "has notes that T2F does not write: .* at `$.bundle_id`"),
        (spoiled(Seed="-1"), "at `$.seed`"),
        (spoiled(Seed="1.5"), "at `$.seed`"),
        (spoiled(Seed="9" * 30), "has notes that T2F does not write"),
        (spoiled(Seed="9" * 6000), "has notes that T2F does not write"),
        (spoiled(Count="0"), "at `$.count`"),
    ],
)
def test_notes_that_t2f_does_not_write_are_refused(tmp_path, notes, message):
    save_picture(IMAGE, tmp_path / "face.png", notes=notes)
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(PictureError, match=pattern):
        read_picture(tmp_path / "face.png")


def test_what_is_no_png_is_refused(tmp_path):
    path = tmp_path / "face.png"
    with pytest.raises(PictureError, match=r"face.png cannot be read: No such file"):
        read_picture(path)
    with pytest.raises(PictureError, match=r"cannot be read: .*null"):
        read_picture("a\0b")
    path.write_bytes(b"GIF89a")
    with pytest.raises(PictureError, match=r"face.png is no PNG, or is damaged"):
        read_picture(path)


def test_a_picture_that_unpacks_to_too_much_is_refused_by_its_head(tmp_path):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    (tmp_path / "bomb.png").write_bytes(data + chunk(b"IEND", b""))
    with pytest.raises(PictureError, match=r"has 60000x60000 pixels of the kind RGB; T2F writes"):
        read_picture(tmp_path / "bomb.png")


DATA = encode_picture(IMAGE, "PNG", FACTS.notes())


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=8), st.integers(0, 8))
@settings(deadline=None)
def test_no_damage_ends_otherwise_than_in_an_error_of_ours(tmp_path_factory, place, put, removed):
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(DATA[:place] + put + DATA[place + removed :])
    try:
        facts, pixels = read_picture(path)
    except PictureError:
        return
    np.testing.assert_array_equal(pixels, PIXEL_VALUES)
    assert isinstance(facts, PictureFacts)


def test_times_are_written_in_utc():
    summer = timezone(timedelta(hours=2))
    assert utc_text(datetime(2026, 7, 1, 1, 30, tzinfo=summer)) == "2026-06-30T23:30:00Z"
    with pytest.raises(ArgumentError, match=r"the time has no time zone; give datetime\.now"):
        utc_text(datetime(2026, 7, 1))


def test_facts_are_taken_from_what_drew(generator, tiny_bundle):
    noon = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
    drawn = {"seed": 7, "index": None, "count": 2, "time": noon}
    words = ["un été", "老人"]
    facts = facts_of(generator, words, **drawn, tells_description=True)
    assert facts == PictureFacts(
        bundle_id=Bundle.open(tiny_bundle).bundle_id,
        seed=7,
        count=2,
        engine=str(generator.engine),
        time="2026-11-24T12:00:00Z",
        description="un été\n老人",
        description_sha256=description_hash(words),
    )
    hidden = facts_of(generator, words, **drawn, tells_description=False)
    assert (hidden.description, hidden.description_sha256) == (None, facts.description_sha256)
    wordless = facts_of(generator, [], **drawn, tells_description=True)
    assert (wordless.description, wordless.description_sha256) == (None, None)


def test_the_time_of_writing_is_now_or_what_the_environment_says():
    assert writing_time({"SOURCE_DATE_EPOCH": "0"}) == datetime(1970, 1, 1, tzinfo=timezone.utc)
    before = datetime.now(timezone.utc)
    assert before <= writing_time({}) <= datetime.now(timezone.utc)
    with pytest.raises(ArgumentError, match=r"SOURCE_DATE_EPOCH is '1e9'; give the seconds since"):
        writing_time({"SOURCE_DATE_EPOCH": "1e9"})


def test_the_note_of_the_pixels_is_only_in_files_that_keep_them():
    assert PIXELS.encode() in encode_picture(IMAGE, "PNG", {})
    assert PIXELS.encode() not in encode_picture(IMAGE, "JPEG", {})
