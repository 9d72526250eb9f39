import numpy as np
import pytest
import torch
from tiny_minilm import install_tiny_minilm

from t2f_train.errors import DataError
from t2f_train.minilm_package import load_minilm
from t2f_train.minilm_sentences import ROWS_AT_ONCE, cached_sentences, read_sentences


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    install_tiny_minilm(tmp_path / "site", monkeypatch)
    return load_minilm()


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 9, 90)
    rows = [np.array([5, *random.integers(7, 12, length), 6]) for length in lengths]
    return [*rows, rows[3], rows[5]]


class Passes:
    """Counts what is told of progress."""

    def __init__(self):
        self.told = []

    def __call__(self, done, total):
        self.told.append((done, total))


def test_many_are_read_as_one_by_one_in_their_order(encoder, rows):
    passes = Passes()
    sentences = read_sentences(encoder, rows, passes)
    alone = torch.cat([encoder(torch.from_numpy(row[None])) for row in rows])
    np.testing.assert_allclose(sentences, alone.numpy(), rtol=1e-5, atol=1e-6)
    different = len({tuple(row.tolist()) for row in rows})
    assert passes.told[-1] == (different, different)
    assert max(b - a for (a, _), (b, _) in zip(passes.told, passes.told[1:], strict=False)) <= (
        ROWS_AT_ONCE
    )


def test_the_order_of_the_data_never_changes_a_bit(encoder, rows):
    sentences = read_sentences(encoder, rows, Passes())
    backwards = read_sentences(encoder, rows[::-1], Passes())
    assert np.array_equal(sentences, backwards[::-1])


def test_what_was_read_once_comes_from_the_cache(encoder, rows, tmp_path):
    first, second = Passes(), Passes()
    cache = tmp_path / "deep" / "cache"
    read = cached_sentences(encoder, rows, cache=cache, progress=first)
    again = cached_sentences(encoder, rows, cache=cache, progress=second)
    assert np.array_equal(read, again)
    assert first.told
    assert second.told == []
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_other_rows_and_other_weights_are_read_anew(encoder, rows, tmp_path, monkeypatch):
    cached_sentences(encoder, rows, cache=tmp_path, progress=Passes())
    install_tiny_minilm(tmp_path / "other", monkeypatch, seed=1)
    for other_encoder, other_rows in ((encoder, rows[:-1]), (load_minilm(), rows)):
        passes = Passes()
        cached_sentences(other_encoder, other_rows, cache=tmp_path, progress=passes)
        assert passes.told


def test_a_damaged_cache_is_read_anew(encoder, rows, tmp_path):
    cache = tmp_path / "cache"
    read = cached_sentences(encoder, rows, cache=cache, progress=Passes())
    (kept,) = cache.iterdir()
    for damage in (b"", b"junk", kept.read_bytes()[:-100]):
        kept.write_bytes(damage)
        passes = Passes()
        again = cached_sentences(encoder, rows, cache=cache, progress=passes)
        assert passes.told
        assert np.array_equal(read, again)


def test_a_cache_that_cannot_be_written_is_an_error(encoder, rows, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"the cache .* cannot be written: .*set T2F_CACHE"):
        cached_sentences(encoder, rows, cache=tmp_path / "file", progress=Passes())
