"""The features of drawn faces above the mouth: eyes, eyebrows, nose."""

import numpy as np

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, both_sides, ellipse, mirrored, smooth, taper
from t2f_train.data.drawn_palette import BLACK, WHITE, Palette, darker, lighter, mix
from t2f_train.data.drawn_sitter import Sitter

_BROW_WIDTHS = {"thin": 0.011, "medium": 0.020, "thick": 0.035}


def draw_eyes(canvas: Canvas, sitter: Sitter) -> None:
    """Draws both eyes with lids, lashes and catch lights."""
    attributes, layout = sitter.attributes, sitter.layout
    width, height = layout.eye_half_width, layout.eye_half_height
    slant = sitter.geometry.eye_slant + (0.004 if attributes.eye_form == "almond" else 0.0)
    at = (layout.eye_x, layout.eye)
    uppers = both_sides(_lid(width, -height, slant) + at, layout.turn)
    lowers = both_sides(_lid(width, height * 0.78, slant) + at, layout.turn)
    openings = np.concatenate([uppers, lowers[:, ::-1]], axis=1)
    middles = [(side * layout.eye_x + layout.turn, layout.eye) for side in (-1, 1)]
    if attributes.lipstick:
        for x, y in middles:
            canvas.spot((x, y - height - 0.012), (width * 1.25, 0.038), (128, 74, 116), 0.6)
    canvas.fill(openings, (250, 248, 246))
    with canvas.within(canvas.mask(openings)):
        for x, y in middles:
            gaze = (x + sitter.geometry.gaze_x, y + sitter.geometry.gaze_y - height * 0.1)
            _draw_iris(canvas, sitter.palette, gaze, max(0.030, min(0.035, height * 0.95)))
        canvas.stroke(uppers + (0.0, 0.008), 0.014, (70, 52, 60), 0.35)
    _draw_lids(canvas, sitter, uppers, lowers)


def _lid(width: float, height: float, slant: float) -> Points:
    t = np.linspace(-1.0, 1.0, 13)
    # A little steeper towards the nose than towards the temple, as real lids are.
    bow = (1.0 - np.abs(t) ** 2.2) * (1.0 - 0.14 * t)
    return np.stack([t * width, height * bow - slant * t], axis=1)


def _draw_iris(canvas: Canvas, palette: Palette, at: tuple[float, float], radius: float) -> None:
    x, y = at
    canvas.disc(at, radius, darker(palette.iris, 0.5))
    canvas.disc(at, radius * 0.86, palette.iris)
    glow = lighter(palette.iris, 0.5)
    canvas.spot((x, y + radius * 0.5), (radius * 0.8, radius * 0.6), glow, 0.8)
    canvas.disc(at, radius * 0.46, BLACK)
    canvas.disc((x - radius * 0.36, y - radius * 0.36), radius * 0.27, WHITE)
    canvas.disc((x + radius * 0.38, y + radius * 0.34), radius * 0.12, WHITE, 0.8)


def _draw_lids(canvas: Canvas, sitter: Sitter, uppers: Points, lowers: Points) -> None:
    attributes, palette = sitter.attributes, sitter.palette
    is_woman = attributes.sex == "woman"
    lash = mix(BLACK, palette.skin_shadow, 0.12)
    outwards = taper(13, 0.55, 1.15) * (0.0125 if is_woman else 0.0095)
    canvas.stroke(uppers, np.stack([outwards, outwards]), lash)
    canvas.stroke(lowers, 0.004, mix(palette.skin_shadow, BLACK, 0.2), 0.7)
    if attributes.eye_form != "narrow":
        canvas.stroke(uppers[:, 1:-1] - (0.0, 0.015), 0.0045, palette.skin_shadow, 0.85)
    if is_woman and attributes.age != "child":
        length = 1.5 if attributes.lipstick else 1.0
        reaches = np.array([0.020, 0.017, 0.013])[:, np.newaxis] * length
        for upper, side in zip(uppers, (-1, 1), strict=True):
            roots = upper[[-1, -3, -5]]
            tips = roots + (side * 0.8, -0.75) * reaches
            canvas.stroke(np.stack([roots, tips], axis=1), [0.007, 0.002], lash)


