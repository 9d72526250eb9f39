import pytest

from t2f_runtime.reading.negations import find_denials


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("a man without glasses", ["without glasses"]),
        ("a man without a beard, smiling", ["without a beard"]),
        ("a man, not smiling", ["not smiling"]),
        ("No beard and no glasses", ["No beard", "no glasses"]),
        ("no beard or moustache", ["no beard or moustache"]),
        ("he isn't bald", ["isn't bald"]),
        ("she doesn\u2019t wear earrings", ["doesn\u2019t wear earrings"]),
        ("without make-up, old", ["without make-up"]),
        ("never without a hat", ["without a hat"]),
        ("no one two three four five", ["no one two three four"]),
        ("he cannot smile. A hat", ["cannot smile"]),
        ("a man, or not", []),
        ("a notable knot, another man", []),
        ("kein Bart", []),
        ("he isnt bald, didn't smile", ["isnt bald", "didn't smile"]),
        ("a man w/o beard", ["w/o beard"]),
        ("a man w/out a beard", ["w/out a beard"]),
        ("a bald man minus glasses", ["minus glasses"]),
        ("a man, clean-shaven, old", ["clean-shaven"]),
        ("a clean shaven, cleanshaven man", ["clean shaven", "cleanshaven"]),
        ("a beardless man", ["beardless"]),
        ("an unsmiling man", ["unsmiling"]),
        ("a non-smiling old man", ["non-smiling"]),
        ("a face free of wrinkles", ["free of wrinkles"]),
        ("free from wrinkles, devoid of hair", ["free from wrinkles", "devoid of hair"]),
        ("he has nothing on his head", ["nothing on his head"]),
        ("no hair on her head", ["no hair on her head"]),
        ("no glasses his hair grey", ["no glasses"]),
        ("without a very long grey curly beard", ["without a very long grey curly beard"]),
        ("no one two three four very five", ["no one two three four"]),
        ("no really", ["no really"]),
        ("not only bald but smiling", []),
        ("not just old but without hair", ["without hair"]),
        ("nothing but hair", []),
        ("a w and an o, free hair, of age, clean", []),
        ("regardless and careless", []),
        ("not without a beard", ["without a beard"]),
        ("", []),
    ],
)
def test_what_english_text_denies_is_found(text, denied):
    assert [text[denial.start : denial.end] for denial in find_denials(text)] == denied


def test_the_negation_and_what_it_denies_are_told_apart():
    [denial] = find_denials("a man without long hair")
    assert denial.negation.text == "without"
    assert [word.text for word in denial.denied] == ["long", "hair"]


@pytest.mark.parametrize(
    ("text", "asserted"),
    [
        ("a man without long hair", "a man long hair"),
        ("a man w/o hair", "a man hair"),
        ("a beardless man", "a beard man"),
        ("a man, clean-shaven, old", "a man, bearded, old"),
        ("an unsmiling man", "an smiling man"),
    ],
)
def test_a_denial_has_a_text_that_says_what_it_denies(text, asserted):
    [denial] = find_denials(text)
    assert denial.asserted(text) == asserted


def test_a_denial_that_never_ends_is_cut():
    [denial] = find_denials("no " + "very " * 5000)
    assert len(denial.denied) < 40
