import hashlib
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime import ArgumentError
from t2f_runtime.identikit import (
    CaseError,
    CaseLog,
    LogMark,
    Session,
    picture_hash,
    repair_log,
    verify_log,
)
from t2f_runtime.identikit.sole_writer import sole_writer

NOON = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))


class Clock:
    """A second passes from each line to the next."""

    def __init__(self):
        self.time = NOON

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.log"


@pytest.fixture
def log(path):
    return CaseLog.open(path, operator="officer 1147", clock=Clock())


@pytest.fixture
def session(generator, log):
    session = Session.start("a bald man", generator, seed=2**64 - 1, log=log).candidates(3)
    return session.choose([1]).breed(3).undo().more("older", 0.2)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path, edit):
    """Edits the list of lines, each with its newline."""
    lines = path.read_bytes().splitlines(keepends=True)
    edit(lines)
    path.write_bytes(b"".join(lines))


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


def alter(place, key, value):
    def edit(lines):
        line = json.loads(lines[place - 1])
        line[key] = value
        lines[place - 1] = json.dumps(line, separators=(",", ":")).encode() + b"\n"

    return edit


def remove(*places):
    def edit(lines):
        for place in sorted(places, reverse=True):
            del lines[place - 1]

    return edit


def insert(place, copy_of):
    def edit(lines):
        lines.insert(place - 1, lines[copy_of - 1])

    return edit


def insert_forged(place):
    """A new line that fits the one before it, with its number."""

    def edit(lines):
        line = json.loads(lines[place - 1])
        line["operation"] = "forged"
        lines.insert(place - 1, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    return edit


def swap(first, second):
    def edit(lines):
        lines[first - 1], lines[second - 1] = lines[second - 1], lines[first - 1]

    return edit


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (alter(1, "operation", "x"), "line 1 was altered"),
        (alter(3, "arguments", {"places": [2]}), "line 3 was altered"),
        (alter(5, "time", "2020-01-01"), "line 5 was altered"),
        (alter(6, "step", 3), "line 6 was altered"),
        (alter(1, "previous", "1" * 64), "line 1 was altered"),
        (alter(4, "previous", "1" * 64), "line 4 was altered"),
        (alter(6, "previous", "1" * 64), "line 6 was altered"),
        (alter(4, "operator", None), "line 4 was altered"),
        (remove(1), "line 1 was removed"),
        (remove(3), "line 3 was removed"),
        (remove(2, 3, 4), "lines 2 to 4 were removed"),
        (remove(6), "it ends after line 5, and the case file knows 6: line 6 was removed"),
        (remove(4, 5, 6), "it ends after line 3, .*: lines 4 to 6 were removed"),
        (insert(3, copy_of=2), "the line at place 3, which says it is line 2, was inserted"),
        (insert(3, copy_of=5), "the line at place 3, which says it is line 5, was inserted"),
        (insert_forged(4), "the line at place 4 was inserted there"),
        (swap(2, 3), "the line at place 2, which says it is line 3, was moved there"),
        (swap(2, 5), "the line at place 2, which says it is line 5, was moved there"),
        (lambda lines: lines.__setitem__(2, b"{}\n"), "line 3 is no line of a log"),
        (lambda lines: lines.__setitem__(2, b"[" * 50_000 + b"\n"), "line 3 is no line of a log"),
        (lambda lines: lines.insert(2, b"\n"), "line 3 is no line of a log"),
    ],
)
def test_what_was_done_to_a_log_is_named(session, path, edit, found):
    mark = session.log.mark
    rewrite(path, edit)
    with pytest.raises(CaseError, match=f"is not as it was written: {found}"):
        verify_log(path, mark)


@pytest.mark.parametrize("edit", [remove(6), remove(4, 5, 6), alter(6, "step", 3)])
def test_only_a_later_hash_tells_what_was_done_at_the_end(session, path, edit):
    rewrite(path, edit)
    verify_log(path)


def test_of_two_lines_at_the_end_nobody_knows_which_was_altered(session, path):
    rewrite(path, alter(5, "time", "2020-01-01"))
    with pytest.raises(CaseError, match="line 5 or line 6 was altered"):
        verify_log(path)


