"""The process of one engine, as the measuring process sees it."""

import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, TypeVar

import msgspec

from t2f_runtime.bench.errors import BenchError
from t2f_runtime.bench.messages import Answer, Greeting, Request, SideOptions
from t2f_runtime.bench.stages import Clock
from t2f_runtime.child_process import child_command

_CODE: Final = "from t2f_runtime.bench.side import main; main()"
_LONGEST_REASON: Final = 400

Message = TypeVar("Message", Greeting, Answer)


class SideProcess:
    """Starts an engine in a process of its own, and waits until its first face is drawn.

    Args:
        options: Which engine.
        command: What starts a process; None takes `t2f_runtime.bench.side` in this interpreter.
        clock: What times the start.

    Raises:
        BenchError: The engine cannot run here, or its process ended.

    Attributes:
        cold_start: Seconds from the process's start to its first face.
        greeting: What it said then.
    """

    def __init__(
        self,
        options: SideOptions,
        *,
        command: Sequence[str] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        arguments = [*(command or child_command(_CODE)), msgspec.json.encode(options).decode()]
        start = clock()
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, and a module of ours)
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            self.greeting = self._read(Greeting)
            if self.greeting.error is not None:
                raise BenchError(self.greeting.error)
        except BaseException:
            self.close()
            raise
        self.cold_start = clock() - start

    def __enter__(self) -> "SideProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, request: Request) -> Answer:
        """Sends a request, and waits for its answer.

        Raises:
            BenchError: The engine failed, or its process ended.
        """
        assert self._process.stdin is not None  # noqa: S101 (opened as a pipe)
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has ended: reading says so
            pass
        answer = self._read(Answer)
        if answer.error is not None:
            raise BenchError(answer.error)
        return answer

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _read(self, kind: type[Message]) -> Message:
        assert self._process.stdout is not None  # noqa: S101 (opened as a pipe)
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            raise BenchError(
                f"its process ended with status {status}; what it printed: t2f generate BUNDLE "
                "with the same --engine and --precision"
            )
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            shown = line[:_LONGEST_REASON].decode(errors="replace")
            raise BenchError(f"its process answered what nobody asked: {shown!r}") from error
