import importlib.util
import io
import os
import re
import stat
import sys
from datetime import datetime, timezone
from itertools import groupby
from operator import itemgetter

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from t2f_runtime import ArgumentError, MissingPackageError, PictureError
from t2f_runtime.identikit import Session, export_page
from t2f_runtime.pictures.facts import DIGITAL_SOURCE_TYPE

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
TEXT = "a bald man \u2013 “café”, it\u2019s œuf"
CYRILLIC = "лысый"
HEBREW = "קירח"

needs_fpdf = pytest.mark.skipif(
    importlib.util.find_spec("fpdf") is None,
    reason="fpdf2 is not installed: pip install 't2f[pdf]'",
)


def read(path):
    """What another program finds in a page."""
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: pip install 't2f[dev]'")
    return pypdf.PdfReader(io.BytesIO(path.read_bytes()))


def text_of(path):
    return "\n".join(page.extract_text() for page in read(path).pages)


@pytest.fixture(scope="module")
def face(generator):
    return Session.start(TEXT, generator, seed=7).face


@pytest.fixture(scope="module")
def make_font():
    """Makes a font of squares for some letters."""
    pytest.importorskip("fontTools", reason="fpdf2 is not installed: pip install 't2f[pdf]'")
    from fontTools.fontBuilder import FontBuilder  # noqa: PLC0415 (of an extra)
    from fontTools.pens.ttGlyphPen import TTGlyphPen  # noqa: PLC0415 (likewise)

    def make(path, letters):
        names = {ord(letter): f"u{ord(letter):04X}" for letter in sorted(set(letters))}
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((0, 500), (500, 500), (500, 0)):
            pen.lineTo(corner)
        pen.closePath()
        order = [".notdef", *names.values()]
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder(order)
        builder.setupCharacterMap(names)
        builder.setupGlyf(dict.fromkeys(order, pen.glyph()))
        builder.setupHorizontalMetrics(dict.fromkeys(order, (600, 0)))
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
        builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
        builder.setupPost()
        builder.save(path)
        return path

    return make


ASCII = "".join(map(chr, range(0x20, 0x7F)))


@needs_fpdf
def test_a_page_tells_in_real_text_what_the_picture_is(generator, face, tmp_path):
    facts = export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=True)
    text = text_of(tmp_path / "face.pdf")
    assert text.startswith("Synthetic face, not a photograph")
    for told in (
        TEXT,
        facts.description_sha256,
        facts.bundle_id,
        facts.faces_sha256,
        facts.engine,
        "2026-11-24T09:30:00Z",
        "7, candidate 0",
    ):
        assert told in text


@needs_fpdf
def test_the_page_is_a4_and_holds_the_enlarged_face(generator, face, tmp_path):
    export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=False)
    [page] = read(tmp_path / "face.pdf").pages
    assert [round(float(side) / 72 * 25.4) for side in page.mediabox[2:]] == [210, 297]
    [image] = page.images
    drawn = Image.fromarray(generator.generate(TEXT, seed=7))
    scale = image.image.width // drawn.width
    expected = drawn.resize((8 * scale, 8 * scale), Image.Resampling.LANCZOS)
    assert image.image.width >= 600
    np.testing.assert_array_equal(np.asarray(image.image.convert("RGB")), np.asarray(expected))


@needs_fpdf
def test_the_words_are_on_the_page_only_where_asked_for(generator, face, tmp_path):
    path = tmp_path / "face.pdf"
    facts = export_page(path, generator, [face], time=NOW)
    assert "bald" not in text_of(path)
    assert facts.description is None
    assert facts.description_sha256 in text_of(path)


@needs_fpdf
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_a_page_with_a_witness_s_words_is_for_its_owner_alone(generator, face, tmp_path):
    before = os.umask(0o022)
    try:
        for name, tells in (("plain.pdf", False), ("telling.pdf", True)):
            export_page(tmp_path / name, generator, [face], time=NOW, tells_description=tells)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plain.pdf").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "telling.pdf").stat().st_mode) == 0o600


