import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime import BundleError, DescriptionError
from t2f_runtime.text.tokenizer import Tokenizer, pad

PADDING, UNKNOWN = 0, 1


def refuses(tokenizer, description, message):
    with pytest.raises(DescriptionError, match=re.escape(message)):
        tokenizer.tokens(description)


def test_a_description_becomes_a_row_of_tokens(tokenizer):
    tokens = tokenizer.tokens("a smiling woman")
    assert tokens.dtype == np.int64
    assert tokens.ndim == 1
    assert tokens.tolist() == tokenizer.encode("a smiling woman")
    assert 0 < tokens.min() <= tokens.max() < tokenizer.vocabulary_size


def test_case_and_spacing_make_no_difference(tokenizer):
    assert tokenizer.encode("A  Smiling\tWOMAN\n") == tokenizer.encode("a smiling woman")


@pytest.mark.parametrize(
    "description",
    [
        "👧🏽",
        "男人",
        "ένας άντρας",
        "رجل أصلع",
        "איש קירח",
        "une fille aux cheveux frisés",
        "🫪",
        "x",
        "?",
    ],
)
def test_any_alphabet_has_tokens_that_are_never_unknown(tokenizer, description):
    tokens = tokenizer.tokens(description)
    assert UNKNOWN not in tokens
    assert PADDING not in tokens


def test_other_words_have_other_tokens(tokenizer):
    assert tokenizer.encode("男") != tokenizer.encode("女")


@pytest.mark.parametrize(
    "description", ["", "   ", "\n\t\r", "\u200b", "\ufe0f", "\u00ad", "\ufffd"]
)
def test_a_description_that_shows_nothing_is_refused(tokenizer, description):
    refuses(
        tokenizer,
        description,
        "the description is empty or shows nothing; describe the face, in any words",
    )


def test_a_megabyte_of_text_is_refused(tokenizer):
    refuses(
        tokenizer,
        "a man " * 170_000,
        "the description has 1020000 characters; this bundle reads 4096 at most: shorten it",
    )


def test_too_many_tokens_are_counted_and_never_cut(tokenizer):
    refuses(
        tokenizer,
        "man " * 65,
        f"the description has {len(tokenizer.encode('man ' * 65))} tokens; "
        "this bundle reads 64 at most: shorten it",
    )


def test_the_longest_description_is_accepted(tokenizer):
    word = next(w for w in ("man", "hair", "a") if len(tokenizer.encode(w)) == 1)
    assert len(tokenizer.tokens(" ".join([word] * 64))) == 64


@pytest.mark.parametrize(
    ("character", "code"), [("\0", "0000"), ("\x1b", "001B"), ("\x7f", "007F"), ("\x85", "0085")]
)
def test_control_characters_are_refused_by_code_and_position(tokenizer, character, code):
    refuses(
        tokenizer,
        f"a man{character}",
        f"the description holds the control character U+{code} at position 5: remove it",
    )


def test_tabs_and_line_breaks_are_white_space(tokenizer):
    assert tokenizer.tokens("a\tbald\r\nman").tolist() == tokenizer.encode("a bald man")


def test_a_lone_surrogate_is_refused_by_code_and_position(tokenizer):
    refuses(
        tokenizer,
        "a \ud83d man",
        "the description holds the lone surrogate U+D83D at position 2, which is no character",
    )


def test_training_is_told_of_a_lone_surrogate_too(tokenizer):
    with pytest.raises(DescriptionError, match="cannot be written as UTF-8"):
        tokenizer.encode("\ud83d")


@pytest.mark.parametrize(("value", "name"), [(None, "NoneType"), (b"a man", "bytes"), (7, "int")])
def test_what_is_not_text_is_refused(tokenizer, value, name):
    refuses(tokenizer, value, f"a description must be text (str), not {name}")


@settings(deadline=None)  # a shared machine may pause for longer
@given(st.text(st.characters(), max_size=80) | st.text(max_size=80))
def test_any_text_has_tokens_or_is_refused(tokenizer, description):
    try:
        tokens = tokenizer.tokens(description)
    except DescriptionError:
        return
    assert 1 <= len(tokens) <= tokenizer.maximum_tokens
    assert PADDING not in tokens


@pytest.mark.parametrize("model", [b"", b"junk", b"\0" * 100])
def test_what_is_no_sentencepiece_model_is_refused(model):
    with pytest.raises(BundleError, match="the tokenizer is not a SentencePiece model"):
        Tokenizer(model, maximum_tokens=8)


def test_padding_fills_up_the_shorter_rows():
    rows = [np.array([5, 6, 7]), np.array([8])]
    padded = pad(rows)
    assert padded.dtype == np.int64
    assert padded.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert pad(rows, padding_token=9).tolist() == [[5, 6, 7], [8, 9, 9]]


def test_no_rows_are_padded_to_an_empty_array():
    assert pad([]).shape == (0, 0)
