"""Drawn hair: what hangs behind the head, what frames the face, its strands and its shine."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_canvas import Canvas, common
from t2f_train.data.drawn_curves import Points, discs, ellipse, mirrored, normals, smooth, taper
from t2f_train.data.drawn_hair_shape import HairShape, hat_line
from t2f_train.data.drawn_palette import Palette, darker, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_hair_behind(
    canvas: Canvas, sitter: Sitter, shape: HairShape, rng: np.random.Generator
) -> None:
    """Draws the hair that the head and the shoulders partly cover, with a bun or a ponytail."""
    attributes, palette = sitter.attributes, sitter.palette
    if shape.end > 0.6:
        behind = canvas.mask(shape.back_polygon, *shape.curls)
        if attributes.hat != "none":
            behind = common(behind, _below_hat(canvas, sitter))
        canvas.paint(behind, mix(palette.hair, palette.hair_shadow, 0.75))
    if attributes.is_hair_tied and attributes.hair_arrangement == "ponytail":
        _draw_ponytail(canvas, sitter, rng)
    if attributes.is_hair_tied and attributes.hair_arrangement == "bun":
        _draw_bun(canvas, sitter, rng)


def front_mask(canvas: Canvas, sitter: Sitter, shape: HairShape) -> Image.Image:
    """Returns the mask of the hair around the face, "L", without what a hat covers."""
    mask = canvas.mask(shape.front_polygon, *shape.curls)
    return mask if sitter.attributes.hat == "none" else common(mask, _below_hat(canvas, sitter))


def _below_hat(canvas: Canvas, sitter: Sitter) -> Image.Image:
    line = hat_line(sitter.attributes.hat)
    return canvas.mask([(-2, line), (2, line), (2, 2), (-2, 2)])


def _draw_bun(canvas: Canvas, sitter: Sitter, rng: np.random.Generator) -> None:
    palette, is_curly = sitter.palette, sitter.attributes.hair_texture == "curly"
    x, y, radius = 0.0, 0.072, 0.098
    outlines = [ellipse((x, y), (radius * 1.08, radius))]
    if is_curly:
        outlines += list(discs(ellipse((x, y), (radius, radius * 0.94), 13), 0.03))
    mask = canvas.mask(*outlines)
    canvas.paint(mask, palette.hair)
    with canvas.within(mask):
        canvas.spot((x, 0.16), (0.16, 0.08), palette.hair_shadow, 0.9)
        canvas.spot((x + sitter.lit * 0.03, 0.035), (0.06, 0.04), palette.hair_light, 0.6)
        if is_curly:
            _draw_curl_marks(canvas, palette, rng.uniform(-0.1, 0.1, (14, 2)) + (x, y), rng)
            return
        for share in (0.80, 0.62, 0.44, 0.26):
            reach = radius * share
            arc = [(x - reach, y + 0.03), (x - reach * 0.7, y - reach * 0.65), (x, y - reach)]
            arc += [(x + reach * 0.8, y - reach * 0.4), (x + reach * 0.9, y + reach * 0.5)]
            colour = palette.hair_light if share == 0.62 else palette.hair_shadow
            canvas.stroke(smooth(arc), taper(25, 0.002, 0.008, 0.002), colour, 0.6)


def _draw_ponytail(canvas: Canvas, sitter: Sitter, rng: np.random.Generator) -> None:
    attributes, palette = sitter.attributes, sitter.palette
    side = 1 if sitter.geometry.parting > 0 else -1
    # A hat leaves room for a ponytail only below it.
    root = (
        [(0.17, 0.24), (0.315, 0.29)] if attributes.hat == "none" else [(0.16, 0.40), (0.30, 0.40)]
    )
    hanging = [(0.372, 0.46), (0.370, 0.66), (0.335, 0.84), (0.345, 1.06)]
    spine = mirrored(smooth([*root, *hanging], samples=8), side)
    if attributes.hair_length == "shoulder-length":
        spine = spine[:30]
    t = np.linspace(0.0, 1.0, len(spine))
    if attributes.hair_texture != "straight":
        spine = spine + np.stack([0.014 * np.sin(t * 17) * np.minimum(1, t * 3), 0 * t], axis=1)
    tip = 0.012 if attributes.hair_length == "shoulder-length" else 0.07
    widths = np.interp(t, [0, 0.15, 0.5, 0.85, 1], [0.06, 0.10, 0.125, 0.095, tip])
    across = normals(spine) * widths[:, np.newaxis]
    shapes = [np.concatenate([spine + across / 2, (spine - across / 2)[::-1]])]
    if attributes.hair_texture == "curly":
        shapes += list(discs(spine[4::4], widths[4::4] * 0.56))
    mask = canvas.mask(*shapes)
    canvas.paint(mask, mix(palette.hair, palette.hair_shadow, 0.15))
    with canvas.within(mask):
        if attributes.hair_texture == "curly":
            marks = spine[rng.integers(4, len(spine), 24)] + rng.uniform(-0.05, 0.05, (24, 2))
            _draw_curl_marks(canvas, palette, marks, rng)
            return
        shares = np.array([-0.36, -0.2, -0.05, 0.12, 0.3, 0.42])[:, np.newaxis, np.newaxis]
        _stroke_by_turns(canvas, spine + across * shares, 0.008, palette)


def shade_under_hair(canvas: Canvas, sitter: Sitter, hair: Image.Image) -> None:
    """Lets the hair, given as its mask, throw a soft shadow on the face."""
    shadow = canvas.soften(canvas.lowered(hair, 0.020), 0.014)
    face = canvas.mask(sitter.layout.outline)
    canvas.paint(common(shadow, face), sitter.palette.skin_shadow, 0.62)


def draw_hair(
    canvas: Canvas,
    sitter: Sitter,
    shape: HairShape,
    hair: Image.Image,
    rng: np.random.Generator,
) -> None:
    """Draws the hair around the face.

    Args:
        canvas: With the face already on it.
        sitter: Whose hair it is.
        shape: Its outlines.
        hair: Its mask, "L", as `front_mask` returns it.
        rng: Scatters the strands.
    """
    attributes, palette = sitter.attributes, sitter.palette
    if attributes.hair_length == "cropped":
        _draw_cropped_hair(canvas, sitter, shape, hair, rng)
        return
    canvas.paint(hair, palette.hair)
    with canvas.within(hair):
        _shade_hair(canvas, sitter, shape)
        if attributes.hair_texture == "curly" and attributes.hair_length != "receding":
            marks = _scattered(shape, 70 if shape.end > 0.7 else 46, rng)
            _draw_curl_marks(canvas, palette, marks, rng)
        else:
            _draw_strands(canvas, sitter, shape, rng)
        _draw_shine(canvas, sitter)


def _shade_hair(canvas: Canvas, sitter: Sitter, shape: HairShape) -> None:
    shadow = sitter.palette.hair_shadow
    canvas.spot((-sitter.lit * 0.34, 0.5), (0.22, 0.55), shadow, 0.6)
    if shape.end > 0.6:
        for side in (-1, 1):
            canvas.spot((side * 0.19, 0.78), (0.09, 0.24), shadow, 0.85)
            canvas.spot((side * 0.235, 0.46), (0.05, 0.14), shadow, 0.55)


def _draw_shine(canvas: Canvas, sitter: Sitter) -> None:
    lit, light = sitter.lit, sitter.palette.hair_light
    strength = 0.35 if sitter.attributes.hair_texture == "curly" else 0.62
    if sitter.attributes.hat == "none":
        canvas.spot((lit * 0.13, 0.175), (0.13, 0.055), light, strength)
        canvas.spot((-lit * 0.15, 0.19), (0.08, 0.04), light, strength * 0.5)
    canvas.spot((lit * 0.29, 0.62), (0.045, 0.17), light, strength * 0.8)


def _draw_strands(
    canvas: Canvas, sitter: Sitter, shape: HairShape, rng: np.random.Generator
) -> None:
    is_wavy = sitter.attributes.hair_texture == "wavy"
    if shape.front in ("fringe", "swept back"):
        _draw_combed_strands(canvas, shape, sitter.palette, rng)
        if shape.end > 0.6:
            lines = _ruled_lines(shape, rng, 6)[:, round(0.45 * len(shape.outer[0])) :]
            _draw_ruled_lines(canvas, lines, sitter.palette, step=1 if is_wavy else 3)
        return
    _draw_ruled_lines(
        canvas, _ruled_lines(shape, rng, 11), sitter.palette, step=1 if is_wavy else 3
    )
    top, low = shape.outer[0][0], shape.inner[0][0]
    line = smooth([top + (0.0, 0.01), (top + low) / 2 + (0.002, 0.0), low])
    deep = darker(sitter.palette.hair_shadow, 0.1)
    canvas.stroke(line, taper(len(line), 0.004, 0.012), deep, 0.8)


def _ruled_lines(shape: HairShape, rng: np.random.Generator, count: int) -> Points:
    """Returns lines between outline and hairline, shape `(2 * count, 60, 2)`."""
    sheets = []
    for outer, inner in zip(shape.outer, shape.inner, strict=True):
        shares = ((np.arange(count) + rng.uniform(0.2, 0.8, count)) / count)[:, None, None]
        sheets.append(outer * (1 - shares) + inner * shares)
    return np.concatenate(sheets)


def _draw_ruled_lines(canvas: Canvas, lines: Points, palette: Palette, *, step: int) -> None:
    lines = lines[:, ::step]
    _stroke_by_turns(canvas, lines, 0.0075 * taper(lines.shape[1], 0.3, 1.0, 0.8, 0.6), palette)


def _draw_combed_strands(
    canvas: Canvas, shape: HairShape, palette: Palette, rng: np.random.Generator
) -> None:
    """Draws strands between the crown and the hairline over the forehead."""
    tips = np.concatenate([inner[1 : round(0.6 * len(inner)) : 3] for inner in shape.inner])
    tips = tips + rng.uniform(-0.006, 0.006, (len(tips), 2))
    high = float(shape.outer[0][0, 1])
    crowns = np.stack([0.42 * tips[:, 0], np.full(len(tips), high + 0.012)], axis=1)
    bows = np.stack([1.06 * tips[:, 0], high + 0.35 * (tips[:, 1] - high)], axis=1)
    t = np.linspace(0.0, 1.0, 9)[:, np.newaxis]
    lines = (
        (1 - t) ** 2 * crowns[:, np.newaxis]
        + 2 * t * (1 - t) * bows[:, np.newaxis]
        + t**2 * tips[:, np.newaxis]
    )
    width = 0.010 if shape.front == "fringe" else 0.008
    _stroke_by_turns(canvas, lines, width * taper(9, 0.3, 1.0, 0.5), palette)


def _stroke_by_turns(
    canvas: Canvas, lines: Points, widths: Points | float, palette: Palette
) -> None:
    canvas.stroke(lines[0::2], np.asarray(widths) * 1.2, palette.hair_shadow, 0.38)
    canvas.stroke(lines[1::2], np.asarray(widths) * 0.8, palette.hair_light, 0.42)


def _scattered(shape: HairShape, count: int, rng: np.random.Generator) -> Points:
    places = []
    for outer, inner in zip(shape.outer, shape.inner, strict=True):
        at = rng.integers(0, len(outer), count // 2)
        blend = rng.uniform(-0.05, 1.0, (count // 2, 1))
        places.append(outer[at] * (1 - blend) + inner[at] * blend)
    return np.concatenate(places)


def _draw_curl_marks(
    canvas: Canvas, palette: Palette, centres: Points, rng: np.random.Generator
) -> None:
    count = len(centres)
    angles = rng.uniform(0, 2 * np.pi, (count, 1)) + np.linspace(0, 4.2, 9)
    radii = rng.uniform(0.011, 0.023, (count, 1)) * np.linspace(1.0, 0.75, 9)
    arcs = np.stack([np.cos(angles), np.sin(angles)], axis=2) * radii[..., np.newaxis]
    arcs = arcs + centres[:, np.newaxis]
    widths = taper(9, 0.002, 0.0085, 0.002)
    canvas.stroke(arcs[0::2], widths, palette.hair_shadow, 0.5)
    canvas.stroke(arcs[1::2], widths * 0.8, palette.hair_light, 0.5)


def _draw_cropped_hair(
    canvas: Canvas,
    sitter: Sitter,
    shape: HairShape,
    hair: Image.Image,
    rng: np.random.Generator,
) -> None:
    palette = sitter.palette
    # Soft towards the skin, sharp towards the wall.
    faded = common(canvas.soften(hair, 0.010), hair)
    canvas.paint(faded, palette.hair, 0.95)
    with canvas.within(faded):
        _shade_hair(canvas, sitter, shape)
        roots = _scattered(shape, 110, rng)
        hairs = np.stack([roots, roots + (0.0, 0.014)], axis=1)
        canvas.stroke(hairs[0::2], 0.0045, palette.hair_shadow, 0.4)
        canvas.stroke(hairs[1::2], 0.004, palette.hair_light, 0.4)
        canvas.spot((sitter.lit * 0.08, 0.16), (0.12, 0.05), palette.hair_light, 0.4)
