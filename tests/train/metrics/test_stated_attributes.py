import numpy as np
import pytest

from t2f_train.data.celeba_descriptions import describe
from t2f_train.data.celeba_traits import ATTRIBUTES, traits
from t2f_train.metrics.stated_attributes import STATEMENTS, stated_attributes

WORDLESS = {"Attractive", "Blurry"}


def random_people(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        shares = rng.random() * 0.6
        yield frozenset(name for name in ATTRIBUTES if rng.random() < shares), rng


def test_whatever_a_description_states_is_true_of_the_face():
    seen = set()
    for attributes, rng in random_people(3000):
        text = describe(attributes, rng)
        for attribute, value in stated_attributes(text).items():
            assert (attribute in attributes) is value, (text, attribute)
            seen.add((attribute, value))
    assert seen == set(STATEMENTS)


def test_every_wording_of_every_trait_states_something_of_the_face():
    silent = set()
    for attributes, _ in random_people(500):
        for trait in traits(attributes):
            for words in (*trait.before, *trait.after, *trait.has, *trait.wears, *trait.being):
                if not stated_attributes(words.replace("{his}", "the")):
                    silent.add(words)
    # "Dark" is black or brown.
    assert silent == {"dark hair", "dark-haired"}


def test_all_attributes_but_the_wordless_can_be_stated():
    assert {attribute for attribute, _ in STATEMENTS} == set(ATTRIBUTES) - WORDLESS


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("a man with no beard", {"Male": True, "No_Beard": True}),
        ("She is not smiling.", {"Male": False, "Smiling": False}),
        ("a woman, no glasses", {"Male": False, "Eyeglasses": False}),
        ("hat and no glasses", {"Wearing_Hat": True, "Eyeglasses": False}),
        ("Bearded, with dark brown hair", {"No_Beard": False, "Brown_Hair": True}),
        ("greying black hair", {"Gray_Hair": True, "Black_Hair": True}),
        ("a large, pointed nose", {"Big_Nose": True, "Pointy_Nose": True}),
        ("full lips, narrow eyes", {"Big_Lips": True, "Narrow_Eyes": True}),
        ("dark hair", {}),
    ],
)
def test_a_description_states_what_its_words_say_and_no_more(text, stated):
    assert stated_attributes(text) == stated
