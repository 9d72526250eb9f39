import json

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from t2f_runtime import ClosedError, DescriptionError, FaceGenerator
from t2f_runtime.cli import main
from t2f_runtime.errors import T2FError
from t2f_runtime.reading.description import DescriptionReading, Negation
from t2f_runtime.reading.reader import DescriptionReader
from t2f_runtime.reading.word_list import count_words
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.text.whole_words import encode_vocabulary

TRAINED = ["a bald man with glasses and a beard", "a smiling woman with black hair", "a bald man"]


def no_condition(tokens):
    raise AssertionError("nothing here asks for a condition")


@pytest.fixture(scope="module")
def reader(tokenizer):
    return DescriptionReader(tokenizer, count_words(TRAINED))


@pytest.fixture(scope="module")
def whole_words():
    vocabulary = encode_vocabulary(["a", "man", "glasses", ","])
    return DescriptionReader(Tokenizer(vocabulary, kind="words", maximum_tokens=8))


def test_the_tokens_are_those_that_are_drawn_from(generator, tokenizer):
    reading = generator.read("a bald man 👧")
    assert [piece.token for piece in reading.pieces] == tokenizer.tokens("a bald man 👧").tolist()
    assert (reading.tokens, reading.maximum_tokens) == (len(reading.pieces), 64)
    assert (reading.characters, reading.maximum_characters) == (12, 4096)
    text = "".join(piece.text for piece in reading.pieces if piece.is_known)
    assert text == "▁a▁bald▁man▁"
    assert [piece.text for piece in reading.pieces if not piece.is_known] == [
        "<0xF0>",
        "<0x9F>",
        "<0x91>",
        "<0xA7>",
    ]


def test_words_that_training_never_had_are_told_with_the_nearest_that_it_had(reader):
    reading = reader.read("A bald mann with galsses, a scar", no_condition)
    assert [(word.text, word.seen) for word in reading.words] == [
        ("A", 3),
        ("bald", 2),
        ("mann", 0),
        ("with", 2),
        ("galsses", 0),
        ("a", 3),
        ("scar", 0),
    ]
    near = {word.text: word.nearest for word in reading.unseen}
    assert near == {"mann": ("man",), "galsses": ("glasses",), "scar": ()}
    assert reading.is_accepted
    assert "never seen in training: 'galsses'; is it 'glasses'?" in str(reading)
    assert "never seen in training: 'scar'\n" in f"{reading}\n"


def test_a_bundle_without_a_list_says_so_and_tells_only_what_is_certain(generator):
    reading = generator.read("a bald man 老")
    assert not reading.knows_words
    assert [word.seen for word in reading.words] == [None, None, None, 0]
    assert "the bundle does not tell which words it was trained on" in str(reading)


def test_a_vocabulary_of_whole_words_is_a_list_of_its_own(whole_words):
    reading = whole_words.read("a man, glases", no_condition)
    assert reading.knows_words
    assert [word.seen for word in reading.words] == [None, None, 0]
    assert reading.words[2].nearest == ("glasses",)


def test_each_unseen_word_is_told_once(reader):
    reading = reader.read("scar scar Scar", no_condition)
    assert [word.text for word in reading.unseen] == ["scar", "Scar"]


def test_words_that_nobody_looked_for_are_told(reader):
    few = reader.read(" ".join(f"galsses{'x' * n}" for n in range(16)), no_condition)
    assert few.unsearched == 0
    assert "not looked for" not in str(few)
    many = reader.read(" ".join(["man", *(f"galsses{'x' * n}" for n in range(19))]), no_condition)
    assert many.unsearched == 3
    assert "too many words were never seen: of 3 of them, those that they may be" in str(many)


def test_where_no_word_is_known_none_was_left_unsearched(generator):
    assert generator.read("老人笑顔眼鏡髪髭帽子男女子供若大小長短").unsearched == 0


def test_a_word_that_denies_by_itself_is_measured_against_what_it_denies(generator):
    text = "a beardless man"
    means = [generator.condition(each)[0].astype(float) for each in (text, "a beard man", "a man")]
    step = means[1] - means[2]
    [negation] = generator.read(text).negations
    expected = (means[0] - means[2]) @ step / (step @ step)
    assert negation.drawn_anyway == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", " \n", "a\x07man", "\ud800", "man " * 100, "x" * 5000, "\ud800" * 5000]
)
def test_what_is_refused_is_refused_for_the_reason_that_drawing_gives(generator, text):
    reading = generator.read(text)
    with pytest.raises(DescriptionError) as refused:
        generator.generate(text)
    assert reading.refusal == str(refused.value)
    assert f"refused: {reading.refusal}" in str(reading)
    json.loads(msgspec.json.encode(reading))


def test_the_place_of_too_many_tokens_is_the_first_word_that_does_not_fit(generator, tokenizer):
    text = "a bald man " * 40
    reading = generator.read(text)
    assert reading.tokens == len(tokenizer.encode(text)) > reading.maximum_tokens
    kept = text[: reading.beyond]
    assert len(tokenizer.encode(kept)) <= 64 < len(tokenizer.encode(f"{kept}bald"))
    assert text[reading.beyond :].startswith(("a ", "bald ", "man "))
    assert reading.beyond in {word.start for word in reading.words}


def test_too_many_characters_end_where_the_model_stops_to_read(generator):
    reading = generator.read("a" + " " * 5000)
    assert (reading.characters, reading.beyond, len(reading.description)) == (5001, 4096, 4096)


