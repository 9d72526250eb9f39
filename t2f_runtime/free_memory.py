"""Memory that a process has freed, and that its allocator keeps all the same."""

import ctypes
import sys
from typing import Any


def give_back_free_memory(library: Any = None) -> None:  # noqa: ANN401 (a library of C has no type)
    """Gives memory that was freed back to the system, where the allocator is glibc's.

    glibc keeps what lies below something that is still in use. Nothing in use changes. Source:
    malloc_trim(3).

    Args:
        library: Where the allocator is; None takes that of this process.
    """
    if library is None:
        if sys.platform != "linux":
            return
        library = ctypes.CDLL(None)
    trim = getattr(library, "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(ctypes.c_size_t(0))
