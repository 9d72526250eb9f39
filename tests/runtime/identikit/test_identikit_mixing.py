"""Faces that are mixed, of one session or of several, and how they differ."""

import numpy as np
import pytest
from msgspec.structs import replace

from t2f_runtime import ArgumentError
from t2f_runtime.identikit import CaseError, Session
from t2f_runtime.identikit.face import array

TEXT = "a bald man"


def test_a_face_follows_no_more_descriptions_than_a_case_file_holds(start):
    def following(first, last):
        texts = tuple(f"a man {number}" for number in range(first, last))
        return replace(start.face, descriptions=texts)

    most = start.mix(following(0, 200), following(100, 256), 0.5)
    assert len(most.face.descriptions) == 256
    with pytest.raises(ArgumentError, match="would follow 257 descriptions, and 256 are the most"):
        start.mix(following(0, 200), following(100, 257), 0.5)


def test_faces_mix_by_place_by_name_and_with_another_witness(screen, generator):
    other = Session.start("a woman", generator, seed=9)
    by_place, by_name = screen.mix(2, 4, 0.3), screen.mix("1.02", "1.04", 0.3)
    assert by_place.face == by_name.face
    assert by_place.step.arguments == {"first": "1.02", "second": "1.04", "amount": 0.3}
    with_other = screen.mix(2, other, 0.3)
    assert with_other.face == screen.mix(2, other.face, 0.3).face
    assert with_other.face.descriptions == (TEXT, "a woman")
    label = with_other.step.arguments["second"]
    assert label.startswith("0.00 of another case, latent ")
    assert with_other.face.parents == ("1.02", "0.00 of another case")
    assert screen.compare(2, other).second == "0.00 of another case"


def test_the_ends_of_a_way_are_the_faces_themselves(start):
    session = start.describe("a woman with glasses")
    way = session.morph("0.00", 0, 3)
    first, middle, last = way.screen
    for end, face in ((first, start.face), (last, session.face)):
        assert (end.descriptions, end.seed, end.index) == (face.descriptions, face.seed, face.index)
        assert end.parents == (face.name,)
        assert end.latent().tobytes() == face.latent().tobytes()
    assert (middle.descriptions, middle.index) == ((TEXT, "a woman with glasses"), None)
    assert way.choose([0]).describe("… and a hat").face.descriptions == (f"{TEXT} and a hat",)
    mixed = session.mix("0.00", 0, 1)
    assert mixed.describe("… and a hat").face.descriptions == ("a woman with glasses and a hat",)


def test_a_morph_shows_both_ends(screen):
    way = screen.morph(1, 2, 4)
    pictures, ends = way.pictures(), screen.pictures()
    assert len(pictures) == 4
    assert np.array_equal(pictures[0], ends[1])
    assert np.array_equal(pictures[-1], ends[2])


@pytest.mark.parametrize("which", [6, "9.99", "1.06", "…", "1"])
def test_a_face_that_there_is_not_is_refused(screen, which):
    with pytest.raises(ArgumentError):
        screen.mix(0, which)


def test_sessions_of_two_bundles_do_not_mix(start, textless):
    with pytest.raises(CaseError, match="faces of two bundles cannot be mixed"):
        start.mix(0, Session.start(None, textless))


def test_faces_of_two_bundles_do_not_mix_though_their_sizes_are_equal(start, sibling):
    other = Session.start(TEXT, sibling)
    for second in (other, other.face):
        with pytest.raises(CaseError, match="faces of two bundles cannot be mixed or compared"):
            start.mix(0, second)
        with pytest.raises(CaseError, match="faces of two bundles cannot be mixed or compared"):
            start.compare(0, second)


def test_a_mixture_keeps_the_faces_that_it_has_of_other_cases(start, generator):
    other = Session.start("a woman", generator, seed=9)
    mixed = start.mix(other, 0, 0.5)
    assert mixed.step.given == (other.face,)
    assert mixed.choose([0]).step.given == ()
    assert start.morph(other, other.face, 3).step.given == (other.face, other.face)
    assert start.mix(0, start.face, 0.5).step.given == ()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "x" * 65, "length <= 64"),
        ("descriptions", ("\ud800",), "surrogates"),
        ("seed", "7", "Expected `int`"),
    ],
)
def test_a_face_that_no_case_holds_is_not_mixed_in(start, generator, field, value, message):
    spoilt = replace(Session.start("a woman", generator).face, **{field: value})
    with pytest.raises(ArgumentError, match=f"no face that a case can hold: .*{message}"):
        start.mix(0, spoilt)


def test_a_comparison_says_what_differs(screen, generator):
    session = screen.choose([0]).describe("a woman with glasses")
    comparison = session.compare("0.00", 0)
    pictures = generator.draw(
        np.stack([session.case.face("0.00").latent(), session.face.latent()])
    ).astype(int)
    assert comparison.mean_levels == pytest.approx(np.abs(pictures[0] - pictures[1]).mean())
    assert comparison.noise_angle == 0
    assert comparison.only_first == (TEXT,)
    assert comparison.only_second == ("a woman with glasses",)
    assert "only 3.00 follows: a woman with glasses" in str(comparison)
    for trait in comparison.traits:
        direction = Session.start(TEXT, generator).direction(trait.words)
        assert abs(trait.second - trait.first) >= 0.5
        assert (
            np.sign(trait.second - trait.first)
            == np.sign(array(direction.unit) @ (session.face.condition() - screen.face.condition()))
            or abs(trait.second - trait.first) < 1
        )


def test_equal_faces_do_not_differ(screen):
    comparison = screen.compare(1, 1)
    assert (comparison.latent_angle, comparison.mean_levels, comparison.traits) == (0, 0, ())
