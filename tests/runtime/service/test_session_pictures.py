import base64
import hashlib
from datetime import datetime, timezone

import pytest
from desk_host import Host

from t2f_runtime import Bundle
from t2f_runtime.identikit import Session, explain, picture_hash, read_picture

WORDS = "a bald man"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def host(tiny_bundle, generator):
    host = Host(Bundle.open(tiny_bundle), generator, clock=lambda: NOON)
    yield host
    host.server.finish()


@pytest.fixture
def session(host):
    started = host.ask("identikit.start", description=WORDS, seed=7)
    return started["result"]["session"]


@pytest.fixture
def local(generator):
    """The same session in this process."""
    return Session.start(WORDS, generator, seed=7)


def facts_in(data, folder):
    path = folder / "picture.png"
    path.write_bytes(base64.b64decode(data))
    return read_picture(path)[0]


def test_a_face_on_the_screen_says_all_that_every_picture_says(
    host, session, local, tmp_path, tiny_bundle
):
    shown = host.ask("identikit.candidates", session=session, count=2)["result"]["faces"][1]
    facts = facts_in(shown["data"], tmp_path)
    face = local.candidates(2).screen[1]
    picture = local.studio.draw([face])[0]
    assert facts.time == "2026-03-01T12:00:00Z"
    assert facts.description == WORDS
    assert facts.description_sha256 == hashlib.sha256(WORDS.encode()).hexdigest()
    assert facts.faces_sha256 == shown["sha256"] == picture_hash(picture)
    assert (facts.seed, facts.index, facts.names) == (7, face.index, "1.01")
    assert facts.bundle_id == Bundle.open(tiny_bundle).bundle_id


def test_a_sheet_of_words_says_all_that_every_picture_says(host, session, local, tmp_path):
    explained = host.ask("identikit.explain", session=session, sheet=True)["result"]
    facts = facts_in(explained["sheet"], tmp_path)
    assert facts.time == "2026-03-01T12:00:00Z"
    assert (facts.description, facts.names, facts.count) == (WORDS, "0.00", 1)
    assert facts.description_sha256 == hashlib.sha256(WORDS.encode()).hexdigest()
    assert facts.faces_sha256 == picture_hash(local.pictures()[0])
    title = b"synthetic face, and what its description changed"
    assert title in base64.b64decode(explained["sheet"])


def test_a_face_is_neither_explained_nor_exported_while_a_choice_is_due(host, session, tmp_path):
    host.ask("identikit.candidates", session=session, count=3, format="none")
    path = tmp_path / "face.png"
    for method, params in (
        ("identikit.explain", {}),
        ("identikit.export", {"path": str(path)}),
    ):
        error = host.ask(method, session=session, **params)["error"]
        assert error["code"] == "argument"
        assert "0 of the 3 faces are chosen; choose the one that is meant" in error["message"]
    assert not path.exists()
    explained = host.ask("identikit.explain", session=session, face=2)
    assert explained["result"]["description"] == WORDS
    host.ask("identikit.choose", session=session, places=[2], format="none")
    exported = host.ask("identikit.export", session=session, path=str(path))
    assert exported["result"]["facts"]["names"] == "1.02"


def test_a_page_has_the_chosen_faces_and_the_screen_where_none_is_chosen(host, session, tmp_path):
    pytest.importorskip("fpdf", reason="the extra pdf is not installed")
    host.ask("identikit.candidates", session=session, count=3, format="none")

    def names(file):
        path = str(tmp_path / file)
        exported = host.ask("identikit.export", session=session, path=path, kind="page")
        return exported["result"]["facts"]["names"]

    assert names("screen.pdf") == "1.00 1.01 1.02"
    host.ask("identikit.choose", session=session, places=[2, 1], format="none")
    assert names("chosen.pdf") == "1.02 1.01"


def test_words_are_explained_as_in_this_process(host, session, local, generator):
    words = host.ask("identikit.explain", session=session)["result"]["words"]
    expected = explain(generator, local.face).words
    for told, effect in zip(words, expected, strict=True):
        assert (told["word"], told["difference"]) == (effect.word, effect.difference)
        assert (told["is_negligible"], told["is_chance"]) == (
            effect.is_negligible,
            effect.is_chance,
        )
