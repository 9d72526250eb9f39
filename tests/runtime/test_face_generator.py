import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from vast_manifest import VastManifest

from t2f_runtime import ArgumentError, BundleError, DescriptionError, EngineError, FaceGenerator
from t2f_runtime.bundle.manifest import (
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    IMAGE,
    LATENT,
    MANIFEST,
    TOKENS,
    decode_manifest,
)
from t2f_runtime.generator import MAXIMUM_FACES
from t2f_runtime.latent import draw_latent, draw_noise, on_hypersphere

TEXTS = ["a bald man", "a smiling woman with long brown hair", "x", "👧"]


class FakeSession:
    """Gives always the same arrays, and remembers what it was given."""

    def __init__(self, **outputs):
        self.outputs = outputs
        self.seen = []

    def run(self, inputs):
        self.seen.append(inputs)
        return {name: array.copy() for name, array in self.outputs.items()}


@pytest.fixture
def text_encoder():
    mean = np.zeros((1, 4), dtype=np.float32)
    return FakeSession(**{CONDITION_MEAN: mean, CONDITION_LOG_VARIANCE: mean})


@pytest.fixture
def painter():
    return FakeSession(**{IMAGE: np.full((1, 8, 8, 3), 7, dtype=np.uint8)})


@pytest.fixture
def fake(tiny_manifest, tokenizer, text_encoder, painter):
    return FaceGenerator(
        tiny_manifest, tokenizer=tokenizer, text_encoder=text_encoder, generator=painter
    )


def test_a_face_is_an_array_of_rgb_bytes(generator):
    face = generator.generate("a smiling woman with grey hair", seed=7)
    assert face.shape == (8, 8, 3)
    assert face.dtype == np.uint8
    assert generator.image_size == 8
    assert generator.manifest.name == "tiny"


def test_equal_seeds_draw_equal_faces_also_after_loading_again(generator, tiny_bundle):
    again = FaceGenerator.load(str(tiny_bundle), threads=1)
    for text in TEXTS:
        np.testing.assert_array_equal(
            generator.generate(text, seed=3), again.generate(text, seed=3)
        )


def test_line_breaks_and_tabs_in_a_description_are_spaces(generator):
    face = generator.generate("a bald man")
    for text in ("a bald\nman", "a bald\r\nman", "a\tbald man\n"):
        np.testing.assert_array_equal(generator.generate(text), face)


def test_a_generator_shows_its_bundle_and_its_engine(generator):
    name = generator.manifest.name
    assert repr(generator) == f"<FaceGenerator {name!r}: {generator.engine}>"


def test_other_seeds_and_other_words_draw_other_faces(generator):
    face = generator.generate("a man")
    assert (face != generator.generate("a man", seed=1)).any()
    assert (face != generator.generate("a woman")).any()


def test_a_face_has_the_same_bytes_however_it_is_drawn(generator):
    alone = [generator.generate(text, seed=seed) for seed, text in enumerate(TEXTS)]
    batch = generator.generate_batch(TEXTS, seeds=range(len(TEXTS)))
    np.testing.assert_array_equal(batch, alone)
    for seed, text in enumerate(TEXTS):
        few = generator.generate(text, seed=seed, count=2)
        many = generator.generate(text, seed=seed, count=9)
        np.testing.assert_array_equal(few[0], alone[seed])
        np.testing.assert_array_equal(many[:2], few)


def test_candidates_differ(generator):
    candidates = generator.generate("a man", count=5)
    assert len({candidate.tobytes() for candidate in candidates}) == 5


def test_a_count_of_one_still_gives_a_row(generator):
    assert generator.generate("a man", count=1).shape == (1, 8, 8, 3)


def test_a_batch_without_seeds_takes_seed_zero(generator):
    batch = generator.generate_batch(["a man", "a man"])
    np.testing.assert_array_equal(batch, [generator.generate("a man", seed=0)] * 2)


def test_an_empty_batch_draws_no_faces(generator):
    assert generator.generate_batch([]).shape == (0, 8, 8, 3)


def test_pictures_are_fresh_and_the_callers_to_change(generator):
    first = generator.generate("a man")
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(generator.generate("a man"), kept)


def test_many_threads_draw_the_same_bytes_as_one(generator):
    jobs = [(text, seed) for seed in range(25) for text in TEXTS]
    alone = [generator.generate(text, seed=seed) for text, seed in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda job: generator.generate(job[0], seed=job[1]), jobs)
    np.testing.assert_array_equal(list(together), alone)


def test_a_condition_and_its_latent_draw_the_same_face(generator):
    mean, log_variance = generator.condition("a man")
    assert mean.shape == log_variance.shape == (4,)
    assert mean.dtype == log_variance.dtype == np.float32
    latent = draw_latent(mean, log_variance, seed=5, index=0, noise_size=4)
    np.testing.assert_array_equal(
        generator.draw(latent[None]), [generator.generate("a man", seed=5)]
    )


