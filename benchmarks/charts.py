"""Charts as SVG, without any package: bars with whiskers, stacked bars, lines, labelled points.

Text and axes take the colour of the page around them, so that a chart suits light and dark. Every
mark has a `<title>`, which browsers show under the pointer. Equal data give equal bytes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8f8f8f")
"""Told apart by eyes with any colour vision.

Source: Okabe and Ito (2008), "Color Universal Design", with a grey for the rest.
"""
ROW = 26
LABELS = 300
FONT = 13


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, and how far its value was spread."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """Written behind the bar."""
    is_marked: bool = False
    """Whether it has the colour that stands out."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One bar of several parts, and a mark on it."""

    label: str
    parts: tuple[float, ...]
    mark: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together: x, y, and how far y was spread."""

    name: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with a label."""

    label: str
    x: float
    y: float
    group: int = 0


def bars(rows: Sequence[Bar], *, unit: str, width: int = 860) -> str:
    """Horizontal bars with whiskers from `low` to `high`."""
    reach = width - LABELS - 120
    most = max((max(row.value, row.high) for row in rows), default=1.0) or 1.0
    parts = []
    for number, row in enumerate(rows):
        top = number * ROW + 4
        middle = top + (ROW - 8) / 2
        length = reach * row.value / most
        colour = COLOURS[1] if row.is_marked else COLOURS[0]
        low, high = (LABELS + reach * value / most for value in (row.low, row.high))
        title = f"{row.label}: {row.value:.4g} {unit}, {row.low:.4g} to {row.high:.4g}"
        parts += [
            _text(LABELS - 8, middle + 4, row.label, anchor="end"),
            _rectangle(LABELS, top, length, ROW - 8, colour, title),
            _segment(low, middle, high, middle),
            _segment(low, middle - 4, low, middle + 4),
            _segment(high, middle - 4, high, middle + 4),
            _text(max(high, LABELS + length) + 8, middle + 4, f"{row.value:.4g} {unit} {row.note}"),
        ]
    return _svg(width, len(rows) * ROW + 8, parts)


def stacks(rows: Sequence[Stack], *, names: Sequence[str], mark: str, unit: str) -> str:
    """Horizontal bars of several parts, with a line across each at its mark."""
    width, head = 860, 30
    reach = width - LABELS - 120
    most = max((max(sum(row.parts), row.mark) for row in rows), default=1.0) or 1.0
    parts, left = [], 10.0
    for name, colour in zip(names, COLOURS, strict=False):
        parts += [_rectangle(left, 6, 12, 12, colour, name), _text(left + 18, 17, name)]
        left += 40 + 8 * len(name)
    parts += [_segment(left + 6, 4, left + 6, 20, width=3), _text(left + 16, 17, mark)]
    for number, row in enumerate(rows):
        top = head + number * ROW
        parts.append(_text(LABELS - 8, top + 13, row.label, anchor="end"))
        start = float(LABELS)
        for name, colour, value in zip(names, COLOURS, row.parts, strict=False):
            length = reach * value / most
            title = f"{row.label}, {name}: {value:.3g} {unit}"
            parts.append(_rectangle(start, top, length, ROW - 8, colour, title))
            start += length
        place = LABELS + reach * row.mark / most
        parts.append(_segment(place, top - 3, place, top + ROW - 5, width=3))
        parts.append(_text(max(start, place) + 8, top + 13, row.note))
    return _svg(width, head + len(rows) * ROW + 8, parts)


def lines(
    found: Sequence[Line], *, x_title: str, y_title: str, width: int = 420, height: int = 300
) -> str:
    """Lines on logarithmic axes, with whiskers."""
    points = [point for line in found for point in line.points]
    frame = _Frame.around(
        [x for x, *_ in points],
        [value for _, *values in points for value in values],
        width,
        height,
        is_logarithmic=True,
    )
    parts = [*frame.axes(x_title, y_title, ticks=sorted({x for x, *_ in points}))]
    for line, colour in zip(found, COLOURS, strict=False):
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y, _, _ in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, low, high in line.points:
            title = f"{line.name}, {x:g}: {y:.4g}, {low:.4g} to {high:.4g}"
            parts += [
                _segment(frame.x(x), frame.y(low), frame.x(x), frame.y(high)),
                _circle(frame.x(x), frame.y(y), colour, title),
            ]
    return _svg(width, height, [*parts, *_legend([line.name for line in found], frame)])


