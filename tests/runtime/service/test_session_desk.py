import base64
import threading
import time

import pytest
from desk_host import Host
from gated_sessions import SECONDS, GatedPainter, gated_generator

from t2f_runtime import Bundle
from t2f_runtime.identikit import verify_log
from t2f_runtime.service.identikit_params import MAXIMUM_SESSIONS
from t2f_runtime.service.session_line import MAXIMUM_WAITING, SessionLine


@pytest.fixture
def painter():
    return GatedPainter()


@pytest.fixture
def host(tiny_bundle, tiny_manifest, tokenizer, painter):
    generator = gated_generator(tiny_manifest, tokenizer, painter)
    host = Host(Bundle.open(tiny_bundle), generator)
    yield host
    painter.gate.set()
    host.server.finish()


def code(answer):
    return answer["error"]["code"]


@pytest.fixture
def busy(host, painter):
    """A session whose first request waits at the gate."""
    host.session = host.start()
    while painter.entered.acquire(blocking=False):
        pass
    painter.gate.clear()
    host.send("candidates", "identikit.candidates", session=host.session, count=3)
    painter.wait_until_drawing()
    return host


def test_others_are_answered_while_a_session_draws(busy, painter):
    assert busy.ask("read", description="a man")["result"]["refusal"] is None
    assert busy.ask("info")["result"]["open_sessions"] == 1
    assert busy.ask("cancel", id="nobody")["result"] == {"was_waiting": False}
    busy.send("candidates", "info")
    assert code(busy.answer("candidates")) == "duplicate_id"
    painter.gate.set()
    assert busy.answer("candidates")["result"]["step"] == 1


def test_requests_to_a_session_are_obeyed_in_their_order(busy, painter):
    busy.send("choose", "identikit.choose", session=busy.session, places=[1])
    busy.send("breed", "identikit.breed", session=busy.session, count=4)
    busy.send("undo", "identikit.undo", session=busy.session)
    busy.send("history", "identikit.history", session=busy.session)
    painter.gate.set()
    ids = ["candidates", "choose", "breed", "undo", "history"]
    answers = [busy.answer(request_id)["result"] for request_id in ids]
    assert [answer["step"] for answer in answers] == [1, 2, 3, 2, 2]
    assert answers[3]["redo_steps"] == 1


def test_faces_of_sessions_and_requests_take_turns(busy, painter):
    never, many, sessions = threading.Event(), 40, ("candidates", "other")

    def are_waiting():
        """Whether each session has a face in the queue or its answer, beside the many."""
        faces = sum(name not in busy.answered for name in sessions)
        return busy.server._batcher.waiting_faces >= many + faces or "many" in busy.answered

    def let_the_sessions_ask_again():
        """Stands for a network so slow that whoever got a face has asked for the next by then."""
        until = time.monotonic() + SECONDS
        while not are_waiting():
            assert time.monotonic() < until
            never.wait(0.001)

    busy.send("many", "candidates", description="x", count=many, format="rgb")
    busy.send("other", "identikit.start", description="a woman", seed=5)
    painter.after_run = let_the_sessions_ask_again
    painter.gate.set()
    faces = busy.answer("many")["result"]["faces"]
    for session in sessions:
        assert "result" in busy.answer(session)
    # Faces are as grey as their number among all: those of the sessions came in between.
    greys = [base64.b64decode(face["data"])[0] for face in faces]
    assert greys[-1] - greys[0] >= len(greys) + 2


def test_what_is_cancelled_leaves_the_session_as_it_was(busy, painter):
    assert busy.ask("cancel", id="candidates")["result"] == {"was_waiting": True}
    busy.send("show", "identikit.show", session=busy.session)
    painter.gate.set()
    assert code(busy.answer("candidates")) == "cancelled"
    shown = busy.answer("show")["result"]
    assert (shown["step"], shown["steps"]) == (0, 1)


def test_what_waits_for_its_session_can_be_cancelled_and_runs_out_of_time(busy, painter):
    busy.send("late", "identikit.candidates", session=busy.session, budget_ms=0)
    busy.send("unwanted", "identikit.undo", session=busy.session)
    busy.ask("cancel", id="unwanted")
    painter.gate.set()
    assert code(busy.answer("late")) == "deadline"
    assert code(busy.answer("unwanted")) == "cancelled"
    assert busy.ask("identikit.show", session=busy.session)["result"]["step"] == 1


