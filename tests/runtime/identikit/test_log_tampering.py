"""What was done to a log, and what ends it in half a line."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import OPERATORS, Clock, read, remove, rewrite

from t2f_runtime import ArgumentError
from t2f_runtime.identikit import (
    CaseError,
    CaseLog,
    Session,
    repair_log,
    verify_log,
)


def alter(place, key, value):
    def edit(lines):
        line = json.loads(lines[place - 1])
        line[key] = value
        lines[place - 1] = json.dumps(line, separators=(",", ":")).encode() + b"\n"

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


@pytest.mark.parametrize(("operator", "message"), OPERATORS)
def test_a_log_is_not_repaired_by_such_an_operator(session, path, operator, message):
    with path.open("ab") as file:
        file.write(b"{")
    torn = path.read_bytes()
    with pytest.raises(ArgumentError, match=message):
        repair_log(path, operator=operator)
    assert path.read_bytes() == torn


def test_while_another_program_writes_a_log_is_not_repaired(session, path, written_by_another):
    before = path.read_bytes() + b"half a li"
    path.write_bytes(before)
    with pytest.raises(CaseError, match="another program is writing to"):
        repair_log(path)
    assert path.read_bytes() == before


def test_a_whole_log_that_nobody_may_write_needs_no_repair(session, path):
    path.chmod(0o400)
    assert repair_log(path) == 0
