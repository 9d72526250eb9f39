"""Tables, and sections of tables and charts, as Markdown and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

LONGEST_NUMBER = 40
"""Characters from which a column holds words rather than numbers."""


@dataclass(frozen=True, slots=True)
class Table:
    """A heading for each column, and rows of words; numbers are to the right."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As Markdown writes it."""
        marks = ["---" if number == 0 else "---:" for number in range(len(self.heading))]
        lines = [self.heading, marks, *self.rows]
        return "\n".join(f"| {' | '.join(_escaped(cells))} |" for cells in lines)

    def html(self) -> str:
        """As a page writes it; columns of words are to the left."""
        columns = zip(*self.rows, strict=True)
        is_words = [max(map(len, column)) > LONGEST_NUMBER for column in columns]
        head = _cells("th", self.heading, is_words)
        body = "\n".join(f"<tr>{_cells('td', row, is_words)}</tr>" for row in self.rows)
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cells(tag: str, cells: Sequence[str], is_words: Sequence[bool]) -> str:
    if len(cells) > 1 and cells[1].startswith("not run"):
        first, why = (escape(cell) for cell in cells[:2])
        return f'<td>{first}</td><td class="words" colspan="{len(cells) - 1}">{why}</td>'
    return "".join(
        f'<{tag} class="words">{escape(cell)}</{tag}>'
        if words and not cell.startswith("not run")
        else f"<{tag}>{escape(cell)}</{tag}>"
        for cell, words in zip(cells, is_words or [False] * len(cells), strict=True)
    )


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, which only the page shows."""

    title: str
    svg: str


@dataclass(slots=True)
class Section:
    """One question and its answer."""

    key: str
    """What results.md knows it by."""
    title: str
    parts: list[str | Table | Chart] = field(default_factory=list)
    """Paragraphs, tables and charts, in their order."""

    def markdown(self) -> str:
        """All but the charts; with no heading, since the text around it has one."""
        written = [
            part if isinstance(part, str) else part.markdown()
            for part in self.parts
            if not isinstance(part, Chart)
        ]
        return "\n\n".join(written)

    def html(self) -> str:
        """All of it."""
        written = [f'<section id="{escape(self.key)}">', f"<h2>{escape(self.title)}</h2>"]
        group: list[str] = []
        for part in self.parts:
            if isinstance(part, Chart):
                caption = f"<figcaption>{escape(part.title)}</figcaption>"
                group.append(f"<figure>{caption}{part.svg}</figure>")
                continue
            if group:
                written.append(f'<div class="charts">{"".join(group)}</div>')
                group = []
            is_text = isinstance(part, str)
            written.append(f"<p>{escape(part)}</p>" if is_text else part.html())
        if group:
            written.append(f'<div class="charts">{"".join(group)}</div>')
        return "\n".join([*written, "</section>"])


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]