def test_a_session_that_is_asked_too_much_refuses_at_once(busy, painter):
    for number in range(MAXIMUM_WAITING):
        busy.send(number, "identikit.show", session=busy.session, format="none")
    busy.send("more", "identikit.show", session=busy.session)
    assert code(busy.answer("more")) == "queue_full"
    painter.gate.set()
    assert all("result" in busy.answer(number) for number in range(MAXIMUM_WAITING))


def test_a_button_that_is_pressed_twice_is_obeyed_once(host):
    session = host.start()
    for request_id in ("one", "two"):
        host.send(request_id, "identikit.candidates", session=session, count=2, after_step=0)
    assert host.answer("one")["result"]["step"] == 1
    answer = host.answer("two")
    assert code(answer) == "stale_step"
    assert "the session stands at step 1, not at 0" in answer["error"]["message"]


def test_so_many_sessions_are_open_and_no_number_is_given_twice(host):
    numbers = [host.start() for _ in range(MAXIMUM_SESSIONS)]
    full = host.ask("identikit.start", description="a man")
    assert code(full) == "sessions_full"
    assert "close one with identikit.close" in full["error"]["message"]
    assert host.ask("info")["result"]["maximum_sessions"] == MAXIMUM_SESSIONS
    assert host.ask("identikit.close", session=numbers[3])["result"] == {}
    assert code(host.ask("identikit.show", session=numbers[3])) == "unknown_session"
    assert code(host.ask("identikit.close", session=numbers[3])) == "unknown_session"
    assert host.start() == MAXIMUM_SESSIONS + 1


def test_a_session_that_cannot_begin_holds_no_place_and_its_number_is_nobodys(host):
    for number in range(1, MAXIMUM_SESSIONS + 2):
        host.send("start", "identikit.start", description="")
        host.send("guess", "identikit.show", session=number)
        assert code(host.answer("start")) == "description"
        assert code(host.answer("guess")) == "unknown_session"
    assert host.ask("info")["result"]["open_sessions"] == 0


def test_what_was_asked_before_a_session_is_closed_is_done_and_nothing_after(busy, painter):
    busy.send("save", "identikit.history", session=busy.session)
    busy.send("close", "identikit.close", session=busy.session)
    busy.send("late", "identikit.show", session=busy.session)
    assert code(busy.answer("late")) == "unknown_session"
    painter.gate.set()
    ids = [busy.next_id() for _ in range(3)]
    assert ids == ["candidates", "save", "close"]


def test_a_step_that_fails_is_not_in_the_log(tmp_path, busy, painter):
    log = tmp_path / "case.log"
    painter.gate.set()
    busy.answer("candidates")
    session = busy.start(log=str(log))
    painter.gate.clear()
    busy.send("breed", "identikit.breed", session=session, count=3)
    busy.ask("cancel", id="breed")
    painter.gate.set()
    assert code(busy.answer("breed")) == "cancelled"
    assert verify_log(log).lines == 1
    assert busy.ask("identikit.breed", session=session, count=3)["result"]["step"] == 1
    assert verify_log(log).lines == 2


def test_a_step_that_the_log_cannot_be_told_of_is_not_done(tmp_path, host):
    log = tmp_path / "case.log"
    session = host.start(log=str(log))
    log.write_bytes(b"")
    answer = host.ask("identikit.candidates", session=session, count=2)
    assert code(answer) == "case"
    assert "another program has written to it" in answer["error"]["message"]
    assert host.ask("identikit.show", session=session)["result"]["step"] == 0


@pytest.mark.parametrize("drain", [True, False])
def test_shutdown_is_answered_after_every_session(busy, painter, drain, monkeypatch):
    join = SessionLine.join

    def join_and_draw(line):
        """Lets faces be drawn as soon as the server waits for its sessions, and not before."""
        painter.gate.set()
        join(line)

    monkeypatch.setattr(SessionLine, "join", join_and_draw)
    busy.send("choose", "identikit.choose", session=busy.session, places=[0])
    busy.send("end", "shutdown", drain=drain)
    answers = [busy.next_answer() for _ in range(3)]
    assert [answer["id"] for answer in answers] == ["candidates", "choose", "end"]
    if drain:
        assert all("result" in answer for answer in answers)
    else:
        assert [code(answer) for answer in answers[:2]] == ["cancelled"] * 2


def test_stopping_cancels_what_sessions_do_and_each_request_is_answered(busy, painter):
    busy.send("breed", "identikit.breed", session=busy.session)
    busy.server.stop()
    painter.gate.set()
    assert code(busy.answer("candidates")) == "cancelled"
    assert code(busy.answer("breed")) == "cancelled"
    busy.server.finish()
