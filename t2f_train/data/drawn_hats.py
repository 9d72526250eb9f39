"""The hats of drawn people, pulled over the skull down to the hair that shows below them."""

import numpy as np

from t2f_train.data.drawn_canvas import Canvas
from t2f_train.data.drawn_curves import Points, both_sides, ellipse, mirrored, smooth
from t2f_train.data.drawn_palette import darker, lighter, mix
from t2f_train.data.drawn_sitter import Sitter


def draw_hat(canvas: Canvas, sitter: Sitter) -> None:
    """Draws the hat, last of all."""
    match sitter.attributes.hat:
        case "cap":
            _draw_cap(canvas, sitter)
        case "beanie":
            _draw_beanie(canvas, sitter)
        case "brimmed":
            _draw_brimmed_hat(canvas, sitter)
        case "none":
            return


def _arch(*right: tuple[float, float]) -> Points:
    """Returns a smooth line from the left to the right, given its right half from x = 0."""
    left = [(-x, y) for x, y in right[:0:-1]]
    return smooth([*left, *right])


def _shade_crown(canvas: Canvas, sitter: Sitter) -> None:
    colour, lit = sitter.palette.hat, sitter.lit
    canvas.spot((-lit * 0.26, 0.2), (0.2, 0.25), darker(colour, 0.55), 0.7)
    canvas.spot((lit * 0.1, 0.10), (0.14, 0.09), lighter(colour, 0.5), 0.55)


def _draw_cap(canvas: Canvas, sitter: Sitter) -> None:
    colour, seam = sitter.palette.hat, darker(sitter.palette.hat, 0.4)
    width = sitter.layout.edge(0.32) + 0.022
    dome = _arch((0.0, 0.058), (width * 0.52, 0.082), (width * 0.90, 0.165), (width, 0.325))
    crown = np.concatenate([dome, _arch((0.0, 0.340), (width, 0.325))[::-1]])
    canvas.fill(crown, colour)
    with canvas.within(canvas.mask(crown)):
        _shade_crown(canvas, sitter)
        panel = smooth([(0.0, 0.058), (0.13, 0.13), (0.165, 0.31)])
        canvas.stroke(both_sides(panel), 0.005, seam, 0.7)
        canvas.stroke([(0.0, 0.0), (0.0, 0.3)], 0.005, seam, 0.8)
    canvas.fill(ellipse((0.0, 0.060), (0.024, 0.012)), seam)
    _draw_visor(canvas, sitter, sitter.layout.edge(0.3) * 0.95)


def _draw_visor(canvas: Canvas, sitter: Sitter, width: float) -> None:
    colour = sitter.palette.hat
    upper = _arch((0.0, 0.256), (width * 0.6, 0.272), (width, 0.312))
    lower = _arch((0.0, 0.352), (width * 0.5, 0.358), (width * 0.96, 0.358), (width, 0.312))
    visor = np.concatenate([upper, lower[::-1]])
    canvas.fill(visor, mix(colour, darker(colour, 0.4), 0.35))
    with canvas.within(canvas.mask(visor)):
        canvas.spot((0.0, 0.266), (0.2, 0.04), lighter(colour, 0.4), 0.6)
        canvas.stroke(lower, 0.012, darker(colour, 0.6), 0.7)


def _draw_beanie(canvas: Canvas, sitter: Sitter) -> None:
    colour, rib = sitter.palette.hat, darker(sitter.palette.hat, 0.4)
    width = sitter.layout.edge(0.30) + 0.034
    dome = _arch((0.0, 0.028), (width * 0.50, 0.058), (width * 0.86, 0.140), (width * 0.97, 0.260))
    canvas.fill(dome, colour)
    with canvas.within(canvas.mask(dome)):
        _shade_crown(canvas, sitter)
        ribs = [
            smooth([(share * 0.10, 0.03), (share * 0.25, 0.13), (share * 0.285, 0.27)])
            for share in np.linspace(-0.84, 0.84, 9)
        ]
        canvas.stroke(np.stack(ribs), 0.006, rib, 0.5)
    top = _arch((0.0, 0.208), (width * 0.5, 0.214), (width * 0.98, 0.238))
    low = _arch((0.0, 0.330), (width * 0.5, 0.334), (width * 0.99, 0.350), (width * 1.02, 0.290))
    cuff = np.concatenate([top, low[::-1]])
    canvas.fill(cuff, lighter(colour, 0.14))
    with canvas.within(canvas.mask(cuff)):
        folds = [[(x * 0.985, 0.19), (x, 0.37)] for x in np.linspace(-width, width, 17)]
        canvas.stroke(folds, 0.006, rib, 0.5)
        canvas.spot((-0.3 * sitter.lit, 0.28), (0.16, 0.14), rib, 0.6)
    canvas.stroke(top, 0.006, rib, 0.7)


def _draw_brimmed_hat(canvas: Canvas, sitter: Sitter) -> None:
    colour = sitter.palette.hat
    width = sitter.layout.edge(0.27) + 0.012
    crown = _arch(
        (0.0, 0.048),
        (width * 0.3, 0.03),
        (width * 0.72, 0.045),
        (width * 0.95, 0.16),
        (width, 0.28),
    )
    canvas.fill(crown, colour)
    with canvas.within(canvas.mask(crown)):
        _shade_crown(canvas, sitter)
        band = darker(colour, 0.6) if sum(colour) > 260 else lighter(colour, 0.45)
        canvas.stroke(_arch((0.0, 0.205), (0.3, 0.235)), 0.046, band)
    upper = [(0.0, 0.226), (0.30, 0.240), (0.43, 0.290)]
    right = [*upper, (0.30, 0.320), (0.0, 0.315)]
    left = mirrored(right[1:-1], -1)[::-1]
    brim = smooth(np.concatenate([right, left]), closed=True)
    canvas.fill(brim, mix(colour, darker(colour, 0.3), 0.3))
    with canvas.within(canvas.mask(brim)):
        canvas.spot((0.0, 0.245), (0.34, 0.03), lighter(colour, 0.4), 0.6)
        canvas.spot((0.0, 0.328), (0.4, 0.04), darker(colour, 0.6), 0.6)
