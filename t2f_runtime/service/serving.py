"""Serving a program over standard input and output, until it has enough."""

import os
import sys
from functools import partial

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.generator import FaceGenerator
from t2f_runtime.service.ending import AskedToEnd, Ending
from t2f_runtime.service.lines import LineWriter, read_lines
from t2f_runtime.service.messages import MAXIMUM_LINE_BYTES
from t2f_runtime.service.server import StdioServer

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


def take_output() -> int:
    """Keeps standard output for the protocol; whatever else is printed goes to standard error.

    Libraries of engines print from C as well, so the descriptor itself is moved.

    Returns:
        The descriptor of what was standard output.
    """
    sys.stdout.flush()
    output = os.dup(_OUTPUT)
    os.dup2(_ERRORS, _OUTPUT)
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 (Windows alone has it)

        for descriptor in (_INPUT, output):  # or else line feeds would come as pairs
            msvcrt.setmode(descriptor, os.O_BINARY)
    return output


def serve_stdio(bundle: Bundle, generator: FaceGenerator, *, output: int, capacity: int) -> None:
    """Answers until there is nothing more to answer, or nobody to answer to.

    That is after `shutdown` or at the end of the input, when what waits has been drawn; on SIGTERM
    or Ctrl-C, when it has been cancelled; and when the output is closed at its other end.

    Args:
        bundle: What the generator was loaded from.
        generator: What draws.
        output: The descriptor that answers are written to.
        capacity: The most faces that may wait.
    """
    writer = LineWriter(output)
    server = StdioServer(bundle, generator, writer, capacity=capacity)
    ending = Ending(server.stop)
    server.greet()
    try:
        for line in read_lines(partial(ending.read, _INPUT), MAXIMUM_LINE_BYTES):
            server.handle(line)
            if server.is_over or writer.is_broken or ending.is_asked:
                break
    except AskedToEnd:
        pass
    if writer.is_broken:
        server.stop()
    server.finish()
