"""What every side of a comparison of faces does in its process: answer lines with drawn faces.

Needs numpy alone, so that it runs in any environment.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rest import come_to_rest

Draw = Callable[[str, int], NDArray[np.uint8]]
"""From a description and a seed to a picture `(height, width, 3)`."""


def draw_noise(seed: int, size: int) -> NDArray[np.float32]:
    """The noise of T2F's face of a seed, for environments without T2F; float32 `(size,)`."""
    random = np.random.Generator(np.random.Philox(key=seed))
    return random.standard_normal(size, dtype=np.float32)


def serve(draw: Draw, *, inside: Callable[[], float] | None = None) -> None:
    """Answers each line of stdin with a face, until there is none.

    A line has `text`, `seed`, and `save`, the path that the picture is written to, or null. The
    answer has the seconds by both clocks, the process's peak memory in MiB and, where `inside` is
    given, what that adds up: seconds in the engine.

    Args:
        draw: Draws one face.
        inside: Seconds spent in the engine so far.
    """

    def answer(asked: dict[str, Any]) -> dict[str, float]:
        before = inside() if inside else 0.0
        wall, processor = time.perf_counter(), time.process_time()
        picture = draw(asked["text"], asked["seed"])
        found = {
            "wall": time.perf_counter() - wall,
            "processor": time.process_time() - processor,
        }
        if inside:
            found["inside"] = inside() - before
        if asked["save"]:
            np.save(asked["save"], picture)
        return {**found, "mib": peak_mib()}

    answer_lines(answer)


def answer_lines(answer: Callable[[dict[str, Any]], dict[str, float]]) -> None:
    """Answers each line of stdin, an object in JSON, with another, until there is none.

    An answer comes when this process rests, so that the next side has the processors.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)  # whatever libraries print belongs to no answer
        for line in sys.stdin:
            found = json.dumps(answer(json.loads(line)))
            come_to_rest()
            print(found, file=answers)


def peak_mib() -> float:
    """The most memory that this process ever held, in MiB; Linux only.

    `ru_maxrss` would not do: a process begins with that of the one that started it.
    """
    return _status_mib("VmHWM")


def resident_mib() -> float:
    """Memory that this process holds now, in MiB; Linux only."""
    return _status_mib("VmRSS")


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))