def test_latents_draw_the_same_faces_together_and_alone(generator):
    latents = np.random.default_rng(0).standard_normal((9, 8)).astype(np.float32)
    alone = [generator.draw(latent[None])[0] for latent in latents]
    np.testing.assert_array_equal(generator.draw(latents), alone)
    np.testing.assert_array_equal(generator.draw(np.asfortranarray(latents)), alone)
    assert generator.draw(latents[:0]).shape == (0, 8, 8, 3)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.ones((1, 8)), "latents must be an array of float32, not float64"),
        ([[0.0] * 8], "latents must be an array of float32, not list"),
        (np.ones(8, dtype=np.float32), "latents has the shape (8,); it must be (faces, 8)"),
        (np.ones((1, 9), dtype=np.float32), "latents has the shape (1, 9); it must be (faces, 8)"),
        (np.full((1, 8), np.nan, dtype=np.float32), "latents holds values that are not finite"),
    ],
)
def test_latents_of_another_kind_are_refused(generator, latents, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        generator.draw(latents)


def test_networks_get_what_the_manifest_says_one_face_at_a_time(fake, text_encoder, painter):
    faces = fake.generate("a man", count=3)
    assert (faces == 7).all()
    (tokens,) = [inputs[TOKENS] for inputs in text_encoder.seen]
    assert tokens.dtype == np.int64
    assert tokens.shape[0] == 1
    latents = [inputs[LATENT] for inputs in painter.seen]
    assert [latent.shape for latent in latents] == [(1, 8)] * 3
    assert {latent.dtype for latent in latents} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fake: fake.generate(""), DescriptionError, "the description is empty"),
        (lambda fake: fake.generate("x", seed=-1), ArgumentError, "seed is -1; it must be 0 to"),
        (lambda fake: fake.generate("x", seed=1.0), ArgumentError, "seed must be a whole number"),
        (lambda fake: fake.generate("x", count=0), ArgumentError, "count is 0; it must be 1 to"),
        (
            lambda fake: fake.generate("x", count=MAXIMUM_FACES + 1),
            ArgumentError,
            "count is 10001; it must be 1 to 10000",
        ),
        (
            lambda fake: fake.generate_batch(["x", "\0"]),
            DescriptionError,
            "description 1, counted from 0: the description holds the control character U+0000",
        ),
        (
            lambda fake: fake.generate_batch(["x", "y"], seeds=[1]),
            ArgumentError,
            "there are 1 seeds for 2 descriptions",
        ),
        (
            lambda fake: fake.generate_batch(["x", "y"], seeds=[1, -1]),
            ArgumentError,
            "seed is -1",
        ),
        (
            lambda fake: fake.generate_batch("x"),
            ArgumentError,
            "texts is one description; give a list, or call generate",
        ),
        (
            lambda fake: fake.generate_batch(["x"] * (MAXIMUM_FACES + 1)),
            ArgumentError,
            "there are 10001 faces to draw; 10000 are the most of one call",
        ),
    ],
)
def test_everything_is_checked_before_anything_is_drawn(
    fake, text_encoder, painter, call, error, message
):
    with pytest.raises(error, match=re.escape(message)):
        call(fake)
    assert text_encoder.seen == painter.seen == []


@pytest.mark.parametrize(
    "call",
    [
        lambda generator: generator.generate("a man", count=MAXIMUM_FACES),
        lambda generator: generator.generate_batch(["a man"] * MAXIMUM_FACES),
        lambda generator: generator.draw(np.ones((MAXIMUM_FACES, 8), dtype=np.float32)),
    ],
)
def test_more_faces_than_memory_holds_are_refused_before_anything_is_drawn(
    tiny_manifest, tokenizer, text_encoder, painter, call
):
    vast = FaceGenerator(
        VastManifest(tiny_manifest),
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        generator=painter,
    )
    message = (
        r"10000 faces of 16777216x16777216 pixels take 7864320000\.0 GiB of memory, which the "
        r"system does not give; ask for fewer in one call, and for the others in further ones"
    )
    with pytest.raises(ArgumentError, match=message):
        call(vast)
    assert text_encoder.seen == painter.seen == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda generator: generator.generate(seed=1),
            DescriptionError,
            "this model draws from descriptions; give one",
        ),
        (
            lambda generator: generator.generate_batch(seeds=[1]),
            DescriptionError,
            "this model draws from descriptions; give one",
        ),
        (
            lambda generator: generator.generate_batch(["x", None]),
            DescriptionError,
            "description 1, counted from 0: this model draws from descriptions; give one",
        ),
    ],
)
def test_a_model_with_text_needs_a_description(fake, painter, call, error, message):
    assert fake.takes_text
    with pytest.raises(error, match=re.escape(message)):
        call(fake)
    assert painter.seen == []


