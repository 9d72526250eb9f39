"""How fast a description becomes a face, beside everything else that the networks could run with.

    python benchmarks/peers.py [PEER_VENV] [--threads 2] [--rounds 100] [--quick]

From text to RGB, one face at a time: tokenise, encode, draw, and a picture of bytes in Python's
hands. Every side is a process of its own with the same network, weights, description and seeds; its
pictures must be T2F's to one level of 255 (on a GPU two) before it is timed. Then all take turns,
in another order each round; a turn begins when the side before has come to rest. `pro-gan-pth`
1.3.3.3 runs in PEER_VENV, which is made if it is missing; without PEER_VENV it is not run. Sides
that this machine cannot run say why.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import (
    RESULTS,
    Report,
    Sample,
    interleave,
    ratios,
    spread,
    target,
    usable_cpus,
)
from network_files import DESCRIPTION
from network_model import Sizes
from networks import write_network
from peer_environment import peer_python
from peer_sides import CONVOLVED_OPENVINO, EAGER, OPENVINO, OURS, PLAIN, SIDES
from side_process import SideProcess

PEER = "pro-gan-pth 1.3.3.3 and a torch LSTM"
HERE = Path(__file__).parent
MOST = {PEER: 0.45, EAGER: 0.7, PLAIN: 0.85, OPENVINO: 1.1, CONVOLVED_OPENVINO: 1.1}
"""What T2F may take of another side's time."""
MOST_OUTSIDE = 0.03
"""What may be outside the two networks, of the whole."""
CHECKED = ((DESCRIPTION, 7), ("an old man with a white beard", 0))
"""What every side must draw before it is timed."""


class DrawingProcess:
    """A side's process, asked for faces."""

    def __init__(self, python: Path, script: str, arguments: list[str]) -> None:
        self._process = SideProcess(python, str(HERE / script), *arguments)

    def draw(self, text: str, seed: int, save: Path | None = None) -> Sample:
        """Draws a face, and tells how long that took."""
        line = {"text": text, "seed": seed, "save": str(save) if save else None}
        return self._process.ask(json.dumps(line))

    def end(self) -> None:
        """Ends the process."""
        self._process.end()


def start_sides(
    network: Path, threads: int, peer_venv: Path | None, only: list[str]
) -> tuple[dict[str, DrawingProcess], dict[str, str]]:
    """Starts what can run here.

    Returns:
        The processes by name, and why the others cannot run.
    """
    lacking: dict[str, str] = {}
    started: dict[str, DrawingProcess] = {}
    common = [str(network), "--threads", str(threads)]
    for name, side in SIDES.items():
        why = "not asked for" if only and name not in only else side.lacks()
        if why:
            lacking[name] = why
        else:
            started[name] = DrawingProcess(Path(sys.executable), "peer_sides.py", [name, *common])
    if peer_venv is None:
        lacking[PEER] = "no environment for it was named"
    elif only and PEER not in only:
        lacking[PEER] = "not asked for"
    else:
        python = peer_python(peer_venv, with_sentencepiece=True)
        started[PEER] = DrawingProcess(python, "peer_progan.py", common)
    return started, lacking


def check_pictures(
    sides: dict[str, DrawingProcess], lacking: dict[str, str], scratch: Path
) -> dict[str, int]:
    """Holds every side's pictures against T2F's; a side that fails on the way does not run.

    Returns:
        The greatest difference of each side, in levels of 255.

    Raises:
        SystemExit: If a side draws another picture.
    """
    pictures: dict[str, list[np.ndarray]] = {}
    for name in list(sides):
        drawn = []
        try:
            for number, (text, seed) in enumerate(CHECKED):
                path = scratch / f"{number}.npy"
                sides[name].draw(text, seed, path)
                drawn.append(np.load(path).astype(np.int16))
        except SystemExit as error:
            if name == OURS:
                raise
            lacking[name] = f"it failed: {error}"
            del sides[name]
            continue
        pictures[name] = drawn
    differences = {}
    for name, drawn in pictures.items():
        pairs = zip(drawn, pictures[OURS], strict=True)
        differences[name] = max(int(np.abs(one - other).max()) for one, other in pairs)
        tolerance = SIDES[name].tolerance if name in SIDES else 1
        if differences[name] > tolerance:
            raise SystemExit(
                f"{name} draws another picture: {differences[name]} of 255 levels apart, "
                f"{tolerance} at most are expected"
            )
    return differences


