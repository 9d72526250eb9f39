"""The outlines of drawn hair: between the skull's outside and the hairline, on both sides."""

from dataclasses import dataclass

import numpy as np

from t2f_train.data.drawn_attributes import FaceAttributes
from t2f_train.data.drawn_curves import Points, ellipse, resample, smooth
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_layout import HeadLayout
from t2f_train.data.drawn_sitter import Sitter

_POINTS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class HairShape:
    """Hair as two sheets, each ruled between an outer and an inner curve from the parting down."""

    outer: tuple[Points, Points]
    """Left and right outline, each of shape `(48, 2)`, from the parting to the lowest tip."""
    inner: tuple[Points, Points]
    """Left and right hairline, each of shape `(48, 2)`, in step with the outlines."""
    curls: tuple[Points, ...]
    """Bumps of curly hair around the outline, polygons."""
    volume: float
    """Distance from the skull to the outline."""
    end: float
    """Height at which the hair ends."""

    @property
    def front(self) -> Points:
        """What lies before the skull, as a polygon."""
        (left_out, right_out), (left_in, right_in) = self.outer, self.inner
        return np.concatenate([left_out[::-1], right_out[1:], right_in[::-1], left_in[1:]])

    @property
    def back(self) -> Points:
        """What hangs behind the neck, as a polygon."""
        left, right = self.outer
        return np.concatenate([left[::-1], right[1:]])


def shape_hair(sitter: Sitter, rng: np.random.Generator) -> HairShape:
    """Outlines the hair of a head that is not bald."""
    attributes, geometry, layout = sitter.attributes, sitter.geometry, sitter.layout
    volume, end = _volume(attributes, geometry), _end(attributes, geometry)
    parting = _parting(attributes, geometry)
    outer = _outer_curves(attributes, layout, volume, end, parting)
    left, right = (_inner_curve(attributes, layout, parting, end, side) for side in (-1, 1))
    inner = (left, right)
    curls: tuple[Points, ...] = ()
    if attributes.hair_length not in ("cropped", "receding"):
        if attributes.hair_texture == "wavy":
            outer, inner = _waved(outer, inner, attributes, geometry)
        elif attributes.hair_texture == "curly":
            curls = _curls(attributes, outer, inner, rng)
    return HairShape(outer=outer, inner=inner, curls=curls, volume=volume, end=end)


def _volume(attributes: FaceAttributes, geometry: FaceGeometry) -> float:
    if attributes.hair_length in ("cropped", "receding"):
        return 0.010
    if attributes.is_hair_tied:
        return 0.020 * geometry.hair_volume
    base = {"straight": 0.036, "wavy": 0.048, "curly": 0.060}[attributes.hair_texture]
    if attributes.has_long_hair:
        base += 0.006
    return base * geometry.hair_volume


def _end(attributes: FaceAttributes, geometry: FaceGeometry) -> float:
    if attributes.has_long_hair and not attributes.is_hair_tied:
        return 1.12 if attributes.hair_length == "long" else 0.868 + geometry.hair_end
    if attributes.is_hair_tied:
        return 0.50 + geometry.hair_end
    if attributes.hair_length == "short" and attributes.sex == "woman":
        return 0.635 + geometry.hair_end
    return 0.525 + geometry.hair_end


def _parting(attributes: FaceAttributes, geometry: FaceGeometry) -> float:
    if attributes.hair_length in ("cropped", "receding"):
        return 0.0
    share = {"side parting": 0.115, "centre parting": 0.012, "fringe": 0.03, "swept back": 0.03}
    return share[attributes.hair_front] * geometry.parting


