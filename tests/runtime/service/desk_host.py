"""A host of a server in the same process, which asks it and keeps its answers."""

import json
import queue

from gated_sessions import SECONDS

from t2f_runtime.service.server import StdioServer


class Host:
    """Asks a server, and takes its answers as they come.

    Args:
        bundle: What the generator was loaded from.
        generator: What draws.
        options: Of the server.

    Attributes:
        answered: The ids of all answers that have come.
    """

    def __init__(self, bundle, generator, **options):
        self._lines = queue.Queue()
        self.server = StdioServer(bundle, generator, self, **options)
        self._answers = {}
        self.answered = set()

    def write(self, line):
        """Takes a line of the server."""
        answer = json.loads(line)
        self.answered.add(answer["id"])
        self._lines.put(answer)

    def send(self, request_id, method, **params):
        """Asks, without waiting."""
        request = {"id": request_id, "method": method, "params": params}
        self.server.handle(json.dumps(request).encode())

    def ask(self, method, **params):
        """Asks, and waits for the answer."""
        self.send("ask", method, **params)
        return self.answer("ask")

    def answer(self, request_id):
        """The answer to a request; others that come before are kept."""
        while request_id not in self._answers:
            line = self.next_answer()
            self._answers[line["id"]] = line
        return self._answers.pop(request_id)

    def next_answer(self):
        """The next answer, whosever it is."""
        return self._lines.get(timeout=SECONDS)

    def next_id(self):
        """Of the next answer, whose it is."""
        return self.next_answer()["id"]

    def start(self, **params):
        """Begins a session, and gives its number."""
        return self.ask("identikit.start", description="a man", **params)["result"]["session"]
