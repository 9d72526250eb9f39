"""The mouths of drawn faces, in each expression."""

import numpy as np

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, both_sides, ellipse, smooth, taper
from t2f_train.data.drawn_palette import BLACK, Palette, darker, lighter, mix
from t2f_train.data.drawn_sitter import Sitter

_LIP_WIDTHS = {"thin": 0.62, "medium": 1.0, "full": 1.5}
_TEETH = (252, 250, 246)
_TONGUE = (204, 90, 96)


def draw_mouth(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the mouth in its expression."""
    attributes, layout = sitter.attributes, sitter.layout
    lips = _LIP_WIDTHS[attributes.lips] * (0.9 if attributes.sex == "man" else 1.0)
    at = (layout.turn * 1.2, layout.mouth)
    canvas.spot((at[0], at[1] + 0.047), (0.065, 0.02), sitter.palette.skin_shadow, 0.5)
    match attributes.mouth:
        case "grinning":
            _draw_grin(canvas, sitter, lips, at)
        case "open":
            _draw_open_mouth(canvas, sitter, lips, at)
        case "smiling":
            width = layout.mouth_half_width * 1.14
            _draw_closed_mouth(canvas, sitter.palette, lips, at, width=width, rise=0.032)
            _draw_smile_folds(canvas, sitter, width, at)
        case "frowning":
            width = layout.mouth_half_width * 0.92
            _draw_closed_mouth(canvas, sitter.palette, lips, at, width=width, rise=-0.026)
        case "neutral":
            width = layout.mouth_half_width * 0.95
            _draw_closed_mouth(canvas, sitter.palette, lips, at, width=width, rise=0.002)


def _draw_closed_mouth(
    canvas: Canvas,
    palette: Palette,
    lips: float,
    at: tuple[float, float],
    *,
    width: float,
    rise: float,
) -> None:
    """Draws closed lips whose corners are `rise` higher than their middle."""
    t = np.linspace(-1.0, 1.0, 17)
    line = np.stack([t * width, 0.4 * rise - rise * np.abs(t) ** 1.7], axis=1) + at
    bow = (1 - t**2) * (1 - 0.35 * np.exp(-((t / 0.16) ** 2)))
    upper = line - np.stack([0 * t, 0.020 * lips * bow], axis=1)
    lower = line + np.stack([0 * t, 0.026 * lips * (1 - np.abs(t) ** 2.4)], axis=1)
    canvas.fill(np.concatenate([line, upper[::-1]]), darker(palette.lips, 0.12))
    canvas.fill(np.concatenate([line, lower[::-1]]), palette.lips)
    canvas.spot(
        (line[8] + lower[8]).tolist() * np.array(0.5),
        (0.036, 0.010),
        lighter(palette.lips, 0.55),
        0.6,
    )
    dark = mix(darker(palette.lips, 0.45), BLACK, 0.25)
    canvas.stroke(line, 0.0045 + 0.0045 * (1 - t**2), dark)
    corner = line[-1] - (at[0], 0.0)
    curl = -0.012 if rise > 0.01 else 0.010 if rise < 0 else 0.0
    tick = [corner - (0.004, 0.0), corner + (0.010, curl)]
    canvas.stroke(both_sides(tick, at[0]), [0.008, 0.002], dark, 0.75)


def _draw_smile_folds(
    canvas: Canvas, sitter: Sitter, width: float, at: tuple[float, float]
) -> None:
    fold = smooth([(width + 0.012, -0.040), (width + 0.030, -0.018), (width + 0.028, 0.012)])
    widths = taper(len(fold), 0.001, 0.006, 0.001)
    canvas.stroke(both_sides(fold + (0.0, at[1]), at[0]), widths, sitter.palette.skin_shadow, 0.7)
    for side in (-1, 1):
        cheek = (side * (width + 0.05) + sitter.layout.turn, sitter.layout.nose - 0.012)
        canvas.spot(cheek, (0.06, 0.045), sitter.palette.skin_light, 0.35)


def _draw_grin(canvas: Canvas, sitter: Sitter, lips: float, at: tuple[float, float]) -> None:
    palette, width = sitter.palette, sitter.layout.mouth_half_width * 1.2
    t = np.linspace(-1.0, 1.0, 17)

    def arc(depth: float, sharpness: float) -> Points:
        return np.stack([t * width, -0.018 + depth * (1 - np.abs(t) ** sharpness)], axis=1) + at

    top, bottom, bite = arc(0.014, 2.0), arc(0.068, 2.2), arc(0.044, 2.2)
    lip = np.stack([0 * t, lips * (1 - t**4)], axis=1)
    rim = np.concatenate([top - 0.014 * lip, (bottom + 0.016 * lip)[::-1]])
    hole = np.concatenate([top, bottom[::-1]])
    canvas.fill(rim, palette.lips)
    canvas.fill(hole, (96, 26, 34))
    with canvas.within(canvas.mask(hole)):
        canvas.spot((at[0], at[1] + 0.052), (0.05, 0.026), _TONGUE, 0.9)
        canvas.fill(np.concatenate([top, bite[::-1]]), _TEETH)
        gaps = [[(at[0] + x, at[1] - 0.03), (at[0] + x, at[1] + 0.021)] for x in _tooth_gaps()]
        canvas.stroke(gaps, 0.002, (170, 150, 150), 0.4)
    canvas.stroke(bottom, 0.004, darker(palette.lips, 0.35), 0.6)
    _draw_smile_folds(canvas, sitter, width, (at[0], at[1] - 0.006))


def _tooth_gaps() -> list[float]:
    return [0.021 * tooth for tooth in range(-4, 5)]


def _draw_open_mouth(canvas: Canvas, sitter: Sitter, lips: float, at: tuple[float, float]) -> None:
    palette = sitter.palette
    width, height, rim = sitter.layout.mouth_half_width * 0.62, 0.034, 0.012 * lips + 0.004
    x, y = at[0], at[1] + 0.006
    canvas.fill(ellipse((x, y), (width + rim, height + rim)), palette.lips)
    hole = ellipse((x, y), (width, height))
    canvas.fill(hole, (84, 24, 32))
    with canvas.within(canvas.mask(hole)):
        canvas.fill(ellipse((x, y - height), (width, height * 0.66)), _TEETH)
        canvas.fill(ellipse((x, y + height), (width * 0.8, height * 0.62)), _TONGUE)
    shine = (x, y + height + rim * 0.5)
    canvas.spot(shine, (0.03, 0.008), lighter(palette.lips, 0.5), 0.5)