def dots(
    found: Sequence[Dot], *, groups: Sequence[str], x_title: str, y_title: str, width: int = 860
) -> str:
    """Labelled points: x on a logarithmic axis, y on a plain one."""
    height = 360
    frame = _Frame.around(
        [dot.x for dot in found], [dot.y for dot in found], width, height, is_logarithmic=False
    )
    parts = [*frame.axes(x_title, y_title, ticks=None)]
    for dot in found:
        title = f"{dot.label}: {dot.x:.4g}, {dot.y:.4g}"
        left = frame.x(dot.x)
        is_right = left > 0.7 * width
        parts += [
            _circle(left, frame.y(dot.y), COLOURS[dot.group % len(COLOURS)], title),
            _text(
                left + (-9 if is_right else 9),
                frame.y(dot.y) + 4,
                dot.label,
                anchor="end" if is_right else "start",
            ),
        ]
    return _svg(width, height, [*parts, *_legend(groups, frame)])


def round_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten that lie between two positive numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    return [tick for tick in found if low <= tick <= high]


def even_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers, evenly spaced, between two numbers."""
    rough = (high - low) / most or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step) + 1)]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie on a chart."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: int
    height: int
    is_logarithmic: bool

    @classmethod
    def around(
        cls,
        xs: Iterable[float],
        ys: Iterable[float],
        width: int,
        height: int,
        *,
        is_logarithmic: bool,
    ) -> "_Frame":
        xs, ys = list(xs), list(ys)
        x_low, x_high = min(xs) / 1.25, max(xs) * 1.25
        if is_logarithmic:
            # A factor of 8 at least, so that small differences look small.
            room = max(1.3, (8.0 * min(ys) / max(ys)) ** 0.5)
            y_low, y_high = min(ys) / room, max(ys) * room
        else:
            room = 0.12 * (max(ys) - min(ys)) or 0.1 * abs(max(ys)) or 1.0
            y_low, y_high = min(ys) - room, max(ys) + room
        return cls(x_low, x_high, y_low, y_high, width, height, is_logarithmic)

    def x(self, value: float) -> float:
        share = math.log(value / self.x_low) / math.log(self.x_high / self.x_low)
        return 64 + share * (self.width - 84)

    def y(self, value: float) -> float:
        if self.is_logarithmic:
            share = math.log(value / self.y_low) / math.log(self.y_high / self.y_low)
        else:
            share = (value - self.y_low) / (self.y_high - self.y_low)
        return self.height - 48 - share * (self.height - 72)

    def axes(self, x_title: str, y_title: str, ticks: Sequence[float] | None) -> list[str]:
        bottom, left = self.height - 48, 64
        parts = [
            _segment(left, bottom, self.width - 20, bottom),
            _segment(left, 24, left, bottom),
            _text((left + self.width) / 2, self.height - 8, x_title, anchor="middle"),
            _text(left - 44, 14, y_title),
        ]
        for tick in ticks if ticks is not None else round_ticks(self.x_low, self.x_high):
            place = self.x(tick)
            parts += [
                _segment(place, bottom, place, bottom + 5),
                _text(place, bottom + 19, f"{tick:g}", anchor="middle"),
            ]
        span = round_ticks if self.is_logarithmic else even_ticks
        for tick in span(self.y_low, self.y_high):
            place = self.y(tick)
            parts += [
                _segment(left, place, self.width - 20, place, opacity=0.15),
                _text(left - 8, place + 4, f"{tick:.4g}", anchor="end"),
            ]
        return parts


def _legend(names: Sequence[str], frame: _Frame) -> list[str]:
    if len(names) < 2:
        return []
    parts = []
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        top = 34 + 18 * number
        parts += [_circle(80, top - 4, colour, name), _text(92, top, name)]
    del frame
    return parts


def _svg(width: float, height: float, parts: Iterable[str]) -> str:
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" font-size="{FONT}" '
        f'fill="currentColor" role="img">\n{inner}\n</svg>'
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(title)}</title></rect>'
    )


def _circle(x: float, y: float, colour: str, title: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}">'
        f"<title>{escape(title)}</title></circle>"
    )


def _segment(
    x1: float, y1: float, x2: float, y2: float, *, width: float = 1, opacity: float = 1
) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-width="{width:g}" opacity="{opacity:g}"/>'
    )
