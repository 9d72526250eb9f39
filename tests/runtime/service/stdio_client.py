"""A host of `t2f serve --stdio`, as a kiosk's program would be: starts it, asks, reads answers."""

import base64
import contextlib
import io
import json
import queue
import subprocess
import sys
import threading

import numpy as np
from PIL import Image

COMMAND = "from t2f_runtime.cli import main; main()"
SECONDS = 60
"""After which an answer that does not come fails the test."""


class StdioClient:
    """One server, and the answers that have come from it.

    Args:
        bundle: What it draws with.
        options: Of the command line.
        before: What its process runs first, in lines of Python.
    """

    def __init__(self, bundle, *options, before=""):
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + COMMAND, "serve", str(bundle), "--stdio", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines = queue.Queue()
        self._answers = {}
        self._errors = []
        self._readers = [
            threading.Thread(target=self._read_output),
            threading.Thread(target=self._read_errors),
        ]
        for reader in self._readers:
            reader.start()
        self.hello = self.next_line()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None and error[0] is not None:
            self.process.kill()
        self.end_status = self.end()

    def end(self):
        """Ends the input; gives the exit status and what was written to standard error."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        status = self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()
        return status, b"".join(self._errors).decode()

    def send(self, request_id, method, **params):
        """Asks, without waiting."""
        self.send_bytes(request_line(request_id, method, **params))

    def send_bytes(self, data):
        """Writes anything."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, request_id, method, **params):
        """Asks, and waits for the answer."""
        self.send(request_id, method, **params)
        return self.answer(request_id)

    def answer(self, request_id):
        """The answer to a request; others that come before are kept."""
        while request_id not in self._answers:
            line = self.next_line()
            self._answers[line["id"]] = line
        return self._answers.pop(request_id)

    def next_line(self):
        """The next message, of whatever request."""
        line = self.lines.get(timeout=SECONDS)
        assert line is not None, "the server wrote no more"
        return json.loads(line)

    def rest(self):
        """All messages until the end."""
        return [json.loads(line) for line in iter(lambda: self.lines.get(timeout=SECONDS), None)]

    def _read_output(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _read_errors(self):
        self._errors.extend(self.process.stderr)


def request_line(request_id, method, **params):
    """A request as the server reads it."""
    return json.dumps({"id": request_id, "method": method, "params": params}).encode() + b"\n"


class RemoteSession:
    """An identikit session in the server, as a kiosk's window would hold it.

    Args:
        client: The server.
        how: `start` or `load`.
        params: Of that request.

    Attributes:
        screen: How the session stands: what the last step answered.
        is_open: Whether it was not closed yet.
    """

    def __init__(self, client, how, **params):
        self._client = client
        self._requests = 0
        self.number = None
        self.screen = None
        self.screen = self.ask(how, **params)
        self.number = self.screen["session"]
        self.is_open = True

    def step(self, operation, **params):
        """Changes the session, if it stands where the screen says, and gives the new screen."""
        self.screen = self.ask(operation, after_step=self.screen["step"], **params)
        return self.screen

    def ask(self, operation, **params):
        """Asks something, and waits for what it gives.

        Raises:
            RemoteError: The server answers with an error.
        """
        self._requests += 1
        if self.number is not None:
            params["session"] = self.number
        answer = self._client.ask(
            f"{self.number} {self._requests}", f"identikit.{operation}", **params
        )
        if "error" in answer:
            raise RemoteError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def close(self):
        """Ends the session."""
        self.ask("close")
        self.is_open = False

    def pictures(self):
        """The screen as one array, shape `(faces, height, width, 3)`, uint8."""
        return pictures({"result": self.screen})


class RemoteError(Exception):
    """An error of the server: its code and its message."""


def pictures(answer):
    """The faces of an answer as one array, shape `(faces, height, width, 3)`, uint8."""
    result = answer["result"]
    shape = (result["height"], result["width"], 3)
    found = []
    for face in result["faces"]:
        data = base64.b64decode(face["data"], validate=True)
        if result["format"] == "rgb":
            found.append(np.frombuffer(data, np.uint8).reshape(shape))
        else:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                found.append(np.asarray(image))
    return np.stack(found)
