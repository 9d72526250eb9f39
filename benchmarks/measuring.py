"""How all benchmarks measure: sides in turns, ratios within a round, and what machine it was.

An absolute time on a shared machine means little, so sides are timed one after the other in rounds,
in another order each round, and compared within a round: what slows the machine down slows both.
"""

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from rest import come_to_rest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "bench-cpu"
"""Where the numbers of `make bench` are."""

BUSY_LOAD = 0.3
"""Load average per CPU from which a machine counts as busy before anything is measured."""
TAKEN_SHARE = 0.05
"""Share of the processors' time taken by others from which a run is doubtful."""

SCHEMA_VERSION = 1
"""Of the JSON files; those from before it was written in them are of the first."""

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""Of ONNX Runtime, which reads it when it is imported: no side sends anything while it is timed, as
T2F's own never does. Processes that are started have it, too."""

_PACKAGES = ("numpy", "onnxruntime", "openvino", "torch", "onnx")

Sample = dict[str, float]
"""One timing: `wall` and `processor`, both in seconds, and whatever else a side tells."""


Name = TypeVar("Name")
"""What a side is known by."""


def interleave(
    sides: Mapping[Name, Callable[[], Sample]], *, rounds: int, warm_up: int = 3
) -> dict[Name, list[Sample]]:
    """Times sides in turns.

    Args:
        sides: By name, what runs a side once and tells how long that took.
        rounds: Rounds that are kept; in each, every side has one turn.
        warm_up: Rounds before them that are not.

    Returns:
        The samples of each side, one a round.
    """
    kept: dict[Name, list[Sample]] = {name: [] for name in sides}
    order = list(sides)
    shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
    for turn in range(rounds + warm_up):
        shuffler.shuffle(order)
        for name in order:
            come_to_rest()
            sample = sides[name]()
            if turn >= warm_up:
                kept[name].append(sample)
    return kept


def timed(work: Callable[[], object]) -> Sample:
    """Seconds that a call takes, by both clocks."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, tails and ends of some numbers; percentiles by linear interpolation."""
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "low": percentile(ordered, 0.25),
        "high": percentile(ordered, 0.75),
        "p90": percentile(ordered, 0.9),
        "p99": percentile(ordered, 0.99),
        "least": ordered[0],
        "greatest": ordered[-1],
        "count": len(ordered),
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which a share of sorted numbers lies, interpolated between its neighbours."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratios(
    samples: Sequence[Sample], beside: Sequence[Sample], *, clock: str = "wall"
) -> dict[str, float]:
    """How much longer one side took than another, round by round."""
    return spread([one[clock] / other[clock] for one, other in zip(samples, beside, strict=True)])


def target(name: str, found: float, most: float) -> dict[str, Any]:
    """A number that must not be above another."""
    return {"name": name, "found": found, "most": most, "is_met": found <= most}


class Report:
    """What one script found, from when it began to measure; written as one JSON file.

    Args:
        script: The script's name.
        settings: What it was asked for.
    """

    def __init__(self, script: str, settings: Mapping[str, Any]) -> None:
        self._began = time.perf_counter()
        self._ticks, self._own = _processor_ticks(), _own_seconds()
        self._content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "script": script,
            "machine": machine(),
            "settings": dict(settings),
        }
        warn_if_busy(self._content["machine"])

    def write(self, folder: Path, **found: object) -> Path:
        """Writes what was found beside the machine, and says so.

        Args:
            folder: Where the file goes.
            found: The results, as JSON can hold them.
        """
        ticks = _processor_ticks()
        stolen = stolen_share(self._ticks, ticks)
        others = others_share(self._ticks, ticks, _own_seconds() - self._own)
        for share, who in ((stolen, "virtual machines"), (others, "programs")):
            if share is not None and share > TAKEN_SHARE:
                print(f"warning: other {who} took {share:.0%} of the processors' time")
        self._content["machine"] |= {
            "seconds": round(time.perf_counter() - self._began, 1),
            "load_at_end": load_average(),
            "stolen_share": stolen,
            "others_share": others,
        }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._content['script']}.json"
        content = json.dumps(_rounded({**self._content, **found}), indent=1)
        unfinished = path.with_suffix(".json.unfinished")
        unfinished.write_text(content + "\n", encoding="utf-8")
        unfinished.replace(path)
        print(f"written: {path} ({self._content['machine']['seconds']} s)")
        return path


def machine() -> dict[str, Any]:
    """What a result depends on beside the code."""
    return {
        "processor": processor_name(),
        "cpus": usable_cpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES if find_spec(name)},
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "governor": _governor(),
        "load_at_start": load_average(),
        "is_busy": is_busy(),
    }


def is_busy() -> bool:
    """Whether something else seems to use this machine."""
    return load_average() > BUSY_LOAD * usable_cpus()


def warn_if_busy(found: Mapping[str, Any]) -> None:
    """Says so if the machine was busy before anything was measured."""
    if found["is_busy"]:
        print(
            f"warning: the load average is {found['load_at_start']:.2f} on {found['cpus']} CPUs: "
            "other jobs run, and absolute times mean nothing",
            file=sys.stderr,
        )


def load_average() -> float:
    """Of the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def usable_cpus() -> int:
    """Number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str | None:
    """This checkout's commit, marked if files were changed since; None outside a repository."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(git, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _governor() -> str | None:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text(encoding="ascii").strip() if path.exists() else None


@dataclass(frozen=True, slots=True)
class Ticks:
    """What all processors have done so far, in clock ticks."""

    total: int
    idle: int
    stolen: int
    """Taken by other virtual machines."""


def _processor_ticks() -> Ticks | None:
    """Source: proc(5), /proc/stat; its guests' time is part of the user's."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    values = [int(value) for value in fields]
    return Ticks(sum(values), values[3] + values[4], values[7])


def _own_seconds() -> float:
    """Processor time of this process, and of all that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def stolen_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """The share of the processors' time that other virtual machines took; None if nobody knows."""
    if before is None or after is None or after.total == before.total:
        return None
    return (after.stolen - before.stolen) / (after.total - before.total)


def others_share(before: Ticks | None, after: Ticks | None, own_seconds: float) -> float | None:
    """The share of the processors' time that other programs took; None if nobody knows.

    A load average does not tell it: one of the last minute is high because of the benchmark that
    ran before this one.

    Args:
        before: At the beginning.
        after: At the end.
        own_seconds: Processor time of our own processes meanwhile.
    """
    if before is None or after is None or after.total == before.total:
        return None
    worked = (after.total - after.idle - after.stolen) - (
        before.total - before.idle - before.stolen
    )
    others = worked - own_seconds * os.sysconf("SC_CLK_TCK")
    return max(0.0, others / (after.total - before.total))


def _rounded(value: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
    """Numbers with six significant digits: more are noise, and make the file large."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
