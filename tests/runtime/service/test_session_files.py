import os

import pytest
from desk_host import Host

from t2f_runtime import Bundle
from t2f_runtime.identikit import CaseLog, Session, load_case, verify_log


@pytest.fixture
def host(tiny_bundle, generator):
    host = Host(Bundle.open(tiny_bundle), generator)
    yield host
    host.server.finish()


@pytest.fixture
def logged(tmp_path, generator):
    """A case with a log, of two steps."""
    log = CaseLog.open(tmp_path / "17.log")
    session = Session.start("a man", generator, log=log).candidates(3)
    session.save(tmp_path / "17.case")
    return session


def problem(answer):
    return answer["error"]["code"], answer["error"]["message"]


def test_a_logged_case_that_is_loaded_without_its_log_takes_no_step(host, logged, tmp_path):
    case = tmp_path / "17.case"
    session = host.ask("identikit.load", path=str(case))["result"]["session"]
    code, message = problem(host.ask("identikit.choose", session=session, places=[2]))
    assert code == "case"
    assert "has a log of 2 lines, which was not opened with it" in message
    assert host.ask("identikit.show", session=session)["result"]["step"] == 1


def test_a_check_finds_a_step_that_went_past_the_log(host, logged, tmp_path, monkeypatch):
    log = tmp_path / "17.log"
    loaded = host.ask("identikit.load", path=str(tmp_path / "17.case"), log=str(log))
    session = loaded["result"]["session"]
    # A log that is whole, and ends where the session knows, but is of a step less.
    monkeypatch.setattr(CaseLog, "append", lambda *_: None)
    host.ask("identikit.choose", session=session, places=[2])
    code, message = problem(host.ask("identikit.check", session=session))
    assert code == "case"
    assert "17.log has no line of step 2 (choose)" in message


def test_such_a_case_is_saved_with_the_mark_of_its_log(host, logged, tmp_path, generator):
    case = tmp_path / "17.case"
    session = host.ask("identikit.load", path=str(case))["result"]["session"]
    copy = tmp_path / "copy.case"
    saved = host.ask("identikit.save", session=session, path=str(copy))["result"]
    assert saved["log"] == {"lines": 2, "sha256": logged.log.mark.sha256}
    assert load_case(copy).log == logged.log.mark
    again = Session.load(copy, generator, log=CaseLog.open(tmp_path / "17.log"))
    assert again.choose([1]).step.number == 2


def test_a_logged_case_goes_on_with_its_log(host, logged, tmp_path):
    log = tmp_path / "17.log"
    loaded = host.ask("identikit.load", path=str(tmp_path / "17.case"), log=str(log))
    session = loaded["result"]["session"]
    assert host.ask("identikit.choose", session=session, places=[2])["result"]["step"] == 2
    saved = host.ask("identikit.save", session=session, path=str(tmp_path / "17.case"))
    assert saved["result"]["log"]["lines"] == 4


def test_sessions_of_one_studio_draw_nothing_twice(logged, tmp_path, generator):
    loaded = Session.load(tmp_path / "17.case", generator, studio=logged.studio)
    assert loaded.studio is logged.studio


def opened(answer):
    return answer["result"]["session"]


def test_a_log_is_of_one_session_at_a_time(host, logged, tmp_path):
    case, log = str(tmp_path / "17.case"), str(tmp_path / "17.log")
    session = opened(host.ask("identikit.load", path=case, log=log))
    other = tmp_path / "other.case"
    logged.save(other)
    code, message = problem(host.ask("identikit.load", path=str(other), log=log))
    assert code == "case"
    assert f"17.log is the log of the session {session}, which is open" in message
    assert host.ask("info")["result"]["open_sessions"] == 1
    host.ask("identikit.close", session=session)
    again = opened(host.ask("identikit.load", path=str(other), log=log))
    assert host.ask("identikit.choose", session=again, places=[1])["result"]["step"] == 2


def test_a_case_file_is_of_one_session_at_a_time(host, logged, tmp_path):
    case = str(tmp_path / "17.case")
    session = opened(host.ask("identikit.load", path=case))
    for answer in (
        host.ask("identikit.load", path=case),
        host.ask("identikit.load", path=str(tmp_path / "folder" / ".." / "17.case")),
        host.ask("identikit.save", session=host.start(), path=case),
    ):
        code, message = problem(answer)
        assert code == "case"
        assert f"is the case file of the session {session}, which is open" in message
    assert load_case(case).case == logged.case


def test_a_case_is_not_saved_over_a_log_that_is_open(host, tmp_path):
    log = tmp_path / "17.log"
    session = host.start(log=str(log))
    code, message = problem(host.ask("identikit.save", session=session, path=str(log)))
    assert code == "case"
    assert f"is the log of the session {session}" in message
    assert verify_log(log).lines == 1


def test_a_session_that_could_not_begin_holds_no_file(host, tmp_path):
    log = str(tmp_path / "17.log")
    refused = host.ask("identikit.load", path=str(tmp_path / "none.case"), log=log)
    assert problem(refused)[0] == "case"
    assert opened(host.ask("identikit.start", description="a man", log=log))


def test_a_file_that_could_not_be_saved_is_free_for_others(host, tmp_path):
    first, second = host.start(), host.start()
    path = tmp_path / "file" / "17.case"
    path.parent.write_text("no folder")
    assert problem(host.ask("identikit.save", session=first, path=str(path)))[0] == "case"
    path.parent.unlink()
    assert host.ask("identikit.save", session=second, path=str(path))["result"]["steps"] == 1


def test_a_file_that_is_there_is_replaced_only_where_it_is_allowed(host, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("a letter")
    session = host.start()
    code, message = problem(host.ask("identikit.save", session=session, path=str(letter)))
    assert code == "argument"
    assert "letter.txt is there already, and not of this case" in message
    assert "or allow it with replaces" in message
    assert letter.read_text() == "a letter"
    host.ask("identikit.save", session=session, path=str(letter), replaces=True)
    assert load_case(letter).case.seed == 0


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="there are no links here")
def test_a_link_that_leads_nowhere_is_a_file_that_is_there(host, tmp_path):
    link = tmp_path / "17.case"
    link.symlink_to(tmp_path / "nothing")
    answer = host.ask("identikit.save", session=host.start(), path=str(link))
    assert "is there already" in problem(answer)[1]


def test_a_session_saves_again_to_the_files_that_it_loaded_and_wrote(host, logged, tmp_path):
    loaded, written = str(tmp_path / "17.case"), str(tmp_path / "18.case")
    log = str(tmp_path / "17.log")
    session = opened(host.ask("identikit.load", path=loaded, log=log))
    for path in (loaded, written):
        for place in (1, 2):
            host.ask("identikit.choose", session=session, places=[place])
            host.ask("identikit.save", session=session, path=path)
            assert load_case(path).case.step.chosen == (place,)


def test_what_a_closed_session_wrote_is_no_longer_its_own(host, tmp_path):
    path = str(tmp_path / "17.case")
    session = host.start()
    host.ask("identikit.save", session=session, path=path)
    host.ask("identikit.close", session=session)
    answer = host.ask("identikit.save", session=host.start(), path=path)
    assert "is there already, and not of this case" in problem(answer)[1]