def rows_of(
    samples: dict[str, list[Sample]], differences: dict[str, int], lacking: dict[str, str]
) -> list[dict[str, Any]]:
    """One row a side, with those that were not run."""
    ours = samples[OURS]
    rows: list[dict[str, Any]] = []
    for name, found in samples.items():
        rows.append(
            {
                "name": name,
                "ms": spread([1e3 * sample["wall"] for sample in found]),
                "processor_ms": spread([1e3 * sample["processor"] for sample in found]),
                "t2f_takes": ratios(ours, found),
                "t2f_takes_processor": ratios(ours, found, clock="processor"),
                "levels_apart": differences[name],
                "peak_mib": max(sample["mib"] for sample in found),
            }
        )
    return [*rows, *({"name": name, "not_run": why} for name, why in lacking.items())]


def outside_share(samples: list[Sample]) -> dict[str, float]:
    """What T2F spends outside its two networks, of the whole, round by round."""
    return spread([1.0 - sample["inside"] / sample["wall"] for sample in samples])


def targets_of(rows: list[dict[str, Any]], outside: dict[str, float]) -> list[dict[str, Any]]:
    """What the numbers must reach, for the sides that ran."""
    reached = [
        target(f"T2F's time over that of {row['name']}", row["t2f_takes"]["median"], most)
        for row in rows
        if (most := MOST.get(row["name"])) is not None and "not_run" not in row
    ]
    return [*reached, target("share outside the two networks", outside["median"], MOST_OUTSIDE)]


def measure(network: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Starts, checks and times the sides."""
    sides, lacking = start_sides(network, options.threads, options.peer_venv, options.only)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            differences = check_pictures(sides, lacking, Path(scratch))

        def turn(process: DrawingProcess) -> Callable[[], Sample]:
            return lambda: process.draw(DESCRIPTION, 7)

        samples = interleave(
            {name: turn(process) for name, process in sides.items()},
            rounds=options.rounds,
            warm_up=max(3, options.rounds // 10),
        )
    finally:
        for process in sides.values():
            process.end()
    rows = rows_of(samples, differences, lacking)
    outside = outside_share(samples[OURS])
    return {"rows": rows, "outside_share": outside, "targets": targets_of(rows, outside)}


def print_table(found: dict[str, Any]) -> None:
    """Prints what `measure` found."""
    print(f"{'':42}  ms a face   quartiles       T2F takes   quartiles      MiB  levels apart")
    for row in found["rows"]:
        if "not_run" in row:
            print(f"{row['name']:42} not run: {row['not_run']}")
            continue
        ms, takes = row["ms"], row["t2f_takes"]
        print(
            f"{row['name']:42} {ms['median']:8.1f}   {ms['low']:5.1f} to {ms['high']:5.1f} "
            f"{takes['median']:9.2f}     {takes['low']:.2f} to {takes['high']:.2f} "
            f"{row['peak_mib']:8.0f} {row['levels_apart']:6}"
        )
    outside = found["outside_share"]
    print(f"outside the two networks: {outside['median']:.1%} of T2F's time")
    for one in found["targets"]:
        state = "met" if one["is_met"] else "NOT MET"
        print(f"{one['name']}: {one['found']:.2f}, at most {one['most']} wanted: {state}")


def main() -> None:
    """Measures, prints and writes `peers.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer_venv", type=Path, nargs="?", help="folder of the peer's environment")
    parser.add_argument("--resolution", type=int, default=Sizes().resolution)
    parser.add_argument("--width", type=int, default=Sizes().width)
    parser.add_argument("--threads", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=[], help="sides to run, beside T2F's")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--quick", action="store_true", help="a small network, few rounds")
    options = parser.parse_args()
    options.only = [*options.only, OURS] if options.only else []
    sizes = Sizes(resolution=options.resolution, width=options.width)
    if options.quick:
        sizes, options.rounds = Sizes(resolution=32, width=64), 5
    settings = {**asdict(sizes), "threads": options.threads, "rounds": options.rounds}
    report = Report("peers", settings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.networks or Path(scratch)) / f"{sizes.resolution}-{sizes.width}"
        found = measure(write_network(folder, sizes), options)
    print_table(found)
    report.write(options.out, **found)


if __name__ == "__main__":
    main()
