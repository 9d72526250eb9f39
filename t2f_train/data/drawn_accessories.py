"""What drawn people wear on their heads: glasses, earrings, hats."""

import numpy as np

from t2f_train.data.drawn_attributes import FaceAttributes, Hat
from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, ellipse, mirrored, smooth
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_layout import HeadLayout
from t2f_train.data.drawn_palette import BLACK, WHITE, Palette, darker, lighter, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_glasses(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the glasses, resting on the nose."""
    attributes, layout, palette = sitter.attributes, sitter.layout, sitter.palette
    if attributes.glasses == "none":
        return
    lens = _lens(attributes, layout)
    is_dark = attributes.glasses == "sunglasses"
    frame = mix(palette.frame, BLACK, 0.7) if is_dark else palette.frame
    for side in (-1, 1):
        rim = mirrored(lens, side) + (layout.turn, 0.0)
        arm_y = layout.eye - 0.022
        arm = [
            (float(np.abs(lens[:, 0]).max()) - 0.004, arm_y),
            (layout.edge(0.5) + 0.006, arm_y - 0.012),
        ]
        canvas.stroke(mirrored(arm, side), 0.015, frame)
        if is_dark:
            _draw_dark_lens(canvas, rim, side, layout)
        else:
            canvas.fill(rim, (226, 240, 248), 0.13)
            with canvas.within(canvas.mask(rim)):
                x = side * layout.eye_x + layout.turn
                glint = [(x - 0.05, layout.eye + 0.05), (x + 0.01, layout.eye - 0.07)]
                canvas.stroke(glint, 0.014, WHITE, 0.28)
        canvas.stroke(np.concatenate([rim, rim[:2]]), 0.0135, frame)
    inner = float(lens[:, 0].min())
    bridge = [(-inner, layout.eye - 0.012), (0.0, layout.eye - 0.026), (inner, layout.eye - 0.012)]
    canvas.stroke(smooth(bridge) + (layout.turn, 0.0), 0.013, frame)


def _lens(attributes: FaceAttributes, layout: HeadLayout) -> Points:
    """Returns the right lens as a polygon around the right eye."""
    x, y = layout.eye_x + 0.004, layout.eye + 0.006
    if attributes.glasses == "round":
        return ellipse((x, y), (0.086, 0.084), 32)
    if attributes.glasses == "square":
        return _rounded_box((x, y), (0.091, 0.064))
    drop = [(-0.086, -0.052), (0.0, -0.062), (0.092, -0.056), (0.098, -0.01), (0.07, 0.06)]
    drop += [(0.005, 0.078), (-0.06, 0.056), (-0.088, 0.0)]
    return smooth(np.array(drop) + (x, y), closed=True)


def _rounded_box(centre: tuple[float, float], half: tuple[float, float]) -> Points:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    box: Points = np.sign(rim) * np.abs(rim) ** 0.38 * half + centre
    return box


def _draw_dark_lens(canvas: Canvas, rim: Points, side: int, layout: HeadLayout) -> None:
    canvas.fill(rim, (32, 32, 40))
    with canvas.within(canvas.mask(rim)):
        x = side * layout.eye_x + layout.turn
        canvas.spot((x, layout.eye + 0.09), (0.12, 0.09), (96, 92, 112), 0.7)
        glint = [(x - 0.055, layout.eye + 0.03), (x + 0.0, layout.eye - 0.07)]
        canvas.stroke(glint, [0.012, 0.02], WHITE, 0.5)


def draw_earrings(canvas: Canvas, sitter: Sitter) -> None:
    """Draws earrings at the lobes."""
    attributes, layout = sitter.attributes, sitter.layout
    if attributes.earrings == "none":
        return
    for side in (-1, 1):
        x, y = side * (layout.edge(0.52) + 0.018), 0.602
        if attributes.earrings == "hoops":
            hoop = ellipse((x, y + 0.043), (0.034, 0.043), 24)
            ring = np.concatenate([hoop, hoop[:2]])
            canvas.stroke(ring, 0.0155, (150, 100, 20))
            canvas.stroke(ring, 0.010, (246, 204, 84))
        else:
            canvas.disc((x, y + 0.012), 0.0245, (176, 168, 164))
            canvas.disc((x, y + 0.011), 0.021, (250, 246, 240))
            canvas.disc((x - 0.006, y + 0.004), 0.007, WHITE)


def hat_line(hat: Hat) -> float:
    """Returns the height below which hair shows under a hat."""
    return {"none": 0.0, "cap": 0.30, "beanie": 0.31, "brimmed": 0.285}[hat]


def draw_hat(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the hat, pulled over the skull."""
    geometry, layout, palette = sitter.geometry, sitter.layout, sitter.palette
    match sitter.attributes.hat:
        case "cap":
            _draw_cap(canvas, geometry, layout, palette)
        case "beanie":
            _draw_beanie(canvas, geometry, layout, palette)
        case "brimmed":
            _draw_brimmed_hat(canvas, geometry, layout, palette)
        case "none":
            return


def _crown(layout: HeadLayout, low: float, high: float, margin: float) -> Points:
    """Returns a dome over the skull from height `low` up to `high`, from left to right."""
    width = layout.edge(low) + margin
    right = [(0.0, high), (width * 0.55, high + 0.022), (width * 0.90, (low + 2 * high) / 3 + 0.01)]
    right += [(width, low)]
    # The point before the first keeps the top level.
    curve = smooth([(-width * 0.55, high + 0.022), *right])[6:]
    return np.concatenate([mirrored(curve, -1)[::-1], curve[1:]])


def _shade_crown(canvas: Canvas, geometry: FaceGeometry, palette: Palette) -> None:
    lit = 1.0 if geometry.light > 0 else -1.0
    canvas.spot((-lit * 0.26, 0.2), (0.2, 0.25), darker(palette.hat, 0.55), 0.7)
    canvas.spot((lit * 0.1, 0.10), (0.14, 0.09), lighter(palette.hat, 0.5), 0.55)


def _draw_cap(canvas: Canvas, geometry: FaceGeometry, layout: HeadLayout, palette: Palette) -> None:
    dome = _crown(layout, 0.315, 0.062, 0.022)
    sag = smooth([dome[-1], (0.0, 0.335), dome[0]])
    dome = np.concatenate([dome, sag])
    seam = darker(palette.hat, 0.4)
    canvas.fill(dome, palette.hat)
    with canvas.within(canvas.mask(dome)):
        _shade_crown(canvas, geometry, palette)
        canvas.stroke([(0.0, 0.0), (0.0, 0.3)], 0.005, seam, 0.8)
        for side in (-1, 1):
            panel = smooth(mirrored([(0.0, 0.062), (0.13, 0.13), (0.165, 0.3)], side))
            canvas.stroke(panel, 0.005, seam, 0.7)
    canvas.fill(ellipse((0.0, 0.063), (0.024, 0.012)), seam)
    width = layout.edge(0.3) * 0.93
    upper = smooth(
        [(-width, 0.305), (-width * 0.6, 0.268), (0.0, 0.252), (width * 0.6, 0.268), (width, 0.305)]
    )
    lower = smooth(
        [
            (width, 0.305),
            (width * 0.96, 0.350),
            (width * 0.5, 0.352),
            (0.0, 0.346),
            (-width * 0.5, 0.352),
            (-width * 0.96, 0.350),
            (-width, 0.305),
        ]
    )
    visor = np.concatenate([upper, lower])
    canvas.fill(visor, mix(palette.hat, seam, 0.35))
    with canvas.within(canvas.mask(visor)):
        canvas.spot((0.0, 0.262), (0.2, 0.04), lighter(palette.hat, 0.4), 0.6)
        canvas.stroke(lower, 0.012, darker(palette.hat, 0.6), 0.7)


def _draw_beanie(
    canvas: Canvas, geometry: FaceGeometry, layout: HeadLayout, palette: Palette
) -> None:
    dome = _crown(layout, 0.30, 0.045, 0.028)
    canvas.fill(dome, palette.hat)
    rib = darker(palette.hat, 0.4)
    with canvas.within(canvas.mask(dome)):
        _shade_crown(canvas, geometry, palette)
        for share in np.linspace(-0.84, 0.84, 9):
            line = smooth([(share * 0.10, 0.05), (share * 0.25, 0.14), (share * 0.275, 0.27)])
            canvas.stroke(line, 0.006, rib, 0.5)
    width = layout.edge(0.29) + 0.036
    top = smooth([(-width * 0.97, 0.225), (0.0, 0.200), (width * 0.97, 0.225)])
    low = smooth(
        [(width, 0.335), (width * 0.5, 0.320), (0.0, 0.315), (-width * 0.5, 0.320), (-width, 0.335)]
    )
    cuff = np.concatenate([top, [(width * 1.02, 0.28)], low, [(-width * 1.02, 0.28)]])
    canvas.fill(cuff, lighter(palette.hat, 0.14))
    with canvas.within(canvas.mask(cuff)):
        for x in np.linspace(-width, width, 17):
            canvas.stroke([(x * 0.985, 0.19), (x, 0.35)], 0.006, rib, 0.5)
        canvas.spot((-0.3 * np.sign(geometry.light), 0.28), (0.16, 0.14), rib, 0.6)
    canvas.stroke(top, 0.006, rib, 0.7)


def _draw_brimmed_hat(
    canvas: Canvas,
    geometry: FaceGeometry,
    layout: HeadLayout,
    palette: Palette,
) -> None:
    width = layout.edge(0.27) + 0.012
    crown = smooth(
        [
            (-width, 0.28),
            (-width * 0.95, 0.16),
            (-width * 0.72, 0.045),
            (-width * 0.3, 0.03),
            (0.0, 0.048),
            (width * 0.3, 0.03),
            (width * 0.72, 0.045),
            (width * 0.95, 0.16),
            (width, 0.28),
        ]
    )
    canvas.fill(crown, palette.hat)
    with canvas.within(canvas.mask(crown)):
        _shade_crown(canvas, geometry, palette)
        band = darker(palette.hat, 0.6) if sum(palette.hat) > 260 else lighter(palette.hat, 0.45)
        canvas.stroke(smooth([(-0.3, 0.235), (0.0, 0.205), (0.3, 0.235)]), 0.046, band)
    brim = smooth(
        [
            (-0.43, 0.290),
            (-0.30, 0.240),
            (0.0, 0.226),
            (0.30, 0.240),
            (0.43, 0.290),
            (0.30, 0.318),
            (0.0, 0.312),
            (-0.30, 0.318),
        ],
        closed=True,
    )
    canvas.fill(brim, mix(palette.hat, darker(palette.hat, 0.3), 0.3))
    with canvas.within(canvas.mask(brim)):
        canvas.spot((0.0, 0.245), (0.34, 0.03), lighter(palette.hat, 0.4), 0.6)
        canvas.spot((0.0, 0.325), (0.4, 0.04), darker(palette.hat, 0.6), 0.6)
