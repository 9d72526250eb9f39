"""The log of a case: its lines, and who may write them."""

import hashlib
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import OPERATORS, Clock, read

from t2f_runtime import ArgumentError
from t2f_runtime.identikit import (
    CaseError,
    CaseLog,
    LogMark,
    Session,
    picture_hash,
    verify_log,
)
from t2f_runtime.identikit.sole_writer import sole_writer


def test_every_step_is_a_line(session, path):
    lines = read(path)
    assert [line["operation"] for line in lines] == [
        "start",
        "candidates",
        "choose",
        "breed",
        "undo",
        "more",
    ]
    assert [line["line"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line["operator"] for line in lines} == {"officer 1147"}
    assert lines[0]["time"] == "2026-03-01T12:00:01.000+00:00"
    assert lines[0]["arguments"] == {"description": "a bald man", "seed": 2**64 - 1}
    assert lines[4]["arguments"] == {"steps": 1}
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 2, 4]


def test_a_line_has_the_hashes_of_the_pictures_on_the_screen(session, path):
    pictures = read(path)[1]["pictures"]
    screen = session.undo(2)
    assert [*pictures] == [face.name for face in screen.screen]
    assert [*pictures.values()] == [picture_hash(picture) for picture in screen.pictures()]


def test_each_line_has_the_sha256_of_the_line_before(session, path):
    lines = path.read_bytes().split(b"\n")[:-1]
    previous = ["0" * 64, *(hashlib.sha256(line).hexdigest() for line in lines)]
    assert [json.loads(line)["previous"] for line in lines] == previous[:-1]
    assert session.log.mark == LogMark(lines=6, sha256=previous[-1])


@pytest.mark.skipif(os.name != "posix", reason="Windows has no file modes")
def test_a_log_is_for_its_owner_alone(session, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_line_is_on_the_disk_before_the_step_returns(generator, log, path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.stat().st_size))
    Session.start("a bald man", generator, log=log).candidates(2)
    assert len(synced) == 2
    assert synced[-1] == path.stat().st_size


@pytest.mark.parametrize(("operator", "message"), OPERATORS)
def test_an_operator_that_no_log_could_be_read_with_is_refused_unwritten(path, operator, message):
    with pytest.raises(ArgumentError, match=message):
        CaseLog.open(path, operator=operator)
    assert not path.exists()
    end = LogMark(lines=0, sha256="0" * 64)
    with pytest.raises(ArgumentError, match=message):
        CaseLog(path, mark=end, size=0, operator=operator, clock=Clock())


def test_the_longest_operator_is_read_again(path, generator):
    log = CaseLog.open(path, operator="ö" * 256, clock=Clock())
    Session.start("a bald man", generator, log=log)
    assert verify_log(path, log.mark).lines == 1


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("x" * 65, {}, "would get a line that no reader takes: .*length <= 64"),
        ("x", {"file": "\udcff"}, "would get a line that no reader takes: .*surrogates"),
        ("x", {"text": "x" * 2**20}, "would get a line that no reader takes: it has 10.* bytes"),
    ],
)
def test_a_line_that_no_reader_takes_is_not_written(session, path, operation, arguments, message):
    before = path.read_bytes()
    with pytest.raises(CaseError, match=message):
        session.log.append(operation, session.case, session.step, arguments)
    assert path.read_bytes() == before
    assert session.undo().log.mark.lines == 7


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_a_path_that_is_no_utf8_is_logged_with_its_bytes(session, path, tmp_path, generator):
    name = os.fsdecode(b"case\xff.case")
    session.save(tmp_path / name)
    again = Session.load(tmp_path / name, generator, log=CaseLog.open(path))
    assert read(path)[-1]["arguments"]["file"] == f"{tmp_path}/case\\xff.case"
    assert verify_log(path, again.log.mark).lines == 7


def test_two_programs_cannot_write_one_log(session, path):
    CaseLog.open(path).append("x", session.case, session.step)
    with pytest.raises(CaseError, match="another program has written to it"):
        session.undo()


def test_steps_of_several_threads_have_their_lines_in_one_chain(generator, path):
    is_begun, is_over = threading.Event(), threading.Event()

    def clock():
        if not is_begun.is_set() and is_waiting:
            is_begun.set()
            is_over.wait(0.2)  # so long, the other thread would write its line
        return datetime(2026, 11, 24, tzinfo=timezone.utc)

    is_waiting = False
    session = Session.start("a man", generator, log=CaseLog.open(path, clock=clock))
    is_waiting = True

    def second():
        assert is_begun.wait(60)
        found = session.less("older", 0.1)
        is_over.set()
        return found

    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(session.more, "older", 0.1), threads.submit(second)]
        made = [future.result(timeout=60) for future in waiting]
    assert verify_log(path).lines == 3
    for one in made:
        one.log.check(one.case, one.log.mark)


def test_while_another_program_writes_a_line_none_is_written(session, path, written_by_another):
    before = path.read_bytes()
    with pytest.raises(CaseError, match=r"another program is writing to .*a\.log"):
        session.undo()
    assert path.read_bytes() == before


def test_a_log_that_is_replaced_while_it_is_opened_is_not_written(session, path, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"of another program")

    class ReplacedPath(type(path)):
        """Is open by the time that it is asked for its file's number."""

        def stat(self, **options):
            other.replace(path)
            return super().stat(**options)

    with (
        pytest.raises(CaseError, match=r"has put another file in the place of .*a\.log"),
        sole_writer(ReplacedPath(path)),
    ):
        pytest.fail("it was given to be written")
    assert path.read_bytes() == b"of another program"


def test_a_line_that_cannot_be_written_is_taken_back(session, path, monkeypatch):
    before = path.read_bytes()

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(CaseError, match="cannot be written: No space left on device"):
            session.undo()
    assert path.read_bytes() == before
    assert session.undo().step.number == 2
    assert verify_log(path, session.log.mark).lines == 7


@pytest.mark.parametrize("is_on_the_disk", [False, True])
def test_an_interruption_takes_the_line_back_and_the_log_goes_on(
    session, path, monkeypatch, is_on_the_disk
):
    before, flush = path.read_bytes(), os.fsync

    def interrupt(file):
        if is_on_the_disk:
            flush(file)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.undo()
    assert path.read_bytes() == before
    assert session.undo().step.number == 2
    assert verify_log(path, session.log.mark).lines == 7


def test_a_log_that_vanished_is_an_error(session, path):
    path.unlink()
    with pytest.raises(CaseError, match="cannot be written: No such file"):
        session.undo()


def test_a_log_in_a_folder_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match="cannot be written"):
        CaseLog.open(tmp_path / "file" / "a.log")


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_log_or_a_case_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("log") / "a.log"
    path.write_bytes(content)
    try:
        report = verify_log(path)
    except CaseError:
        return
    assert report.lines == 0
    assert report.torn_bytes == len(content)
