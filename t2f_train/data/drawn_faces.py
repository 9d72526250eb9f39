"""Draws faces from their attributes and geometry, at any size."""

import numpy as np
from PIL import Image

from t2f_train.data.drawn_accessories import draw_earrings, draw_glasses, draw_hat, hat_line
from t2f_train.data.drawn_attributes import FaceAttributes
from t2f_train.data.drawn_beards import draw_beard, draw_moustache
from t2f_train.data.drawn_canvas import Canvas, Pose, common
from t2f_train.data.drawn_features import draw_brows, draw_eyes, draw_nose
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_hair import draw_hair, draw_hair_behind, front_mask, shade_under_hair
from t2f_train.data.drawn_hair_shape import shape_hair
from t2f_train.data.drawn_head import draw_background, draw_body, draw_ears, draw_head
from t2f_train.data.drawn_mouths import draw_mouth
from t2f_train.data.drawn_sitter import seat


def draw_face(attributes: FaceAttributes, geometry: FaceGeometry, size: int) -> Image.Image:
    """Draws one face.

    Args:
        attributes: What can be said of the face.
        geometry: Its proportions and shades; equal values give equal pixels.
        size: Side of the picture, in pixels.

    Returns:
        RGB picture of `size` by `size`; the same face at every size.
    """
    factor = max(2, -(-160 // size))
    sitter = seat(attributes, geometry)
    canvas = Canvas(size * factor, sitter.palette.background)
    draw_background(canvas, sitter)
    body, head = _poses(geometry)
    rng = np.random.default_rng(geometry.strand_seed)
    shape = shape_hair(sitter, rng) if attributes.is_hair_visible else None
    canvas.pose = head
    # Hair shows below a hat's rim only.
    below = hat_line(attributes.hat) or -2.0
    room = canvas.mask([(-2, below), (2, below), (2, 2), (-2, 2)])
    if shape is not None:
        with canvas.within(room):
            draw_hair_behind(canvas, sitter, shape, rng)
    canvas.pose = body
    draw_body(canvas, sitter)
    canvas.pose = head
    draw_ears(canvas, sitter)
    draw_head(canvas, sitter)
    draw_beard(canvas, sitter, rng)
    draw_mouth(canvas, sitter)
    draw_nose(canvas, sitter)
    draw_moustache(canvas, sitter)
    hair = common(front_mask(canvas, shape), room) if shape is not None else None
    if hair is not None:
        shade_under_hair(canvas, sitter, hair)
    draw_eyes(canvas, sitter)
    draw_brows(canvas, sitter)
    if shape is not None and hair is not None:
        draw_hair(canvas, sitter, shape, hair, rng)
    draw_glasses(canvas, sitter)
    draw_earrings(canvas, sitter)
    draw_hat(canvas, sitter)
    return canvas.image.reduce(factor)


def _poses(geometry: FaceGeometry) -> tuple[Pose, Pose]:
    scale, shift = 0.965 * geometry.scale, 0.012 + geometry.centre_y
    body = Pose(centre_x=0.5 + 0.5 * geometry.centre_x, shift_y=shift, scale=scale)
    head = Pose(
        centre_x=0.5 + geometry.centre_x,
        shift_y=shift,
        scale=scale,
        tilt_degrees=geometry.tilt_degrees,
    )
    return body, head
