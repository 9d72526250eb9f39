import numpy as np
import pytest

from t2f_runtime import ArgumentError, DescriptionError
from t2f_runtime.identikit import KNOWN_PAIRS, LOCK_SETS, Reading, Session
from t2f_runtime.identikit.directions import SLIDER_END, basis_of, find_direction, slide
from t2f_runtime.identikit.face import array, vector
from t2f_runtime.identikit.word_pairs import CARRIERS, Wording, find_pair, lock_words, own_texts


@pytest.mark.parametrize(
    ("words", "towards", "away"),
    [
        ("older", Wording(before="older"), Wording(before="young")),
        ("  Younger. ", Wording(before="young"), Wording(before="older")),
        ("smiling", Wording(before="smiling"), Wording()),
        ("freckled", Wording(before="freckled"), Wording()),
        ("with a beard", Wording(after="with a beard"), Wording()),
        ("… and a scar", Wording(after="with a scar"), Wording()),
        ("a scar", Wording(after="with a scar"), Wording()),
        ("red hair", Wording(after="with red hair"), Wording()),
        ("dimples", Wording(after="with dimples"), Wording()),
        ("wearing a hat", Wording(after="wearing a hat"), Wording()),
        ("feminine", Wording(noun="woman"), Wording(noun="man")),
    ],
)
def test_words_stand_where_they_belong(words, towards, away):
    pair = find_pair(words)
    assert (pair.towards, pair.away) == (towards, away)


@pytest.mark.parametrize("words", ["", "  ", "…", " . "])
def test_no_words_are_refused(words):
    with pytest.raises(ArgumentError, match="name what to change"):
        find_pair(words)


def test_pairs_become_descriptions_that_differ_in_one_thing():
    older, glasses = find_pair("older"), find_pair("glasses")
    assert [CARRIERS[0].texts(pair) for pair in (older, glasses)] == [
        ("an older man", "a young man"),
        ("a man with glasses", "a man"),
    ]
    assert CARRIERS[5].texts(older) == (
        "she is an older woman with brown hair",
        "she is a young woman with brown hair",
    )
    assert CARRIERS[2].texts(glasses)[0] == "a man with black hair, with glasses"
    assert own_texts("He is bald. ", find_pair("feminine")) == (
        "He is bald, a woman",
        "He is bald, a man",
    )


def test_every_known_pair_differs_in_every_carrier():
    for pair in KNOWN_PAIRS.values():
        assert all(len(set(carrier.texts(pair))) == 2 for carrier in CARRIERS)


def test_a_lock_keeps_a_known_set_or_the_words_themselves():
    assert lock_words(" Hair ") == LOCK_SETS["hair"]
    assert lock_words("a scar") == ("a scar",)
    with pytest.raises(ArgumentError, match=r"name what to lock: age, beard"):
        lock_words(" ")


def planted(description):
    """A text encoder that reads two words: a beard along the first axis, age along the second."""
    mean = np.zeros(3)
    mean[0] = 2.0 * ("beard" in description)
    mean[1] = 1.5 * ("older" in description) - 1.5 * ("young" in description)
    mean[2] = 0.5 * ("woman" in description)
    return Reading(mean=vector(mean), deviation=vector(np.full(3, 0.5)))


def test_a_direction_is_where_the_pairs_point_whatever_carries_them():
    direction = find_direction("with a beard", planted)
    assert array(direction.unit) == pytest.approx([1, 0, 0])
    assert direction.agreement == pytest.approx(1)
    assert direction.centre == pytest.approx(1)
    # Half of the descriptions lie at 0 and half at 2, each with a deviation of 0.5.
    assert direction.spread == pytest.approx(np.sqrt(1 + 0.25))
    assert direction.reach * direction.spread == pytest.approx(2)


def test_known_opposites_point_to_opposite_sides():
    older, younger = (find_direction(words, planted) for words in ("older", "younger"))
    assert array(older.unit) == pytest.approx([0, 1, 0])
    assert array(younger.unit) == pytest.approx(-array(older.unit))
    assert older.reach * older.spread == pytest.approx(3)


def test_a_sessions_own_description_has_its_say():
    def read(description):
        reading = planted(description)
        if not description.startswith("MY"):
            return reading
        return Reading(mean=vector(array(reading.mean)[::-1]), deviation=reading.deviation)

    direction = find_direction("with a beard", read, ["MY face"])
    assert array(direction.unit) == pytest.approx(np.array([6, 0, 1]) / np.sqrt(37), abs=1e-6)
    assert direction.agreement == pytest.approx(np.sqrt(37) / 7, abs=1e-6)


def test_a_description_that_is_too_long_for_more_words_is_left_out():
    def read(description):
        if description.startswith("MY"):
            raise DescriptionError("too long")
        return planted(description)

    assert find_direction("a beard", read, ["MY face"]) == find_direction("a beard", planted)


def test_words_that_the_model_does_not_read_are_an_error():
    with pytest.raises(ArgumentError, match="this bundle reads nothing in 'a scar'"):
        find_direction("a scar", planted)


@pytest.fixture
def face(generator):
    """A face whose condition is 0 in three dimensions."""
    start = Session.start("a bald man", generator).face
    zeros = vector(np.zeros(3))
    fields = {
        name: getattr(start, name)
        for name in ("bundle_id", "descriptions", "seed", "index", "noise")
    }
    reading = Reading(mean=zeros, deviation=zeros)
    return type(start)(
        name="3.07", made_by="test", reading=reading, epsilon=zeros, shift=zeros, **fields
    )


def test_a_slider_moves_by_spreads(face):
    direction = find_direction("older", planted)
    moved = array(slide(face, direction, 1.5, ()))
    assert moved == pytest.approx([0, 1.5 * direction.spread, 0])
    assert direction.position(face) == pytest.approx(0)


def test_a_slider_ends_and_says_how_far_it_may_go(face):
    direction = find_direction("older", planted)
    with pytest.raises(
        ArgumentError, match=r"'older' of face 3.07 is at \+0.0 and ends at \+3: take 3.0 or less"
    ):
        slide(face, direction, SLIDER_END + 0.1, ())
    slide(face, direction, SLIDER_END, ())
    with pytest.raises(ArgumentError, match=r"is at \+0.0 and ends at -3"):
        slide(face, direction, -SLIDER_END - 0.1, ())


def test_a_slider_beyond_its_end_only_goes_back(face):
    direction = find_direction("older", planted)
    beyond = vector(array(direction.unit) * direction.spread * 4)
    far = type(face)(**{n: getattr(face, n) for n in face.__struct_fields__} | {"shift": beyond})
    with pytest.raises(ArgumentError, match=r"is at \+4.0 and ends at \+3: it cannot go further"):
        slide(far, direction, 0.5, ())
    slide(far, direction, -0.5, ())


def test_a_slider_moves_only_what_no_lock_keeps(face):
    direction = find_direction("older", planted)
    tilted = vector(np.array([1, 1, 0]))
    moved = array(slide(face, direction, 1, basis_of([tilted])))
    assert moved == pytest.approx(np.array([-1, 1, 0]) * direction.spread / 2, abs=1e-6)
    with pytest.raises(ArgumentError, match="'older' would change nothing but what is locked"):
        slide(face, direction, 1, basis_of([vector(np.array([0.1, 1, 0]))]))
