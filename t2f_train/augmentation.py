"""DiffAugment: the same random changes to everything that the discriminator sees.

Source: Zhao et al. 2020 (arXiv:2006.10738), section 3.2 and appendix. A discriminator that knows a
few thousand photographs by heart stops teaching; one that never sees the same image twice goes on.
Drawn images are changed in the same ways, with a gradient, so the changes do not leak into them.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from t2f_train.config import Augmentation

RANDOM_NUMBERS = 7
"""Uniform numbers that one image takes: brightness, saturation, contrast, two for the shift, two
for the place of the hole; the same ones whatever is switched on."""

LARGEST_SHIFT = 0.125
"""Largest translation, as a share of the side (Zhao et al., appendix)."""

HOLE = 0.5
"""Side of the hole that is cut out, as a share of the image's (Zhao et al., appendix)."""


def augment(images: Tensor, uniform: Tensor, augmentations: Sequence[Augmentation]) -> Tensor:
    """Changes every image in its own random way, differentiably.

    Args:
        images: Shape `(batch, 3, side, side)`, RGB, -1 to 1.
        uniform: Shape `(batch, RANDOM_NUMBERS)`, uniform in 0 to 1.
        augmentations: What is done, in this order.

    Returns:
        Same shape and type as `images`.
    """
    for name in augmentations:
        match name:
            case "colour":
                images = change_colours(images, uniform[:, :3])
            case "translation":
                images = shift(images, uniform[:, 3:5])
            case "cutout":
                images = cut_out(images, uniform[:, 5:7])
    return images


def change_colours(images: Tensor, uniform: Tensor) -> Tensor:
    """Changes brightness by up to a quarter of the range, saturation by 0 to 2, contrast by half.

    Args:
        images: Shape `(batch, 3, side, side)`.
        uniform: Shape `(batch, 3)`, in 0 to 1.
    """
    brightness, saturation, contrast = uniform[:, :, None, None, None].unbind(dim=1)
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = torch.lerp(grey, images, 2.0 * saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, contrast + 0.5)


def shift(images: Tensor, uniform: Tensor) -> Tensor:
    """Moves images by whole pixels, at most `LARGEST_SHIFT` of their side; what is free is grey.

    Args:
        images: Shape `(batch, 3, side, side)`.
        uniform: Shape `(batch, 2)`, in 0 to 1: down and to the right.
    """
    side = images.shape[2]
    most = int(side * LARGEST_SHIFT + 0.5)
    steps = (uniform * (2 * most + 1)).floor().long().clamp(max=2 * most)
    places = steps[:, :, None] + torch.arange(side, device=images.device)
    rows, columns = places.unbind(dim=1)
    padded = F.pad(images, (most, most, most, most))
    batch, channels, _, width = padded.shape
    moved = padded.gather(2, rows[:, None, :, None].expand(batch, channels, side, width))
    return moved.gather(3, columns[:, None, None, :].expand(batch, channels, side, side))


def cut_out(images: Tensor, uniform: Tensor) -> Tensor:
    """Makes a square of `HOLE` of the side grey, anywhere, also over the border.

    Args:
        images: Shape `(batch, 3, side, side)`.
        uniform: Shape `(batch, 2)`, in 0 to 1: the middle of the hole.
    """
    side = images.shape[2]
    hole = int(side * HOLE + 0.5)
    middles = (uniform * (side + 1 - hole % 2)).floor()
    starts = (middles - hole // 2)[:, :, None]
    pixels = torch.arange(side, device=images.device)
    is_inside = (pixels >= starts) & (pixels < starts + hole)
    rows, columns = is_inside.unbind(dim=1)
    is_cut = rows[:, None, :, None] & columns[:, None, None, :]
    return images * ~is_cut
