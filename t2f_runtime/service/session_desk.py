"""The identikit sessions of a host: each by a number, bounded, its operations in their order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from t2f_runtime.cancellation import Cancellation
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.identikit import Session
from t2f_runtime.identikit.case_log import utc_now
from t2f_runtime.identikit.studio import Studio
from t2f_runtime.service.batcher import DynamicBatcher
from t2f_runtime.service.failures import SessionsFullError, StaleStepError, UnknownSessionError
from t2f_runtime.service.identikit_answers import Screen
from t2f_runtime.service.identikit_methods import Opened, Opening, Question, Step, Tools
from t2f_runtime.service.identikit_params import (
    MAXIMUM_SESSIONS,
    BranchParams,
    CloseParams,
    GoParams,
    OpenParams,
    SessionParams,
    StepParams,
)
from t2f_runtime.service.identikit_screen import screen_of
from t2f_runtime.service.messages import Done
from t2f_runtime.service.open_files import OpenFiles
from t2f_runtime.service.queued_generator import QueuedGenerator
from t2f_runtime.service.session_line import SessionLine

Reply = Callable[[Callable[[], msgspec.Struct]], None]
"""Answers a request with what it is given to call, or with the error that this raises."""


class _Held:
    """A session that is open, or about to be."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.opened: Opened | None = None
        self.line = SessionLine(f"t2f-session-{number}")


