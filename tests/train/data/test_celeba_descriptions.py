import re
from itertools import compress

import numpy as np
import pytest

from t2f_train.data.celeba_descriptions import describe
from t2f_train.data.celeba_traits import ATTRIBUTES

HAIR_COLOURS = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"}
FACIAL_HAIR = {"5_o_Clock_Shadow", "Goatee", "Mustache"}


def every(*names):
    return lambda present: set(names) <= present


def none(*names):
    return lambda present: not set(names) & present


def colours(*sets):
    return lambda present: any(present & HAIR_COLOURS == set(names.split()) for names in sets)


# What has to hold for a word to be true; written apart from the grammar, from the words alone.
CLAIMS = [
    (r"\b(he|his|man|male|guy|gentleman)\b", every("Male")),
    (r"\b(she|her|woman|female|lady)\b", none("Male")),
    (r"\byoung\b", every("Young")),
    (r"\b(older|middle-aged|gentleman)\b", none("Young")),
    (r"\bbald\b", every("Bald")),
    (r"(?<!facial )\bhair\b|\b(hairline|\w+-haired|blonde?|bangs|fringe)\b", none("Bald")),
    (r"\bfacial hair\b", none("No_Beard", *FACIAL_HAIR)),
    (r"\bblack\b", colours("Black_Hair", "Black_Hair Gray_Hair")),
    (
        r"\bdark(?! (brown|blond))",
        colours("Black_Hair", "Black_Hair Brown_Hair", "Black_Hair Gray_Hair"),
    ),
    (r"\bdark brown\b", colours("Black_Hair Brown_Hair")),
    (r"\b(light brown|dark blond)\b", colours("Blond_Hair Brown_Hair")),
    (r"(?<!dark )(?<!light )\bbrown\b", colours("Brown_Hair", "Brown_Hair Gray_Hair")),
    (r"(?<!dark )\bblonde?\b", colours("Blond_Hair", "Blond_Hair Gray_Hair")),
    (r"\bblonde\b", none("Male")),
    (r"\bfair\b", colours("Blond_Hair")),
    (r"\bgr[ae]y\b", colours("Gray_Hair")),
    (r"\bgr[ae]ying\b", every("Gray_Hair")),
    (r"\bstraight\b", lambda p: "Straight_Hair" in p and "Wavy_Hair" not in p),
    (r"\bwavy\b", lambda p: "Wavy_Hair" in p and "Straight_Hair" not in p),
    (r"\b(bangs|fringe)\b", every("Bangs")),
    (r"\breceding\b", every("Receding_Hairline")),
    (r"(?<!no )\bbeard\b|\bbearded\b", none("No_Beard", *FACIAL_HAIR)),
    (r"\bno beard\b|clean.shaven", every("No_Beard", "Male")),
    (r"\bno beard\b|clean.shaven", none("Sideburns", *FACIAL_HAIR)),
    (r"\bgoatee\b", every("Goatee")),
    (r"\bmo?ustache\b", every("Mustache")),
    (r"\b(stubble|o'clock|unshaven)\b", every("5_o_Clock_Shadow")),
    (r"\bside ?burns\b", every("Sideburns")),
    (r"(?<!not )\bsmiling\b|\bsmile\b", every("Smiling")),
    (r"\bnot smiling\b", none("Smiling")),
    (r"\b(open-mouthed|open|parted)\b", every("Mouth_Slightly_Open")),
    (r"(?<!no )\bglasses\b|\b(eyeglasses|spectacles)\b", every("Eyeglasses")),
    (r"\bno glasses\b", none("Eyeglasses")),
    (r"\bnecklace\b", every("Wearing_Necklace")),
    (r"\b(tie|necktie)\b", every("Wearing_Necktie")),
    (r"\bhat\b", every("Wearing_Hat")),
    (r"\bear ?rings\b", every("Wearing_Earrings")),
    (r"\blipstick\b", every("Wearing_Lipstick")),
    (r"\bmake-?up\b", every("Heavy_Makeup")),
    (r"\b(full|big) lips\b", every("Big_Lips")),
    (r"\b(large|big)(?! lips)", every("Big_Nose")),
    (r"\b(pointed|pointy)\b", every("Pointy_Nose")),
    (r"\b(bushy|thick)\b", every("Bushy_Eyebrows")),
    (r"\barched\b", every("Arched_Eyebrows")),
    (r"\bnarrow\b", every("Narrow_Eyes")),
    (r"\bbags\b", every("Bags_Under_Eyes")),
    (r"\bfull (face|cheeks)\b", every("Chubby")),
    (r"\bdouble chin\b", every("Double_Chin")),
    (r"\bhigh cheek ?bones\b", every("High_Cheekbones")),
    (r"\boval\b", every("Oval_Face")),
    (r"\bpale\b", every("Pale_Skin")),
    (r"\b(rosy|pink) cheeks\b", every("Rosy_Cheeks")),
]

# Words that claim nothing by themselves.
PLAIN = set(
    re.findall(
        r"\w+",
        """
        a an and complexion eye eyebrows eyes face five has head heavy is light lips lots
        mouth nose of shadow shaped skin slightly some the this under wearing wears with
        """,
    )
)


def contradictions(text, present):
    """Patterns of the text that are not true of a face with these attributes."""
    lower = text.lower()
    return [
        pattern for pattern, holds in CLAIMS if re.search(pattern, lower) and not holds(present)
    ]


def unchecked_words(text):
    """Words that neither a claim nor the list of plain words accounts for."""
    rest = text.lower()
    for pattern, _ in CLAIMS:
        rest = re.sub(pattern, " ", rest)
    return set(re.findall(r"[a-z]+", rest)) - PLAIN


