"""The outlines of drawn hair: between the skull's outside and the hairline, on both sides."""

from dataclasses import dataclass

import numpy as np

from t2f_train.data.drawn_attributes import FaceAttributes, HairFront, Hat
from t2f_train.data.drawn_curves import Points, discs, normals, resample, smooth
from t2f_train.data.drawn_layout import HeadLayout
from t2f_train.data.drawn_sitter import Sitter

_POINTS = 60
_HAT_LINES: dict[Hat, float] = {"none": -1.0, "cap": 0.305, "beanie": 0.32, "brimmed": 0.285}
_PARTINGS: dict[HairFront, float] = {
    "side parting": 0.115,
    "centre parting": 0.012,
    "fringe": 0.03,
    "swept back": 0.03,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HairShape:
    """Hair as two sheets, each ruled between an outer and an inner curve from the parting down."""

    outer: tuple[Points, Points]
    """Left and right outline, each of shape `(60, 2)`, from the parting to the lowest tip."""
    inner: tuple[Points, Points]
    """Left and right hairline, each of shape `(60, 2)`, in step with the outlines."""
    curls: tuple[Points, ...]
    """Bumps of curly hair around the outline, each of shape `(bumps, corners, 2)`."""
    front: HairFront
    """How the hair falls over the forehead; under a hat it is combed back."""
    end: float
    """Height at which the hair ends."""

    @property
    def front_polygon(self) -> Points:
        """What lies before the skull, shape `(corners, 2)`."""
        (left_out, right_out), (left_in, right_in) = self.outer, self.inner
        return np.concatenate([left_out[::-1], right_out[1:], right_in[::-1], left_in[1:]])

    @property
    def back_polygon(self) -> Points:
        """What hangs behind the neck, shape `(corners, 2)`."""
        left, right = self.outer
        return np.concatenate([left[::-1], right[1:]])


def hat_line(hat: Hat) -> float:
    """Returns the height below which hair shows under a hat; without a hat, above the picture."""
    return _HAT_LINES[hat]


def shape_hair(sitter: Sitter, rng: np.random.Generator) -> HairShape:
    """Outlines the hair of a head that is not bald."""
    attributes, layout = sitter.attributes, sitter.layout
    front = _front(attributes)
    end, parting = _end(sitter), _PARTINGS[front] * sitter.geometry.parting
    outer = _outer_curves(sitter, end, parting)
    left, right = (
        _inner_curve(_hairline(attributes, layout, front, parting, side), layout, end, side)
        for side in (-1, 1)
    )
    inner = (left, right)
    curls: tuple[Points, ...] = ()
    if attributes.hair_length not in ("cropped", "receding"):
        if attributes.hair_texture == "wavy":
            outer, inner = _waved(sitter, outer, inner)
        elif attributes.hair_texture == "curly":
            curls = _curls(attributes, outer, inner, rng)
    return HairShape(outer=outer, inner=inner, curls=curls, front=front, end=end)


def _front(attributes: FaceAttributes) -> HairFront:
    if attributes.hat != "none" or attributes.hair_length in ("cropped", "receding"):
        return "swept back"
    return attributes.hair_front


def _volume(sitter: Sitter) -> float:
    attributes = sitter.attributes
    if attributes.hair_length == "cropped":
        return 0.010
    if attributes.hair_length == "receding":
        return 0.017
    if attributes.is_hair_tied:
        return 0.020 * sitter.geometry.hair_volume
    base = {"straight": 0.036, "wavy": 0.048, "curly": 0.060}[attributes.hair_texture]
    return (base + (0.006 if attributes.has_long_hair else 0.0)) * sitter.geometry.hair_volume


def _end(sitter: Sitter) -> float:
    attributes, lower = sitter.attributes, sitter.geometry.hair_end
    if attributes.is_hair_tied:
        return 0.50 + lower
    if attributes.has_long_hair:
        return 1.12 if attributes.hair_length == "long" else 0.865 + lower
    if attributes.hair_length == "short" and attributes.sex == "woman":
        return 0.645 + lower
    return 0.525 + lower


def _outer_curves(sitter: Sitter, end: float, parting: float) -> tuple[Points, Points]:
    skull = sitter.layout.side[sitter.layout.side[:, 1] <= min(end, 0.57)]
    y = skull[:, 1]
    grown = _volume(sitter) * np.interp(y, [0.13, 0.3, 0.42], [1.15, 1.0, 0.92])
    if end < 0.6:
        grown = grown * np.interp(y, [0.38, end], [1.0, 0.12])
    if sitter.attributes.hat != "none":
        line = hat_line(sitter.attributes.hat)
        grown = grown * np.interp(y, [line, line + 0.2], [0.3, 1.0])
    right = skull + normals(skull) * grown[:, np.newaxis]
    if end >= 0.6:
        right = np.concatenate([right[:-1], _falling(sitter.attributes, right[-1], end)])
    both = np.concatenate([right[::-1] * (-1.0, 1.0), right[1:]])
    from_parting = np.where(both[:, 1] < 0.3, np.abs(both[:, 0] - parting), np.inf)
    split = int(np.argmin(from_parting))
    return resample(both[split::-1], _POINTS), resample(both[split:], _POINTS)


def _falling(attributes: FaceAttributes, start: Points, end: float) -> Points:
    """Returns the outline from the ear down, shape `(points, 2)`."""
    x, y = float(start[0]), float(start[1])
    flare = {"straight": 0.012, "wavy": 0.036, "curly": 0.05}[attributes.hair_texture]
    if end < 0.75:
        return smooth([(x, y), (x + 0.002, (y + end) / 2), (x - 0.030, end)])
    middle = y + (min(end, 0.9) - y) * 0.55
    if attributes.hair_length == "shoulder-length":
        tips = [(x + flare * 0.6, end - 0.06), (x + flare * 0.2 - 0.015, end)]
    else:
        tips = [(x + flare, end)]
    return smooth([(x, y), (x + flare * 0.75, middle), *tips])


def _inner_curve(
    hairline: list[tuple[float, float]], layout: HeadLayout, end: float, side: int
) -> Points:
    """Continues a hairline down to where the hair ends, shape `(60, 2)`."""
    if end < 0.6:
        down = [(layout.edge(end) - 0.022, max(end, hairline[-1][1] + 0.02))]
    elif end < 0.75:
        down = [(layout.edge(0.56) * 0.97, 0.56), (layout.edge(end) * 0.90, end + 0.006)]
    else:
        cheek = max(layout.edge(0.66) * 0.965, 0.19)
        down = [
            (layout.edge(0.57) * 0.965, 0.57),
            (cheek, 0.68),
            (max(cheek * 0.92, 0.18), 0.80),
            (max(cheek * 0.86, 0.165), end + 0.006),
        ]
    return resample(smooth([*hairline, *((side * x, y) for x, y in down)]), _POINTS)


def _hairline(
    attributes: FaceAttributes, layout: HeadLayout, front: HairFront, parting: float, side: int
) -> list[tuple[float, float]]:
    """Returns points from the parting over the forehead to the ear, on one side."""

    def at(share: float, y: float) -> tuple[float, float]:
        return side * layout.edge(y) * share, y

    if attributes.hair_length == "receding":
        peak = [(0.0, 0.218), (side * 0.040, 0.212), (side * 0.085, 0.176), (side * 0.125, 0.160)]
        return [*peak, at(0.86, 0.205), at(0.90, 0.30), at(0.93, 0.39), at(0.955, 0.46)]
    if attributes.hair_length == "cropped":
        return [(0.0, 0.248), (side * 0.11, 0.250), at(0.80, 0.275), at(0.90, 0.36), at(0.95, 0.45)]
    if front == "fringe":
        low = layout.brow - 0.028
        line = [(parting, low - 0.012), (side * 0.09, low), at(0.80, low + 0.01), at(0.95, 0.47)]
    elif front == "swept back":
        line = [(parting, 0.246), (side * 0.1, 0.252), at(0.82, 0.295), at(0.92, 0.37)]
        line.append(at(0.96, 0.47))
    elif front == "centre parting":
        line = [(parting, 0.20), (parting + side * 0.045, 0.243), (side * 0.135, 0.305)]
        line += [at(0.885, 0.39), at(0.955, 0.48)]
    elif side * parting > 0:
        line = [(parting, 0.205), (parting + side * 0.03, 0.240), at(0.86, 0.315)]
        line += [at(0.925, 0.39), at(0.96, 0.48)]
    else:
        line = [(parting, 0.205), (parting + side * 0.08, 0.262), (side * 0.10, 0.322)]
        line += [at(0.86, 0.385), at(0.955, 0.48)]
    return line


def _waved(
    sitter: Sitter, outer: tuple[Points, Points], inner: tuple[Points, Points]
) -> tuple[tuple[Points, Points], tuple[Points, Points]]:
    attributes = sitter.attributes
    is_loose = attributes.has_long_hair and not attributes.is_hair_tied
    along = np.linspace(0.0, 1.0, _POINTS)
    cycles = 5.0 if is_loose else 4.0
    wave = np.sin(2 * np.pi * cycles * along + sitter.geometry.strand_seed % 7)
    wave *= np.interp(along, [0.0, 0.15, 0.5], [0.0, 0.6, 1.0])

    def waved(curve: Points, height: float) -> Points:
        bent: Points = curve + normals(curve) * (height * wave)[:, np.newaxis]
        return bent

    big, small = (0.013, 0.008) if is_loose else (0.009, 0.005)
    return (
        (waved(outer[0], big), waved(outer[1], big)),
        (waved(inner[0], small), waved(inner[1], small)),
    )


def _curls(
    attributes: FaceAttributes,
    outer: tuple[Points, Points],
    inner: tuple[Points, Points],
    rng: np.random.Generator,
) -> tuple[Points, ...]:
    is_tied = attributes.is_hair_tied
    count, size = (30, 0.016) if is_tied else (20, 0.036)
    rims = np.concatenate([resample(curve, count) for curve in outer])
    edges = np.concatenate([resample(curve, 17)[:-1] for curve in inner])
    if attributes.hat != "none":
        line = hat_line(attributes.hat)
        rims, edges = rims[rims[:, 1] > line + size], edges[edges[:, 1] > line + 0.1]
    bumps = discs(rims, size * rng.uniform(0.8, 1.15, len(rims)))
    if is_tied and attributes.hair_front == "swept back":
        return (bumps,)
    return bumps, discs(edges, 0.017 * rng.uniform(0.8, 1.15, len(edges)), 12)
