import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime import BundleError, DescriptionError
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.text.wordpiece import WordPieces

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] a man with red hair and curly un ##aff ##able ##s smile ##y - , . ' ! "
    "naive elene \u03c3 ##\u03c3 \u03c2 ##\u03c2 \u03bf ##\u03b9 strasse ß 男 人 한 i x ( ) $ ^ ` "
    "1 ##0 [ ] pad « … ##x e ² ﬁ \u0131"
)
PIECES = WORDS.split()
VOCABULARY = "\n".join(PIECES).encode() + b"\n"
CLS, SEP, UNKNOWN = PIECES.index("[CLS]"), PIECES.index("[SEP]"), PIECES.index("[UNK]")

# What tokenizers 0.23.3 gives for this vocabulary with its BertNormalizer, BertPreTokenizer and
# WordPiece.
REFERENCE = [
    ("a man with red hair", "a man with red hair"),
    ("A Man, with RED hair!", "a man , with red hair !"),
    ("unaffable", "un ##aff ##able"),
    ("unaffables x", "un ##aff ##able ##s x"),
    ("unaffableq x", "[UNK] x"),
    ("na\xefve \xc9L\xc8NE", "naive elene"),
    ("nai\u0308ve", "naive"),
    ("\u03c3\u03bf\u03c3 \u03a3\u039f\u03a3 \u03a3\u03a3", "[UNK] [UNK] \u03c3 ##\u03c3"),
    ("\u03bf\u03b9", "\u03bf ##\u03b9"),
    ("STRASSE Straße ß", "strasse [UNK] ß"),
    ("男人", "男 人"),
    ("x男x", "x 男 x"),
    ("\ud55c", "[UNK]"),
    ("\u0130 i \u0131 I", "i i \u0131 i"),
    ("a\xadman re\u200bd", "[UNK] red"),
    ("a\xa0man\u3000red\tman\nred\r\nman\u2028x", "a man red man red man x"),
    ("\ufeffman\ufffd", "man"),
    ("$10 ^x` (red)", "$ 1 ##0 ^ x ` ( red )"),
    ("«man»…", "« man [UNK] …"),
    ("[PAD] [pad]", "[ pad ] [ pad ]"),
    ("man's hair - un-curly", "man ' [UNK] hair - un - curly"),
    ("x\xb2", "[UNK]"),
    ("\ufb01", "ﬁ"),
    ("\U0001f642 man\U0001f642", "[UNK] [UNK]"),
    ("x" * 100 + " man", "x " + "##x " * 99 + "man"),
    ("x" * 101 + " man", "[UNK] man"),
    ("e\u0301 \u0301 e", "e e"),
    ("\U0002b820 x\U0002b740x \uf900", "[UNK] x [UNK] x [UNK]"),
    ("\ue000man", "man"),
    ("-", "-"),
]


@pytest.fixture(scope="module")
def pieces():
    return WordPieces(VOCABULARY)


@pytest.fixture(scope="module")
def wordpiece_tokenizer():
    return Tokenizer(VOCABULARY, kind="wordpiece", maximum_tokens=12)


@pytest.mark.parametrize(("text", "expected"), REFERENCE, ids=[ascii(t)[:30] for t, _ in REFERENCE])
def test_texts_are_cut_as_by_the_reference(pieces, text, expected):
    tokens = pieces.encode(text)
    assert [PIECES[token] for token in tokens] == ["[CLS]", *expected.split(), "[SEP]"]


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\ufffd", "\u0301"])
def test_a_text_that_shows_nothing_has_no_tokens_at_all(pieces, text):
    assert pieces.encode(text) == []


def test_cutting_keeps_the_end_mark(pieces):
    assert pieces.encode("a man with red hair", 5) == [
        CLS,
        *(PIECES.index(p) for p in ("a", "man", "with")),
        SEP,
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_of_the_vocabulary_do_not_matter(pieces, ending):
    other = WordPieces(ending.join(PIECES).encode())
    assert other.vocabulary_size == pieces.vocabulary_size == len(PIECES)
    assert other.encode("curly hair") == pieces.encode("curly hair")


@pytest.mark.parametrize(
    ("vocabulary", "reason"),
    [
        (b"\xff\xfe", "'utf-8' codec can't decode"),
        (b"", "it lacks [PAD]"),
        (VOCABULARY.replace(b"[SEP]", b"sep"), "it lacks [SEP]"),
        (VOCABULARY + b"man\n", f"it has {len(PIECES) + 1} lines, but {len(PIECES)} different"),
    ],
)
def test_what_is_no_vocabulary_is_refused(vocabulary, reason):
    message = f"the tokenizer is not a WordPiece vocabulary: {reason}"
    with pytest.raises(BundleError, match=re.escape(message)):
        Tokenizer(vocabulary, kind="wordpiece", maximum_tokens=8)


def test_a_description_becomes_a_row_of_tokens_between_a_start_and_an_end(wordpiece_tokenizer):
    tokens = wordpiece_tokenizer.tokens("a curly man")
    assert tokens.dtype == np.int64
    assert [PIECES[token] for token in tokens] == ["[CLS]", "a", "curly", "man", "[SEP]"]
    assert (wordpiece_tokenizer.padding_token, wordpiece_tokenizer.kind) == (0, "wordpiece")


@pytest.mark.parametrize("description", ["🙂", "γέρος", "zzz qqq"])
def test_a_description_of_unknown_words_alone_is_refused(wordpiece_tokenizer, description):
    message = f"this bundle knows no word of the description {description!r}"
    with pytest.raises(DescriptionError, match=re.escape(message)):
        wordpiece_tokenizer.tokens(description)


def test_an_unknown_word_among_known_ones_is_read_as_unknown(wordpiece_tokenizer):
    assert UNKNOWN in wordpiece_tokenizer.tokens("a man 🙂")


def test_too_many_tokens_are_counted_with_start_and_end(wordpiece_tokenizer):
    assert len(wordpiece_tokenizer.tokens("man " * 10)) == 12
    with pytest.raises(DescriptionError, match="the description has 13 tokens"):
        wordpiece_tokenizer.tokens("man " * 11)


@settings(deadline=None)  # a shared machine may pause for longer
@given(st.text(st.characters(), max_size=80) | st.text(st.sampled_from("a mn,-[]\u0301男é🙂")))
def test_any_text_has_tokens_without_padding_or_is_refused(wordpiece_tokenizer, description):
    try:
        tokens = wordpiece_tokenizer.tokens(description)
    except DescriptionError:
        return
    assert 3 <= len(tokens) <= 12
    assert 0 not in tokens
    assert tokens[0] == CLS
    assert tokens[-1] == SEP
    assert tokens.max() < len(PIECES)
