"""The server behind `t2f serve --stdio`: requests in, answers out, in any order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from t2f_runtime import __version__
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.cancellation import Cancellation
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.identikit.case_log import utc_now
from t2f_runtime.identikit.comparison import COMPARED_WORDS
from t2f_runtime.identikit.word_pairs import LOCK_SETS
from t2f_runtime.pictures.facts import facts_of, picture_hash, writing_time
from t2f_runtime.reading import DescriptionReading
from t2f_runtime.service.batcher import DynamicBatcher
from t2f_runtime.service.failures import describe_failure
from t2f_runtime.service.identikit_answers import Screen
from t2f_runtime.service.identikit_methods import (
    OPENINGS,
    QUESTIONS,
    STEPS,
    Opening,
    Question,
    Step,
)
from t2f_runtime.service.identikit_params import CloseParams, OpenParams, SessionParams
from t2f_runtime.service.job import Pictures
from t2f_runtime.service.lines import LineWriter
from t2f_runtime.service.messages import (
    MAXIMUM_LINE_BYTES,
    Answer,
    Cancelled,
    CancelParams,
    CandidatesParams,
    Done,
    ErrorCode,
    Face,
    Faces,
    Failure,
    GenerateParams,
    Hello,
    Id,
    Info,
    NoParams,
    Problem,
    ReadParams,
    Request,
    ShutdownParams,
    Strict,
)
from t2f_runtime.service.picture_answers import encode_pixels
from t2f_runtime.service.session_desk import SessionDesk

if TYPE_CHECKING:
    from concurrent.futures import Future


class StdioServer:
    """Answers requests; a description goes into answers, pictures and files that are asked for.

    Answers come when they are ready, which need not be in the order of the requests; `shutdown` is
    answered last. Requests are drawn by one `DynamicBatcher`; identikit sessions are held by a
    `SessionDesk`, which draws with it too.

    Args:
        bundle: What the generator was loaded from.
        generator: What draws. It is not closed with the server.
        writer: Takes the answers.
        capacity: The most faces that may wait or be drawn at a time.
        place: Where a path of the host's leads.
        clock: Tells the time, with its time zone.

    Attributes:
        is_over: Whether a shutdown was asked for, and all is answered.
    """

    def __init__(
        self,
        bundle: Bundle,
        generator: FaceGenerator,
        writer: LineWriter,
        *,
        capacity: int = 256,
        place: Callable[[str], Path] = Path,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._bundle = bundle
        self._generator = generator
        self._writer = writer
        self._capacity = capacity
        self._batcher = DynamicBatcher(generator, capacity=capacity)
        self._desk = SessionDesk(generator, self._batcher, place=place, clock=clock)
        self._waiting: dict[Id, Cancellation] = {}
        self.is_over = False

    def greet(self) -> None:
        """Writes the first line."""
        self._write(Hello(version=__version__, methods=tuple(METHODS)))

    def handle(self, line: bytes | None) -> None:
        """Takes a line of the host.

        Args:
            line: The line; None for one that is too long. One of blanks is left out.
        """
        if line is None:
            message = f"a line has more than {MAXIMUM_LINE_BYTES} bytes; it was left out"
            self._write_failure(None, "line_too_long", message)
        elif line.strip():
            self._handle(line)

    def stop(self) -> None:
        """Cancels what waits, without waiting for it; for a program that has to end."""
        # Sessions first: what they ask for once the queue is closed is no longer wanted.
        for token in list(self._waiting.values()):
            token.cancel()
        self._batcher.close(drain=False, timeout=0)

    def finish(self) -> None:
        """Draws and answers what waits, as nothing more will be asked."""
        self._desk.finish()
        self._batcher.close()

    def _handle(self, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.ValidationError as error:
            self._write_failure(_read_id(line), "invalid_request", f"{error}")
            return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._write_failure(None, "invalid_line", f"a line is no request in JSON: {error}")
            return
        method = METHODS.get(request.method)
        if method is None:
            message = f"there is no method {request.method!r:.80}; there are: {', '.join(METHODS)}"
            self._write_failure(request.id, "unknown_method", message)
            return
        try:
            params = msgspec.json.decode(request.params, type=method.params)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"the params of {request.method} are wrong: {error}"
            self._write_failure(request.id, "invalid_request", message)
            return
        if request.id in self._waiting:
            message = f"a request with the id {request.id!r} is waiting still; give another"
            self._write_failure(request.id, "duplicate_id", message)
            return
        try:
            method.handle(self, request.id, params)
        except Exception as error:  # noqa: BLE001 (the host must hear of a bug too, and the next)
            self._fail(request.id, error)

    def _generate(self, request_id: Id, params: GenerateParams) -> None:
        self._submit(request_id, params, count=1)

    def _candidates(self, request_id: Id, params: CandidatesParams) -> None:
        self._submit(request_id, params, count=params.count)

    def _read(self, request_id: Id, params: ReadParams) -> None:
        reading = self._generator.read(params.description)
        self._write(Answer(id=request_id, result=reading))

    def _info(self, request_id: Id, _: NoParams) -> None:
        manifest = self._generator.manifest
        text = manifest.text
        info = Info(
            version=__version__,
            bundle_id=self._bundle.bundle_id,
            name=manifest.name,
            licence=manifest.licence,
            image_size=manifest.image_size,
            takes_text=manifest.takes_text,
            maximum_characters=None if text is None else text.maximum_characters,
            maximum_tokens=None if text is None else text.maximum_tokens,
            engine=self._generator.engine,
            capacity=self._capacity,
            waiting_faces=self._batcher.waiting_faces,
            maximum_sessions=self._desk.capacity,
            open_sessions=len(self._desk),
            slider_words=COMPARED_WORDS,
            lock_names=tuple(LOCK_SETS),
        )
        self._write(Answer(id=request_id, result=info))

    def _cancel(self, request_id: Id, params: CancelParams) -> None:
        token = self._waiting.get(params.id)
        if token is not None:
            token.cancel()
        self._write(Answer(id=request_id, result=Cancelled(was_waiting=token is not None)))

    def _shutdown(self, request_id: Id, params: ShutdownParams) -> None:
        if not params.drain:
            self.stop()
        self.finish()
        self.is_over = True
        self._write(Answer(id=request_id, result=Done()))

    def _submit(self, request_id: Id, params: GenerateParams, *, count: int) -> None:
        token = _cancellation(params.budget_ms)
        future = self._batcher.submit(
            params.description, seed=params.seed, count=count, cancellation=token
        )
        # Before the callback, which forgets it; it may be called at once.
        self._waiting[request_id] = token
        future.add_done_callback(partial(self._give_faces, request_id, params))

    def _give_faces(
        self, request_id: Id, params: GenerateParams, future: "Future[Pictures]"
    ) -> None:
        """Answers with what was drawn; in the thread that draws."""
        self._reply(request_id, lambda: self._describe(params, future.result()))

    def open_session(self, request_id: Id, params: OpenParams, *, how: Opening) -> None:
        """Begins an identikit session."""
        token = self._waiting[request_id] = _cancellation(params.budget_ms)
        self._desk.open(how, params, token, partial(self._reply, request_id))

    def ask_session(
        self, request_id: Id, params: SessionParams, *, name: str, what: Step | Question
    ) -> None:
        """Does something with an identikit session."""
        token = self._waiting[request_id] = _cancellation(params.budget_ms)
        self._desk.take(what, name, params, token, partial(self._reply, request_id))

    def _close_session(self, request_id: Id, params: CloseParams) -> None:
        self._waiting[request_id] = Cancellation()
        self._desk.close(params, partial(self._reply, request_id))

    def _reply(self, request_id: Id, make: Callable[[], msgspec.Struct]) -> None:
        """Answers with what `make` gives, or the error that it raises; in any thread."""
        try:
            line = msgspec.json.encode(Answer(id=request_id, result=make()))
        except Exception as error:  # noqa: BLE001 (as above)
            self._fail(request_id, error)
        else:
            self._waiting.pop(request_id, None)
            self._writer.write(line)

    def _describe(self, params: GenerateParams, pictures: Pictures) -> Faces:
        return Faces(
            width=pictures.shape[2],
            height=pictures.shape[1],
            format=params.format,
            seed=params.seed,
            faces=tuple(
                Face(
                    index=index,
                    data=self._encode(params, index, picture),
                    sha256=picture_hash(picture),
                )
                for index, picture in enumerate(pictures)
            ),
        )

    def _encode(self, params: GenerateParams, index: int, picture: Pictures) -> bytes:
        facts = facts_of(
            self._generator,
            [] if params.description is None else [params.description],
            seed=params.seed,
            index=index,
            count=1,
            time=writing_time(),
            tells_description=True,
        )
        return encode_pixels(picture, params.format, facts)

    def _fail(self, request_id: Id, error: Exception) -> None:
        self._waiting.pop(request_id, None)
        self._write(Failure(id=request_id, error=describe_failure(error)))

    def _write_failure(self, request_id: Id | None, code: ErrorCode, message: str) -> None:
        self._write(Failure(id=request_id, error=Problem(code=code, message=message)))

    def _write(self, message: Hello | Answer | Failure) -> None:
        self._writer.write(msgspec.json.encode(message))


@dataclass(frozen=True, slots=True)
class Method:
    """Something that a host can ask for.

    Args:
        params: What it takes.
        result: What it gives.
        handle: Does it and answers, now or later: given the server, the id and the params.
    """

    params: type[Strict]
    result: type[msgspec.Struct]
    handle: Callable[[StdioServer, Id, Any], None]


_IDENTIKIT: Final[Mapping[str, Method]] = {
    **{
        name: Method(how.params, Screen, partial(StdioServer.open_session, how=how))
        for name, how in OPENINGS.items()
    },
    **{
        name: Method(step.params, Screen, partial(StdioServer.ask_session, name=name, what=step))
        for name, step in STEPS.items()
    },
    **{
        name: Method(
            question.params,
            question.result,
            partial(StdioServer.ask_session, name=name, what=question),
        )
        for name, question in QUESTIONS.items()
    },
    "identikit.close": Method(CloseParams, Done, StdioServer._close_session),
}

METHODS: Final[Mapping[str, Method]] = {
    "generate": Method(GenerateParams, Faces, StdioServer._generate),
    "candidates": Method(CandidatesParams, Faces, StdioServer._candidates),
    "read": Method(ReadParams, DescriptionReading, StdioServer._read),
    "info": Method(NoParams, Info, StdioServer._info),
    "cancel": Method(CancelParams, Cancelled, StdioServer._cancel),
    "shutdown": Method(ShutdownParams, Done, StdioServer._shutdown),
    **_IDENTIKIT,
}
"""Everything that a host can ask for."""


def _cancellation(budget_ms: int | None) -> Cancellation:
    return Cancellation(seconds=None if budget_ms is None else budget_ms / 1000)


class _Head(msgspec.Struct):
    """What is read of a request that is wrong otherwise."""

    id: Id


def _read_id(line: bytes) -> Id | None:
    try:
        return msgspec.json.decode(line, type=_Head).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
