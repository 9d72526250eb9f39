"""Slips of whoever calls: each is an ArgumentError that says what was wanted."""

from datetime import datetime, timezone

import pytest

from t2f_runtime import ArgumentError, Bundle, DescriptionError
from t2f_runtime.identikit import (
    CaseLog,
    Session,
    explain,
    export_page,
    export_picture,
    export_sheet,
    load_case,
    mix,
    morph,
    read_credentials,
    repair_log,
    save_case,
    sign_picture,
    verify_log,
)
from t2f_runtime.service import DynamicBatcher

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def session(generator):
    return Session.start("a bald man", generator, seed=7).candidates(4)


@pytest.mark.parametrize(
    ("operate", "message"),
    [
        (lambda session: session.choose(1), r"places must be a list of places, .*, not 1"),
        (lambda session: session.choose(None), r"places must be a list of places, .*, not None"),
        (lambda session: session.choose({3, 1}), r"places must be a list of places, .*, not .1, 3"),
        (lambda session: session.case.path(9), "number is 9; it must be 0 to 1"),
        (lambda session: session.case.face(None), "this case has no face None; one is named like"),
        (lambda session: session.mix(0, 1, 10**400), "amount must be a number, not one of hundre"),
        (lambda session: morph(*session.screen[:2], 10**9), "count is 1000000000; it must be 0 to"),
        (lambda session: morph(*session.screen[:2], None), "count must be a whole number, not No"),
        (lambda session: session.choose([0]).more(None), "words must be text .str., not NoneType"),
        (lambda session: session.choose([0]).less(3), "words must be text .str., not int"),
        (lambda session: session.direction(b"older"), "words must be text .str., not bytes"),
        (lambda session: session.lock(None), "the name of a lock must be text .str., not NoneType"),
        (lambda session: session.unlock(7), "the name of a lock must be text .str., not int"),
        (lambda session: session.mix(None, 0), "a place must be a whole number, not None"),
        (
            lambda session: session.save(None),
            "the case file must be a path .str or Path., not None",
        ),
    ],
)
def test_an_operation_says_what_it_takes(session, operate, message):
    with pytest.raises(ArgumentError, match=message):
        operate(session)


@pytest.mark.parametrize("wrong", [None, "bundles/faces", Bundle, DynamicBatcher])
@pytest.mark.parametrize(
    "take",
    [
        lambda session, wrong, path: Session.start("a man", wrong),
        lambda session, wrong, path: Session.load(path / "a.case", wrong),
        lambda session, wrong, path: session.case.check(wrong),
        lambda session, wrong, path: explain(wrong, session.face),
        lambda session, wrong, path: export_picture(path / "a.png", wrong, session.face, time=NOW),
    ],
)
def test_what_is_no_generator_is_refused(session, generator, tiny_bundle, tmp_path, take, wrong):
    session.save(tmp_path / "a.case")
    if wrong is Bundle:
        wrong = Bundle.open(tiny_bundle)
    if wrong is DynamicBatcher:
        with DynamicBatcher(generator) as wrong:
            pass
    with pytest.raises(ArgumentError, match=r"generator must be a FaceGenerator, not \w+; load"):
        take(session, wrong, tmp_path)


def test_a_studio_is_one_of_the_bundle_of_the_generator(generator, textless):
    for studio in (5, generator, Session.start(None, textless).studio):
        with pytest.raises(ArgumentError, match="studio must be a Studio of the same bundle as"):
            Session.start("a man", generator, studio=studio)


def test_what_is_no_text_is_no_description(session):
    with pytest.raises(DescriptionError, match=r"a description must be text .str., not bytearray"):
        session.choose([0]).describe(bytearray())


@pytest.mark.parametrize("wrong", ["0" * 64, 5])
def test_a_hash_is_no_mark_and_a_session_no_case(session, tmp_path, wrong):
    CaseLog.open(tmp_path / "a.log")
    with pytest.raises(ArgumentError, match=r"mark must be a LogMark or None, not .*LogMark.lines"):
        verify_log(tmp_path / "a.log", wrong)
    with pytest.raises(ArgumentError, match=r"log must be a LogMark or None, not .*log.mark"):
        save_case(tmp_path / "a.case", session.case, wrong)
    with pytest.raises(ArgumentError, match=r"case must be a Case, not Session; .*session.case"):
        save_case(tmp_path / "a.case", session)
    assert not (tmp_path / "a.case").exists()


@pytest.mark.parametrize("path", [None, 17, b"file"])
@pytest.mark.parametrize(
    "take",
    [
        lambda session, path: Session.load(path, session.studio.generator),
        lambda session, path: save_case(path, session.case),
        lambda session, path: load_case(path),
        lambda session, path: CaseLog.open(path),
        lambda session, path: verify_log(path),
        lambda session, path: repair_log(path),
        lambda session, path: export_picture(
            path, session.studio.generator, session.face, time=NOW
        ),
        lambda session, path: export_sheet(
            path, session.studio.generator, session.screen, time=NOW
        ),
    ],
)
def test_what_is_no_path_is_refused(session, take, path):
    with pytest.raises(ArgumentError, match=r"must be a path .str or Path., not "):
        take(session, path)


@pytest.mark.parametrize(
    "take",
    [
        lambda path: sign_picture(path, certificate="a.pem", private_key="a.key"),
        read_credentials,
    ],
)
def test_what_is_no_path_of_a_picture_is_refused(take):
    pytest.importorskip("c2pa", reason="c2pa-python is not installed: pip install 't2f[c2pa]'")
    with pytest.raises(ArgumentError, match=r"must be a path .str or Path., not None"):
        take(None)


@pytest.mark.parametrize("log", ["case.log", 5])
def test_a_log_is_no_path(generator, session, tmp_path, log):
    session.save(tmp_path / "a.case")
    for begin in (
        lambda: Session.start("a bald man", generator, log=log),
        lambda: Session.load(tmp_path / "a.case", generator, log=log),
    ):
        with pytest.raises(ArgumentError, match=r"log must be a CaseLog or None, .*CaseLog.open"):
            begin()


@pytest.mark.parametrize("time", ["now", None, 1700000000.0])
def test_a_time_is_a_datetime(generator, session, tmp_path, time):
    with pytest.raises(ArgumentError, match=r"the time must be a datetime, .*timezone.utc"):
        export_picture(tmp_path / "a.png", generator, session.face, time=time)


def test_a_session_is_no_face(generator, session, tmp_path):
    for take in (
        lambda: export_picture(tmp_path / "a.png", generator, session, time=NOW),
        lambda: export_sheet(tmp_path / "a.png", generator, [session], time=NOW),
        lambda: mix(session, session.face, 0.5),
        lambda: morph(session.face, None, 3),
        lambda: explain(generator, session),
    ):
        with pytest.raises(ArgumentError, match=r"this is no Face but a \w+; .* session.face"):
            take()


@pytest.mark.parametrize("faces", [None, 5, (face for face in ())])
def test_a_sheet_takes_a_list_of_faces(generator, tmp_path, faces):
    with pytest.raises(ArgumentError, match="faces must be a list of faces, not "):
        export_sheet(tmp_path / "a.png", generator, faces, time=NOW)
    with pytest.raises(ArgumentError, match="faces must be a list of faces, not "):
        export_page(tmp_path / "a.pdf", generator, faces, time=NOW)


@pytest.mark.parametrize("amount", ["0.5", None, True, float("nan")])
def test_an_amount_is_a_number(session, amount):
    with pytest.raises(ArgumentError, match="amount must be a number, not "):
        mix(session.screen[0], session.screen[1], amount)
