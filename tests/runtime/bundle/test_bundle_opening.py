import threading

import pytest

from t2f_runtime import ArgumentError, Bundle, BundleError, EngineError, FaceGenerator
from t2f_runtime.bundle.manifest import GENERATOR, REFERENCE, TEXT_ENCODER, TOKENIZER


def spoil(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def assert_no_thread_is_left():
    assert "t2f checks" not in {thread.name for thread in threading.enumerate()}


def test_a_bundle_is_verified_when_its_block_ends(bundle):
    spoil(bundle / REFERENCE)
    reached = []
    with (
        pytest.raises(BundleError, match=f"{REFERENCE} is altered"),
        Bundle.opening(bundle) as opened,
    ):
        reached.append(opened.manifest.name)
    assert reached == ["tiny"]
    assert_no_thread_is_left()


@pytest.mark.parametrize("spoilt", [REFERENCE, GENERATOR, TOKENIZER])
def test_no_file_is_read_before_every_file_is_verified(bundle, spoilt):
    spoil(bundle / spoilt)
    told = []

    def read_all():
        with Bundle.opening(bundle, keep="float32") as opened:
            for name in (TEXT_ENCODER, GENERATOR):
                with pytest.raises(BundleError, match=f"{spoilt} is altered"):
                    opened.read(name)
                told.append(name)

    with pytest.raises(BundleError, match=f"{spoilt} is altered"):
        read_all()
    assert told == [TEXT_ENCODER, GENERATOR]


@pytest.mark.parametrize("keep", [None, "float32"])
def test_of_several_damaged_files_the_manifests_first_is_named(bundle, keep):
    for name in (GENERATOR, REFERENCE):
        spoil(bundle / name)
    (bundle / TEXT_ENCODER).unlink()
    with pytest.raises(BundleError, match=f"{GENERATOR} is altered"):
        Bundle.open(bundle, keep=keep)


@pytest.mark.parametrize(
    ("wish", "error"), [({"engine": "abacus"}, EngineError), ({"threads": 0}, ArgumentError)]
)
def test_a_damaged_file_is_told_rather_than_what_else_is_wrong(bundle, wish, error):
    with pytest.raises(error):
        FaceGenerator.load(bundle, **wish)
    spoil(bundle / REFERENCE)
    with pytest.raises(BundleError, match=f"{REFERENCE} is altered"):
        FaceGenerator.load(bundle, **wish)
    assert_no_thread_is_left()


def test_an_error_that_is_not_of_t2f_passes(bundle):
    spoil(bundle / REFERENCE)
    with pytest.raises(KeyboardInterrupt), Bundle.opening(bundle):
        raise KeyboardInterrupt
    assert_no_thread_is_left()


def test_what_is_kept_is_given_away_once(bundle):
    with Bundle.opening(bundle, keep="float32") as opened:
        data = (bundle / GENERATOR).read_bytes()
        assert opened.read(GENERATOR) == data
        assert opened.read(GENERATOR) == data
        (bundle / GENERATOR).unlink()
        with pytest.raises(BundleError, match=f"{GENERATOR} is missing"):
            opened.read(GENERATOR)


def test_nothing_is_kept_after_the_block(bundle):
    with Bundle.opening(bundle, keep="float32") as opened:
        pass
    spoil(bundle / TOKENIZER)
    with pytest.raises(BundleError, match=f"{TOKENIZER} is altered"):
        opened.read(TOKENIZER)
