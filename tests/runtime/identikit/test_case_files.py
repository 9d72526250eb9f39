import json
import os
import stat

import msgspec
import numpy as np
import pytest
from case_edits import set_in
from killed_saves import kill_saves
from msgspec.structs import replace

from t2f_runtime import FaceGenerator, PictureError
from t2f_runtime.identikit import (
    CaseError,
    CaseLog,
    Session,
    load_case,
    read_picture,
    save_case,
    verify_log,
)


@pytest.fixture(scope="module")
def session(generator):
    session = Session.start("a bald man", generator, seed=2**64 - 1).candidates(4).choose([1, 2])
    session = session.breed(4).choose([2]).more("older", 0.2).lock("a beard")
    return session.mix(0, Session.start("a girl", generator, seed=3), 0.5).undo(3)


@pytest.fixture
def saved(session, tmp_path):
    path = tmp_path / "a.case"
    session.save(path)
    return path


@pytest.fixture
def change(saved):
    """Edits the case file as JSON."""

    def edit(change):
        content = json.loads(saved.read_text())
        change(content["case"])
        saved.write_text(json.dumps(content))
        return saved

    return edit


def test_a_loaded_session_is_the_one_that_was_saved(session, saved, generator):
    loaded = Session.load(saved, generator)
    assert loaded == session
    assert loaded.redo(3) == session.redo(3)
    assert loaded.breed(3) == session.breed(3)


def test_equal_cases_make_equal_files(session, saved, tmp_path):
    session.save(tmp_path / "b.case")
    assert (tmp_path / "b.case").read_bytes() == saved.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no file modes")
def test_a_case_file_is_for_its_owner_alone(session, saved, tmp_path):
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    saved.chmod(0o644)
    session.save(saved)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.case"]


