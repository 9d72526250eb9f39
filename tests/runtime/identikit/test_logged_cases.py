"""A case and its log: which belong together, and which steps need a line."""

import json

import pytest
from case_edits import set_in
from log_lines import read, remove, rewrite

from t2f_runtime.identikit import (
    CaseError,
    CaseLog,
    Session,
    verify_log,
)


def test_a_log_goes_on_where_it_ended(session, path, tmp_path, generator):
    session.save(tmp_path / "a.case")
    log = CaseLog.open(path, operator="officer 12")
    again = Session.load(tmp_path / "a.case", generator, log=log).undo()
    lines = read(path)
    assert [line["operation"] for line in lines[-2:]] == ["load", "undo"]
    assert lines[-1]["operator"] == "officer 12"
    assert verify_log(path, again.log.mark).lines == 8


def test_a_log_may_be_ahead_of_its_case_file_but_not_behind(session, path, tmp_path, generator):
    case_file = tmp_path / "a.case"
    session.save(case_file)
    session.undo()
    Session.load(case_file, generator, log=CaseLog.open(path))
    rewrite(path, remove(6, 7, 8))
    with pytest.raises(CaseError, match="line 6 was removed"):
        Session.load(case_file, generator, log=CaseLog.open(path))
    path.unlink()
    with pytest.raises(CaseError, match="lines 1 to 6 were removed"):
        Session.load(case_file, generator, log=CaseLog.open(path))


def test_the_log_of_another_case_is_refused(session, tmp_path, generator):
    other = CaseLog.open(tmp_path / "b.log")
    Session.start("a bald man", generator, seed=1, log=other).save(tmp_path / "b.case")
    session.save(tmp_path / "a.case")
    with pytest.raises(CaseError):
        Session.load(tmp_path / "a.case", generator, log=CaseLog.open(tmp_path / "b.log"))
    unlogged = Session(session.case, session.studio)
    unlogged.save(tmp_path / "a.case")
    with pytest.raises(CaseError, match="is the log of another case, of the seed 1 "):
        Session.load(tmp_path / "a.case", generator, log=CaseLog.open(tmp_path / "b.log"))


@pytest.fixture
def change(session, tmp_path, generator):
    """Edits the case's steps as JSON, and loads them with their log."""
    session.save(tmp_path / "a.case")

    def change(edit):
        content = json.loads((tmp_path / "a.case").read_text())
        edit(content["case"]["steps"])
        (tmp_path / "a.case").write_text(json.dumps(content))
        log = CaseLog.open(session.log.path)
        return Session.load(tmp_path / "a.case", generator, log=log)

    return change


def choose_another(steps):
    steps[2]["chosen"] = [2]
    steps[2]["arguments"]["places"] = [2]


def describe_another(steps):
    steps[0]["arguments"]["description"] = "the mayor"
    steps[0]["made"][0]["face"]["descriptions"] = ["the mayor"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (describe_another, r"step 0 \(start\) is not as .*a.log has it: its arguments differ"),
        (choose_another, r"step 2 \(choose\) .*: its arguments differ"),
        (set_in(2, "chosen", to=[2]), r"step 2 \(choose\) .*: its faces, or what is chosen of"),
        (set_in(4, "made", 0, "face", "descriptions", to=["the mayor"]), r"step 4 .*: its faces"),
        (set_in(4, "made", 0, "picture", to="0" * 64), r"step 4 \(more\) .*: its pictures differ"),
        (set_in(4, "parent", to=1), r"step 4 \(more\) .*: its parent differs"),
        (set_in(4, "engine", to="a pencil"), r"step 4 \(more\) .*: its engine differs"),
        (set_in(4, "operation", to="less"), r"step 4 \(less\) .*: its operation differs"),
        (set_in(4, "directions", to=[]), r"step 4 \(more\) .*: its faces, or what"),
    ],
)
def test_a_case_that_was_altered_is_not_loaded_with_its_log(change, path, edit, message):
    before = path.read_bytes()
    with pytest.raises(CaseError, match=message):
        change(edit)
    assert path.read_bytes() == before


def test_a_case_that_is_as_it_was_is_loaded_with_its_log(change, session):
    assert change(lambda _: None) == session


def test_the_check_says_how_long_the_log_is(session):
    assert session.log.check(session.case, session.log.mark).lines == 6


def test_one_step_is_taken_twice_where_the_power_failed_between_log_and_case(
    session, tmp_path, generator, path
):
    session.save(tmp_path / "a.case")
    session.lock("a beard")  # logged, but not saved
    again = Session.load(tmp_path / "a.case", generator, log=CaseLog.open(path)).choose([0])
    again.save(tmp_path / "a.case")
    lines = [line for line in read(path) if line["step"] == 5]
    assert [line["operation"] for line in lines] == ["lock", "choose"]
    assert Session.load(tmp_path / "a.case", generator, log=CaseLog.open(path)) == again


def test_a_logged_case_takes_no_step_without_its_log(session, tmp_path, generator, path):
    session.save(tmp_path / "a.case")
    alone = Session.load(tmp_path / "a.case", generator)
    assert alone.undo().redo() == alone.branch(4) == session
    for step in (lambda: alone.choose([0]), alone.candidates, lambda: alone.mix(0, "0.00")):
        with pytest.raises(CaseError, match="has a log of 6 lines, which was not opened with it"):
            step()
    alone.save(tmp_path / "b.case")
    assert (tmp_path / "b.case").read_bytes() == (tmp_path / "a.case").read_bytes()
    assert Session.load(tmp_path / "b.case", generator, log=CaseLog.open(path)) == session


def test_a_log_that_lacks_a_step_of_the_case_is_refused(session, tmp_path, generator, path):
    Session(session.case, session.studio).choose([0]).save(tmp_path / "a.case")
    with pytest.raises(CaseError, match=r"a.log has no line of step 5 \(choose\): it was taken"):
        Session.load(tmp_path / "a.case", generator, log=CaseLog.open(path))


def test_no_log_is_begun_in_the_middle_of_a_case(session, tmp_path, generator):
    Session(session.case, session.studio).save(tmp_path / "a.case")
    log = CaseLog.open(tmp_path / "b.log")
    with pytest.raises(CaseError, match=r"b.log has no line of step 0 \(start\): .*begin a new"):
        Session.load(tmp_path / "a.case", generator, log=log)