def test_a_model_without_text_draws_from_seeds_alone(textless):
    assert not textless.takes_text
    face = textless.generate(seed=7)
    assert (face.shape, face.dtype) == ((8, 8, 3), np.uint8)
    candidates = textless.generate(seed=7, count=16)
    np.testing.assert_array_equal(candidates[0], face)
    assert len({candidate.tobytes() for candidate in candidates}) == 16
    batch = textless.generate_batch(seeds=[3, 7])
    np.testing.assert_array_equal(batch, [textless.generate(seed=3), face])
    assert textless.generate_batch(seeds=[]).shape == (0, 8, 8, 3)


def test_the_latent_of_a_model_without_text_is_its_noise(textless):
    latents = np.stack([on_hypersphere(draw_noise(5, index, 4)) for index in range(3)])
    np.testing.assert_array_equal(textless.draw(latents), textless.generate(seed=5, count=3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda generator: generator.generate("a man"),
            DescriptionError,
            "this model draws without descriptions; leave it out",
        ),
        (
            lambda generator: generator.generate_batch(["a man"], seeds=[1]),
            DescriptionError,
            "this model draws without descriptions; leave it out",
        ),
        (
            lambda generator: generator.condition("a man"),
            DescriptionError,
            "this model draws without descriptions; leave it out",
        ),
        (
            lambda generator: generator.generate_batch(),
            ArgumentError,
            "this model draws from seeds alone; give seeds, one a face",
        ),
        (
            lambda generator: generator.generate_batch(seeds=range(MAXIMUM_FACES + 1)),
            ArgumentError,
            "there are 10001 faces to draw; 10000 are the most of one call",
        ),
        (lambda generator: generator.generate_batch(seeds=[-1]), ArgumentError, "seed is -1"),
    ],
)
def test_a_model_without_text_takes_none(textless_bundle, painter, call, error, message):
    manifest = decode_manifest((textless_bundle / MANIFEST).read_bytes())
    textless = FaceGenerator(manifest, tokenizer=None, text_encoder=None, generator=painter)
    with pytest.raises(error, match=re.escape(message)):
        call(textless)
    assert painter.seen == []


def test_a_generator_has_all_that_text_needs_or_nothing_of_it(
    tiny_manifest, tokenizer, text_encoder, painter
):
    message = "a model with text has a tokenizer and a text encoder, a model without has neither"
    for parts in (
        {"tokenizer": None, "text_encoder": None},
        {"tokenizer": tokenizer, "text_encoder": None},
        {"tokenizer": None, "text_encoder": text_encoder},
    ):
        with pytest.raises(ArgumentError, match=message):
            FaceGenerator(tiny_manifest, **parts, generator=painter)


def test_a_network_that_breaks_its_promise_is_told(fake, text_encoder, painter):
    painter.outputs[IMAGE] = np.zeros((1, 3, 8, 8), dtype=np.uint8)
    with pytest.raises(EngineError, match=r"gave 'image' as uint8 \(1, 3, 8, 8\); the manifest "):
        fake.generate("x")
    painter.outputs[IMAGE] = np.zeros((1, 8, 8, 3), dtype=np.float32)
    with pytest.raises(EngineError, match=r"gave 'image' as float32 \(1, 8, 8, 3\); the manifest"):
        fake.generate("x")
    del text_encoder.outputs[CONDITION_MEAN]
    with pytest.raises(EngineError, match=r"gave no 'condition_mean', but condition_log_variance"):
        fake.generate("x")


def test_a_condition_that_is_not_finite_is_told(fake, text_encoder):
    text_encoder.outputs[CONDITION_MEAN][:] = np.nan
    with pytest.raises(EngineError, match=r"gave 'condition_mean' with values that are not finite"):
        fake.generate("x")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, 10**6])
def test_a_number_of_threads_that_makes_no_sense_is_refused(tiny_bundle, threads):
    with pytest.raises(ArgumentError, match=r"threads (is|must be)"):
        FaceGenerator.load(tiny_bundle, threads=threads)


def test_an_unknown_engine_is_refused_at_loading(tiny_bundle):
    with pytest.raises(EngineError, match="unknown engine 'tensor'"):
        FaceGenerator.load(tiny_bundle, engine="tensor")


def test_a_tokenizer_of_another_vocabulary_is_refused(bundle, change_manifest):
    change_manifest(lambda fields: fields["text"].update(vocabulary_size=999))
    message = "has 325 tokens and pads with 0; the manifest says 999 and 0; export the run again"
    with pytest.raises(BundleError, match=message):
        FaceGenerator.load(bundle)


def test_the_bundle_may_go_once_it_is_loaded(bundle):
    generator = FaceGenerator.load(bundle)
    for path in bundle.iterdir():
        path.unlink()
    assert generator.generate("a man").shape == (8, 8, 3)
