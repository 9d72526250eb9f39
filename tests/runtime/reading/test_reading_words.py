import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2f_runtime.reading.words import fold, leave_out, split_compounds, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A bald man, smiling.", ["A", "bald", "man", "smiling"]),
        ("He's 'old' and grey-haired", ["He's", "old", "and", "grey", "haired"]),
        ("5 o\u2019clock", ["5", "o\u2019clock"]),
        ("cafe\u0301 na\u00efve", ["cafe\u0301", "na\u00efve"]),
        ("दाढ़ी वाला", ["दाढ़ी", "वाला"]),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("老人 眼镜", ["老", "人", "眼", "镜"]),
        ("👧🏽 girl 👍", ["👧🏽", "girl", "👍"]),
        ("snake_case", ["snake", "case"]),
        ("\u0301 \u200d '' -- ^`", []),
        ("", []),
    ],
)
def test_words_are_found_in_every_script(text, words):
    assert [word.text for word in split_words(text)] == words


@pytest.mark.parametrize(
    ("text", "compounds"),
    [
        ("a grey-haired man", ["a", "grey-haired", "man"]),
        ("five-o\u2019clock\u2011shadow", ["five-o\u2019clock\u2011shadow"]),
        ("a - b --c d-, -e", ["a", "b", "c", "d", "e"]),
        ("👩\u200d🦰👧 girl\u200d boy", ["👩\u200d🦰", "👧", "girl\u200d", "boy"]),
        ("戴眼镜", ["戴", "眼", "镜"]),
    ],
)
def test_what_hyphens_or_joiners_join_is_one_compound(text, compounds):
    assert [word.text for word in split_compounds(text)] == compounds


@given(st.text(st.sampled_from("ab-\u2010\u200d👧🏽 '")))
def test_compounds_are_made_of_whole_words(text):
    compounds = split_compounds(text)
    assert all(text[word.start : word.end] == word.text for word in compounds)
    for word in split_words(text):
        assert sum(one.start <= word.start and word.end <= one.end for one in compounds) == 1


@given(st.text(st.characters(codec=None)))
def test_words_stand_where_they_say_and_have_a_letter_or_a_sign(text):
    words = split_words(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert all(unicodedata.category(word.text[0])[0] in "LNS" for word in words)
    ends = [place for word in words for place in (word.start, word.end)]
    assert ends == sorted(ends)


@given(st.text())
def test_every_letter_and_digit_is_in_a_word(text):
    inside = "".join(word.text for word in split_words(text))
    assert [c for c in text if c.isalnum()] == [c for c in inside if c.isalnum()]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GLASSES", "glasses"),
        ("cafe\u0301", "CAF\u00c9"),
        ("\ufb01ne", "fine"),
        ("ﬁ\u00ad\u200bne", "fine"),
        ("stra\u00dfe", "STRASSE"),
        ("o\u2019clock", "O'Clock"),
        ("\uff27lasses", "glasses"),
    ],
)
def test_ways_to_write_a_word_count_as_the_same(first, second):
    assert fold(first) == fold(second)


def test_accents_are_not_folded_away():
    assert fold("né") != fold("ne")


@given(st.text())
def test_what_is_folded_stays_as_it_is(text):
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("part", "rest"),
    [
        ("smiling", "an old man, with a scar."),
        ("an", "old man, smiling, with a scar."),
        ("scar", "an old man, smiling, with a."),
        ("with", "an old man, smiling, a scar."),
        ("an old man", "smiling, with a scar."),
    ],
)
def test_what_is_left_out_leaves_no_gap(part, rest):
    text = "an old man, smiling, with a scar."
    start = text.index(part)
    assert leave_out(text, start, start + len(part)) == rest


def test_what_is_left_out_brings_no_space_where_none_was():
    assert leave_out("戴眼镜", 1, 2) == "戴镜"
    assert leave_out("a (tall) man", 3, 7) == "a () man"
    assert leave_out("a tall\nman", 2, 6) == "a man"


def test_the_last_words_take_their_comma_along():
    assert leave_out("a man, smiling", 7, 14) == "a man"
    assert leave_out("smiling", 0, 7) == ""