@pytest.fixture(scope="module")
def described():
    """Descriptions with random attributes: sparse, dense, and everything between."""
    rng = np.random.default_rng(20)
    pairs = []
    for _ in range(4000):
        present = frozenset(compress(ATTRIBUTES, rng.random(len(ATTRIBUTES)) < rng.random()))
        pairs.append((present, describe(present, rng)))
    return pairs


def test_no_description_contradicts_its_attributes(described):
    wrong = [(text, found) for p, text in described if (found := contradictions(text, p))]
    assert wrong == []


def test_the_checker_sees_a_contradiction():
    assert contradictions("A bald man with a fringe.", {"Male", "Bald"})
    assert contradictions("Black hair", {"Black_Hair", "Brown_Hair"})
    assert contradictions("clean-shaven", {"Male", "No_Beard", "Mustache"})
    assert not contradictions("A bald man with no beard.", {"Male", "Bald", "No_Beard"})


def test_every_word_is_one_that_the_checker_knows(described):
    unknown = {word for _, text in described for word in unchecked_words(text)}
    assert unknown == set()


def test_opinions_and_the_state_of_the_photograph_are_never_mentioned(described):
    forbidden = r"attractive|beautiful|handsome|pretty|good.looking|lovely|cute|ugly|fat\b|blur"
    assert not [text for _, text in described if re.search(forbidden, text.lower())]


@pytest.mark.parametrize("ignored", ["Attractive", "Blurry"])
def test_what_is_never_mentioned_changes_nothing(ignored):
    present = frozenset({"Male", "Wavy_Hair", "Smiling"})
    for seed in range(50):
        plain = describe(present, np.random.default_rng(seed))
        assert describe(present | {ignored}, np.random.default_rng(seed)) == plain


def test_articles_fit_the_next_word(described):
    assert not [t for _, t in described if re.search(r"(?i)\ba [aeiou]|\ban [^aeiou]", t)]


def test_punctuation_and_spaces_are_in_place(described):
    wrong = r"^\W|\s$|  | [,.]|[,.][,.]|,\w|\.\w|[{}]|\band\.|, and\b|\band and\b|\bwith\W*$"
    assert not [text for _, text in described if re.search(wrong, text)]


def test_a_denial_never_stands_before_something_that_is_there(described):
    # "No beard and brown hair" and "not smiling and wearing a hat" would deny too much.
    denial = r"\b(?:no beard|no glasses|not smiling) and (\w+)"
    sentences = [text.lower() for _, text in described]
    following = {word for text in sentences for word in re.findall(denial, text)}
    assert following <= {"no", "is", "has", "wears"}


def test_verbs_agree_with_their_subject(described):
    wrong = r"\b(he|she|man|woman|guy|lady|gentleman) (have|wear|are|wearing \w+\.? is)\b"
    assert not [text for _, text in described if re.search(wrong, text.lower())]


def test_sentences_begin_with_a_capital_unless_all_is_lower_case(described):
    for _, text in described:
        starts = [part[0] for part in text.split(". ")]
        assert all(start.isupper() for start in starts) or text == text.lower()


def test_both_careful_and_careless_writing_occurs(described):
    texts = [text for _, text in described]
    assert 0.2 < np.mean([text == text.lower() for text in texts]) < 0.5
    assert 0.2 < np.mean([not text.endswith(".") for text in texts]) < 0.5
    assert 0.2 < np.mean([text.count(". ") > 0 for text in texts]) < 0.6


def test_one_face_is_described_in_many_ways():
    present = frozenset({"Male", "Young", "Brown_Hair", "Wavy_Hair", "Eyeglasses", "Smiling"})
    rng = np.random.default_rng(1)
    texts = [describe(present | {"No_Beard", "Big_Nose"}, rng).lower() for _ in range(300)]
    assert len(set(texts)) > 200
    for word in ("brown", "wavy", "glasses", "smil", "nose", "young"):
        assert 0.05 < np.mean([word in text for text in texts]) < 0.9
    assert max(len(text.split()) for text in texts) < 40
    assert len({text.split()[0] for text in texts}) > 8


def test_every_attribute_that_may_be_mentioned_is():
    for attribute in set(ATTRIBUTES) - {"Attractive", "Blurry", "No_Beard"}:
        rng = np.random.default_rng(2)
        plain = {describe(frozenset({"No_Beard"}), rng) for _ in range(60)}
        told = {describe(frozenset({"No_Beard", attribute}), rng) for _ in range(60)}
        words = [set(re.findall(r"[\w-]+", " ".join(texts).lower())) for texts in (plain, told)]
        assert words[1] - words[0], attribute


def test_denials_are_rare(described):
    denials = [t for _, t in described if re.search(r"\b(no|not)\b", t.lower())]
    assert 0.01 < len(denials) / len(described) < 0.15


def test_a_moustache_or_stubble_alone_is_not_called_a_beard():
    rng = np.random.default_rng(3)
    for flag in ("Mustache", "5_o_Clock_Shadow", "Goatee"):
        texts = [describe(frozenset({"Male", flag}), rng).lower() for _ in range(50)]
        assert not any("beard" in text for text in texts)


def test_equal_random_numbers_give_equal_descriptions():
    present = frozenset({"Bald", "Male", "Goatee"})
    texts = [describe(present, np.random.default_rng(4)) for _ in range(2)]
    assert texts[0] == texts[1]


def test_a_face_without_any_attribute_is_still_described():
    rng = np.random.default_rng(5)
    assert all(describe(frozenset(), rng) for _ in range(50))