def test_a_case_that_cannot_be_written_leaves_the_one_before(session, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(CaseError, match="cannot be written: No space left on device"):
        session.undo().save(saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == ["a.case"]


@pytest.mark.parametrize("name", ["missing/a.case", ".", "nul\0"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(CaseError, match="cannot be read"):
        load_case(tmp_path / name)


def test_a_case_of_another_bundle_is_refused(saved, textless):
    with pytest.raises(CaseError, match="load the bundle that it was made with"):
        Session.load(saved, textless)
    with pytest.raises(CaseError, match="load the bundle that it was made with"):
        load_case(saved).case.check(textless)


def test_the_check_draws_every_picture(session, generator):
    assert session.case.check(generator) == 1 + 4 + 2 + 1 + 1


def test_the_check_names_the_first_step_that_differs(change, generator):
    def flip(case):
        for step in (3, 5):
            made = case["steps"][step]["made"][0]
            made["picture"] = made["picture"][::-1]

    with pytest.raises(
        CaseError,
        match=r"step 3 \(breed\) is the first that differs: onnx-cpu .* draws face 3.00 otherwise",
    ):
        Session.load(change(flip), generator).case.check(generator)


def test_the_check_finds_a_face_that_was_changed(change, generator):
    def older(case):
        face = case["steps"][5]["made"][0]["face"]
        face["shift"] = case["steps"][5]["directions"][0]

    with pytest.raises(CaseError, match=r"step 5 \(more\) is the first that differs"):
        load_case(change(older)).case.check(generator)


def call_it_the_mayor(case):
    case["steps"][0]["arguments"]["description"] = "the mayor"
    for step in case["steps"]:
        for made in step["made"]:
            made["face"]["descriptions"] = ["the mayor"]


def choose_another(case):
    case["steps"][2]["arguments"]["places"] = [1, 3]
    case["steps"][2]["chosen"] = [1, 3]


DIFFERS = r"is the first that differs: done again on onnx-cpu .*, it "


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (call_it_the_mayor, rf"step 0 \(start\) {DIFFERS}reads the words of face 0.00 otherwise"),
        (choose_another, rf"step 3 \(breed\) {DIFFERS}"),
        (set_in("steps", 2, "chosen", to=[3]), rf"step 2 \(choose\) {DIFFERS}chooses others"),
        (set_in("steps", 1, "arguments", "count", to=9), rf"step 1 \(candidates\) {DIFFERS}"),
        (
            set_in("steps", 1, "arguments", "indices", to=[0]),
            rf"step 1 \(candidates\) {DIFFERS}has other arguments",
        ),
        (
            set_in("steps", 5, "arguments", "amount", to=0.21),
            rf"step 5 \(more\) {DIFFERS}gives face 5.00 another shift",
        ),
        (
            set_in("steps", 5, "made", 0, "face", "descriptions", to=["the mayor"]),
            rf"step 5 \(more\) {DIFFERS}gives face 5.00 other descriptions",
        ),
        (
            set_in("steps", 5, "made", 0, "face", "made_by", to="less older"),
            rf"step 5 \(more\) {DIFFERS}gives face 5.00 another made_by",
        ),
        (
            set_in("steps", 6, "arguments", "name", to="older"),
            rf"step 6 \(lock\) {DIFFERS}points elsewhere",
        ),
        (set_in("steps", 6, "locks", to=[]), rf"step 6 \(lock\) {DIFFERS}has other locks"),
        (set_in("steps", 6, "screen", to=["0.00"]), rf"step 6 .* {DIFFERS}shows other faces"),
        (set_in("steps", 3, "generation", to=4), rf"step 3 .* {DIFFERS}has another generation"),
        (set_in("steps", 7, "given", to=[]), r"step 7 \(mix\) cannot be done again: this case has"),
        (
            set_in("steps", 4, "operation", to="pick"),
            r"step 4 \(pick\) is an operation that no T2F knows",
        ),
        (set_in("steps", 4, "arguments", to={}), r"step 4 \(choose\) cannot be done again: places"),
        (
            set_in("steps", 3, "arguments", "count", to="4"),
            r"step 3 .* cannot be done again: count",
        ),
    ],
)
def test_the_check_does_every_step_again(change, generator, edit, message):
    case = load_case(change(edit)).case
    with pytest.raises(CaseError, match=message):
        case.check(generator)


@pytest.mark.parametrize(("rounding", "is_same"), [(1e-5, True), (1e-2, False)])
def test_readings_may_differ_by_what_processors_round(session, tiny_bundle, rounding, is_same):
    class Rounding(FaceGenerator):
        def condition(self, text):
            mean, log_variance = super().condition(text)
            return mean + np.float32(rounding), log_variance

    other = Rounding.load(tiny_bundle)
    if is_same:
        assert session.case.check(other) == 9
    else:
        with pytest.raises(CaseError, match=r"step 0 \(start\) .* reads the words of face 0.00"):
            session.case.check(other)


def test_a_model_without_text_is_checked_too(textless):
    session = Session.start(None, textless, seed=3).candidates(4).choose([1, 2]).breed(4)
    session = session.morph(0, Session.start(None, textless, seed=8), 3).choose([1])
    assert session.undo(2).candidates(4).case.check(textless) == 1 + 4 + 2 + 3 + 4


def test_another_engine_has_the_faces_but_not_the_check(saved, tiny_bundle, session):
    """float16 stands for any engine whose pixels differ."""

    class Darker(FaceGenerator):
        def draw(self, latents, **options):
            return super().draw(latents, **options) // 2

    darker = Darker.load(tiny_bundle)
    loaded = Session.load(saved, darker)
    assert loaded.screen == session.screen
    with pytest.raises(CaseError, match=r"step 0 \(start\) .* computes otherwise on this machine"):
        loaded.case.check(darker)


def test_a_check_on_another_engine_says_which_it_was(change, generator):
    def draw_with_a_pencil(case):
        case["steps"][0]["engine"] = "a pencil"
        case["steps"][0]["made"][0]["picture"] = "0" * 64

    with pytest.raises(CaseError, match=r"shown, by a pencil; check with that engine, and if that"):
        load_case(change(draw_with_a_pencil)).case.check(generator)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_in("format", to="t2f bundle"), "'t2f bundle' of version 2; this T2F reads"),
        (set_in("schema_version", to=1), "of version 1; this T2F reads .* of version 2"),
        (set_in("schema_version", to="2"), "is no case file"),
        (set_in("extra", to=1), "unknown field `extra`"),
        (set_in("seed", to=2**64), "it must be 18446744073709551615 at most"),
        (set_in("seed", to=-1), ">= 0"),
        (set_in("bundle_id", to="../../etc"), "matching regex"),
        (set_in("steps", to=[]), "length >= 1"),
        (set_in("at", to=8), "stands at a step that there is not"),
        (set_in("undone", to=[9]), "stands at a step that there is not"),
        (set_in("undone", to=[1]), "step 1 cannot be redone from step 4"),
        (set_in("steps", 0, "operation", to="breed"), "the first step is no start"),
        (set_in("steps", 2, "parent", to=2), "step 2 does not follow an earlier one"),
        (set_in("steps", 2, "parent", to=None), "step 2 does not follow an earlier one"),
        (set_in("steps", 2, "number", to=3), "step 2 has the number 3"),
        (set_in("steps", 2, "chosen", to=[4]), "chooses places that its screen has not"),
        (set_in("steps", 2, "chosen", to=[1, 1]), "chooses places that its screen has not"),
        (set_in("steps", 2, "screen", to=["5.00"]), "shows a face that there is not: '5.00'"),
        (set_in("steps", 2, "locks", to=[6]), "has a lock that no step made"),
        (set_in("steps", 6, "locks", to=[5]), "has a lock that no step made"),
        (set_in("steps", 5, "directions", to=["AAAAAA=="]), "directions of another model"),
        (set_in("steps", 5, "directions", to=["//9/fw=="]), "values that no latent has"),
        (set_in("steps", 5, "directions", to=["AA!!"]), "base64"),
        (set_in("steps", 1, "made", 2, "face", "name", to="1.09"), "a face that is named '1.09'"),
        (set_in("steps", 1, "made", 2, "face", "noise", to=""), "a latent of another size"),
        (set_in("steps", 1, "made", 2, "face", "shift", to=""), "differ in length"),
        (set_in("steps", 1, "made", 2, "face", "bundle_id", to="0" * 64), "is of another bundle"),
        (set_in("steps", 7, "given", 0, "bundle_id", to="0" * 64), "is of another bundle"),
        (set_in("steps", 7, "given", 0, "noise", to=""), "a latent of another size"),
        (set_in("steps", 1, "arguments", to={"a": {"b": 1}}), "is damaged"),
        (set_in("condition_size", to=5), "a latent of another size"),
    ],
)
def test_a_case_that_no_session_can_have_made_is_refused(change, edit, message):
    with pytest.raises(CaseError, match=message):
        load_case(change(edit))


