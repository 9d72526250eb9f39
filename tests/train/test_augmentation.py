import pytest
import torch

from t2f_train.augmentation import RANDOM_NUMBERS, augment, change_colours, cut_out, shift

ALL = ["colour", "translation", "cutout"]


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(4, 3, 16, 16, generator=generator, dtype=torch.float64) * 2.0 - 1.0


@pytest.fixture
def uniform():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, RANDOM_NUMBERS, generator=generator, dtype=torch.float64)


def test_nothing_is_changed_when_nothing_is_asked_for(images, uniform):
    assert augment(images, uniform, []) is images


def test_the_middle_of_the_colour_range_changes_nothing(images):
    middle = torch.full((4, 3), 0.5).double()
    torch.testing.assert_close(change_colours(images, middle), images)


def test_brightness_is_added_and_contrast_is_around_the_mean_of_the_image(images):
    bright = change_colours(images, torch.tensor([[1.0, 0.5, 0.5]]).double().expand(4, 3))
    torch.testing.assert_close(bright, images + 0.5)
    flat = change_colours(images, torch.tensor([[0.5, 0.5, 0.0]]).double().expand(4, 3))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(flat, mean + 0.5 * (images - mean))


def test_saturation_0_is_grey_and_1_is_twice_the_colour(images):
    grey = change_colours(images, torch.tensor([[0.5, 0.0, 0.5]]).double().expand(4, 3))
    mean = images.mean(dim=1, keepdim=True)
    torch.testing.assert_close(grey, mean.expand_as(images))
    vivid = change_colours(images, torch.tensor([[0.5, 1.0, 0.5]]).double().expand(4, 3))
    torch.testing.assert_close(vivid, mean + 2.0 * (images - mean))


def shifted(image, down, right):
    """The image moved by whole pixels with grey where nothing was."""
    moved = torch.zeros_like(image)
    side = image.shape[1]
    for row in range(side):
        for column in range(side):
            if 0 <= row + down < side and 0 <= column + right < side:
                moved[:, row, column] = image[:, row + down, column + right]
    return moved


def test_every_image_is_shifted_by_its_own_whole_number_of_pixels(images):
    # 16 pixels: at most 2 either way, five steps of a fifth of the range each.
    uniform = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.999, 0.21], [0.41, 0.79]]).double()
    steps = [(-2, -2), (0, 0), (2, -1), (0, 1)]
    for image, moved, (down, right) in zip(images, shift(images, uniform), steps, strict=True):
        assert torch.equal(moved, shifted(image, down, right))


def test_the_largest_random_number_stays_in_the_range(images):
    assert torch.equal(
        shift(images, torch.ones(4, 2).double()), shift(images, torch.full((4, 2), 0.99).double())
    )


def test_a_hole_of_half_the_side_is_cut_out_also_over_the_border(images):
    uniform = torch.tensor([[0.5, 0.5], [0.0, 0.0], [0.999, 0.5], [0.5, 0.999]]).double()
    is_cut = (cut_out(images, uniform) == 0.0).all(dim=1)
    assert is_cut.sum(dim=(1, 2)).tolist() == [64, 16, 32, 32]
    assert is_cut[0, 4:12, 4:12].all()
    assert is_cut[1, :4, :4].all()
    kept = cut_out(images, uniform)[0, :, :4]
    assert torch.equal(kept, images[0, :, :4])


@pytest.mark.parametrize("side", [4, 8, 32])
def test_every_augmentation_works_at_every_resolution_and_has_a_gradient(side, uniform):
    images = torch.rand(4, 3, side, side, dtype=torch.float64, requires_grad=True)
    changed = augment(images, uniform, ALL)
    assert changed.shape == images.shape
    (gradient,) = torch.autograd.grad(changed.square().sum(), images)
    assert gradient.isfinite().all()
    assert (gradient != 0.0).any()


def test_the_gradient_is_that_of_finite_differences(uniform):
    images = torch.rand(4, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: augment(x, uniform, ALL), images)


def test_equal_numbers_change_equal_images_equally(images, uniform):
    assert torch.equal(augment(images, uniform, ALL), augment(images, uniform, ALL))
