"""The skin of drawn faces: neck, ears, shaded head; behind it the wall, below it the clothes."""

import numpy as np

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, both_sides, closed_over, mirrored, smooth, taper
from t2f_train.data.drawn_palette import darker, lighter, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_background(canvas: Canvas, sitter: Sitter) -> None:
    """Lights the wall behind the head, and lets the head throw a soft shadow on it."""
    colour, side = sitter.palette.background, 0.5 * sitter.geometry.light
    # All of it is soft, so it is drawn small.
    wall = Canvas(48, colour)
    wall.spot((side, 0.15), (0.9, 0.9), lighter(colour, 0.5), 0.55)
    wall.spot((-side, 1.0), (0.8, 0.8), darker(colour, 0.3), 0.3)
    wall.spot((0.0, 0.55), (0.55, 0.64), darker(colour, 0.34), 0.55)
    canvas.image.paste(wall.image.resize(canvas.image.size), (0, 0))


def draw_body(canvas: Canvas, sitter: Sitter) -> None:
    """Draws shoulders, clothes and neck."""
    attributes, colour = sitter.attributes, sitter.palette.clothes
    is_child = attributes.age == "child"
    is_man = attributes.sex == "man" and not is_child
    neck = 0.135 if is_man else 0.095 if is_child else 0.104
    reach = 0.50 if is_man else 0.40 if is_child else 0.44
    right = smooth(
        [
            (0.0, 0.875),
            (neck + 0.03, 0.885),
            (reach * 0.72, 0.922),
            (reach, 0.985),
            (reach + 0.04, 1.2),
        ]
    )
    shoulders = closed_over(right)
    canvas.fill(shoulders, colour)
    with canvas.within(canvas.mask(shoulders)):
        shade, lit = darker(colour, 0.45), sitter.geometry.light
        canvas.spot((-lit * 0.42, 1.02), (0.3, 0.2), shade, 0.6)
        canvas.spot((lit * 0.3, 0.93), (0.16, 0.06), lighter(colour, 0.4), 0.5)
        fold = smooth([(0.21, 0.955), (0.25, 0.985), (0.27, 1.03)])
        canvas.stroke(both_sides(fold), 0.006, shade, 0.35)
    _draw_neck(canvas, sitter, neck)
    _draw_neckline(canvas, sitter, neck)


def _draw_neck(canvas: Canvas, sitter: Sitter, neck: float) -> None:
    palette = sitter.palette
    right = smooth([(neck, 0.6), (neck * 0.97, 0.84), (neck * 1.08, 0.895), (neck * 1.3, 0.93)])
    throat = closed_over(np.concatenate([right, [(neck * 0.9, 0.966), (0.0, 0.985)]]))
    canvas.fill(throat, palette.skin)
    with canvas.within(canvas.mask(throat)):
        shadow = mix(palette.skin, palette.skin_shadow, 0.85)
        canvas.fill([(-0.3, 0.5), (0.3, 0.5), (0.3, 0.86), (-0.3, 0.86)], shadow, 0.75)
        canvas.spot((0.0, 0.865), (0.28, 0.10), shadow, 1.0)
        sinew = smooth([(neck * 0.62, 0.89), (neck * 0.3, 0.945)])
        canvas.stroke(both_sides(sinew), taper(len(sinew), 0.008, 0.002), shadow, 0.5)


def _draw_neckline(canvas: Canvas, sitter: Sitter, neck: float) -> None:
    colour = sitter.palette.clothes
    shade = darker(colour, 0.35)
    match sitter.geometry.neckline:
        case "round":
            half = smooth([(neck * 1.32, 0.92), (neck * 0.8, 0.962), (0.0, 0.98)])
            rim = np.concatenate([half, mirrored(half[:-1], -1)[::-1]])
            canvas.stroke(rim, 0.024, mix(colour, shade, 0.45))
            canvas.stroke(rim + (0.0, 0.012), 0.004, shade, 0.8)
        case "v":
            cloth = [(neck * 1.32, 0.915), (neck * 0.9, 0.955), (0.0, 1.03), (0.0, 1.2), (0.3, 1.1)]
            canvas.fill(both_sides(cloth), colour)
            canvas.stroke(both_sides(cloth[:3]), 0.014, mix(colour, shade, 0.6))
        case "collar":
            flap = [(neck * 1.22, 0.885), (neck * 0.55, 0.945), (neck * 0.15, 0.975)]
            flap += [(neck * 0.75, 1.03), (neck * 1.75, 0.945)]
            canvas.fill(both_sides(flap), lighter(colour, 0.16))
            canvas.stroke(both_sides(flap[2:]), 0.007, shade, 0.8)
            canvas.stroke([(0.0, 0.985), (0.0, 1.1)], 0.008, shade, 0.8)


