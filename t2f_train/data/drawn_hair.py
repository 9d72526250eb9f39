"""Drawn hair: what hangs behind the head, what frames the face, its strands and its shine."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_attributes import FaceAttributes
from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, ellipse, mirrored, smooth
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_hair_shape import HairShape
from t2f_train.data.drawn_palette import Colour, Palette, darker, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_hair_behind(
    canvas: Canvas, sitter: Sitter, shape: HairShape, rng: np.random.Generator
) -> None:
    """Draws the hair that the head and the shoulders partly cover, with a bun or a ponytail."""
    attributes, geometry, palette = sitter.attributes, sitter.geometry, sitter.palette
    deep = mix(palette.hair, palette.hair_shadow, 0.75)
    if shape.end > 0.6:
        canvas.fill(shape.back, deep)
        for curl in shape.curls:
            canvas.fill(curl, deep)
    if (
        attributes.is_hair_tied
        and attributes.hair_arrangement == "bun"
        and attributes.hat == "none"
    ):
        _draw_bun(canvas, attributes, palette, rng)
    if attributes.is_hair_tied and attributes.hair_arrangement == "ponytail":
        _draw_ponytail(canvas, attributes, geometry, palette, rng)


def _draw_bun(
    canvas: Canvas,
    attributes: FaceAttributes,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    centre, radius = (0.0, 0.075), 0.098
    outline = [ellipse(centre, (radius * 1.08, radius))]
    if attributes.hair_texture == "curly":
        rim = ellipse(centre, (radius, radius * 0.94), 13)
        outline += [ellipse(point, (0.03, 0.03), 14) for point in rim]
    mask = canvas.mask(*outline)
    canvas.paint(mask, palette.hair)
    with canvas.within(mask):
        canvas.spot((0.0, 0.16), (0.16, 0.08), palette.hair_shadow, 0.9)
        canvas.spot((-0.03, 0.035), (0.06, 0.04), palette.hair_light, 0.6)
        if attributes.hair_texture == "curly":
            _draw_curl_marks(canvas, palette, rng.uniform(-0.1, 0.1, (14, 2)) + centre, rng)
            return
        for share, colour in (
            (0.8, palette.hair_shadow),
            (0.55, palette.hair_light),
            (0.3, palette.hair_shadow),
        ):
            arc = smooth(
                [
                    (-radius * share, 0.10),
                    (-radius * share * 0.7, 0.04),
                    (0.02, 0.075 - radius * share),
                    (radius * share, 0.07),
                ]
            )
            canvas.stroke(arc, 0.007, colour, 0.55)


def _draw_ponytail(
    canvas: Canvas,
    attributes: FaceAttributes,
    geometry: FaceGeometry,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    side = 1 if geometry.parting > 0 else -1
    spine = smooth(
        [(0.19, 0.26), (0.315, 0.31), (0.365, 0.46), (0.362, 0.66), (0.325, 0.83), (0.335, 0.93)],
        samples=8,
    )
    end = len(spine) if attributes.hair_length == "long" else round(len(spine) * 0.84)
    spine = mirrored(spine[:end], side)
    t = np.linspace(0, 1, len(spine))
    widths = np.interp(t, [0, 0.15, 0.5, 0.85, 1], [0.05, 0.10, 0.125, 0.085, 0.012])
    if attributes.hair_texture != "straight":
        spine = spine + np.stack([0.014 * np.sin(t * 17) * np.minimum(1, t * 3), 0 * t], axis=1)
    shapes = [_ribbon(spine, widths)]
    if attributes.hair_texture == "curly":
        shapes += [
            ellipse(point, (w * 0.52, w * 0.46), 14)
            for point, w in zip(spine[4::5], widths[4::5], strict=True)
        ]
    mask = canvas.mask(*shapes)
    canvas.paint(mask, mix(palette.hair, palette.hair_shadow, 0.25))
    with canvas.within(mask):
        for share in (-0.36, -0.2, -0.05, 0.12, 0.3, 0.42):
            colour = palette.hair_light if share in (-0.2, 0.12) else palette.hair_shadow
            line = spine + np.stack([widths * share * side, 0 * t], axis=1)
            canvas.stroke(line, 0.008, colour, 0.5)
        if attributes.hair_texture == "curly":
            marks = spine[rng.integers(4, len(spine), 16)] + rng.uniform(-0.04, 0.04, (16, 2))
            _draw_curl_marks(canvas, palette, marks, rng)


def _ribbon(spine: Points, widths: Points) -> Points:
    along = np.gradient(spine, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * widths[:, np.newaxis] / 2
    return np.concatenate([spine + across, (spine - across)[::-1]])


def shade_under_hair(canvas: Canvas, sitter: Sitter, hair: Image.Image) -> None:
    """Lets the hair throw a soft shadow on the face."""
    layout, palette = sitter.layout, sitter.palette
    drop = max(1, round(0.020 * canvas.side))
    lowered = hair.transform(hair.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -drop))
    with canvas.within(canvas.mask(layout.outline)):
        canvas.paint(canvas.soften(lowered, 0.014), palette.skin_shadow, 0.62)


def draw_hair(
    canvas: Canvas, sitter: Sitter, shape: HairShape, hair: Image.Image, rng: np.random.Generator
) -> None:
    """Draws the hair around the face.

    Args:
        canvas: With the face already on it.
        sitter: The face.
        shape: Its outlines.
        hair: The mask of the front hair, "L", as `front_mask` returns it.
        rng: Scatters the strands.
    """
    attributes, geometry, palette = sitter.attributes, sitter.geometry, sitter.palette
    if attributes.hair_length in ("cropped", "receding"):
        _draw_short_back_and_sides(canvas, shape, hair, palette, rng)
        return
    canvas.paint(hair, palette.hair)
    with canvas.within(hair):
        _shade_hair(canvas, geometry, shape, palette)
        if attributes.hair_texture == "curly":
            marks = _scattered(shape, 70 if shape.end > 0.7 else 46, rng)
            _draw_curl_marks(canvas, palette, marks, rng)
        elif attributes.hair_front in ("fringe", "swept back"):
            _draw_combed_strands(canvas, attributes, shape, palette, rng)
            _draw_ruled_strands(canvas, shape, palette, rng, 6, from_share=0.45)
        else:
            _draw_ruled_strands(canvas, shape, palette, rng, 11, from_share=0.0)
            _draw_parting(canvas, shape, palette)
        _draw_shine(canvas, geometry, attributes, palette)


def front_mask(canvas: Canvas, shape: HairShape) -> Image.Image:
    """Returns the mask of the hair around the face, "L"."""
    return canvas.mask(shape.front, *shape.curls)


def _shade_hair(canvas: Canvas, geometry: FaceGeometry, shape: HairShape, palette: Palette) -> None:
    shadow = palette.hair_shadow
    lit = 1.0 if geometry.light > 0 else -1.0
    canvas.spot((-lit * 0.34, 0.5), (0.22, 0.55), shadow, 0.6)
    if shape.end > 0.6:
        for side in (-1, 1):
            canvas.spot((side * 0.19, 0.78), (0.09, 0.24), shadow, 0.85)
            canvas.spot((side * 0.235, 0.46), (0.05, 0.14), shadow, 0.55)


def _draw_shine(
    canvas: Canvas, geometry: FaceGeometry, attributes: FaceAttributes, palette: Palette
) -> None:
    lit = 1.0 if geometry.light > 0 else -1.0
    strength = 0.35 if attributes.hair_texture == "curly" else 0.62
    canvas.spot((lit * 0.13, 0.175), (0.13, 0.055), palette.hair_light, strength)
    canvas.spot((-lit * 0.15, 0.19), (0.08, 0.04), palette.hair_light, strength * 0.5)
    canvas.spot((lit * 0.29, 0.62), (0.045, 0.17), palette.hair_light, strength * 0.8)


def _draw_ruled_strands(
    canvas: Canvas,
    shape: HairShape,
    palette: Palette,
    rng: np.random.Generator,
    count: int,
    *,
    from_share: float,
) -> None:
    start = round(from_share * len(shape.outer[0]))
    for outer, inner in zip(shape.outer, shape.inner, strict=True):
        shares = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count
        blend = shares[:, np.newaxis, np.newaxis]
        lines = (outer * (1 - blend) + inner * blend)[:, start::3]
        taper = np.interp(np.linspace(0, 1, lines.shape[1]), [0, 0.4, 1], [0.3, 1.0, 0.6])
        _stroke_by_turns(canvas, lines, 0.0075 * taper, palette)


def _draw_combed_strands(
    canvas: Canvas,
    attributes: FaceAttributes,
    shape: HairShape,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    lines = []
    t = np.linspace(0, 1, 9)[:, np.newaxis]
    high = float(shape.outer[0][0, 1])
    for inner in shape.inner:
        for tip in inner[1 : round(len(inner) * 0.72) : 3] + rng.uniform(-0.006, 0.006, 2):
            x, y = float(tip[0]), float(tip[1])
            crown = np.array([0.42 * x, high + 0.012])
            bow = np.array([1.06 * x, high + 0.35 * (y - high)])
            lines.append((1 - t) ** 2 * crown + 2 * t * (1 - t) * bow + t**2 * (x, y + 0.004))
    taper = np.interp(np.linspace(0, 1, 9), [0, 0.5, 1], [0.3, 1.0, 0.5])
    width = 0.010 if attributes.hair_front == "fringe" else 0.008
    _stroke_by_turns(canvas, np.stack(lines), width * taper, palette)


def _stroke_by_turns(canvas: Canvas, lines: Points, widths: Points, palette: Palette) -> None:
    canvas.stroke(lines[0::2], widths * 1.2, palette.hair_shadow, 0.38)
    canvas.stroke(lines[1::2], widths * 0.8, palette.hair_light, 0.42)


def _draw_parting(canvas: Canvas, shape: HairShape, palette: Palette) -> None:
    top, low = shape.outer[0][0], shape.inner[0][0]
    line = smooth([top + (0.0, 0.01), (top + low) / 2 + (0.002, 0.0), low])
    canvas.stroke(line, np.linspace(0.004, 0.012, len(line)), darker(palette.hair_shadow, 0.1), 0.8)


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
    arcs = arcs + np.asarray(centres)[:, np.newaxis]
    taper = np.interp(np.linspace(0, 1, 9), [0, 0.5, 1], [0.002, 0.0085, 0.002])
    canvas.stroke(arcs[0::2], taper, palette.hair_shadow, 0.5)
    canvas.stroke(arcs[1::2], taper * 0.8, palette.hair_light, 0.5)


def _draw_short_back_and_sides(
    canvas: Canvas,
    shape: HairShape,
    hair: Image.Image,
    palette: Palette,
    rng: np.random.Generator,
) -> None:
    soft = canvas.soften(hair, 0.008)
    canvas.paint(soft, palette.hair, 0.93)
    with canvas.within(soft):
        centres = _scattered(shape, 90, rng)
        lean = np.stack([0.02 * centres[:, 0], np.full(len(centres), 0.018)], axis=1)
        hairs = np.stack([centres, centres + lean], axis=1)
        light: Colour = palette.hair_light
        canvas.stroke(hairs[0::2], 0.0045, palette.hair_shadow, 0.5)
        canvas.stroke(hairs[1::2], 0.004, light, 0.5)
        canvas.spot((0.08, 0.16), (0.12, 0.05), light, 0.4)