def _outer_curves(
    attributes: FaceAttributes, layout: HeadLayout, volume: float, end: float, parting: float
) -> tuple[Points, Points]:
    skull = layout.side[layout.side[:, 1] <= 0.57]
    along = np.gradient(skull, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    grown = volume * np.interp(skull[:, 1], [0.13, 0.3, 0.42], [1.15, 1.0, 0.92])
    hugs_head = end < 0.6
    if hugs_head:
        grown = grown * np.interp(skull[:, 1], [0.38, end], [1.0, 0.12])
        skull, normals, grown = (part[skull[:, 1] <= end] for part in (skull, normals, grown))
    right = skull + normals * grown[:, np.newaxis]
    if not hugs_head:
        right = np.concatenate([right[:-1], _falling(attributes, right[-1], end)])
    both = np.concatenate([right[::-1] * (-1.0, 1.0), right[1:]])
    near_top = np.where(both[:, 1] < 0.3, np.abs(both[:, 0] - parting), np.inf)
    split = int(np.argmin(near_top))
    return resample(both[split::-1], _POINTS), resample(both[split:], _POINTS)


def _falling(attributes: FaceAttributes, start: Points, end: float) -> Points:
    """Returns the outline from the ear down, shape `(points, 2)`."""
    x, y = float(start[0]), float(start[1])
    flare = {"straight": 0.012, "wavy": 0.036, "curly": 0.05}[attributes.hair_texture]
    if end < 0.7:
        return smooth([(x, y), (x - 0.002, (y + end) / 2), (x - 0.04, end)])
    middle = y + (min(end, 0.9) - y) * 0.55
    tip = x + flare * 0.35 if attributes.hair_length == "shoulder-length" else x + flare
    return smooth([(x, y), (x + flare * 0.75, middle), (tip, end)])


def _inner_curve(
    attributes: FaceAttributes, layout: HeadLayout, parting: float, end: float, side: int
) -> Points:
    hairline = _hairline(attributes, layout, parting, side)
    last = hairline[-1][1]
    if end < 0.6:
        hairline.append((side * (layout.edge(end) - 0.022), max(end, last + 0.02)))
    elif end < 0.7:
        hairline.append((side * layout.edge(0.56) * 0.97, 0.56))
        hairline.append((side * (layout.edge(end) * 0.93), end + 0.01))
    else:
        cheek = max(layout.edge(0.66) * 0.965, 0.19)
        hairline.append((side * layout.edge(0.57) * 0.965, 0.57))
        hairline.append((side * cheek, 0.68))
        hairline.append((side * max(cheek * 0.92, 0.18), 0.80))
        hairline.append((side * max(cheek * 0.88, 0.17), end + 0.01))
    return resample(smooth(hairline), _POINTS)


def _hairline(  # noqa: PLR0911 (one hairline a return)
    attributes: FaceAttributes, layout: HeadLayout, parting: float, side: int
) -> list[tuple[float, float]]:
    def at(share: float, y: float) -> tuple[float, float]:
        return side * layout.edge(y) * share, y

    if attributes.hair_length == "receding":
        peak = [(0.0, 0.206), (side * 0.045, 0.196), (side * 0.115, 0.150), (side * 0.168, 0.190)]
        return [*peak, at(0.90, 0.29), at(0.935, 0.38), at(0.955, 0.46)]
    if attributes.hair_length == "cropped":
        return [(0.0, 0.248), (side * 0.11, 0.250), at(0.80, 0.275), at(0.90, 0.36), at(0.95, 0.45)]
    match attributes.hair_front:
        case "fringe":
            low = layout.brow - 0.028
            return [
                (parting, low - 0.012),
                (side * 0.09, low),
                at(0.80, low + 0.01),
                at(0.95, 0.47),
            ]
        case "swept back":
            return [
                (parting, 0.246),
                (side * 0.1, 0.252),
                at(0.82, 0.295),
                at(0.92, 0.37),
                at(0.96, 0.47),
            ]
        case "centre parting":
            near = [(parting, 0.20), (parting + side * 0.045, 0.243), (side * 0.135, 0.305)]
            return [*near, at(0.885, 0.39), at(0.955, 0.48)]
        case "side parting":
            if side * parting > 0:
                near = [(parting, 0.205), (parting + side * 0.03, 0.240)]
                return [*near, at(0.86, 0.315), at(0.925, 0.39), at(0.96, 0.48)]
            near = [(parting, 0.205), (parting + side * 0.08, 0.262), (side * 0.10, 0.322)]
            return [*near, at(0.86, 0.385), at(0.955, 0.48)]


def _waved(
    outer: tuple[Points, Points],
    inner: tuple[Points, Points],
    attributes: FaceAttributes,
    geometry: FaceGeometry,
) -> tuple[tuple[Points, Points], tuple[Points, Points]]:
    is_loose = attributes.has_long_hair and not attributes.is_hair_tied
    phase = geometry.strand_seed % 7

    def wave(curve: Points, size: float) -> Points:
        y = curve[:, 1]
        height = size * np.interp(y, [0.18, 0.5], [0.5, 1.0])
        along = np.gradient(curve, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
        travelled = np.linspace(0, 1, len(curve))
        cycles = 5.5 if is_loose else 4.0
        shift = height * np.sin(2 * np.pi * cycles * travelled + phase)
        shift *= np.interp(travelled, [0.0, 0.15], [0.0, 1.0])
        waved: Points = curve + normals * shift[:, np.newaxis]
        return waved

    big, small = (0.013, 0.008) if is_loose else (0.009, 0.005)
    return (
        (wave(outer[0], big), wave(outer[1], big)),
        (wave(inner[0], small), wave(inner[1], small)),
    )


def _curls(
    attributes: FaceAttributes,
    outer: tuple[Points, Points],
    inner: tuple[Points, Points],
    rng: np.random.Generator,
) -> tuple[Points, ...]:
    bump = 0.018 if attributes.is_hair_tied else 0.036
    centres = [
        point
        for curve in outer
        for point in resample(curve, max(6, round(len(curve) * (0.55 if bump < 0.03 else 0.34))))
    ]
    shapes = [ellipse(c, (bump * s, bump * s), 14) for c, s in _sized(centres, rng)]
    edge = [point for curve in inner for point in resample(curve, 17)[:-1]]
    if attributes.hair_front != "swept back" or not attributes.is_hair_tied:
        shapes += [ellipse(c, (0.017 * s, 0.017 * s), 12) for c, s in _sized(edge, rng)]
    return tuple(shapes)


def _sized(centres: list[Points], rng: np.random.Generator) -> list[tuple[Points, float]]:
    return list(zip(centres, rng.uniform(0.8, 1.15, len(centres)).tolist(), strict=True))
