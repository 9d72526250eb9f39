"""A page to print or to send: the faces, the words, and where they come from, as PDF in A4.

Written with fpdf2, in the optional extra `pdf`: Pillow's own writer of PDF puts pictures on a page,
but no text that could be selected. The fonts that every PDF reader has know the letters of Western
Europe; for other scripts, whoever calls names fonts, which are embedded as far as they are used,
and HarfBuzz joins and turns their letters as Arabic, Hebrew and Indic scripts need.
"""

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from t2f_runtime.errors import ArgumentError, MissingPackageError, PictureError
from t2f_runtime.generator import Pictures
from t2f_runtime.identikit.face import Face
from t2f_runtime.identikit.pdf_text import write_text
from t2f_runtime.identikit.picture_export import (
    check_export,
    check_is_list,
    faces_facts,
    write_export,
)
from t2f_runtime.identikit.studio import Drawing, Studio
from t2f_runtime.pictures.facts import PictureFacts, xmp_mark
from t2f_runtime.pictures.sheet import enlarge

if TYPE_CHECKING:
    from fpdf import FPDF

MAXIMUM_FACES_ON_PAGE: Final = 24

_MARGIN_MM: Final = 18.0
_WIDTH_MM: Final = 210.0 - 2 * _MARGIN_MM
_GAP_MM: Final = 4.0
_SINGLE_MM: Final = 100.0
_LABEL_MM: Final = 34.0
_DOTS_PER_MM: Final = 8.0
"""About 200 dots an inch, so that readers of PDF show no blocks."""
_WESTERN: Final = "windows-1252"
"""What the fonts that every reader has can write (PDF 1.7, ISO 32000-1, annex D.2)."""
_BODY: Final = "given0"
_NOT_A_PHOTOGRAPH: Final = {
    False: "Synthetic face, not a photograph",
    True: "Synthetic faces, not photographs",
}
_EXPLAINED: Final = (
    "Drawn by a computer program. It shows what somebody may look like, nobody in particular, and "
    "is no evidence by itself."
)


def export_page(
    path: str | Path,
    generator: Drawing,
    faces: Sequence[Face],
    *,
    time: datetime,
    tells_description: bool = False,
    fonts: Sequence[str | Path] = (),
    replaces: bool = False,
) -> PictureFacts:
    """Draws faces onto an A4 page, with their description, facts and hashes.

    All text can be selected and searched. Equal faces at equal times give equal bytes with the same
    versions of the libraries. The pictures in it are enlarged; the hashes are of their pixels as
    they were drawn. What is too long for the page goes on on another.

    Example:
        >>> import tempfile
        >>> from datetime import datetime, timezone
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, export_page
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> faces = Session.start("a bald man", generator, seed=7).screen
        >>> now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "face.pdf"
        ...     facts = export_page(path, generator, faces, time=now, tells_description=True)
        ...     path.read_bytes()[:5], facts.description
        (b'%PDF-', 'a bald man')

    Args:
        path: The file, which ends in .pdf.
        generator: What draws.
        faces: 1 to 24 faces; several are shown small, each with its number and name.
        time: Now, with its time zone.
        tells_description: Whether the words are on the page, or only their SHA-256. With them, the
            file is for its owner alone (mode 0600).
        fonts: TrueType or OpenType files: the first writes all text, the others what it lacks. None
            writes with Helvetica, which has the letters of Western Europe.
        replaces: Whether a file that is there may be replaced.

    Returns:
        What the page says of the faces.

    Raises:
        ArgumentError: There are no faces or too many, or the time has no time zone.
        MissingPackageError: The extra `pdf` is not installed.
        PictureError: There is a file already, it cannot be written, or no font has a letter.
    """
    check_is_list(faces)
    if not 1 <= len(faces) <= MAXIMUM_FACES_ON_PAGE:
        raise ArgumentError(
            f"there are {len(faces)} faces; a page has 1 to {MAXIMUM_FACES_ON_PAGE}"
        )
    path = check_export(path, ".pdf", replaces=replaces)
    fpdf = _import_fpdf()
    known = _letters(fonts)
    pictures = Studio(generator).draw(faces)
    facts = faces_facts(generator, faces, pictures, time=time, tells_description=tells_description)
    body = _BODY if fonts else "helvetica"
    rows = list(_rows(facts, faces))
    labels = [f"{place}  {face.name}".rstrip() for place, face in enumerate(faces)]
    shown = " ".join([*labels, *(text for _, text, _ in rows)])
    _check_letters(shown, known, has_fonts=bool(fonts))
    page = _open_page(fpdf, fonts)
    _set_metadata(page, facts, time)
    _write_heading(page, body, is_several=len(faces) > 1)
    _place_pictures(page, pictures, labels, body)
    for name, text, is_hash in rows:
        _write_row(page, name, text, "courier" if is_hash else body)
    content = bytes(page.output())
    check_export(path, ".pdf", replaces=replaces)  # again: drawing took its time
    write_export(path, content, is_private=facts.description is not None)
    return facts


def _import_fpdf() -> "type[FPDF]":
    try:
        # Here, not above: few pages are written, and not everybody installs it.
        from fpdf import FPDF  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"a PDF page needs the package '{error.name}'; install it with: pip install 't2f[pdf]'"
        ) from error
    return FPDF


def _open_page(fpdf: "type[FPDF]", fonts: Sequence[str | Path]) -> "FPDF":
    page = fpdf(format="A4")
    page.core_fonts_encoding = _WESTERN
    page.set_margin(_MARGIN_MM)
    page.set_auto_page_break(auto=True, margin=_MARGIN_MM)
    page.c_margin = 0  # text begins where pictures do
    for number, font in enumerate(fonts):
        page.add_font(f"given{number}", fname=str(font))
    if fonts:
        page.set_fallback_fonts([f"given{number}" for number in range(1, len(fonts))])
        _join_letters(page)
    page.add_page()
    return page