def test_a_word_longer_than_the_model_reads_is_too_much_from_its_start(generator):
    assert generator.read("man " + "x" * 4000).beyond == 4


def condition_of(heeds):
    """A made-up text encoder: glasses count, and `no` takes them away if it heeds."""

    def mean(tokens):
        has = 3 in tokens  # "glasses"
        is_denied = 4 in tokens  # "no"
        return np.array([1.0 if has and not (is_denied and heeds) else 0.0, 0.5], np.float32)

    return mean


@pytest.mark.parametrize(("heeds", "drawn"), [(True, 0.0), (False, 1.0)])
def test_a_negation_is_told_by_what_the_model_makes_of_it(heeds, drawn):
    vocabulary = encode_vocabulary(["man", "glasses", "no"])
    tokenizer = Tokenizer(vocabulary, kind="words", maximum_tokens=8)
    reading = DescriptionReader(tokenizer).read("man no glasses", condition_of(heeds))
    [negation] = reading.negations
    assert (negation.text, negation.start, negation.end) == ("no glasses", 4, 14)
    assert negation.drawn_anyway == pytest.approx(drawn)
    assert negation.is_obeyed is heeds
    assert ("not obeyed: 'no glasses' is read as 100% of what it denies" in str(reading)) != heeds


def test_a_negation_is_measured_between_the_texts_without_it_and_without_its_word(generator):
    reading = generator.read("a bald man without a beard, smiling")
    means = [
        generator.condition(text)[0].astype(float)
        for text in (
            "a bald man without a beard, smiling",
            "a bald man a beard, smiling",
            "a bald man, smiling",
        )
    ]
    step = means[1] - means[2]
    expected = (means[0] - means[2]) @ step / (step @ step)
    assert reading.negations[0].drawn_anyway == pytest.approx(expected)


def test_a_negation_alone_is_measured_from_no_words_at_all(generator):
    denied, asserted = (generator.condition(text)[0] for text in ("no beard", "beard"))
    expected = (denied @ asserted) / (asserted @ asserted)
    [negation] = generator.read("no beard").negations
    assert negation.drawn_anyway == pytest.approx(expected, rel=1e-4)


def test_negations_of_what_is_refused_are_told_unmeasured(generator):
    reading = generator.read("no beard \x07")
    assert reading.negations[0].drawn_anyway is None
    assert reading.negations[0].is_obeyed is None
    assert "denied: 'no beard'; models often draw it all the same" in str(reading)


def test_a_negation_of_words_that_are_all_unknown_cannot_be_told(whole_words):
    reading = whole_words.read("a man no scar", lambda tokens: np.zeros(2, np.float32))
    assert reading.negations[0].drawn_anyway is None


@pytest.mark.parametrize("text", [None, 5, b"a man", ["a man"]])
def test_what_is_no_text_is_an_error(generator, text):
    with pytest.raises(DescriptionError, match="must be text"):
        generator.read(text)


def test_a_model_without_text_reads_nothing(textless):
    with pytest.raises(DescriptionError, match="this model draws without descriptions"):
        textless.read("a man")


def test_a_closed_generator_reads_no_negation(tiny_bundle):
    generator = FaceGenerator.load(tiny_bundle)
    generator.close()
    with pytest.raises(ClosedError):
        generator.read("no beard")


def test_a_reading_cannot_be_changed(generator):
    with pytest.raises(AttributeError, match="immutable"):
        generator.read("a man").refusal = "x"


WRITING = st.text(st.characters(codec=None), max_size=200)
ENGLISH = st.lists(
    st.sampled_from(["no", "without", "isn't", "beard", ",", "and", "x" * 50, "👧", "\ud83d"])
).map(" ".join)


def refusal_of(generator, text):
    try:
        generator.condition(text)
    except T2FError as error:
        return str(error)
    return None


@given(st.one_of(WRITING, ENGLISH, WRITING.map(lambda text: text * 50)))
@settings(deadline=None)
@example("\x00")
@example("no")
@example("no \ud800")
@example("'" * 5000)
def test_any_text_is_read_and_refused_exactly_where_drawing_refuses_it(generator, text):
    reading = generator.read(text)
    assert isinstance(reading, DescriptionReading)
    assert reading.refusal == refusal_of(generator, text)
    if reading.is_accepted:
        assert reading.beyond is None
        assert reading.tokens <= reading.maximum_tokens
    assert all(reading.description[w.start : w.end] == w.text for w in reading.words)
    assert all(isinstance(negation, Negation) for negation in reading.negations)
    decoded = msgspec.json.decode(msgspec.json.encode(reading), type=DescriptionReading)
    assert decoded == reading
    assert str(reading)


def run(*arguments):
    return CliRunner().invoke(main, ["read", *map(str, arguments)])


def test_the_command_tells_what_is_understood(tiny_bundle):
    result = run(tiny_bundle, "a bald man 老")
    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith("12 of 4096 characters, ")
    assert "never seen in training: '老'" in result.output


def test_the_command_prints_json(tiny_bundle, generator):
    result = run(tiny_bundle, "a man without a beard", "--json")
    read = msgspec.json.decode(result.output, type=DescriptionReading)
    assert read == generator.read("a man without a beard")


@pytest.mark.parametrize("text", ["", "a\x07", "\udcff", "x" * 5000])
def test_the_command_fails_where_no_face_would_be_drawn(tiny_bundle, text):
    for flags in ([], ["--json"]):
        result = run(tiny_bundle, text, *flags)
        assert result.exit_code == 1
        assert "refus" in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
