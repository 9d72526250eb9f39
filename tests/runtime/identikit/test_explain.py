import hashlib
import json
import shutil
from datetime import datetime, timezone

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from t2f_runtime import ArgumentError, DescriptionError, FaceGenerator
from t2f_runtime.bundle.manifest import MANIFEST, WORDS
from t2f_runtime.cli import main
from t2f_runtime.identikit import (
    Session,
    explain,
    explain_text,
    explanation_sheet,
    mix,
    read_picture,
)
from t2f_runtime.identikit.explain import NEGLIGIBLE_LEVELS, WordEffect
from t2f_runtime.identikit.explanation_sheet import FACE_PIXELS
from t2f_runtime.pictures.facts import facts_of
from t2f_runtime.reading.word_list import count_words, encode_words
from t2f_runtime.reading.words import fold, split_words

TEXT = "a bald man, with glasses"


@pytest.fixture(scope="module")
def explained(generator):
    return explain_text(generator, TEXT, seed=5)


def test_a_word_does_what_its_absence_undoes(generator, explained):
    full = generator.generate(TEXT, seed=5).astype(int)
    rests = ["bald man, with glasses", "a man, with glasses", "a bald, with glasses"]
    rests += ["a bald man, glasses", "a bald man, with"]
    assert np.array_equal(explained.picture, full)
    for number, rest in enumerate(rests):
        expected = np.abs(generator.generate(rest, seed=5).astype(int) - full).mean(axis=-1)
        assert np.allclose(explained.maps[number], expected, atol=1e-4)
        assert explained.words[number].difference == pytest.approx(expected.mean(), abs=1e-4)


def test_words_are_told_with_their_places_and_shares(explained):
    assert [w.word for w in explained.words] == ["a", "bald", "man", "with", "glasses"]
    assert [TEXT[w.start : w.end] for w in explained.words] == [w.word for w in explained.words]
    assert sum(w.share for w in explained.words) == pytest.approx(1)
    differences = [w.difference for w in explained.strongest()]
    assert differences == sorted(differences, reverse=True)
    assert differences[0] > 0


