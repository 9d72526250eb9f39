from pathlib import Path

import numpy as np
import pytest
import torch
from coloured_faces import Deaf, Tracer, evaluation_data, photographs

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.metrics.evaluation_data import EvaluationData, Photographs
from t2f_train.metrics.matcher import DescriptionPool, Matcher, r_precision
from t2f_train.metrics.text_measures import (
    AskedFaces,
    LearnedSettings,
    choose_descriptions,
    measure_attributes,
    measure_matching,
    why_not_matched,
)


def ignore(task, done, total):
    pass


@pytest.fixture(scope="module")
def data():
    return evaluation_data()


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return LearnedSettings(
        seed=0,
        cache=tmp_path_factory.mktemp("cache"),
        device=torch.device("cpu"),
        is_quick=True,
        asked_each=20,
    )


def asked(data, artist, count=120):
    chosen = choose_descriptions(data.held_out, count, seed=0)
    texts = [text for _, text in chosen]
    return AskedFaces(
        descriptions=texts,
        owners=np.array([face for face, _ in chosen]),
        pictures=artist.draw(texts, seed=0, indices=range(count)),
    )


def attributes_of(data, artist, settings):
    rows = (data.training.attributes, data.held_out.attributes)
    measures, results, accuracy = measure_attributes(
        asked(data, artist), artist, data, rows, settings, ignore
    )
    return {m.key: m for m in measures}, {(r.attribute, r.asked): r for r in results}, accuracy


def test_descriptions_come_from_every_face_before_any_gives_a_second_one(data):
    chosen = choose_descriptions(data.held_out, 160, seed=3)
    assert sorted(face for face, _ in chosen[:80]) == list(range(80))
    assert [face for face, _ in chosen[:80]] == [face for face, _ in chosen[80:]]
    for face, text in chosen:
        assert text in data.held_out.faces[face].descriptions
    assert choose_descriptions(data.held_out, 160, seed=4) != chosen


def test_faces_without_descriptions_are_not_chosen():
    faces = [CaptionedFace(Path(f"{n}.png"), ("a man",) if n % 2 else ()) for n in range(10)]
    part = Photographs(faces=faces, pictures=np.zeros((10, 8, 8, 3), np.uint8), attributes=None)
    assert {face for face, _ in choose_descriptions(part, 20, seed=0)} == {1, 3, 5, 7, 9}


def test_an_artist_who_returns_the_photographs_scores_as_they_do(data, settings):
    measures, results, accuracy = attributes_of(data, Tracer(data), settings)
    for result in results.values():
        assert result.drawn == result.real
    assert measures["attributes"].drawn == measures["attributes"].real
    assert results["Male", True].drawn > 0.9
    assert accuracy["Male"] > 0.9
    # Of a beard that nobody has, no accuracy is known.
    assert "No_Beard" not in accuracy


def test_an_artist_who_does_not_read_scores_about_chance(data, settings):
    measures, results, _ = attributes_of(data, Deaf(data), settings)
    for value in (True, False):
        result = results["Male", value]
        assert abs(result.drawn - result.chance) < 0.2
        assert result.real > 0.9
    assert abs(measures["attributes"].drawn - measures["attributes"].chance) < 0.12


def test_r_precision_tells_an_artist_who_reads_from_one_who_does_not(data, settings):
    reading = measure_matching(asked(data, Tracer(data)), data, settings, ignore)
    deaf = measure_matching(asked(data, Deaf(data)), data, settings, ignore)
    assert reading.drawn == reading.real == deaf.real
    assert reading.drawn > 0.03  # many of the 100 descriptions fit a face of three attributes
    assert deaf.drawn < reading.drawn
    assert reading.chance == 0.01


def test_r_precision_counts_what_is_nearest():
    pictures = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32)
    texts = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], np.float32)
    candidates = np.array([[0, 1, 2], [1, 0, 2], [0, 1, 2]])
    assert r_precision(pictures, texts, candidates) == pytest.approx(2 / 3)


def test_candidates_are_different_descriptions_of_others():
    texts = ["A man.", "a man.", "a woman", "an old man", "an old man", "a girl", "a boy"]
    pool = DescriptionPool(texts, np.array([0, 1, 2, 3, 4, 0, 5]))
    found = pool.candidates(0, np.random.default_rng(0), count=4)
    assert found[0] == 0
    assert sorted(texts[n] for n in found[1:]) == ["a boy", "a woman", "an old man"]
    assert pool.candidates(0, np.random.default_rng(0), count=5) is None


def test_padding_changes_no_embedding_of_the_matcher(data, settings):
    from t2f_train.metrics import matcher  # noqa: PLC0415

    trained: Matcher = matcher.train_matcher(
        data.training.faces,
        data.training.pictures,
        settings=matcher.QUICK_SETTINGS,
        cache=settings.cache,
        device=settings.device,
        progress=ignore,
    )
    longer = "a woman with blond hair, smiling, wearing a hat and glasses and earrings"
    alone = trained.place_descriptions(["a man"])
    together = trained.place_descriptions(["a man", longer])
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)


def test_data_that_is_too_small_to_match_says_so(data):
    assert why_not_matched(data) is None
    small = photographs(100, seed=3)
    few_to_learn = EvaluationData(training=small, held_out=data.held_out, is_unseen=True)
    assert "training part has 100 images with descriptions" in why_not_matched(few_to_learn)
    few_to_rank = EvaluationData(
        training=data.training, held_out=small.chosen(np.arange(12)), is_unseen=True
    )
    assert "ranking among 100 needs 120" in why_not_matched(few_to_rank)
