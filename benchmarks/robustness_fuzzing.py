"""Runs the inputs of a target in a process of their own, and says what went wrong with which.

A crash ends that process and nothing else; the inputs after the one that did it are run in another.
"""

import argparse
import faulthandler
import json
import mmap
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST_SECONDS = 1.0
_HANG_SECONDS = 30
_MEMORY_BYTES = 6 * 2**30
"""Beyond what any input may ask for: then it is a MemoryError, and no machine that swaps."""
_KEPT_FAILURES = 20


@dataclass
class Findings:
    """What came of some inputs."""

    accepted: int = 0
    """How many were read as valid."""
    refused: Counter[str] = field(default_factory=Counter)
    """How many were refused, by the kind of T2FError."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    """The first input of each kind of failure."""
    failed: int = 0
    """How many failed."""
    slowest_ms: float = 0.0
    """The longest that one took; of the best of three, where the machine was busy."""
    slowest: int | None = None
    """Its number."""

    @property
    def count(self) -> int:
        """How many inputs there were."""
        return self.accepted + self.refused.total() + self.failed

    def add(self, other: "Findings") -> None:
        """Adds what came of other inputs."""
        self.accepted += other.accepted
        self.refused += other.refused
        self.failed += other.failed
        kinds = {failure["kind"] for failure in self.failures}
        new = [failure for failure in other.failures if failure["kind"] not in kinds]
        self.failures += new[: _KEPT_FAILURES - len(kinds)]
        if other.slowest_ms > self.slowest_ms:
            self.slowest_ms, self.slowest = other.slowest_ms, other.slowest

    def note_failure(self, number: int, kind: str, message: str) -> None:
        """Counts a failure, and keeps the first of its kind."""
        failure = {"number": number, "kind": kind, "message": message}
        self.add(Findings(failed=1, failures=[failure]))


def make_input(target: Any, seed: int, number: int) -> bytes:  # noqa: ANN401 (a Target)
    """Makes an input of a target again, from its number."""
    data: bytes = target.spoil(random.Random(f"{target.name} {seed} {number}"))  # noqa: S311 (no secret)
    return data


def run_inputs(
    target: Any,  # noqa: ANN401 (a Target)
    seed: int,
    start: int,
    stop: int,
) -> Findings:
    """Runs inputs in this process.

    Args:
        target: Reads them.
        seed: Of all chance.
        start: Number of the first.
        stop: Number after the last.
    """
    from t2f_runtime import T2FError  # noqa: PLC0415 (the process that starts others needs none)

    found = Findings()
    for number in range(start, stop):
        data = make_input(target, seed, number)
        try:
            seconds = run_one(target, data, T2FError, found)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            kind = f"{type(error).__name__} at {_place_of(error)}"
            found.note_failure(number, kind, f"{error}"[:300])
            continue
        if 1000 * seconds > found.slowest_ms:
            found.slowest_ms, found.slowest = 1000 * seconds, number
    return found


def _place_of(error: Exception) -> str:
    """The last place in the runtime that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "t2f_runtime" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


class SlowError(Exception):
    """An input took too long."""


def run_one(
    target: Any,  # noqa: ANN401 (a Target)
    data: bytes,
    refusal: type[Exception],
    found: Findings,
) -> float:
    """Runs an input, and counts whether it was refused.

    Returns:
        Seconds that it took; of the best of three turns, where the first was too long, since the
        machine may have been busy.

    Raises:
        SlowError: It took too long each time.
    """
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        try:
            target.check(data)
        except refusal as error:
            kind = type(error).__name__
        else:
            kind = ""
        best = min(best, time.perf_counter() - began)
        if best <= LONGEST_SECONDS:
            if kind:
                found.refused[kind] += 1
            else:
                found.accepted += 1
            return best
    raise SlowError(f"{best:.1f} s")


def fuzz(name: str, *, seed: int, start: int, stop: int) -> Findings:
    """Runs inputs of a target in other processes; one that dies is a failure of its input."""
    if start >= stop:
        return Findings()
    with tempfile.NamedTemporaryFile() as state:
        state.write(bytes(8))
        state.flush()
        worker = [sys.executable, __file__, name, *map(str, (seed, start, stop)), state.name]
        done = subprocess.run(worker, capture_output=True, check=False, text=True)
        if done.returncode == 0:
            fields = json.loads(done.stdout.splitlines()[-1])
            return Findings(**{**fields, "refused": Counter(fields["refused"])})
        number = int.from_bytes(Path(state.name).read_bytes()[:8], "little")
    is_ours = done.returncode == 1 and "Timeout (" not in done.stderr
    if is_ours:
        raise SystemExit(f"the harness failed, at input {number} of {name}:\n{done.stderr}")
    found = fuzz(name, seed=seed, start=start, stop=number)
    kind = "hang" if "Timeout (" in done.stderr else f"the process ended with {done.returncode}"
    found.note_failure(number, kind, done.stderr[-2000:])
    found.add(fuzz(name, seed=seed, start=number + 1, stop=stop))
    return found


def main() -> None:
    """Runs inputs for `fuzz`, and prints what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("seed", type=int)
    parser.add_argument("start", type=int)
    parser.add_argument("stop", type=int)
    parser.add_argument("state", type=Path)
    options = parser.parse_args()
    from robustness_targets import make_target  # noqa: PLC0415 (it loads the runtime)

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with (
        tempfile.TemporaryDirectory(dir=_memory_folder()) as scratch,
        options.state.open("r+b") as file,
        mmap.mmap(file.fileno(), 8) as now,
    ):
        target = make_target(options.target, Path(scratch))
        found = Findings()
        for number in range(options.start, options.stop):
            faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
            now[:8] = number.to_bytes(8, "little")
            found.add(run_inputs(target, options.seed, number, number + 1))
        faulthandler.cancel_dump_traceback_later()
    print(json.dumps(vars(found)))


def _memory_folder() -> str | None:
    """Where files never reach a disk, if there is such a folder."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (a folder of our own)


if __name__ == "__main__":
    main()