@settings(deadline=None)
@given(data=st.data())
def test_no_byte_can_be_changed_without_notice(generator, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "a.log"
    log = CaseLog.open(path, clock=Clock())
    Session.start("a bald man", generator, log=log).choose([0])
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(CaseError, match="is not as it was written"):
        verify_log(path, log.mark)


def test_a_log_of_many_cases_is_refused(generator, session, path, tmp_path):
    other = CaseLog.open(tmp_path / "b.log", clock=Clock())
    Session.start("a bald man", generator, log=other)
    with pytest.raises(CaseError, match="is the log of a case already"):
        Session.start("a bald man", generator, log=session.log)


@pytest.mark.parametrize("kept", [1, 50, -1])
def test_half_a_line_is_no_tampering_and_is_repaired_with_the_loss_named(
    session, path, kept, generator
):
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:kept])
    torn = whole[-1][:kept]
    report = verify_log(path)
    assert (report.lines, report.torn_bytes) == (5, len(torn))
    with pytest.raises(CaseError, match=f"half a line of {len(torn)} bytes, as after a power cut"):
        CaseLog.open(path)
    assert repair_log(path, operator="technician", clock=Clock()) == len(torn)
    assert path.read_bytes().startswith(b"".join(whole[:-1]))
    repaired = read(path)[-1]
    assert repaired["operation"] == "repair"
    assert repaired["operator"] == "technician"
    assert repaired["arguments"]["lost_bytes"] == len(torn)
    assert repaired["arguments"]["lost_sha256"] == hashlib.sha256(torn).hexdigest()
    assert CaseLog.open(path).mark.lines == 6
    assert repair_log(path) == 0


def test_zeros_at_the_end_are_half_a_line(session, path):
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert verify_log(path, session.log.mark).torn_bytes == 4096


def test_half_a_line_hides_no_removal(session, path):
    mark = session.log.mark
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    with pytest.raises(CaseError, match="lines 4 to 6 were removed"):
        verify_log(path, mark)


def test_an_altered_log_is_not_repaired(session, path):
    rewrite(path, alter(2, "operation", "x"))
    with path.open("ab") as file:
        file.write(b"{")
    with pytest.raises(CaseError, match="line 2 was altered"):
        repair_log(path)


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


OPERATORS = [
    ("x" * 257, "the operator has 257 characters; 256 are the most"),
    ("officer \ud800", "the operator holds a lone surrogate"),
    (1147, "the operator must be text .*, not 1147"),
]


@pytest.mark.parametrize(("operator", "message"), OPERATORS)
def test_an_operator_that_no_log_could_be_read_with_is_refused_unwritten(path, operator, message):
    with pytest.raises(ArgumentError, match=message):
        CaseLog.open(path, operator=operator)
    assert not path.exists()
    end = LogMark(lines=0, sha256="0" * 64)
    with pytest.raises(ArgumentError, match=message):
        CaseLog(path, mark=end, size=0, operator=operator, clock=Clock())


@pytest.mark.parametrize(("operator", "message"), OPERATORS)
def test_a_log_is_not_repaired_by_such_an_operator(session, path, operator, message):
    with path.open("ab") as file:
        file.write(b"{")
    torn = path.read_bytes()
    with pytest.raises(ArgumentError, match=message):
        repair_log(path, operator=operator)
    assert path.read_bytes() == torn


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


def set_in(*path, to):
    def edit(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return edit


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


@pytest.fixture
def written_by_another(path):
    """Another program is in the middle of a line of the log."""
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_while_another_program_writes_a_line_none_is_written(session, path, written_by_another):
    before = path.read_bytes()
    with pytest.raises(CaseError, match=r"another program is writing to .*a\.log"):
        session.undo()
    assert path.read_bytes() == before


def test_while_another_program_writes_a_log_is_not_repaired(session, path, written_by_another):
    before = path.read_bytes() + b"half a li"
    path.write_bytes(before)
    with pytest.raises(CaseError, match="another program is writing to"):
        repair_log(path)
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


def test_a_whole_log_that_nobody_may_write_needs_no_repair(session, path):
    path.chmod(0o400)
    assert repair_log(path) == 0


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