def draw_brows(canvas: Canvas, sitter: Sitter) -> None:
    """Draws both eyebrows, which follow the expression of the mouth."""
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    width, x, y = _BROW_WIDTHS[attributes.eyebrows], layout.eye_x, layout.brow
    arch = 0.016 * sitter.geometry.brow_arch + (0.006 if attributes.sex == "woman" else 0.0)
    # Brows drawn together go with a mouth turned down, raised ones with an open mouth.
    inner = {"frowning": 0.016, "open": -0.008}.get(attributes.mouth, 0.004)
    lift = {"open": 0.014, "frowning": -0.006}.get(attributes.mouth, 0.0)
    curve = smooth(
        [
            (x - 0.064, y + inner - lift),
            (x - 0.010, y - arch - lift),
            (x + 0.038, y - arch * 0.95 - lift),
            (x + 0.078, y + 0.014 - lift),
        ]
    )
    widths = width * taper(len(curve), 0.7, 1.0, 1.0, 0.9, 0.7, 0.15)
    canvas.stroke(both_sides(curve, layout.turn), widths, palette.brows, 0.92)
    if attributes.eyebrows != "thin":
        starts = curve[1:-6:2]
        tips = starts + (0.010, -width * 0.32)
        hairs = np.stack([starts + (0.0, width * 0.30), tips], axis=1)
        both = np.concatenate([hairs * (-1.0, 1.0), hairs]) + (layout.turn, 0.0)
        canvas.stroke(both, 0.0035, darker(palette.brows, 0.35), 0.4)


def draw_nose(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the nose by its shadows: one flank, the wings, the nostrils."""
    layout, palette, dark = sitter.layout, sitter.palette, -sitter.lit
    width, y, x = layout.nose_half_width, layout.nose, layout.turn * 1.5
    bridge = layout.eye + 0.01
    canvas.spot((x, y + 0.024), (width * 1.25, 0.030), palette.skin_shadow, 0.55)
    flank = [(0.020, bridge - 0.035), (0.019, bridge + 0.02), (width * 0.62, y - 0.045)]
    flank += [(width * 0.98, y - 0.012)]
    curve = mirrored(smooth(flank), dark) + (x, 0.0)
    for spread, opacity in ((1.6, 0.16), (1.0, 0.22), (0.5, 0.2)):
        canvas.stroke(
            curve, taper(len(curve), 0.010, 0.02, 0.022) * spread, palette.skin_shadow, opacity
        )
    light = palette.skin_light
    canvas.spot((x - dark * 0.006, y - 0.028), (width * 0.55, 0.032), light, 0.8)
    canvas.spot((x - dark * 0.004, bridge + 0.03), (0.013, 0.085), light, 0.5)
    _draw_nostrils(canvas, sitter, x)


def _draw_nostrils(canvas: Canvas, sitter: Sitter, x: float) -> None:
    width, y = sitter.layout.nose_half_width, sitter.layout.nose
    line = mix(sitter.palette.skin_shadow, BLACK, 0.22)
    wing = smooth(
        [
            (width * 0.80, y - 0.036),
            (width * 1.04, y - 0.014),
            (width * 0.92, y + 0.006),
            (width * 0.66, y + 0.006),
        ]
    )
    canvas.stroke(both_sides(wing, x), taper(len(wing), 0.002, 0.008), line, 0.65)
    nostril = ellipse((width * 0.42, y + 0.004), (width * 0.21, 0.0065), 14)
    canvas.fill(both_sides(nostril, x), line, 0.9)
    tip = smooth([(-width * 0.3, y + 0.010), (0.0, y + 0.015), (width * 0.3, y + 0.010)])
    canvas.stroke(tip + (x, 0.0), 0.005, line, 0.6)
