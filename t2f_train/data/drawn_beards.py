"""Drawn facial hair, following the jaw."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, mirrored, smooth
from t2f_train.data.drawn_layout import HeadLayout
from t2f_train.data.drawn_palette import Palette, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_beard(canvas: Canvas, sitter: Sitter, rng: np.random.Generator) -> None:
    """Draws what grows on jaw and chin; the mouth goes on top of it."""
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    match attributes.facial_hair:
        case "stubble":
            _draw_stubble(canvas, layout, palette, rng)
        case "full beard":
            _draw_bushy(canvas, canvas.mask(_full_beard(layout, 0.045)), layout, palette, rng)
        case "goatee":
            _draw_bushy(canvas, canvas.mask(_goatee(layout)), layout, palette, rng)
        case "moustache" | "none":
            return


def draw_moustache(canvas: Canvas, sitter: Sitter) -> None:
    """Draws what grows between nose and mouth, over the upper lip."""
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    if attributes.facial_hair not in ("moustache", "goatee", "full beard"):
        return
    bushy = 1.25 if attributes.facial_hair == "moustache" else 1.0
    x, nose, mouth = layout.turn * 1.3, layout.nose, layout.mouth
    gap = mouth - nose
    width = layout.mouth_half_width * (1.12 if attributes.mouth in ("smiling", "grinning") else 1.0)
    tip = mouth + (-0.014 if attributes.mouth in ("smiling", "grinning") else 0.010)
    for side in (-1, 1):
        spine = [(0.004, nose + 0.42 * gap), (width * 0.5, nose + 0.50 * gap), (width * 1.12, tip)]
        curve = smooth(mirrored(spine, side), samples=7) + (x, 0.0)
        t = np.linspace(0, 1, len(curve))
        widths = np.interp(t, [0, 0.3, 0.7, 1], [0.026, 0.036, 0.026, 0.004]) * bushy
        canvas.stroke(curve, widths, mix(palette.hair, palette.hair_shadow, 0.3))
        for share, colour in (
            (-0.25, palette.hair_light),
            (0.1, palette.hair_shadow),
            (0.3, palette.hair_shadow),
        ):
            line = curve + np.stack([0 * t, widths * share], axis=1)
            canvas.stroke(line[1:-1], 0.004, colour, 0.55)


def _full_beard(layout: HeadLayout, length: float) -> Points:
    """Returns the beard's polygon: along the jaw outside, over the cheeks inside."""
    jaw = layout.side[layout.side[:, 1] > 0.53]
    along = np.gradient(jaw, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    grown = np.interp(jaw[:, 1], [0.53, 0.62, 0.78, layout.chin], [0.0, 0.010, 0.022, length])
    outer = jaw + normals * grown[:, np.newaxis]
    lip = layout.nose + 0.35 * (layout.mouth - layout.nose)
    inner = smooth(
        [
            (layout.edge(0.53) - 0.030, 0.53),
            (layout.edge(0.60) - 0.045, 0.60),
            (layout.mouth_half_width + 0.062, layout.mouth - 0.062),
            (layout.mouth_half_width * 0.8, lip + 0.004),
            (0.0, lip),
        ]
    )
    half = np.concatenate([inner[::-1], outer])
    return np.concatenate([half, mirrored(half, -1)[::-1]])


def _goatee(layout: HeadLayout) -> Points:
    width, lip = layout.mouth_half_width, layout.nose + 0.35 * (layout.mouth - layout.nose)
    half = smooth(
        [
            (0.0, lip),
            (width * 0.95, lip + 0.012),
            (width * 1.30, layout.mouth + 0.01),
            (width * 1.08, layout.mouth + 0.075),
            (width * 0.72, layout.chin + 0.008),
            (0.0, layout.chin + 0.030),
        ]
    ) + (layout.turn * 0.0, 0.0)
    return np.concatenate([half, mirrored(half, -1)[::-1]])


def _draw_bushy(
    canvas: Canvas,
    mask: Image.Image,
    layout: HeadLayout,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    soft = canvas.soften(mask, 0.005)
    canvas.paint(soft, mix(palette.hair, palette.hair_shadow, 0.12))
    with canvas.within(soft):
        canvas.spot((0.0, layout.chin + 0.05), (0.26, 0.10), palette.hair_shadow, 0.8)
        canvas.spot((0.0, layout.mouth + 0.045), (0.10, 0.022), palette.hair_shadow, 0.6)
        centres = np.stack([rng.uniform(-0.25, 0.25, 110), rng.uniform(0.54, 0.93, 110)], axis=1)
        lean = np.stack([-0.06 * centres[:, 0], np.full(len(centres), 0.034)], axis=1)
        hairs = np.stack([centres, centres + lean], axis=1)
        canvas.stroke(hairs[0::2], [0.006, 0.002], palette.hair_shadow, 0.5)
        canvas.stroke(hairs[1::2], [0.005, 0.002], palette.hair_light, 0.5)


def _draw_stubble(
    canvas: Canvas, layout: HeadLayout, palette: Palette, rng: np.random.Generator
) -> None:
    soft = canvas.soften(canvas.mask(_full_beard(layout, 0.0)), 0.022)
    with canvas.within(canvas.mask(layout.outline)):
        tone = mix(palette.hair_shadow, palette.skin_shadow, 0.25)
        canvas.paint(soft, tone, 0.46)
        with canvas.within(soft):
            dots = np.stack([rng.uniform(-0.25, 0.25, 150), rng.uniform(0.55, 0.9, 150)], axis=1)
            hairs = np.stack([dots, dots + (0.0, 0.008)], axis=1)
            canvas.stroke(hairs, 0.004, palette.hair_shadow, 0.6)
