"""Requests to sessions that are cancelled while no network runs for them."""

from datetime import datetime, timezone
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from desk_host import Host
from gated_sessions import GatedPainter, gated_generator

from t2f_runtime import Bundle
from t2f_runtime.bundle.manifest import IMAGE
from t2f_runtime.identikit import load_case, verify_log

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


class GreyPainter(GatedPainter):
    """Paints every face alike, so that it is the same when it is drawn again."""

    def run(self, inputs):
        return {IMAGE: np.zeros_like(super().run(inputs)[IMAGE])}


class CancellingHost(Host):
    """Cancels a request when the server looks at the time for it, or asks where its path leads.

    Attributes:
        cancelled: The id of that request; None cancels nothing.
    """

    def __init__(self, bundle, generator):
        super().__init__(bundle, generator, clock=self._tell_time, place=self._place)
        self.cancelled = None

    def _tell_time(self):
        self._cancel()
        return NOON

    def _place(self, path):
        self._cancel()
        return Path(path)

    def _cancel(self):
        if self.cancelled is not None:
            self.send("cancel", "cancel", id=self.cancelled)


@pytest.fixture
def painter():
    return GreyPainter()


@pytest.fixture
def host(tiny_bundle, tiny_manifest, tokenizer, painter):
    host = CancellingHost(
        Bundle.open(tiny_bundle), gated_generator(tiny_manifest, tokenizer, painter)
    )
    yield host
    painter.gate.set()
    host.server.finish()


def test_a_check_stops_at_the_step_at_which_it_is_cancelled(host, painter, tmp_path):
    log = tmp_path / "17.log"
    session = host.start(log=str(log))
    for _ in range(3):
        host.ask("identikit.choose", session=session, places=[0])
    drawings = count(1)

    def cancel_at_the_second():
        # The first is the face as it was shown, the second as its step makes it again. The other
        # steps draw nothing; after them comes the log, which is no longer there.
        if next(drawings) == 2:
            log.unlink()
            host.send("cancel", "cancel", id="check")

    painter.after_run = cancel_at_the_second
    host.send("check", "identikit.check", session=session)
    assert host.answer("cancel")["result"] == {"was_waiting": True}
    assert host.answer("check")["error"]["code"] == "cancelled"


def test_a_step_that_draws_nothing_is_cancelled_too(host, tmp_path):
    log = tmp_path / "17.log"
    session = host.start(log=str(log))
    host.cancelled = "ask"
    answer = host.ask("identikit.choose", session=session, places=[0])
    host.cancelled = None
    assert answer["error"]["code"] == "cancelled"
    assert host.ask("identikit.show", session=session)["result"]["step"] == 0
    assert verify_log(log).lines == 1


def test_a_session_that_is_cancelled_at_its_last_does_not_begin(host, tmp_path):
    host.cancelled = "ask"
    answer = host.ask("identikit.start", description="a man", format="none")
    host.cancelled = None
    assert answer["error"]["code"] == "cancelled"
    assert host.ask("info")["result"]["open_sessions"] == 0


def test_a_question_that_is_cancelled_at_its_last_is_not_answered(host):
    session = host.start()
    host.cancelled = "ask"
    assert host.ask("identikit.show", session=session)["error"]["code"] == "cancelled"


def test_what_is_written_is_not_called_cancelled(host, tmp_path):
    session = host.start()
    path = tmp_path / "17.case"
    host.cancelled = "ask"
    saved = host.ask("identikit.save", session=session, path=str(path))
    host.cancelled = None
    assert saved["result"]["steps"] == len(load_case(path).case.steps) == 1


def test_what_is_cancelled_before_it_is_drawn_is_not_written(host, tmp_path):
    session = host.start()
    path = tmp_path / "face.png"
    host.cancelled = "ask"
    answer = host.ask("identikit.export", session=session, path=str(path))
    host.cancelled = None
    assert answer["error"]["code"] == "cancelled"
    assert not path.exists()
