"""What drawn people wear on their faces: glasses and earrings."""

import numpy as np

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, both_sides, ellipse, smooth
from t2f_train.data.drawn_palette import BLACK, WHITE, mix
from t2f_train.data.drawn_sitter import Sitter

_GOLD = (246, 204, 84)
_GOLD_SHADOW = (150, 100, 20)
_PEARL = (250, 246, 240)
_PEARL_SHADOW = (176, 168, 164)


def draw_glasses(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the glasses, resting on the nose."""
    attributes, layout = sitter.attributes, sitter.layout
    if attributes.glasses == "none":
        return
    is_dark = attributes.glasses == "sunglasses"
    frame = mix(sitter.palette.frame, BLACK, 0.7) if is_dark else sitter.palette.frame
    lens, middle, eye = _lens(sitter), layout.turn, layout.eye
    rims = both_sides(lens, middle)
    arm = [(float(lens[:, 0].max()) - 0.004, eye - 0.022), (layout.edge(0.5) + 0.006, eye - 0.034)]
    canvas.stroke(both_sides(arm), 0.015, frame)
    canvas.fill(rims, (32, 32, 40) if is_dark else (226, 240, 248), 1.0 if is_dark else 0.13)
    with canvas.within(canvas.mask(rims)):
        glints = [
            [(x - 0.055, eye + 0.04), (x + 0.005, eye - 0.07)]
            for x in (middle - layout.eye_x, middle + layout.eye_x)
        ]
        if is_dark:
            for x in (middle - layout.eye_x, middle + layout.eye_x):
                canvas.spot((x, eye + 0.09), (0.12, 0.09), (96, 92, 112), 0.7)
        canvas.stroke(glints, [0.012, 0.018], WHITE, 0.5 if is_dark else 0.26)
    canvas.stroke(np.concatenate([rims, rims[:, :2]], axis=1), 0.0135, frame)
    inner = float(lens[:, 0].min())
    bridge = smooth([(-inner, eye - 0.012), (0.0, eye - 0.026), (inner, eye - 0.012)])
    canvas.stroke(bridge + (middle, 0.0), 0.013, frame)


def _lens(sitter: Sitter) -> Points:
    """Returns the right lens as a polygon around the right eye, the head's middle being 0."""
    x, y = sitter.layout.eye_x + 0.004, sitter.layout.eye + 0.006
    if sitter.attributes.glasses == "round":
        return ellipse((x, y), (0.087, 0.085), 32)
    if sitter.attributes.glasses == "square":
        rim = ellipse((0.0, 0.0), (1.0, 1.0), 40)
        box: Points = np.sign(rim) * np.abs(rim) ** 0.38 * (0.092, 0.066) + (x, y)
        return box
    drop = [(-0.086, -0.052), (0.0, -0.062), (0.092, -0.056), (0.098, -0.01), (0.07, 0.06)]
    drop += [(0.005, 0.078), (-0.06, 0.056), (-0.088, 0.0)]
    return smooth(drop, closed=True) + (x, y)


def draw_earrings(canvas: Canvas, sitter: Sitter) -> None:
    """Draws earrings at the lobes, in front of the hair."""
    x, y = sitter.layout.edge(0.52) + 0.018, 0.602
    match sitter.attributes.earrings:
        case "hoops":
            hoop = ellipse((x, y + 0.043), (0.034, 0.043), 24)
            rings = both_sides(np.concatenate([hoop, hoop[:2]]))
            canvas.stroke(rings, 0.0155, _GOLD_SHADOW)
            canvas.stroke(rings, 0.010, _GOLD)
        case "pearls":
            canvas.fill(both_sides(ellipse((x, y + 0.012), (0.0245, 0.0245))), _PEARL_SHADOW)
            canvas.fill(both_sides(ellipse((x, y + 0.011), (0.021, 0.021))), _PEARL)
            canvas.fill(both_sides(ellipse((x - 0.004, y + 0.004), (0.007, 0.007), 12)), WHITE)
        case "none":
            return
