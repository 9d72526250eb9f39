"""A side of a comparison in a process, and an interpreter, of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any


class SideProcess:
    """A process that answers each line it is sent with a line of JSON.

    Args:
        python: Its interpreter.
        arguments: What that runs.
        environment: Its variables; None gives it those of this process.
    """

    def __init__(
        self, python: Path, *arguments: str, environment: dict[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [python, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )

    def ask(self, line: str) -> dict[str, Any]:
        """Sends a line and returns the answer.

        Raises:
            SystemExit: If the process has ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self._process.stdin.write(f"{line}\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"a side ended with code {self._process.wait()}; see above")
        values: dict[str, Any] = json.loads(answer)
        return values

    def end(self) -> None:
        """Ends the process: it finds no further line."""
        self._process.communicate("")