@needs_fpdf
def test_several_faces_have_their_names_and_hashes(generator, tmp_path):
    screen = Session.start(TEXT, generator, seed=7).candidates(18).screen
    facts = export_page(
        tmp_path / "faces.pdf", generator, screen, time=NOW, tells_description=False
    )
    text = text_of(tmp_path / "faces.pdf")
    assert text.startswith("Synthetic faces, not photographs")
    assert all(f"{place}  {face.name}" in text for place, face in enumerate(screen))
    assert all(sha256 in text for sha256 in facts.faces_sha256.split())
    assert sum(len(page.images) for page in read(tmp_path / "faces.pdf").pages) == 18


@needs_fpdf
def test_equal_faces_give_equal_bytes(generator, face, make_font, tmp_path):
    font = make_font(tmp_path / "some.ttf", ASCII + TEXT)
    for fonts in ((), (font,)):
        for name in ("a.pdf", "b.pdf"):
            export_page(
                tmp_path / name,
                generator,
                [face],
                time=NOW,
                tells_description=True,
                fonts=fonts,
                replaces=True,
            )
        assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


@needs_fpdf
def test_the_mark_of_machine_made_media_is_in_the_metadata(generator, face, tmp_path):
    export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=False)
    content = (tmp_path / "face.pdf").read_bytes()
    assert DIGITAL_SOURCE_TYPE.encode() in content
    information = read(tmp_path / "face.pdf").metadata
    assert information.title == "Synthetic face, not a photograph"
    assert information.creation_date == NOW


@needs_fpdf
def test_fonts_write_any_script_and_the_text_can_be_copied(generator, make_font, tmp_path):
    first = make_font(tmp_path / "first.ttf", ASCII + CYRILLIC)
    second = make_font(tmp_path / "second.ttf", HEBREW)
    face = Session.start(f"{CYRILLIC} man {HEBREW}", generator, seed=7).face
    export_page(
        tmp_path / "face.pdf",
        generator,
        [face],
        time=NOW,
        tells_description=True,
        fonts=[first, second],
    )
    text = text_of(tmp_path / "face.pdf")
    assert CYRILLIC in text
    assert HEBREW in text
    fonts = read(tmp_path / "face.pdf").pages[0]["/Resources"]["/Font"]
    names = [str(font.get_object()["/BaseFont"]) for font in fonts.values()]
    assert any("first" in name for name in names)


def seen(path):
    """The lines of a page's embedded font as an eye reads them: by the places of its letters."""
    [page] = read(path).pages
    [font] = [
        font.get_object()
        for font in page["/Resources"]["/Font"].values()
        if "/ToUnicode" in font.get_object()
    ]
    table = font["/ToUnicode"].get_object().get_data().decode()
    letters = {
        int(glyph, 16): bytes.fromhex(letter).decode("utf-16-be")
        for glyph, letter in re.findall(r"<(\w+)> <(\w+)>\n", table)
    }
    placed = []

    def look(operator, operands, _, matrix):
        if operator == b"Tj" and b"\0" in (glyphs := operands[0].original_bytes):
            pairs = zip(glyphs[::2], glyphs[1::2], strict=True)
            text = "".join(letters[256 * high + low] for high, low in pairs)
            placed.append((-round(matrix[5]), matrix[4], text))  # the next may follow unplaced

    page.extract_text(visitor_operand_before=look)
    lines = groupby(sorted(placed, key=itemgetter(0, 1)), key=itemgetter(0))
    return ["".join(text for _, _, text in line).strip() for _, line in lines]


def turned(text):
    """Hebrew for the capitals of a text, from A to Z."""
    return re.sub("[A-Z]", lambda match: chr(ord(match[0]) - ord("A") + ord("א")), text)