@pytest.mark.parametrize(
    "words",
    [
        ["o'clock", "five-o'clock", "Bärtiger", "человек"],
        ["Cafe\u0301", "na\u00efve"],
        ["लड़का", "दाढ़ी", "क्\u200dष"],
        ["رَجُلٌ", "مُلْتَحٍ", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ["an", "O\u2019Neil's", "👩\u200d🦰", "👧🏽"],
    ],
)
def test_words_are_words_in_every_script(generator, words):
    found = explain_text(generator, " ".join(words), seed=1)
    assert [effect.word for effect in found.words] == words


def test_words_without_spaces_between_them_are_left_out_one_by_one(generator):
    found = explain_text(generator, "戴眼镜", seed=1)
    assert [effect.word for effect in found.words] == ["戴", "眼", "镜"]
    full = generator.generate("戴眼镜", seed=1).astype(int)
    rest = generator.generate("戴镜", seed=1).astype(int)
    assert np.allclose(found.maps[1], np.abs(rest - full).mean(axis=-1), atol=1e-4)


@pytest.mark.parametrize(
    "text",
    ["लड़का, grey-haired", "cafe\u0301 ผู้ชาย", "5 o'clock five\u2010o\u2019clock", "👩\u200d🦰 👧🏽"],
)
def test_words_are_those_that_training_is_counted_in(generator, text):
    known = count_words([text]).words.keys()
    explained = explain_text(generator, text, seed=1).words
    assert {fold(part.text) for word in explained for part in split_words(word.word)} == known


def test_a_face_with_sliders_keeps_them(generator):
    session = Session.start(TEXT, generator, seed=5)
    moved = session.more("older", 1.0).face
    assert moved.shift != session.face.shift
    found = explain(generator, moved)
    assert np.array_equal(found.picture, generator.draw(moved.latent()[np.newaxis])[0])
    assert not np.array_equal(found.picture, explain(generator, session.face).picture)


def test_a_word_of_no_effect_is_told_from_others():
    def effect(difference):
        return WordEffect(word="scar", start=0, end=4, difference=difference, share=0.1)

    assert effect(NEGLIGIBLE_LEVELS - 0.01).is_negligible
    assert not effect(NEGLIGIBLE_LEVELS).is_negligible


def test_words_that_training_never_had_are_told_apart(tiny_bundle, tmp_path):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    known = encode_words(count_words(["a bald man", "a man with grey eyes"]))
    (bundle / WORDS).write_bytes(known)
    fields = json.loads((bundle / MANIFEST).read_text())
    fields["files"][WORDS] = {"bytes": len(known), "sha256": hashlib.sha256(known).hexdigest()}
    (bundle / MANIFEST).write_text(json.dumps(fields))
    generator = FaceGenerator.load(bundle)
    text = "a bald, grey-eyed man with a scar"
    words = explain_text(generator, text, seed=5).words
    assert [(w.word, w.seen) for w in words] == [
        ("a", 2),
        ("bald", 1),
        ("grey-eyed", 0),
        ("man", 2),
        ("with", 1),
        ("a", 2),
        ("scar", 0),
    ]
    assert [w.word for w in words if w.is_chance] == ["grey-eyed", "scar"]
    result = CliRunner().invoke(main, ["explain", str(bundle), text, "--seed", "5"])
    chances = [line for line in result.output.splitlines() if line.endswith("moves is chance")]
    assert len(chances) == 2
    assert "does not tell" not in result.output
    told = CliRunner().invoke(main, ["explain", str(bundle), text, "--json"])
    assert json.loads(told.output)["knows_words"] is True


def test_without_a_list_of_words_nobody_says_what_was_seen(explained):
    assert all(word.seen is None for word in explained.words)
    assert not any(word.is_chance for word in explained.words)


@pytest.mark.parametrize(
    ("text", "words"), [("man", "1 word"), ("?!", "0 words"), (" ".join(["a"] * 129), "129 words")]
)
def test_there_must_be_words_to_compare(generator, text, words):
    face = Session.start("a man", generator, seed=1).face
    with pytest.raises(DescriptionError, match=rf"has {words}; 2 to 128 can be compared"):
        explain(generator, replace(face, descriptions=(text,)))


def test_a_mixed_face_and_one_without_words_are_refused(generator, textless):
    first = Session.start("a bald man", generator, seed=1).face
    second = Session.start("a smiling woman", generator, seed=2).face
    with pytest.raises(ArgumentError, match="was mixed of 2 descriptions, and no word is its own"):
        explain(generator, mix(first, second, 0.5))
    face = Session.start(None, textless, seed=1).face
    with pytest.raises(DescriptionError, match="drawn without a description; no word moved it"):
        explain(textless, face)


@pytest.mark.parametrize("description", [None, 5])
def test_without_a_description_no_text_is_explained(generator, textless, description):
    for one in (generator, textless):
        with pytest.raises(DescriptionError):
            explain_text(one, description)
    with pytest.raises(DescriptionError, match="drawn without a description; no word moved it"):
        explain_text(textless, None)


def test_the_ends_of_a_morph_are_explained(generator):
    way = Session.start("a bald man", generator).describe("a woman").morph("0.00", 0, 3)
    assert explain(generator, way.screen[0]).description == "a bald man"
    assert explain(generator, way.screen[2]).description == "a woman"
    with pytest.raises(ArgumentError, match="was mixed of 2 descriptions"):
        explain(generator, way.screen[1])


def test_a_face_of_another_bundle_is_refused(generator, sibling, textless):
    face = Session.start("a bald man", generator).face
    for other in (sibling, textless):
        with pytest.raises(ArgumentError, match=r"face 0.00 is of the bundle .*: load the bundle"):
            explain(other, face)


def test_the_sheet_shows_the_face_and_every_word(explained):
    sheet = np.asarray(explanation_sheet(explained)).astype(int)
    scale = FACE_PIXELS // explained.picture.shape[1]
    side = explained.picture.shape[1] * scale
    face = sheet[8 : 8 + side, 8 : 8 + side]
    assert np.abs(face.mean(axis=(0, 1)) - explained.picture.mean(axis=(0, 1))).max() < 3
    strongest = explained.words.index(explained.strongest()[0]) + 1
    weakest = explained.words.index(explained.strongest()[-1]) + 1

    def redness(place):
        left = 8 + place * (side + 8)
        tile = sheet[8 : 8 + side, left : left + side]
        return (tile[..., 0] - tile[..., 1]).mean()

    assert redness(strongest) > redness(weakest)


def test_the_command_lists_the_words_and_draws_where_they_act(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795521600")
    picture = tmp_path / "words.png"
    arguments = ["explain", str(tiny_bundle), TEXT, "--seed", "5", "-o", str(picture)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    *lines, last, file = result.output.splitlines()
    assert [line.split()[3] for line in lines] == ["a", "bald", "man", "with", "glasses"]
    assert last == "the bundle does not tell which words it was trained on"
    assert file == f"{picture}: where each word acts"
    facts, _ = read_picture(picture)
    assert facts == facts_of(
        FaceGenerator.load(tiny_bundle),
        [TEXT],
        seed=5,
        index=0,
        count=1,
        time=datetime(2026, 11, 24, 12, tzinfo=timezone.utc),
        tells_description=True,
    )
    told = CliRunner().invoke(main, [*arguments[:3], "--json"])
    found = json.loads(told.output)
    assert found["knows_words"] is False
    assert found["words"][1]["word"] == "bald"
