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
        ("", []),
    ],
)
def test_what_english_text_denies_is_found(text, denied):
    assert [text[denial.start : denial.end] for denial in find_denials(text)] == denied


def test_the_negation_and_what_it_denies_are_told_apart():
    [denial] = find_denials("a man without long hair")
    assert denial.negation.text == "without"
    assert [word.text for word in denial.denied] == ["long", "hair"]
