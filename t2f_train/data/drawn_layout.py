"""Where the parts of a drawn face are, in unit coordinates around its midline."""

from dataclasses import dataclass

import numpy as np

from t2f_train.data.drawn_attributes import Age, EyeForm, FaceAttributes, FaceShape, Nose
from t2f_train.data.drawn_curves import Points, closed_over, resample, smooth
from t2f_train.data.drawn_geometry import FaceGeometry

_LEVELS = (0.0, 0.03, 0.145, 0.31, 0.47, 0.64, 0.79, 0.915, 0.98, 1.0)
"""Heights at which a face shape's half widths are given: 0 top of the skull, 1 chin."""
_HALF_WIDTHS: dict[FaceShape, tuple[float, ...]] = {
    "oval": (0.0, 0.125, 0.213, 0.247, 0.250, 0.238, 0.204, 0.136, 0.066, 0.0),
    "round": (0.0, 0.130, 0.224, 0.262, 0.270, 0.265, 0.236, 0.166, 0.084, 0.0),
    "square": (0.0, 0.128, 0.217, 0.250, 0.254, 0.250, 0.234, 0.176, 0.104, 0.0),
    "long": (0.0, 0.116, 0.196, 0.226, 0.230, 0.220, 0.193, 0.136, 0.068, 0.0),
    "heart": (0.0, 0.132, 0.224, 0.258, 0.254, 0.230, 0.178, 0.104, 0.044, 0.0),
}
_CHINS: dict[FaceShape, float] = {
    "oval": 0.868,
    "round": 0.852,
    "square": 0.862,
    "long": 0.892,
    "heart": 0.876,
}
_EYE_SIZES: dict[EyeForm, tuple[float, float]] = {
    "round": (0.061, 0.040),
    "almond": (0.066, 0.030),
    "narrow": (0.066, 0.019),
}
_NOSES: dict[Nose, tuple[float, float]] = {
    # Half width, and how much lower than an average one it ends.
    "small": (0.037, -0.014),
    "average": (0.047, 0.0),
    "broad": (0.068, 0.0),
    "long": (0.048, 0.030),
}
_JAW_WIDTHS: dict[Age, float] = {"child": 0.985, "young": 1.0, "middle-aged": 1.012, "old": 1.005}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLayout:
    """Heights (y, downwards) and half widths of the parts of one face."""

    side: Points
    """Right side of the head, from the top of the skull to the chin, shape `(points, 2)`."""
    top: float
    chin: float
    hairline: float
    brow: float
    eye: float
    eye_x: float
    eye_half_width: float
    eye_half_height: float
    nose: float
    """Height of the nostrils."""
    nose_half_width: float
    mouth: float
    mouth_half_width: float
    turn: float

    @property
    def outline(self) -> Points:
        """The head as a polygon, shape `(corners, 2)`."""
        return closed_over(self.side)

    def edge(self, y: float) -> float:
        """Returns the half width of the head at a height."""
        return float(np.interp(y, self.side[:, 1], self.side[:, 0]))


def lay_out(attributes: FaceAttributes, geometry: FaceGeometry) -> HeadLayout:
    """Places the parts of a face."""
    is_child = attributes.age == "child"
    top, chin = 0.13, _CHINS[attributes.face_shape] - (0.022 if is_child else 0.0)
    chin = top + (chin - top) * geometry.face_length
    eye_width, eye_height = _EYE_SIZES[attributes.eye_form]
    eye_size = geometry.eye_size * (1.1 if is_child else 1.0)
    age_squint = 0.88 if attributes.age == "old" else 1.0
    nose_width, nose_drop = _NOSES[attributes.nose]
    eye = 0.492 + (0.018 if is_child else 0.0)
    nose = 0.638 + (0.004 if is_child else 0.0) + nose_drop + geometry.nose_drop
    mouth = 0.5 * (nose + chin) - 0.012 + 0.25 * (0.638 - nose) + geometry.mouth_drop
    return HeadLayout(
        side=_head_side(attributes, geometry, top, chin),
        top=top,
        chin=chin,
        hairline=0.262,
        brow=eye - 0.078 - geometry.brow_lift,
        eye=eye,
        eye_x=0.112 * geometry.eye_spacing * (0.5 + 0.5 * geometry.face_width),
        eye_half_width=eye_width * eye_size,
        eye_half_height=eye_height * eye_size * age_squint,
        nose=nose,
        nose_half_width=nose_width * geometry.nose_width * (0.86 if is_child else 1.0),
        mouth=mouth,
        mouth_half_width=0.086 * geometry.mouth_width * (0.9 if is_child else 1.0),
        turn=geometry.turn,
    )


def _head_side(
    attributes: FaceAttributes, geometry: FaceGeometry, top: float, chin: float
) -> Points:
    levels = np.array(_LEVELS)
    widths = np.array(_HALF_WIDTHS[attributes.face_shape]) * geometry.face_width
    jaw = geometry.jaw_width * _JAW_WIDTHS[attributes.age]
    jaw *= 1.025 if attributes.sex == "man" else 0.965
    widths = widths * np.interp(levels, [0.45, 0.75], [1.0, jaw])
    right = np.stack([widths, top + levels * (chin - top)], axis=1)
    # The curve passes through the mirrored neighbours too, so skull and chin are round.
    both = np.concatenate([right[2:0:-1] * (-1.0, 1.0), right, right[-2:-4:-1] * (-1.0, 1.0)])
    curve = smooth(both, samples=8)[16:-16]
    side = resample(curve, 64)
    side[[0, -1], 0] = 0.0
    return side