@needs_fpdf
@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("a man, ABC 35", ["a man, 35 CBA"]),
        ("a man ABC 35 DEF tall", ["a man FED 35 CBA tall"]),
        ("a man ABC, 1.75. DE 35 F", ["a man F 35 ED .1.75 ,CBA"]),
        ("ABC 35 DE", ["ED 35 CBA"]),
        ("ABC tall 35 DE", ["ED tall 35 CBA"]),
        ("35 men", ["35 men"]),
        ("a man\n\nABC 35\ntall", ["a man", "35 CBA", "tall"]),
        ("a soft\u00adly ABC\u00a035 smile", ["a softly 35 CBA smile"]),
        (f"{'a ' * 31}ABC 35 DEF 36 GH b", [f"{'a ' * 31}CBA", "HG 36 FED 35 b"]),
    ],
)
def test_numbers_stand_on_the_side_of_the_words_before_them(
    generator, face, make_font, tmp_path, words, lines
):
    font = make_font(tmp_path / "some.ttf", ASCII + "\u00a0" + turned("ABCDEFGH"))
    told = replace(face, descriptions=(turned(words),))
    export_page(
        tmp_path / "face.pdf", generator, [told], time=NOW, tells_description=True, fonts=[font]
    )
    shown = seen(tmp_path / "face.pdf")
    first = shown.index(turned(lines[0]))
    assert shown[first : first + len(lines)] == [turned(line) for line in lines]


@needs_fpdf
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a man 老", r"Helvetica lacks 老 \(U\+8001\), which the page would show as a box; name a"),
        ("👧 man", r"Helvetica lacks 👧 \(U\+1F467\)"),
    ],
)
def test_letters_that_would_be_boxes_are_refused(generator, tmp_path, text, message):
    face = Session.start(text, generator, seed=7).face
    with pytest.raises(PictureError, match=message):
        export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=True)
    assert not list(tmp_path.iterdir())
    export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=False)


@needs_fpdf
def test_letters_that_no_given_font_has_are_refused(generator, face, make_font, tmp_path):
    font = make_font(tmp_path / "some.ttf", ASCII)
    with pytest.raises(PictureError, match=r"none of the fonts has é \(U\+00E9\), œ \(U\+0153\)"):
        export_page(
            tmp_path / "a.pdf", generator, [face], time=NOW, tells_description=True, fonts=[font]
        )


@needs_fpdf
@pytest.mark.parametrize("content", [None, b"", b"\x00\x01\x00\x00" * 30, b"no font"])
def test_what_is_no_font_is_refused(generator, face, tmp_path, content):
    font = tmp_path / "bad.ttf"
    if content is not None:
        font.write_bytes(content)
    with pytest.raises(PictureError, match=r"bad.ttf is no TrueType or OpenType font: "):
        export_page(
            tmp_path / "a.pdf", generator, [face], time=NOW, tells_description=True, fonts=[font]
        )


@needs_fpdf
def test_a_long_description_goes_on_on_another_page(generator, tmp_path):
    text = "\n" * 80 + "man"
    face = Session.start(text, generator, seed=7).face
    export_page(tmp_path / "face.pdf", generator, [face], time=NOW, tells_description=True)
    pages = read(tmp_path / "face.pdf").pages
    assert len(pages) == 3
    assert pages[2].extract_text().startswith("man\n")


def test_a_missing_package_is_told_with_its_extra(generator, face, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(MissingPackageError, match=r"pip install 't2f\[pdf\]'"):
        export_page(tmp_path / "a.pdf", generator, [face], time=NOW, tells_description=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, 25])
def test_a_page_has_faces_but_not_too_many(generator, face, tmp_path, count):
    with pytest.raises(ArgumentError, match=f"there are {count} faces; a page has 1 to 24"):
        export_page(tmp_path / "a.pdf", generator, [face] * count, time=NOW, tells_description=True)


def test_nothing_is_replaced_without_a_word(generator, face, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"old")
    with pytest.raises(PictureError, match=r"a.pdf is there already"):
        export_page(tmp_path / "a.pdf", generator, [face], time=NOW, tells_description=True)
    with pytest.raises(PictureError, match=r"a.png must end in .pdf"):
        export_page(tmp_path / "a.png", generator, [face], time=NOW, tells_description=True)