def _join_letters(page: "FPDF") -> None:
    """Has HarfBuzz place letters, without which those of many scripts are not joined."""
    from fpdf.errors import FPDFException  # noqa: PLC0415 (as fpdf itself)

    try:
        page.set_text_shaping(True)
    except FPDFException as error:
        raise MissingPackageError(
            f"fonts on a PDF page need the package 'uharfbuzz' ({error}); install it with: "
            "pip install 't2f[pdf]'"
        ) from error


def _set_metadata(page: "FPDF", facts: PictureFacts, time: datetime) -> None:
    notes = facts.notes()
    page.set_creation_date(time)
    page.set_title(_NOT_A_PHOTOGRAPH[facts.count > 1])
    page.set_creator(facts.software)
    page.set_producer(facts.software)
    page.set_lang("en")
    page.set_xmp_metadata(xmp_mark(notes))


def _write_heading(page: "FPDF", body: str, *, is_several: bool) -> None:
    page.set_text_color(0)
    page.set_font(body, size=18)
    write_text(page, _NOT_A_PHOTOGRAPH[is_several], 9)
    page.set_font(body, size=9)
    page.set_text_color(90)
    write_text(page, _EXPLAINED, 5)
    page.set_y(page.get_y() + _GAP_MM)


def _place_pictures(page: "FPDF", pictures: Pictures, labels: Sequence[str], body: str) -> None:
    count, side = pictures.shape[0], pictures.shape[1]
    columns = 1 if count == 1 else min(6, max(3, int(np.ceil(np.sqrt(count)))))
    width = _SINGLE_MM if count == 1 else (_WIDTH_MM - (columns - 1) * _GAP_MM) / columns
    scale = max(1, int(np.ceil(width * _DOTS_PER_MM / side)))
    label = 0.0 if count == 1 else 5.0
    top = page.get_y()
    page.set_font(body, size=8)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        left = _MARGIN_MM + column * (width + _GAP_MM)
        down = top + row * (width + label + _GAP_MM)
        page.image(enlarge(picture, scale), x=left, y=down, w=width, h=width)
        if label:
            page.set_xy(left, down + width)
            page.cell(width, label, labels[place], align="C")
    rows = -(-count // columns)
    page.set_xy(_MARGIN_MM, top + rows * (width + label + _GAP_MM))


def _rows(facts: PictureFacts, faces: Sequence[Face]) -> Iterator[tuple[str, str, bool]]:
    """What is told below the pictures: names, texts, and whether a text is a hash."""
    if facts.description is not None:
        yield "words", _plain(facts.description), False
    if facts.description_sha256 is not None:
        yield "words, SHA-256", facts.description_sha256, True
    yield "written", f"{facts.time}, {facts.software}", False
    if facts.seed is not None:
        candidate = "" if facts.index is None else f", candidate {facts.index}"
        yield "seed", f"{facts.seed}{candidate}", False
    if facts.count == 1 and faces[0].name:
        yield "face", f"{faces[0].name}, {faces[0].made_by}", False
    yield "engine", facts.engine or "unknown", False
    yield "bundle", facts.bundle_id, True
    for place, sha256 in enumerate((facts.faces_sha256 or "").split()):
        which = "pixels" if facts.count == 1 else f"pixels of {place}"
        yield f"{which}, SHA-256", sha256, True


def _write_row(page: "FPDF", name: str, text: str, font: str) -> None:
    page.set_font("helvetica", size=9)
    page.set_text_color(90)
    page.set_x(_MARGIN_MM)
    page.cell(_LABEL_MM, 5, name)
    page.set_font(font, size=8 if font == "courier" else 10)
    page.set_text_color(0)
    write_text(page, text, 5)


def _plain(text: str) -> str:
    """A text with the line breaks and the spaces that a page has."""
    return re.sub("[\u2028\u2029\x0b\x0c\x85]|\r\n?", "\n", text).replace("\t", " ")


def _check_letters(text: str, known: Set[str], *, has_fonts: bool) -> None:
    """Refuses what would be shown as boxes; raises `PictureError`."""
    missing = set(text) - known - {"\n", " "}
    if has_fonts:  # HarfBuzz leaves out what is invisible
        missing = {letter for letter in missing if unicodedata.category(letter) != "Cf"}
    if missing:
        shown = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in sorted(missing)[:5])
        which = "none of the fonts has" if has_fonts else "Helvetica lacks"
        raise PictureError(
            f"{which} {shown}, which the page would show as a box; name a font that has the "
            "letters with fonts=[...], or leave the description out"
        )


def _letters(fonts: Sequence[str | Path]) -> set[str]:
    """The letters that can be written; raises `PictureError` for a file that is no font."""
    if not fonts:
        western = bytes(range(0x20, 0x100)).decode(_WESTERN, errors="ignore")
        return set(western) - {"\x7f"}
    return set().union(*map(_letters_of, fonts))


def _letters_of(font: str | Path) -> set[str]:
    from fontTools.ttLib import TTFont  # noqa: PLC0415 (as fpdf, which brings it)

    try:
        with TTFont(io.BytesIO(Path(font).read_bytes())) as opened:
            opened.ensureDecompiled()
            letters = opened.getBestCmap() or {}
    except Exception as error:
        # fontTools raises whatever a damaged table makes it stumble over.
        raise PictureError(f"{font} is no TrueType or OpenType font: {error!r}") from error
    return set(map(chr, letters))
