import re
from collections import Counter

import numpy as np
import pytest

from t2f_train.data.drawn_attributes import sample_attributes
from t2f_train.data.drawn_descriptions import describe, traits

PEOPLE = 3000
COLOURS = {
    "black": "black",
    "dark brown": "dark brown",
    "brown": "brown",
    "blond": "blond",
    "blonde": "blond",
    "red": "red",
    "ginger": "red",
    "grey": "grey",
    "gray": "grey",
    "white": "white",
}


@pytest.fixture(scope="module")
def described():
    result = []
    for seed in range(PEOPLE):
        rng = np.random.default_rng(seed)
        attributes = sample_attributes(rng)
        result.append((attributes, describe(attributes, rng)))
    return result


def says(text, pattern):
    return re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE)


# What a word claims, apart from the grammar that chose it.
CLAIMS = {
    "she|her|woman|lady|girl|female": lambda a: a.sex == "woman",
    "he|his|man|guy|boy|male": lambda a: a.sex == "man",
    "girl|boy|child": lambda a: a.age == "child",
    "young (?:wo)?man|young lady|young guy": lambda a: a.age == "young",
    "middle[- ]aged": lambda a: a.age == "middle-aged",
    "old|elderly|older": lambda a: a.age == "old",
    r"(?<!no )beard|bearded": lambda a: a.facial_hair == "full beard",
    "no beard|clean-shaven": lambda a: a.facial_hair == "none" and a.sex == "man",
    "moustache|mustache": lambda a: a.facial_hair == "moustache",
    "goatee": lambda a: a.facial_hair == "goatee",
    "stubble|unshaven": lambda a: a.facial_hair == "stubble",
    "sun ?glasses|dark glasses": lambda a: a.glasses == "sunglasses",
    "spectacles|(?:round|square) glasses": lambda a: a.glasses in ("round", "square"),
    r"(?<!no )(?<!dark )(?<!sun )glasses": lambda a: a.glasses in ("round", "square"),
    "no glasses": lambda a: a.glasses == "none",
    "cap": lambda a: a.hat == "cap",
    "beanie|knitted hat|woolly hat": lambda a: a.hat == "beanie",
    "hat with a brim": lambda a: a.hat == "brimmed",
    "hat": lambda a: a.hat in ("beanie", "brimmed"),
    "bald|no hair": lambda a: a.hair_length == "bald" and a.hat == "none",
    "receding|thinning": lambda a: a.hair_length == "receding" and a.hat == "none",
    "earrings|ear rings|hoops": lambda a: a.earrings != "none",
    "pearl": lambda a: a.earrings == "pearls",
    "hoops?": lambda a: a.earrings == "hoops",
    "lipstick": lambda a: a.lipstick,
    r"(?<!not )smiling|smile|grin|grinning": lambda a: a.mouth in ("smiling", "grinning"),
    "not smiling|serious": lambda a: a.mouth == "neutral",
    "frown|frowning|sad": lambda a: a.mouth == "frowning",
    "open mouth|mouth open": lambda a: a.mouth == "open",
    "ponytail|pony tail": lambda a: a.hair_arrangement == "ponytail" and a.has_long_hair,
    "bun": lambda a: a.hair_arrangement == "bun" and a.has_long_hair and a.hat == "none",
    "fringe|bangs": lambda a: a.hair_front == "fringe" and a.hat == "none",
    "(?:blue|green|brown|grey|round|narrow) eyes": lambda a: a.glasses != "sunglasses",
    "blue eyes": lambda a: a.eye_colour == "blue",
    "narrow eyes": lambda a: a.eye_form == "narrow",
    "thick eyebrows|bushy eyebrows": lambda a: a.eyebrows == "thick",
    "thin eyebrows|fine eyebrows": lambda a: a.eyebrows == "thin",
    "broad nose": lambda a: a.nose == "broad",
    "thin lips": lambda a: a.lips == "thin",
    "full lips": lambda a: a.lips == "full",
    "wavy": lambda a: a.hair_texture == "wavy",
    "curly": lambda a: a.hair_texture == "curly",
    "green background|green wall": lambda a: a.background == "green",
    "dark skin|dark complexion": lambda a: a.skin == "dark",
    "fair skin|pale skin": lambda a: a.skin == "fair",
    "hair(?!y)": lambda a: a.is_hair_visible or a.hat == "none",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_made_now_and_then_and_is_always_true(described, claim):
    claimed = [(attributes, text) for attributes, text in described if says(text, claim)]
    assert claimed
    for attributes, text in claimed:
        assert CLAIMS[claim](attributes), (text, attributes)


def test_the_colour_of_hair_is_the_one_that_is_seen(described):
    pattern = rf"\b({'|'.join(sorted(COLOURS, key=len, reverse=True))})(?:-haired| hair)\b"
    found = 0
    for attributes, text in described:
        for colour in re.findall(pattern, text.lower()):
            found += 1
            assert COLOURS[colour] == attributes.hair_colour, (text, attributes)
            assert attributes.is_hair_visible
    assert found > PEOPLE / 5


def test_descriptions_are_clean_text(described):
    for _, text in described:
        assert text == " ".join(text.split())
        assert text
        assert "{" not in text
        assert not re.search(r"\ba [aeiou](?!ne)", text.lower()), text
        assert not re.search(r"\ban [^aeiou]", text.lower()), text


def test_descriptions_vary_in_what_they_say_and_how():
    rng = np.random.default_rng(1)
    attributes = sample_attributes(rng)
    texts = {describe(attributes, rng) for _ in range(200)}
    assert len(texts) > 150


def test_descriptions_vary_from_person_to_person(described):
    texts = Counter(text for _, text in described)
    assert len(texts) > 0.9 * PEOPLE
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) <= 4
    assert max(lengths) >= 25


def test_there_is_always_something_to_say(described):
    for attributes, _ in described:
        assert len(list(traits(attributes))) >= 4
