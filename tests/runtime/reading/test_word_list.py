import hashlib
import json
import re

import pytest

from t2f_runtime import Bundle, BundleError
from t2f_runtime.bundle.manifest import MANIFEST, WORDS, decode_manifest
from t2f_runtime.reading.word_list import (
    MAXIMUM_BYTES,
    WordList,
    count_words,
    decode_words,
    encode_words,
    open_words,
)

DESCRIPTIONS = ["A bald man, a man", "the MAN has a beard", "Un été 老人", ""]


@pytest.fixture
def list_words(bundle, change_manifest):
    """Puts a file into `bundle` as its list of words."""

    def put(content: bytes):
        (bundle / WORDS).write_bytes(content)
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        change_manifest(lambda fields: fields["files"].update({WORDS: entry}))
        return Bundle.open(bundle)

    return put


def test_a_word_is_counted_once_a_description_whatever_its_case():
    words = count_words(DESCRIPTIONS)
    assert words.descriptions == 4
    assert (words.count("man"), words.count("Man"), words.count("a")) == (2, 2, 2)
    assert (words.count("ÉTÉ"), words.count("老"), words.count("scar")) == (1, 1, 0)


def test_the_most_frequent_words_come_first_and_the_order_of_descriptions_is_no_matter():
    words = count_words(DESCRIPTIONS)
    assert list(words.words)[:2] == ["a", "man"]
    assert encode_words(words) == encode_words(count_words(reversed(DESCRIPTIONS)))


def test_what_was_seen_before_is_added():
    before = count_words(["a man", "a scar"])
    words = count_words(["a man"], before)
    assert words == WordList(descriptions=3, words={"a": 3, "man": 2, "scar": 1})
    assert before.words["a"] == 2


def test_a_list_is_read_as_it_was_written():
    words = count_words(DESCRIPTIONS)
    assert decode_words(encode_words(words)) == words
    assert json.loads(encode_words(words))["words"]["beard"] == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "words.json is no list of training words: Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"descriptions": 1, "words": {"a": 0}}', "Expected `int` >= 1 - at `$.words[...]`"),
        (b'{"descriptions": 1, "words": {"a": "1"}}', "Expected `int`, got `str`"),
        (b'{"descriptions": -1, "words": {}}', "Expected `int` >= 0 - at `$.descriptions`"),
        (b'{"version": 2, "descriptions": 1, "words": {}}', "at `$.version`"),
        (b'{"descriptions": 1, "words": {}, "more": 1}', "unknown field `more`"),
        (b'{"descriptions": 1, "words": {"\xff": 1}}', "is no list of training words"),
        (b'{"descriptions": 1, "x": ' + b"[" * 100_000, "is no list of training words"),
        (b" " * (MAXIMUM_BYTES + 1), f"a list of words has {MAXIMUM_BYTES} at most"),
    ],
)
def test_what_is_no_list_is_refused(data, message):
    with pytest.raises(BundleError, match=re.escape(message)):
        decode_words(data)


def test_a_bundle_gives_its_list(list_words):
    words = count_words(DESCRIPTIONS)
    assert open_words(list_words(encode_words(words))) == words


def test_a_bundle_without_a_list_gives_none(tiny_bundle):
    assert open_words(Bundle.open(tiny_bundle)) is None


def test_a_damaged_list_is_told_with_its_bundle(list_words, bundle):
    opened = list_words(b"{}")
    with pytest.raises(BundleError, match=re.escape(f"{WORDS} of {bundle} is no list of")):
        open_words(opened)


def test_a_list_that_says_to_be_huge_is_not_read(bundle, list_words, change_manifest):
    opened = list_words(b"{}")
    huge = {"bytes": MAXIMUM_BYTES + 1, "sha256": "0" * 64}
    change_manifest(lambda fields: fields["files"].update({WORDS: huge}))
    opened.manifest = decode_manifest((bundle / MANIFEST).read_bytes())
    with pytest.raises(BundleError, match=f"has {MAXIMUM_BYTES + 1} bytes; a list of words has"):
        open_words(opened)
