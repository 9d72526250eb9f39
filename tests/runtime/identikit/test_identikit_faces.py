import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from t2f_runtime import ArgumentError
from t2f_runtime.identikit import Face, Reading, Session, mix, morph
from t2f_runtime.identikit.face import array, vector

vectors = hypothesis_numpy.arrays(
    np.float32, 6, elements=st.floats(-8, 8, width=32, allow_subnormal=False)
)

a_few = settings(deadline=None, max_examples=40)  # a shared machine may pause for longer


@st.composite
def faces(draw):
    reading = Reading(mean=vector(draw(vectors)), deviation=vector(np.abs(draw(vectors))))
    return Face(
        name="0.00",
        bundle_id="0" * 64,
        made_by="start",
        descriptions=("a face",),
        seed=0,
        index=0,
        reading=reading,
        epsilon=vector(draw(vectors)),
        shift=vector(draw(vectors)),
        noise=vector(np.append(draw(vectors), np.float32(1))),
    )


@a_few
@given(faces())
def test_every_latent_lies_on_the_hypersphere(face):
    latent = face.latent()
    assert latent.dtype == np.float32
    assert np.mean(np.square(latent.astype(np.float64))) == pytest.approx(1, abs=1e-5)


@a_few
@given(faces())
def test_the_condition_is_what_words_chance_and_sliders_make(face):
    mean, deviation, epsilon, shift = (
        np.frombuffer(kept, dtype=np.float32).astype(float)
        for kept in (face.reading.mean, face.reading.deviation, face.epsilon, face.shift)
    )
    assert face.condition() == pytest.approx(mean + deviation * epsilon + shift, abs=1e-4)


@a_few
@given(faces(), faces())
def test_a_mixture_by_none_is_the_first_and_by_all_the_second(first, second):
    assert np.array_equal(mix(first, second, 0).latent(), first.latent())
    assert np.array_equal(mix(first, second, 1).latent(), second.latent())


@a_few
@given(faces(), st.floats(0, 1))
def test_a_face_mixed_with_itself_stays_that_face(face, amount):
    assert mix(face, face, amount).latent() == pytest.approx(face.latent(), abs=1e-5)


def test_a_morph_goes_from_end_to_end_in_even_steps(generator):
    first, second = Session.start("a bald man", generator, seed=4).candidates(2).screen
    way = morph(first, second, 5)
    assert np.array_equal(way[0].latent(), first.latent())
    assert np.array_equal(way[-1].latent(), second.latent())
    noises = np.array([array(face.noise) for face in way])
    noises /= np.linalg.norm(noises, axis=1, keepdims=True)
    angles = np.arccos((noises[1:] * noises[:-1]).sum(axis=1))
    assert angles == pytest.approx([angles[0]] * 4, abs=1e-3)


def test_a_morph_of_one_face_is_refused(generator):
    face = Session.start("a bald man", generator).face
    with pytest.raises(ArgumentError, match="2 faces or more, not 1"):
        morph(face, face, 1)


def test_faces_of_two_models_do_not_mix(generator, textless):
    first = Session.start("a bald man", generator).face
    second = Session.start(None, textless).face
    with pytest.raises(ArgumentError, match="only faces of one bundle can be mixed"):
        mix(first, second, 0.5)


def test_faces_of_two_bundles_do_not_mix_though_their_sizes_are_equal(generator, sibling):
    first = Session.start("a bald man", generator).face
    second = Session.start("a bald man", sibling).face
    assert first.latent().tobytes() == second.latent().tobytes()
    with pytest.raises(ArgumentError, match="only faces of one bundle can be mixed"):
        mix(first, second, 0.5)
    with pytest.raises(ArgumentError, match="only faces of one bundle can be mixed"):
        morph(first, second, 3)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (b"abc", "3 bytes, which are no float32 values"),
        (np.float32([np.nan]).tobytes(), "values that no latent has"),
        (np.float32([np.inf]).tobytes(), "values that no latent has"),
        (np.float32([2e6]).tobytes(), "values that no latent has"),
    ],
)
def test_vectors_that_no_face_has_are_refused(kept, message):
    with pytest.raises(ValueError, match=message):
        Reading(mean=kept, deviation=kept)


@a_few
@given(faces())
def test_a_face_is_the_same_after_json(face):
    again = msgspec.json.decode(msgspec.json.encode(face), type=Face)
    assert again == face
    assert again.latent().tobytes() == face.latent().tobytes()
