"""The small continuous ways in which drawn faces with equal attributes differ."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Neckline = Literal["round", "v", "collar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceGeometry:
    """Position, proportions and shades of one drawn face; with its attributes, all of it.

    Lengths are shares of the picture's side; proportions multiply the attribute's own value.
    """

    centre_x: float
    """Shift of the head to the right."""
    centre_y: float
    """Shift of the head downwards."""
    scale: float
    tilt_degrees: float
    """Head tilted clockwise."""
    turn: float
    """Shift of the features to the right of the head's middle, as if the head were turned."""
    face_width: float
    face_length: float
    jaw_width: float
    eye_spacing: float
    eye_size: float
    eye_slant: float
    """Height of the outer corner of an eye over the inner one."""
    gaze_x: float
    gaze_y: float
    brow_lift: float
    """Distance by which the eyebrows are raised."""
    brow_arch: float
    nose_width: float
    nose_drop: float
    """Distance by which the tip of the nose is lowered."""
    mouth_width: float
    mouth_drop: float
    hair_volume: float
    hair_end: float
    """Distance by which hair and sideburns end lower."""
    parting: float
    """Side of the parting, -1 left to 1 right; never between -0.4 and 0.4."""
    strand_seed: int
    light: float
    """Side that the light comes from, -1 left to 1 right; never between -0.5 and 0.5."""
    skin_lightness: float
    """Shift of the skin's shade, -1 to 1."""
    skin_warmth: float
    """Shift of the skin's hue, -1 to 1."""
    hair_lightness: float
    """Shift of the hair's shade, -1 to 1."""
    cloth_lightness: float
    """Shift of the clothes' shade, -1 to 1."""
    background_lightness: float
    """Shift of the background's shade, -1 to 1."""
    frame_tone: float
    """Shade of the glasses' frame, 0 black to 1 brown."""
    neckline: Neckline


def sample_geometry(rng: np.random.Generator) -> FaceGeometry:
    """Draws the proportions of one face.

    Args:
        rng: Where all chance comes from; equal states give equal proportions.

    Returns:
        Values that keep any face well proportioned.
    """
    necklines: tuple[Neckline, ...] = ("round", "v", "collar")
    return FaceGeometry(
        centre_x=_bell(rng, 0.0, 0.012),
        centre_y=_bell(rng, 0.0, 0.008),
        scale=_bell(rng, 1.0, 0.018),
        tilt_degrees=_bell(rng, 0.0, 2.2),
        turn=_bell(rng, 0.0, 0.010),
        face_width=_bell(rng, 1.0, 0.022),
        face_length=_bell(rng, 1.0, 0.014),
        jaw_width=_bell(rng, 1.0, 0.025),
        eye_spacing=_bell(rng, 1.0, 0.035),
        eye_size=_bell(rng, 1.0, 0.05),
        eye_slant=_bell(rng, 0.004, 0.004),
        gaze_x=_bell(rng, 0.0, 0.004),
        gaze_y=_bell(rng, 0.0, 0.002),
        brow_lift=_bell(rng, 0.0, 0.006),
        brow_arch=_bell(rng, 1.0, 0.3),
        nose_width=_bell(rng, 1.0, 0.05),
        nose_drop=_bell(rng, 0.0, 0.006),
        mouth_width=_bell(rng, 1.0, 0.06),
        mouth_drop=_bell(rng, 0.0, 0.006),
        hair_volume=_bell(rng, 1.0, 0.12),
        hair_end=_bell(rng, 0.0, 0.012),
        parting=_side(rng, 0.4),
        strand_seed=int(rng.integers(2**31)),
        light=_side(rng, 0.5),
        skin_lightness=_bell(rng, 0.0, 0.45),
        skin_warmth=_bell(rng, 0.0, 0.45),
        hair_lightness=_bell(rng, 0.0, 0.45),
        cloth_lightness=_bell(rng, 0.0, 0.45),
        background_lightness=_bell(rng, 0.0, 0.45),
        frame_tone=float(rng.random()),
        neckline=necklines[int(rng.integers(len(necklines)))],
    )


def _bell(rng: np.random.Generator, mean: float, deviation: float) -> float:
    """Normal, cut off at two deviations, so that no face falls apart."""
    return mean + deviation * float(np.clip(rng.standard_normal(), -2.0, 2.0))


def _side(rng: np.random.Generator, least: float) -> float:
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return sign * (least + (1.0 - least) * float(rng.random()))
