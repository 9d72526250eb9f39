from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from t2f_runtime.text.tokenizer import Tokenizer
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


@pytest.fixture
def partly_captioned(faces):
    return [
        CaptionedFace(face.image, face.descriptions if number % 2 else ())
        for number, face in enumerate(faces)
    ]


def test_an_image_without_a_description_borrows_one_and_says_so(partly_captioned, faces, tokenizer):
    batches = FaceBatches(partly_captioned, NumberedImages(), tokenizer, seed=1)
    assert batches.uncaptioned == 4
    borrowed = set()
    for batch in islice(batches.from_moment(Schedule(PHASES).at(30)), 60):
        numbers = [int(pixels[0, 0, 0]) for pixels in batch.pixels]
        assert batch.captioned.tolist() == [float(number % 2) for number in numbers]
        written = [[token for token in tokens if token] for tokens in batch.tokens.tolist()]
        for place, number in enumerate(numbers):
            known = {
                author: [tokenizer.encode(text) for text in faces[author].descriptions]
                for author in (1, 3, 5)
            }
            (author,) = [a for a, texts in known.items() if written[place] in texts]
            if number % 2:
                assert author == number
            else:
                borrowed.add(author)
            # Row i's description serves row i + 1 as somebody else's.
            assert author != numbers[(place + 1) % len(numbers)]
    assert borrowed == {1, 3, 5}


def test_where_all_have_descriptions_nothing_is_marked(batches):
    batch = next(batches.from_moment(Schedule(PHASES).at(0)))
    assert batch.captioned is None
    assert batches.uncaptioned == 0


def test_a_model_with_text_needs_two_descriptions(faces, tokenizer):
    lonely = [faces[0], *(CaptionedFace(face.image, ()) for face in faces[1:])]
    with pytest.raises(DataError, match=r"1 of 7 images have a description; .* set text.encoder"):
        FaceBatches(lonely, NumberedImages(), tokenizer, seed=1)


def test_without_a_tokenizer_there_are_images_alone(partly_captioned):
    batches = FaceBatches(partly_captioned, NumberedImages(), None, seed=1)
    batch = next(batches.from_moment(Schedule(PHASES).at(0)))
    assert batch.tokens is None
    assert batch.captioned is None
    assert batches.uncaptioned == 0


class SlopingImages(NumberedImages):
    """A pyramid whose pixels rise from left to right, so that a mirrored image shows."""

    def images(self, resolution):
        columns = np.arange(resolution, dtype=np.uint8)
        shape = (len(WORDS), resolution, resolution, 3)
        return np.broadcast_to(columns[None, None, :, None], shape)


def flipped(batches, step, count):
    stream = batches.from_moment(Schedule(PHASES).at(step))
    return [(b.pixels[:, 0, 0, 0] > 0).tolist() for b in islice(stream, count)]


def test_half_of_the_images_are_mirrored_and_a_resumed_run_mirrors_the_same(faces, tokenizer):
    batches = FaceBatches(faces, SlopingImages(), tokenizer, seed=1, flips=True)
    first = flipped(batches, 0, 30)
    share = np.concatenate(first).mean()
    assert 0.3 < share < 0.7
    assert flipped(batches, 10, 20) == first[10:]
    plain = FaceBatches(faces, SlopingImages(), tokenizer, seed=1)
    assert not np.concatenate(flipped(plain, 0, 30)).any()
