import numpy as np
import pytest

from t2f_runtime.identikit.spread import choose_different


def flat(*colours):
    """Pictures that are dark but for a bright patch in the middle, of each colour."""
    pictures = np.zeros((len(colours), 16, 16, 3), dtype=np.uint8)
    for picture, colour in zip(pictures, colours, strict=True):
        picture[4:8, 4:8] = colour
    return pictures


def test_each_choice_is_the_farthest_from_those_before():
    pictures = flat(0, 10, 200, 90, 205)
    assert choose_different(pictures, 3) == [0, 4, 3]


def test_with_others_beside_them_even_the_first_differs_from_those():
    pictures = flat(0, 100, 250)
    assert choose_different(pictures, 1, flat(10, 240)) == [1]


def test_lighting_and_background_make_no_difference():
    plain, patch = flat(0), flat(60)
    lit = plain + np.uint8(120)
    framed = plain.copy()
    framed[:, :2] = 255
    pictures = np.concatenate([plain, lit, framed, patch])
    assert choose_different(pictures, 2) == [0, 3]


def test_the_strangest_tenth_is_left_out():
    pictures = flat(0, 3, 6, 9, 100, 103, 106, 109, 112, 255)
    assert choose_different(pictures, 2) == [0, 8]


def test_all_of_a_pool_can_be_chosen():
    random = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    assert sorted(choose_different(random, 7)) == [*range(7)]


def test_equal_pictures_are_chosen_in_their_order():
    assert choose_different(flat(5, 5, 5), 3) == [0, 1, 2]


@pytest.mark.parametrize("side", [4, 8, 64, 256])
def test_pictures_of_every_size_spread_better_than_luck(side):
    rng = np.random.default_rng(side)
    coarse = rng.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    pictures = np.repeat(np.repeat(coarse, side // 4, axis=1), side // 4, axis=2)

    def least_distance(places):
        chosen = pictures[places].reshape(len(places), -1).astype(float)
        apart = np.linalg.norm(chosen[:, np.newaxis] - chosen, axis=-1)
        return apart[np.triu_indices(len(places), 1)].min()

    assert least_distance(choose_different(pictures, 12)) > least_distance([*range(12)])