def draw_ears(canvas: Canvas, sitter: Sitter) -> None:
    """Draws both ears, to be half covered by the head."""
    skin, edge = sitter.palette.skin, sitter.layout.edge(0.52)
    ear = [(edge - 0.02, 0.465), (edge + 0.018, 0.452), (edge + 0.040, 0.485)]
    ear += [(edge + 0.034, 0.545), (edge + 0.014, 0.597), (edge - 0.02, 0.605)]
    canvas.fill(both_sides(smooth(ear, closed=True)), skin)
    hollow = smooth([(edge - 0.01, 0.487), (edge + 0.022, 0.487), (edge + 0.016, 0.55)])
    canvas.stroke(both_sides(hollow), 0.011, mix(skin, sitter.palette.skin_shadow, 0.6), 0.75)


def draw_head(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the head without its features, shaded as if lit from one side."""
    palette, chin, lit = sitter.palette, sitter.layout.chin, sitter.lit
    shadow, light, outline = palette.skin_shadow, palette.skin_light, sitter.layout.outline
    canvas.fill(outline, palette.skin)
    with canvas.within(canvas.mask(outline)):
        canvas.spot((-lit * 0.27, 0.58), (0.20, 0.50), shadow, 0.72 * abs(sitter.geometry.light))
        canvas.spot((lit * 0.30, 0.62), (0.10, 0.36), shadow, 0.32)
        canvas.spot((0.0, chin + 0.035), (0.30, 0.12), shadow, 0.75)
        canvas.spot((lit * 0.06, 0.27), (0.20, 0.12), light, 0.60)
        canvas.spot((lit * 0.12, 0.575), (0.085, 0.06), light, 0.55)
        canvas.spot((0.0, chin - 0.035), (0.06, 0.035), light, 0.35)
        _draw_sockets_and_cheeks(canvas, sitter)
        _draw_wrinkles(canvas, sitter)
    canvas.stroke(np.concatenate([outline, outline[:1]]), 0.004, shadow, 0.4)


def _draw_sockets_and_cheeks(canvas: Canvas, sitter: Sitter) -> None:
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    blush = {"child": 0.40, "young": 0.25, "middle-aged": 0.2, "old": 0.17}[attributes.age]
    blush += 0.12 if attributes.lipstick else 0.0
    for side in (-1, 1):
        socket = (side * (layout.eye_x - 0.02) + layout.turn, layout.eye - 0.03)
        canvas.spot(socket, (0.09, 0.06), palette.skin_shadow, 0.30)
        canvas.spot((side * 0.142 + layout.turn, 0.63), (0.095, 0.075), palette.blush, blush)


def _draw_wrinkles(canvas: Canvas, sitter: Sitter) -> None:
    if sitter.attributes.age not in ("middle-aged", "old"):
        return
    layout, is_old = sitter.layout, sitter.attributes.age == "old"
    eye, mouth, width = layout.eye, layout.mouth, layout.nose_half_width
    beside_nose = [(width + 0.020, layout.nose - 0.022), (width + 0.052, layout.nose + 0.03)]
    beside_nose.append((layout.mouth_half_width + 0.038, mouth + 0.005))
    under_eye = [(layout.eye_x - 0.05, eye + 0.046), (layout.eye_x, eye + 0.064)]
    under_eye.append((layout.eye_x + 0.052, eye + 0.048))
    folds = [beside_nose, under_eye]
    if is_old:
        corner = layout.eye_x + layout.eye_half_width
        for lift, drop in ((-0.004, -0.026), (0.008, 0.006), (0.02, 0.036)):
            foot = [(corner + 0.012, eye + lift), (corner + 0.030, eye + (lift + drop) / 2)]
            folds.append([*foot, (corner + 0.046, eye + drop)])
        folds.append([(0.112, mouth + 0.034), (0.118, mouth + 0.06), (0.105, mouth + 0.085)])
    curves = [both_sides(smooth(fold), layout.turn) for fold in folds]
    lines = np.concatenate([*curves, _forehead_lines(is_old=is_old) + (layout.turn, 0.0)])
    shape = np.array([0.001, 0.006, 0.008, 0.006, 0.001]) * (1.1 if is_old else 0.85)
    line = mix(sitter.palette.skin, sitter.palette.skin_shadow, 0.95)
    canvas.stroke(lines, taper(lines.shape[1], *shape), line, 0.78 if is_old else 0.5)


def _forehead_lines(*, is_old: bool) -> Points:
    heights = (0.298, 0.326, 0.354) if is_old else (0.330,)
    reaches = [0.125 - abs(y - 0.326) * 0.6 for y in heights]
    halves = [
        smooth([(-reach, y + 0.008), (0.0, y), (reach, y + 0.008)])
        for reach, y in zip(reaches, heights, strict=True)
    ]
    return np.stack(halves)
