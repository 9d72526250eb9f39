import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2f_runtime.reading.spelling import MAXIMUM_NEAREST, distance, nearest_words

COUNTS = {
    "glasses": 900,
    "beard": 400,
    "hair": 999,
    "black": 700,
    "moustache": 50,
    "man": 5000,
    "mean": 3,
    "bald": 300,
    "smiling": 600,
    "smile": 500,
}
LETTERS = st.text("abc", max_size=5)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("galsses", ("glasses",)),
        ("glases", ("glasses",)),
        ("mustache", ("moustache",)),
        ("baerd", ("beard",)),
        ("mna", ("man",)),
        ("smileing", ("smiling",)),
        ("blackhair", ("black hair",)),
        ("scar", ()),
        ("xx", ()),
        ("35", ()),
        ("b4ld", ()),
        ("x" * 100, ()),
    ],
)
def test_typing_errors_are_seen_through(word, near):
    assert nearest_words(word, COUNTS) == near


def test_only_the_nearest_are_told_and_the_most_frequent_of_them_first():
    assert nearest_words("man", {"men": 20, "mean": 30, "main": 30, "can": 1}) == (
        "main",
        "mean",
        "men",
    )
    assert nearest_words("smilin", {"smile": 500, "smiling": 1}) == ("smiling",)


def brute_distances(word):
    """All words that one error makes of a word, by making every error."""
    letters = "abc"
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        yield from (before + letter + after for letter in letters)
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in letters)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


@given(LETTERS)
def test_one_error_is_a_distance_of_one(word):
    assert all(distance(word, other) == 1 for other in brute_distances(word) if other != word)


@given(LETTERS, LETTERS)
def test_words_one_apart_are_one_error_apart(first, second):
    assert (distance(first, second) == 1) == (
        first != second and second in set(brute_distances(first))
    )
    assert distance(first, second) == distance(second, first)


@given(st.text("abcd", min_size=3, max_size=7))
def test_the_quick_choice_of_candidates_leaves_nothing_out(word):
    known = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
    most = 1 if len(word) < 5 else 2
    distances = {other: distance(word, other) for other in known}
    least = min(distances.values())
    near = sorted(other for other in known if distances[other] == least <= most)
    assert nearest_words(word, dict.fromkeys(known, 1)) == tuple(near[:MAXIMUM_NEAREST])
