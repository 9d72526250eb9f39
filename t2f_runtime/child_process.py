"""Starting this Python once more, to run code of T2F in a process of its own."""

import sys
from typing import Final

_PREAMBLE: Final = "import sys; sys.path[:] = {path!r}; "


def child_command(code: str, *arguments: str) -> list[str]:
    """The command line of a Python that runs some code, and imports from where this one does.

    Without that, it would look for every module in the working folder first.

    Args:
        code: The code.
        arguments: What is in its `sys.argv` from the second place on.
    """
    return [sys.executable, "-c", _PREAMBLE.format(path=sys.path) + code, *arguments]
