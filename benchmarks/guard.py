"""Whether this checkout is slower than the commit that it comes from.

    python benchmarks/guard.py [--base REF] [--rounds 40] [--processor]

The merge base is checked out beside this one, in a temporary folder; each side exports a network of
64 pixels and 256 channels with its own code and runs it with its own code, in turns, in one run. A
measure fails where the median of the rounds' ratios is above its margin and three quarters of the
rounds agree that it is slower at all. Instructions of what Python does for a face (networks that
answer at once stand in for the real ones) are counted by valgrind's callgrind, where it is
installed: no noise touches those, so their margin is small.

The base is the merge base with `origin/main` or `main`; where that is this very commit, what has
been changed since is compared with it, and where nothing was, it with its parent.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import ROOT, Report, Sample, interleave, ratios, usable_cpus
from network_files import BUNDLE
from side_process import SideProcess

HERE = Path(__file__).parent
MARGINS = {
    "text to RGB": 1.1,
    "text to RGB without the networks": 1.15,
    "start to first face": 1.15,
    "training step": 1.1,
    "instructions without the networks": 1.03,
}
"""What now may take of before."""
FEW, MANY = 50, 250
"""Faces of two runs under callgrind; their difference is free of what starting costs."""
FIRST_FACE = (
    "import sys; from t2f_runtime import FaceGenerator; "
    "FaceGenerator.load(sys.argv[1]).generate('a smiling woman', seed=7)"
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """One side: its code and the network that it exported."""

    root: Path
    network: Path

    @property
    def environment(self) -> dict[str, str]:
        """In which Python imports this checkout's packages."""
        return {**os.environ, "PYTHONPATH": str(self.root), "PYTHONHASHSEED": "0"}


def git(*arguments: str) -> str:
    """What git prints, run in this checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def find_base(wanted: str | None) -> str:
    """The commit that this one is compared with."""
    if wanted:
        return git("rev-parse", wanted)
    head = git("rev-parse", "HEAD")
    names = git(
        "for-each-ref", "--format=%(refname)", "refs/remotes/origin/main", "refs/heads/main"
    )
    if not names:
        raise SystemExit("there is no branch main; name what to compare with: --base REF")
    base = git("merge-base", "HEAD", names.splitlines()[-1])
    if base != head or git("status", "--porcelain", "--untracked-files=no"):
        return base
    return git("rev-parse", "HEAD^")


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A commit's files in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "base"
        git("worktree", "add", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            git("worktree", "remove", "--force", str(folder))


def export(root: Path, network: Path, sizes: list[str]) -> str | None:
    """Exports a network with the code of a checkout; what went wrong, if anything did."""
    command = [sys.executable, str(HERE / "networks.py"), str(network), *sizes]
    environment = Checkout(root, network).environment
    done = subprocess.run(command, capture_output=True, check=False, env=environment, text=True)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def start(checkout: Checkout, threads: int) -> SideProcess:
    """A side's process, which must import its own code."""
    process = SideProcess(
        Path(sys.executable),
        str(HERE / "guard_side.py"),
        str(checkout.network / BUNDLE),
        "--threads",
        str(threads),
        environment=checkout.environment,
    )
    where = process.ask(json.dumps({"what": "where"}))["where"]
    if not Path(where).is_relative_to(checkout.root):
        raise SystemExit(f"a side of {checkout.root} imports {where}")
    return process


def first_face(checkout: Checkout) -> Sample:
    """Seconds of a fresh interpreter that draws one face, by both clocks."""
    begun, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-c", FIRST_FACE, str(checkout.network / BUNDLE)],
        check=True,
        env=checkout.environment,
        cwd=checkout.root,
    )
    after = os.times()
    processor = after.children_user - before.children_user
    processor += after.children_system - before.children_system
    return {"wall": time.perf_counter() - begun, "processor": processor}