def test_a_longer_file_than_any_case_is_refused_unread(session, monkeypatch, tmp_path):
    monkeypatch.setattr("t2f_runtime.identikit.case_file.MAXIMUM_CASE_BYTES", 1000)
    with pytest.raises(CaseError, match="a case file 1000 at most: start a new case"):
        session.save(tmp_path / "a.case")
    (tmp_path / "a.case").write_bytes(b" " * 1001)
    with pytest.raises(CaseError, match="has more than 1000 bytes"):
        load_case(tmp_path / "a.case")


def test_a_case_that_could_not_be_loaded_is_not_saved(session, saved):
    before = saved.read_bytes()
    step = replace(session.case.steps[0], operation="x" * 65)
    spoilt = replace(session.case)
    msgspec.structs.force_setattr(spoilt, "steps", (step, *session.case.steps[1:]))
    with pytest.raises(
        CaseError, match=r"could not be loaded again, and is not saved: .*operation"
    ):
        save_case(saved, spoilt)
    msgspec.structs.force_setattr(
        spoilt, "steps", (replace(step, operation="\ud800"), *session.case.steps[1:])
    )
    with pytest.raises(
        CaseError, match=r"could not be loaded again, and is not saved: .*surrogate"
    ):
        save_case(saved, spoilt)
    assert saved.read_bytes() == before


def test_a_case_has_an_end(session, monkeypatch):
    monkeypatch.setattr("t2f_runtime.identikit.history.MAXIMUM_STEPS", 8)
    with pytest.raises(Exception, match="8 steps at most: start a new case"):
        session.choose([0])


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_killed_save_loses_nothing_that_was_saved(session, tmp_path):
    path = tmp_path / "a.case"
    save_case(path, replace(session.case, seed=0))
    found = kill_saves(path, kills=4, seed=1)
    assert len(found) == 4
    assert [kill.found for kill in found] == sorted({kill.found for kill in found})
    assert max(kill.leftovers for kill in found) <= 1
    save_case(path, session.case)
    assert not list(tmp_path.glob(".*"))


def test_the_schema_of_cases_is_guarded(session):
    """Whoever changes a field must change CASE_VERSION, and this list."""
    case = msgspec.to_builtins(session.case)
    assert sorted(case) == [
        "at",
        "bundle_id",
        "condition_size",
        "format",
        "noise_size",
        "schema_version",
        "seed",
        "steps",
        "undone",
    ]
    assert sorted(case["steps"][0]) == [
        "arguments",
        "chosen",
        "directions",
        "engine",
        "generation",
        "given",
        "locks",
        "made",
        "next_candidate",
        "number",
        "operation",
        "parent",
        "screen",
    ]
    assert sorted(case["steps"][0]["made"][0]["face"]) == [
        "bundle_id",
        "descriptions",
        "epsilon",
        "index",
        "made_by",
        "name",
        "noise",
        "parents",
        "reading",
        "seed",
        "shift",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("take", [load_case, verify_log, CaseLog.open, read_picture])
def test_nobody_waits_for_a_pipe_in_the_place_of_a_file(tmp_path, take):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises((CaseError, PictureError), match="cannot be read: it is a device, a pi"):
            take(path)
