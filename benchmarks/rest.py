"""Between two turns: a process gives the processors back before the next side has its turn."""

import time

WINDOW = 0.005
"""Seconds of one look."""
RESTING = 0.001
"""Processor time of one look up to which a process rests."""
LONGEST = 0.5
"""Seconds after which it is waited for no longer."""


def come_to_rest() -> None:
    """Waits until no thread of this process works, in two looks in a row.

    ONNX Runtime's threads spin for their next task unless they are told not to: with release
    1.32.0 on two cores for 35 to 55 ms after a run, in which another side would have had a
    processor less. torch's and OpenVINO's rest within 3 ms.
    """
    end = time.perf_counter() + LONGEST
    looks = 0
    while looks < 2 and time.perf_counter() < end:
        before = time.process_time()
        time.sleep(WINDOW)
        looks = looks + 1 if time.process_time() - before <= RESTING else 0
