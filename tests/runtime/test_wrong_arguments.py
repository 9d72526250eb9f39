"""Slips of whoever calls: each is an ArgumentError that says what was wanted."""

import pytest

from t2f_runtime import (
    ArgumentError,
    Bundle,
    BundleError,
    Cancellation,
    FaceGenerator,
    KeyFileError,
    PublicKey,
)
from t2f_runtime.pictures.facts import read_picture
from t2f_runtime.service import DynamicBatcher

KEY = PublicKey(bytes(32))


@pytest.mark.parametrize("path", [None, 17, b"bundle"])
@pytest.mark.parametrize("take", [FaceGenerator.load, Bundle.open, PublicKey.read, read_picture])
def test_what_is_no_path_is_refused(take, path):
    with pytest.raises(ArgumentError, match=r"must be a path .str or Path., not "):
        take(path)


@pytest.mark.parametrize("trusted", ["maker.pub", KEY, ["maker.pub"], 5])
@pytest.mark.parametrize("take", [FaceGenerator.load, Bundle.open])
def test_trusted_keys_are_keys_and_not_their_files(take, tiny_bundle, trusted):
    with pytest.raises(
        ArgumentError, match=r"trusted must be a list of PublicKey, .*PublicKey.rea"
    ):
        take(tiny_bundle, trusted=trusted)


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator, wrong: generator.generate("a man", cancellation=wrong),
        lambda generator, wrong: generator.generate_batch(["a man"], cancellation=wrong),
    ],
)
@pytest.mark.parametrize("wrong", [5, 0.0, Cancellation])
def test_what_is_no_cancellation_is_refused(generator, draw, wrong):
    with pytest.raises(ArgumentError, match="cancellation must be a Cancellation or None, not "):
        draw(generator, wrong)


def test_what_is_no_cancellation_does_not_end_the_queue(generator):
    with DynamicBatcher(generator) as batcher:
        with pytest.raises(ArgumentError, match="cancellation must be a Cancellation or None"):
            batcher.submit("a man", cancellation=5)
        assert batcher.submit("a man").result(timeout=60).shape == (8, 8, 3)


@pytest.mark.parametrize("wait", ["3", None, True, float("inf"), 10**400])
def test_a_wait_is_a_number_of_seconds(generator, wait):
    with pytest.raises(ArgumentError, match=r"wait_seconds is .*; it must be 0 or more"):
        DynamicBatcher(generator, faces_per_run=2, wait_seconds=wait)


@pytest.mark.parametrize(
    ("texts", "seeds", "message"),
    [
        ((text for text in ("a man",)), None, "texts must be a list of descriptions, not gener"),
        ({"a man"}, None, "texts must be a list of descriptions, not set"),
        (5, None, "texts must be a list of descriptions, not int"),
        ("a man", None, "texts is one description; give a list, or call generate"),
        (["a man"], iter([1]), "seeds must be a list of whole numbers, not list_iterator"),
        (["a man"], 7, "seeds must be a list of whole numbers, not int"),
        (["a man"], "7", "seeds must be a list of whole numbers, not str"),
    ],
)
def test_a_batch_is_a_list(generator, texts, seeds, message):
    with pytest.raises(ArgumentError, match=message):
        generator.generate_batch(texts, seeds=seeds)


def test_seconds_may_be_no_number_of_hundreds_of_digits():
    with pytest.raises(ArgumentError, match="seconds must be a number, 0 or more, not 1000"):
        Cancellation(seconds=10**400)


@pytest.mark.parametrize("precision", [["float32"], 16, None])
def test_a_precision_is_one_of_the_bundle(tiny_bundle, precision):
    with pytest.raises(BundleError, match=r"holds no networks of precision .*; it has: float32"):
        FaceGenerator.load(tiny_bundle, precision=precision)


@pytest.mark.parametrize("bundle", ["bundles/faces", None])
def test_a_path_is_no_open_bundle(bundle):
    with pytest.raises(ArgumentError, match=r"must be an open Bundle; .* FaceGenerator.load"):
        FaceGenerator.from_bundle(bundle)


@pytest.mark.parametrize("raw", [None, 32, "a" * 32])
def test_a_key_is_bytes(raw):
    with pytest.raises(KeyFileError, match=r"has 32 bytes, not .*PublicKey.read.path."):
        PublicKey(raw)