class SessionDesk:
    """Holds sessions for a host, and does what it asks of them.

    Requests to one session are obeyed in the order in which they came, those to several side by
    side, and their faces take turns in the queue. A request that fails, is cancelled or is out of
    time leaves its session as it was: the new one takes its place only with its answer complete.

    `open`, `take` and `close` are for the thread that reads requests; replies come in others.

    Args:
        generator: Reads.
        batcher: Draws.
        place: Where a path of the host's leads.
        clock: Tells the time, with its time zone.
        capacity: The most sessions that may be open at a time.
    """

    def __init__(
        self,
        generator: FaceGenerator,
        batcher: DynamicBatcher,
        *,
        place: Callable[[str], Path] = Path,
        clock: Callable[[], datetime] = utc_now,
        capacity: int = MAXIMUM_SESSIONS,
    ) -> None:
        queued = QueuedGenerator(generator, batcher)
        self.capacity = capacity
        self._tools = Tools(
            generator=queued,
            # One for all, which bounds what is remembered.
            studio=Studio(queued),
            find=self._find,
            place=place,
            clock=clock,
            files=OpenFiles(),
        )
        self._sessions: dict[int, _Held] = {}
        # Also of those that are forgotten, until their last answer is out.
        self._lines: list[SessionLine] = []
        self._last = 0

    def __len__(self) -> int:
        """How many sessions are open, or being opened or closed."""
        return len(self._sessions)

    def open(
        self, how: Opening, params: OpenParams, cancellation: Cancellation, reply: Reply
    ) -> None:
        """Begins a session; its number is in the answer.

        Raises:
            SessionsFullError: As many are open as may be.
        """
        if len(self._sessions) >= self.capacity:
            raise SessionsFullError(
                f"{len(self._sessions)} sessions are open, the most that may be; close one with "
                "identikit.close"
            )
        self._last += 1
        held = self._sessions[self._last] = _Held(self._last)
        self._lines = [*(line for line in self._lines if line.is_alive), held.line]
        held.line.put(partial(reply, partial(self._open, held, how, params, cancellation)))

    def take(
        self,
        what: Step | Question,
        name: str,
        params: SessionParams,
        cancellation: Cancellation,
        reply: Reply,
    ) -> None:
        """Does something with a session, once what was asked of it before is done.

        Args:
            what: The operation.
            name: What it is called, for the log.
            params: Its parameters.
            cancellation: Stops it.
            reply: Answers.

        Raises:
            QueueFullError: Too much is asked of the session already.
            UnknownSessionError: There is no such session.
        """
        held = self._held(params.session)
        do: Callable[[], msgspec.Struct]
        if isinstance(what, Step):
            assert isinstance(params, StepParams)  # noqa: S101 (read as its step says)
            do = partial(self._step, what, name, held, params, cancellation)
        else:
            do = partial(self._ask, what, held, params, cancellation)
        _put(held, partial(reply, do))

    def close(self, params: CloseParams, reply: Reply) -> None:
        """Forgets a session, once what was asked of it before is done.

        Raises:
            UnknownSessionError: There is no such session.
        """
        held = self._held(params.session)
        _put(held, partial(reply, partial(self._forget, held)), is_last=True)

    def finish(self) -> None:
        """Does what was asked for, and ends; nothing more may be asked then."""
        for line in self._lines:
            line.end()
        for line in self._lines:
            line.join()

    def _held(self, number: int) -> _Held:
        held = self._sessions.get(number)
        if held is None:
            raise _unknown(number)
        return held

    def _find(self, number: int) -> Session:
        held = self._held(number)
        if held.opened is None:
            raise _unknown(number)
        return held.opened.session

    def _open(
        self, held: _Held, how: Opening, params: OpenParams, cancellation: Cancellation
    ) -> Screen:
        try:
            with self._tools.generator.under(cancellation):
                cancellation.check()
                opened, arguments = how.run(self._tools, held.number, params)
                screen = self._screen(opened, params)
                cancellation.check()
            _note(opened, how.operation, arguments)
        except BaseException:
            del self._sessions[held.number]
            self._tools.files.let_go(held.number)
            held.line.end()
            raise
        held.opened = opened
        return screen

    def _step(
        self, what: Step, name: str, held: _Held, params: StepParams, cancellation: Cancellation
    ) -> Screen:
        before = self._opened(held)
        _check_step(before, params.after_step)
        with self._tools.generator.under(cancellation):
            cancellation.check()
            session = what.run(self._tools, before.session, params)
            after = replace(before, session=session)
            screen = self._screen(after, params)
            cancellation.check()  # also of what drew nothing
        _note(after, name.partition(".")[2], _way(params))
        held.opened = after
        return screen

    def _ask(
        self, what: Question, held: _Held, params: SessionParams, cancellation: Cancellation
    ) -> msgspec.Struct:
        opened = self._opened(held)
        with self._tools.generator.under(cancellation):
            cancellation.check()
            answer = what.run(self._tools, opened, params)
        if not what.writes:
            cancellation.check()
        return answer

    def _screen(self, opened: Opened, params: OpenParams | StepParams) -> Screen:
        number, session, time = opened.number, opened.session, self._tools.clock()
        return screen_of(number, session, opened.sliders, params.format, time=time)

    def _opened(self, held: _Held) -> Opened:
        if held.opened is None:  # it was asked for by a guess of its number, and never began
            raise _unknown(held.number)
        return held.opened

    def _forget(self, held: _Held) -> Done:
        self._sessions.pop(held.number, None)
        self._tools.files.let_go(held.number)
        return Done()


def _put(held: _Held, work: Callable[[], None], *, is_last: bool = False) -> None:
    # It may have failed to open, or have been closed, since it was looked up.
    if not held.line.put(work, is_last=is_last):
        raise _unknown(held.number)


def _note(opened: Opened, operation: str, arguments: dict[str, object] | None) -> None:
    """Writes a line of the log, if there is one; None are the arguments of the step."""
    if opened.log is not None:
        opened.log.append(operation, opened.session.case, opened.session.step, arguments)


def _way(params: StepParams) -> dict[str, object] | None:
    """Of a request that only goes to a step, what it asked for, as the log tells it."""
    match params:
        case GoParams():
            return {"steps": params.steps}
        case BranchParams():
            return {"step": params.step}
        case _:
            return None


def _check_step(opened: Opened, expected: int | None) -> None:
    found = opened.session.step.number
    if expected is not None and expected != found:
        raise StaleStepError(
            f"the session stands at step {found}, not at {expected}: nothing was done; ask for "
            "identikit.show"
        )


def _unknown(number: int) -> UnknownSessionError:
    return UnknownSessionError(
        f"there is no session {number}; begin one with identikit.start or identikit.load"
    )
