"""Draws faces from their attributes and geometry, at any size."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_accessories import draw_earrings, draw_glasses
from t2f_train.data.drawn_attributes import FaceAttributes
from t2f_train.data.drawn_beards import draw_beard, draw_moustache
from t2f_train.data.drawn_canvas import Canvas, Pose
from t2f_train.data.drawn_features import draw_brows, draw_eyes, draw_nose
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_hair import draw_hair, draw_hair_behind, front_mask, shade_under_hair
from t2f_train.data.drawn_hair_shape import HairShape, shape_hair
from t2f_train.data.drawn_hats import draw_hat
from t2f_train.data.drawn_head import draw_background, draw_body, draw_ears, draw_head
from t2f_train.data.drawn_mouths import draw_mouth
from t2f_train.data.drawn_sitter import Sitter, seat

_LEAST_SIDE = 128
"""Side at which small pictures are drawn before they are reduced, in pixels."""


def draw_face(attributes: FaceAttributes, geometry: FaceGeometry, size: int) -> Image.Image:
    """Draws one face.

    Args:
        attributes: What can be said of the face.
        geometry: Its proportions and shades.
        size: Side of the picture, in pixels.

    Returns:
        RGB picture of `size` by `size`. Equal arguments give equal pixels, and another size gives
        the same face.
    """
    sitter = seat(attributes, geometry)
    factor = max(3 if size < 512 else 2, -(-_LEAST_SIDE // size))
    canvas = Canvas(size * factor, sitter.palette.background)
    _draw_portrait(canvas, sitter)
    return canvas.image.reduce(factor)


def _draw_portrait(canvas: Canvas, sitter: Sitter) -> None:
    rng = np.random.default_rng(sitter.geometry.strand_seed)
    hair = shape_hair(sitter, rng) if sitter.attributes.is_hair_visible else None
    body, head = _poses(sitter)
    draw_background(canvas, sitter)
    canvas.pose = head
    if hair is not None:
        draw_hair_behind(canvas, sitter, hair, rng)
    canvas.pose = body
    draw_body(canvas, sitter)
    canvas.pose = head
    draw_ears(canvas, sitter)
    draw_head(canvas, sitter)
    draw_beard(canvas, sitter, rng)
    draw_mouth(canvas, sitter)
    draw_nose(canvas, sitter)
    draw_moustache(canvas, sitter)
    _draw_upper_face(canvas, sitter, hair, rng)
    draw_glasses(canvas, sitter)
    draw_earrings(canvas, sitter)
    draw_hat(canvas, sitter)


def _draw_upper_face(
    canvas: Canvas, sitter: Sitter, hair: HairShape | None, rng: np.random.Generator
) -> None:
    if hair is None:
        draw_eyes(canvas, sitter)
        draw_brows(canvas, sitter)
        return
    mask = front_mask(canvas, sitter, hair)
    shade_under_hair(canvas, sitter, mask)
    draw_eyes(canvas, sitter)
    draw_brows(canvas, sitter)
    draw_hair(canvas, sitter, hair, mask, rng)


def _poses(sitter: Sitter) -> tuple[Pose, Pose]:
    """Returns how the shoulders and how the head are held."""
    geometry = sitter.geometry
    # What rises above the head needs room.
    is_tall = sitter.attributes.hat != "none" or (
        sitter.attributes.is_hair_tied and sitter.attributes.hair_arrangement == "bun"
    )
    scale = (0.975 if is_tall else 1.02) * geometry.scale
    shift = 0.03 + geometry.centre_y
    body = Pose(centre_x=0.5 + 0.5 * geometry.centre_x, shift_y=shift, scale=scale)
    head = Pose(
        centre_x=0.5 + geometry.centre_x,
        shift_y=shift,
        scale=scale,
        tilt_degrees=geometry.tilt_degrees,
    )
    return body, head
