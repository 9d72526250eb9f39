"""Text on a PDF page, in lines, from whichever side its words are read.

fpdf2 breaks lines, and orders what goes from the left and what goes from the right. Of Unicode's
bidirectional algorithm it then forgets how deeply things lie in each other: in a line from the
left, a number after Arabic words belongs to their part of the line, on the left of it, and fpdf2
2.8.9 takes it for a part of the Latin words that follow. By itself, as a text from the right, it
lays such a part out as it should be; so parts are found here, and given to it one by one.

Source: Unicode Standard Annex #9, "Unicode Bidirectional Algorithm", rules P1 and L2.
"""

from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fpdf import FPDF

_SOFT_HYPHEN: Final = "\u00ad"
_FIXED_SPACE: Final = "\u00a0"
_LATIN_LEVEL: Final = 0
_NUMBER_LEVEL: Final = 2
"""Of a number in a part from the right, in a line from the left."""


def write_text(page: "FPDF", text: str, height: float) -> None:
    """Writes paragraphs from where the page stands to its margin, each in its own direction.

    Args:
        page: The page; afterwards, it stands at its left margin below the text.
        text: The paragraphs, parted by line feeds.
        height: Height of a line, in mm.
    """
    left = page.get_x()
    for paragraph in text.split("\n"):
        page.set_x(left)
        levels = _levels(paragraph)
        if min(levels, default=0) == _LATIN_LEVEL and max(levels, default=0) >= _NUMBER_LEVEL:
            _write_parts(page, paragraph, height)
        else:
            page.multi_cell(0, height, paragraph, align="L", new_x="LMARGIN", new_y="NEXT")


def _levels(text: str) -> list[int]:
    """How deeply each character lies in others' directions: 0 from the left, 1 from the right."""
    from fpdf.bidi import BidiParagraph  # noqa: PLC0415 (few pages are written)

    found = BidiParagraph(text, preserve_bn_chars=True).get_characters()
    return [character.embedding_level for character in found]


def _write_parts(page: "FPDF", paragraph: str, height: float) -> None:
    """Writes a paragraph from the left, whose parts from the right hold numbers."""
    paragraph = paragraph.replace(_SOFT_HYPHEN, "")
    left, levels, end = page.get_x(), _levels(paragraph), 0
    shown = paragraph.replace(_FIXED_SPACE, " ")  # as fpdf2 writes it: lines are found in it again
    lines = page.multi_cell(0, height, paragraph, align="L", dry_run=True, output="LINES")
    assert isinstance(lines, list)  # noqa: S101 (they alone are asked for)
    for line in lines:
        start = shown.index(line, end)
        end = start + len(line)
        page.set_x(left)
        for is_from_right, places in groupby(range(start, end), lambda place: levels[place] > 0):
            page.set_text_shaping(True, direction="rtl" if is_from_right else "ltr")
            page.cell(h=height, text="".join(shown[place] for place in places))
        page.ln(height)
    page.set_text_shaping(True)
