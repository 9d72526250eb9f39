from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from t2f_runtime.text import Tokenizer
from t2f_train.config import Phase
from t2f_train.data.batches import FaceBatches, image_order, step_random
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.errors import DataError
from t2f_train.schedule import Schedule
from t2f_train.tokenizer import train_tokenizer

WORDS = ("red", "green", "blue", "white", "black", "brown", "grey")
PHASES = (
    Phase(resolution=4, images=90, batch_size=3),
    Phase(resolution=8, images=90, batch_size=5),
)


class NumberedImages:
    """A pyramid whose pixels tell the number of the image."""

    def images(self, resolution):
        numbers = np.arange(len(WORDS), dtype=np.uint8)
        return np.broadcast_to(
            numbers[:, None, None, None], (len(WORDS), resolution, resolution, 3)
        )


@pytest.fixture(scope="module")
def faces():
    return [
        CaptionedFace(Path(f"{n}.png"), tuple(f"{word} hair {i}" for i in range(1 + n % 3)))
        for n, word in enumerate(WORDS)
    ]


@pytest.fixture(scope="module")
def tokenizer(faces):
    texts = [text for face in faces for text in face.descriptions]
    return Tokenizer(train_tokenizer(texts, 300), maximum_tokens=64)


@pytest.fixture
def batches(faces, tokenizer):
    return FaceBatches(faces, NumberedImages(), tokenizer, seed=1)


@pytest.mark.parametrize(("count", "batch_size"), [(7, 3), (7, 7), (10, 4), (5, 2), (3, 2)])
def test_every_image_comes_once_an_epoch_and_never_twice_in_a_batch(count, batch_size):
    order = image_order(count, batch_size, np.random.default_rng(0))
    drawn = list(islice(order, 4 * count))
    for numbers in drawn:
        assert len(set(numbers.tolist())) == batch_size
    stream = np.concatenate(drawn)
    for epoch in stream[: len(stream) // count * count].reshape(-1, count):
        assert sorted(epoch.tolist()) == list(range(count))


def test_the_order_differs_from_epoch_to_epoch():
    order = image_order(20, 20, np.random.default_rng(0))
    first, second = islice(order, 2)
    assert first.tolist() != second.tolist()


def test_pixels_and_descriptions_belong_together(batches, faces, tokenizer):
    for batch in islice(batches.from_moment(Schedule(PHASES).at(0)), 20):
        for pixels, tokens in zip(batch.pixels, batch.tokens, strict=True):
            face = faces[int(pixels[0, 0, 0])]
            known = [tokenizer.encode(text) for text in face.descriptions]
            assert [token for token in tokens.tolist() if token] in known


def test_an_image_gives_another_description_each_time_that_it_is_drawn(batches):
    said = {}
    for batch in islice(batches.from_moment(Schedule(PHASES).at(0)), 40):
        for pixels, tokens in zip(batch.pixels, batch.tokens, strict=True):
            text = tuple(token for token in tokens.tolist() if token)
            said.setdefault(int(pixels[0, 0, 0]), []).append(text)
    for number, texts in said.items():
        count = 1 + number % 3
        for start in range(len(texts) - count):
            assert len(set(texts[start : start + count])) == count


def test_all_descriptions_are_drawn_equally_often(batches):
    texts = Counter()
    for batch in islice(batches.from_moment(Schedule(PHASES).at(0)), 7 * 6):
        rows = batch.tokens[batch.pixels[:, 0, 0, 0] == 2].tolist()
        texts.update(tuple(token for token in row if token) for row in rows)
    assert len(texts) == 3
    assert max(texts.values()) - min(texts.values()) <= 1


@pytest.mark.parametrize("step", [0, 1, 13, 30, 31, 40])
def test_batches_from_a_step_on_are_those_of_the_unbroken_phase(batches, step):
    schedule = Schedule(PHASES)
    moment = schedule.at(step)
    start = schedule.at(step - moment.phase_step)
    unbroken = islice(batches.from_moment(start), moment.phase_step, moment.phase_step + 5)
    for resumed, expected in zip(batches.from_moment(moment), unbroken, strict=False):
        assert (resumed.pixels == expected.pixels).all()
        assert resumed.tokens.tolist() == expected.tokens.tolist()


def test_another_seed_gives_another_order(faces, tokenizer, batches):
    other = FaceBatches(faces, NumberedImages(), tokenizer, seed=2)
    moment = Schedule(PHASES).at(0)
    drawn = [
        [batch.pixels[:, 0, 0, 0].tolist() for batch in islice(source.from_moment(moment), 5)]
        for source in (batches, other)
    ]
    assert drawn[0] != drawn[1]


def test_a_batch_larger_than_the_data_is_refused(batches):
    with pytest.raises(DataError, match=r"a batch of 8 needs 8 different images, .* has 7; lower"):
        batches.check_batch_size(8)


def test_the_noise_of_a_step_depends_on_seed_and_step_alone():
    def draw(seed, step):
        return step_random(seed, step).standard_normal(4).tolist()

    assert draw(1, 5) == draw(1, 5)
    assert draw(1, 5) != draw(1, 6)
    assert draw(1, 5) != draw(2, 5)