def instructions(checkout: Checkout, few: int, many: int) -> float:
    """Instructions that Python's part of one face takes, by callgrind."""
    counts = []
    for count in (few, many):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        command += [sys.executable, str(HERE / "guard_side.py"), str(checkout.network / BUNDLE)]
        done = subprocess.run(
            [*command, "--count", str(count)],
            capture_output=True,
            check=False,
            env={**checkout.environment, "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or not found:
            raise SystemExit(f"callgrind failed: {done.stderr[-500:]}")
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (many - few)


def verdict(name: str, ratio: dict[str, float]) -> dict[str, Any]:
    """One row: whether now is within the margin of before.

    Args:
        name: One of `MARGINS`.
        ratio: Of now over before: `median`, and `low`, the lower quartile, where there were rounds.
    """
    is_slower = ratio.get("low", ratio["median"]) > 1.0
    most = MARGINS[name]
    is_within = not (ratio["median"] > most and is_slower)
    return {"name": name, "ratio": ratio, "most": most, "is_within": is_within}


def measure_rounds(
    now: Checkout, before: Checkout, threads: int, rounds: int, clock: str
) -> list[Any]:
    """What is timed in turns."""
    sides = {"now": now, "before": before}
    processes: dict[str, SideProcess] = {}
    trainings: dict[str, SideProcess] = {}
    rows: list[dict[str, Any]] = []

    def compare(name: str, turn: Callable[[str], Callable[[], Sample]], count: int) -> None:
        samples = interleave({side: turn(side) for side in sides}, rounds=count)
        rows.append(verdict(name, ratios(samples["now"], samples["before"], clock=clock)))

    def asking(some: dict[str, SideProcess], line: dict[str, Any]) -> Callable[..., Any]:
        return lambda side: lambda: some[side].ask(json.dumps(line))

    try:
        for side, checkout in sides.items():
            processes[side] = start(checkout, threads)
        compare("text to RGB", asking(processes, {"what": "face"}), rounds)
        compare("text to RGB without the networks", asking(processes, {"what": "way"}), rounds)
        compare("start to first face", lambda s: lambda: first_face(sides[s]), max(2, rounds // 4))
        for side, checkout in sides.items():
            trainings[side] = SideProcess(
                Path(sys.executable),
                str(HERE / "growth_side.py"),
                *("train", "--resolution", "32", "--width", "64", "--threads", str(threads)),
                environment=checkout.environment,
            )
        try:
            line = {"batch": 8, "tokens": 12}
            compare("training step", asking(trainings, line), max(2, rounds // 2))
        except SystemExit as error:
            rows.append({"name": "training step", "not_run": f"a side failed: {error}"})
    finally:
        for process in [*processes.values(), *trainings.values()]:
            process.end()
    return rows


def count_row(now: Checkout, before: Checkout, *, is_quick: bool) -> dict[str, Any]:
    """The row of what callgrind counts, or why there is none."""
    name = "instructions without the networks"
    if shutil.which("valgrind") is None:
        return {"name": name, "not_run": "valgrind is not installed"}
    few, many = (2, 12) if is_quick else (FEW, MANY)
    counts = [instructions(checkout, few, many) for checkout in (now, before)]
    row = verdict(name, {"median": counts[0] / counts[1]})
    return {**row, "instructions": {"now": counts[0], "before": counts[1]}}


def failure(rows: list[dict[str, Any]], *, is_quick: bool) -> str | None:
    """Why the guard fails, if it does; of a few rounds of a small network nothing is said."""
    is_within = all(row.get("is_within", True) for row in rows)
    if is_within or is_quick:
        return None
    return "this checkout is slower than what it comes from"


def main() -> None:
    """Measures, prints, and fails where something is slower."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", help="what to compare with; else the merge base with main")
    parser.add_argument("--threads", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, help="folder that guard.json is written to")
    parser.add_argument(
        "--processor", action="store_true", help="count processor time, for a machine in use"
    )
    parser.add_argument("--quick", action="store_true", help="only try whether everything runs")
    options = parser.parse_args()
    sizes = ["--resolution", "16", "--width", "32"] if options.quick else []
    rounds = 4 if options.quick else options.rounds
    base = find_base(options.base)
    clock = "processor" if options.processor else "wall"
    settings = {"threads": options.threads, "rounds": rounds, "clock": clock}
    report = Report("guard", settings)
    with checked_out(base) as folder, tempfile.TemporaryDirectory() as scratch:
        now = Checkout(ROOT, Path(scratch) / "now")
        before = Checkout(folder, Path(scratch) / "before")
        if failed := export(now.root, now.network, sizes):
            raise SystemExit(f"this checkout cannot export: {failed}")
        networks = "each side runs the network that it exported"
        if failed := export(before.root, before.network, sizes):
            networks = (
                f"both sides run this checkout's network; {base[:12]} cannot export: {failed}"
            )
            before = Checkout(folder, now.network)
        print(f"before: {base[:12]}; {networks}")
        rows = measure_rounds(now, before, options.threads, rounds, clock)
        rows.append(count_row(now, before, is_quick=options.quick))
    for row in rows:
        if "not_run" in row:
            print(f"{row['name']:36} not run: {row['not_run']}")
            continue
        ratio = row["ratio"]
        spread = f"quartiles {ratio['low']:.3f} to {ratio['high']:.3f}" if "low" in ratio else ""
        state = "ok" if row["is_within"] else "TOO SLOW"
        print(f"{row['name']:36} {ratio['median']:.3f} {spread}, at most {row['most']}: {state}")
    if options.out:
        report.write(options.out, base=base[:12], networks=networks, rows=rows)
    if why := failure(rows, is_quick=options.quick):
        raise SystemExit(why)


if __name__ == "__main__":
    main()
