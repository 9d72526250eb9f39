"""Drawn facial hair, following the jaw."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_canvas import Canvas, common
from t2f_train.data.drawn_curves import Points, both_sides, closed_over, normals, smooth, taper
from t2f_train.data.drawn_layout import HeadLayout
from t2f_train.data.drawn_palette import mix
from t2f_train.data.drawn_sitter import Sitter


def draw_beard(canvas: Canvas, sitter: Sitter, rng: np.random.Generator) -> None:
    """Draws what grows on jaw and chin; the mouth goes on top of it."""
    match sitter.attributes.facial_hair:
        case "stubble":
            _draw_stubble(canvas, sitter, rng)
        case "full beard":
            _draw_bushy_hair(canvas, sitter, canvas.mask(_beard(sitter.layout, 0.045)), rng)
        case "goatee":
            _draw_bushy_hair(canvas, sitter, canvas.mask(_goatee(sitter.layout)), rng)
        case "moustache" | "none":
            return


def draw_moustache(canvas: Canvas, sitter: Sitter) -> None:
    """Draws what grows between nose and mouth, over the upper lip."""
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    if attributes.facial_hair not in ("moustache", "goatee", "full beard"):
        return
    is_happy = attributes.mouth in ("smiling", "grinning")
    gap = layout.mouth - layout.nose
    width = layout.mouth_half_width * (1.12 if is_happy else 1.0)
    tip = layout.mouth - (0.014 if is_happy else -0.010)
    spine = [(0.003, layout.nose + 0.42 * gap), (width * 0.5, layout.nose + 0.50 * gap)]
    curve = smooth([*spine, (width * 1.12, tip)], samples=7)
    bushy = 1.3 if attributes.facial_hair == "moustache" else 1.0
    widths = bushy * taper(len(curve), 0.028, 0.036, 0.034, 0.026, 0.014, 0.004)
    middle = layout.turn * 1.3
    body = mix(palette.hair, palette.hair_shadow, 0.3)
    canvas.stroke(both_sides(curve, middle), widths, body)
    tones = ((-0.25, palette.hair_light), (0.1, palette.hair_shadow), (0.3, palette.hair_shadow))
    for share, colour in tones:
        line = curve + np.stack([0 * widths, widths * share], axis=1)
        canvas.stroke(both_sides(line[1:-1], middle), 0.004, colour, 0.55)


def _beard(layout: HeadLayout, length: float) -> Points:
    """Returns a full beard's polygon: along the jaw outside, over the cheeks inside."""
    jaw = layout.side[layout.side[:, 1] > 0.53]
    grown = np.interp(jaw[:, 1], [0.53, 0.62, 0.78, layout.chin], [0.0, 0.25, 0.5, 1.0]) * length
    lip = layout.nose + 0.35 * (layout.mouth - layout.nose)
    inner = smooth(
        [
            (0.0, lip),
            (layout.mouth_half_width * 0.8, lip + 0.004),
            (layout.mouth_half_width + 0.062, layout.mouth - 0.062),
            (layout.edge(0.60) - 0.045, 0.60),
            (layout.edge(0.53) - 0.030, 0.53),
        ]
    )
    return closed_over(np.concatenate([inner, jaw + normals(jaw) * grown[:, np.newaxis]]))


def _goatee(layout: HeadLayout) -> Points:
    width, lip = layout.mouth_half_width, layout.nose + 0.35 * (layout.mouth - layout.nose)
    half = smooth(
        [
            (0.0, lip),
            (width * 0.95, lip + 0.012),
            (width * 1.30, layout.mouth + 0.01),
            (width * 1.10, layout.mouth + 0.075),
            (width * 0.74, layout.chin + 0.008),
            (0.0, layout.chin + 0.030),
        ]
    )
    return closed_over(half)


def _draw_bushy_hair(
    canvas: Canvas, sitter: Sitter, mask: Image.Image, rng: np.random.Generator
) -> None:
    layout, palette = sitter.layout, sitter.palette
    soft = canvas.soften(mask, 0.005)
    canvas.paint(soft, mix(palette.hair, palette.hair_shadow, 0.14))
    with canvas.within(soft):
        canvas.spot((0.0, layout.chin + 0.05), (0.26, 0.11), palette.hair_shadow, 0.8)
        canvas.spot((-sitter.lit * 0.24, 0.70), (0.12, 0.20), palette.hair_shadow, 0.6)
        canvas.spot((0.0, layout.mouth + 0.045), (0.10, 0.022), palette.hair_shadow, 0.6)
        roots = np.stack([rng.uniform(-0.25, 0.25, 130), rng.uniform(0.54, 0.93, 130)], axis=1)
        bend = np.stack([-0.10 * roots[:, 0], np.full(len(roots), 0.03)], axis=1)
        hairs = np.stack([roots, roots + 0.5 * bend, roots + bend * (1.4, 1.0)], axis=1)
        canvas.stroke(hairs[0::2], [0.003, 0.006, 0.001], palette.hair_shadow, 0.42)
        canvas.stroke(hairs[1::2], [0.003, 0.005, 0.001], palette.hair_light, 0.34)


def _draw_stubble(canvas: Canvas, sitter: Sitter, rng: np.random.Generator) -> None:
    layout, palette = sitter.layout, sitter.palette
    soft = canvas.soften(canvas.mask(_beard(layout, 0.0)), 0.022)
    grown = common(soft, canvas.mask(layout.outline))
    canvas.paint(grown, mix(palette.hair_shadow, palette.skin_shadow, 0.25), 0.46)
    with canvas.within(grown):
        roots = np.stack([rng.uniform(-0.25, 0.25, 150), rng.uniform(0.55, 0.9, 150)], axis=1)
        hairs = np.stack([roots, roots + (0.0, 0.006)], axis=1)
        canvas.stroke(hairs, 0.0032, palette.hair_shadow, 0.4)
