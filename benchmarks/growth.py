"""How cost grows: with resolution, width, batch, length of the text and threads; training too.

    python benchmarks/growth.py [--threads 2] [--rounds 15] [--quick]

Latency is that of text to RGB; every point of an axis is a process of its own, so that its peak
memory is its own (the network's part is what it grew by once the network was opened), and all
points of an axis take turns. From a base of 64 pixels, 256 channels, one face and 12 tokens one
size changes at a time. Training is measured on narrower networks (a base of 32 pixels, 64 channels,
batches of 8), in whole steps with the penalty at every step.

A slope is that of a straight line through the logarithms, by least squares: 1 means that twice the
size costs twice as much, 2 that it costs four times as much.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import RESULTS, Report, Sample, interleave, spread, usable_cpus
from network_model import Sizes
from networks import write_network
from side_process import SideProcess

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is measured at one place of an axis."""

    resolution: int = 64
    width: int = 256
    batch: int = 1
    tokens: int = 12
    threads: int = 2
    is_joined: bool = False
    """Whether the batch is one run of the network; the runtime draws one face a run."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One size that changes."""

    name: str
    """The name of its field in `Point`."""
    title: str
    values: tuple[int, ...]
    base: Point
    is_training: bool = False

    def points(self) -> dict[int, Point]:
        """The points by the value that changes."""
        return {value: _changed(self.base, self.name, value) for value in self.values}


def _changed(base: Point, name: str, value: int) -> Point:
    fields = {field: getattr(base, field) for field in Point.__slots__}
    return Point(**{**fields, name: value})


def axes_of(threads: int, *, is_quick: bool) -> list[Axis]:
    """All axes; small ones where only the script is tried."""
    draw = Point(threads=threads)
    train = Point(resolution=32, width=64, batch=8, threads=threads)
    cpus = tuple(range(1, usable_cpus() + 1))
    if is_quick:
        draw = Point(resolution=16, width=32, threads=threads)
        train = Point(resolution=16, width=32, batch=4, threads=threads)
        return [
            Axis("resolution", "drawing, pixels", (16, 32), draw),
            Axis("tokens", "drawing, tokens", (1, 512), draw),
            Axis("batch", "drawing, faces of one run", (1, 2), _joined(draw)),
            Axis("resolution", "training, pixels", (8, 16), train, is_training=True),
        ]
    return [
        Axis("resolution", "drawing, pixels", (32, 64, 128, 256, 512), draw),
        Axis("width", "drawing, channels", (32, 64, 128, 256), draw),
        Axis("batch", "drawing, faces one by one", (1, 2, 4, 8, 16), draw),
        Axis("batch", "drawing, faces of one run", (1, 2, 4, 8, 16), _joined(draw)),
        Axis("tokens", "drawing, tokens", (1, 8, 32, 128, 512), draw),
        Axis("threads", "drawing, threads", cpus, draw),
        Axis("resolution", "training, pixels", (8, 16, 32, 64, 128), train, is_training=True),
        Axis("width", "training, channels", (16, 32, 64, 128), train, is_training=True),
        Axis("batch", "training, batch", (4, 8, 16), train, is_training=True),
        Axis("tokens", "training, tokens", (8, 32, 128), train, is_training=True),
        Axis("threads", "training, threads", cpus, train, is_training=True),
    ]


def _joined(point: Point) -> Point:
    fields = {field: getattr(point, field) for field in Point.__slots__}
    return Point(**{**fields, "is_joined": True})


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """The exponent of growth: least squares through the logarithms; None of fewer than two."""
    if len(sizes) < 2:
        return None
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def start(point: Point, networks: Path, *, is_training: bool) -> SideProcess:
    """The process of one point."""
    threads = ["--threads", str(point.threads)]
    if is_training:
        sizes = ["--resolution", str(point.resolution), "--width", str(point.width)]
        arguments = ["train", *sizes, *threads]
    else:
        folder = networks / f"{point.resolution}-{point.width}"
        write_network(folder, Sizes(resolution=point.resolution, width=point.width))
        arguments = ["draw", str(folder), *threads]
    return SideProcess(Path(sys.executable), str(HERE / "growth_side.py"), *arguments)


def measure_axis(axis: Axis, networks: Path, rounds: int) -> dict[str, Any]:
    """Measures all points of an axis, in turns."""
    points = axis.points()
    started: dict[int, SideProcess] = {}
    try:
        for value, point in points.items():
            started[value] = start(point, networks, is_training=axis.is_training)

        def turn(value: int) -> Callable[[], Sample]:
            point = points[value]
            asked = {"batch": point.batch, "tokens": point.tokens, "joined": point.is_joined}
            return lambda: started[value].ask(json.dumps(asked))

        sides = {str(value): turn(value) for value in points}
        samples = interleave(sides, rounds=rounds, warm_up=max(1, rounds // 5))
    finally:
        for process in started.values():
            process.end()
    rows = [_row(value, samples[str(value)]) for value in points]
    return {
        "axis": axis.name,
        "title": axis.title,
        "is_training": axis.is_training,
        "rows": rows,
        "slopes": slopes_of(rows),
    }


def slopes_of(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """How time and memory grow: over the whole axis, and time from the last size but one."""
    sizes = [row["size"] for row in rows]
    times = [row["ms"]["median"] for row in rows]
    return {
        "time": slope(sizes, times),
        "time_at_end": slope(sizes[-2:], times[-2:]),
        "memory": slope(sizes, [row["network_mib"] for row in rows]),
    }


def _row(size: int, samples: list[Sample]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "size": size,
        "ms": spread([1e3 * sample["wall"] for sample in samples]),
        "mib": max(sample["mib"] for sample in samples),
        "network_mib": max(sample["network_mib"] for sample in samples),
    }
    if "encode" in samples[0]:
        row["encode_ms"] = spread([1e3 * sample["encode"] for sample in samples])
    if "images_a_second" in samples[0]:
        row["images_a_second"] = spread([sample["images_a_second"] for sample in samples])
    return row


def print_axis(found: dict[str, Any]) -> None:
    """Prints one axis."""
    print(found["title"])
    for row in found["rows"]:
        ms = row["ms"]
        more = ""
        if "images_a_second" in row:
            more = f" {row['images_a_second']['median']:8.2f} images/s"
        if "encode_ms" in row:
            more = f" {row['encode_ms']['median']:8.2f} ms of it the text encoder"
        print(
            f"{row['size']:6} {ms['median']:9.1f} ms, {ms['low']:.1f} to {ms['high']:.1f} "
            f"{row['mib']:6.0f} MiB, {row['network_mib']:.0f} of it the network{more}"
        )
    written = {name: "-" if s is None else f"{s:.2f}" for name, s in found["slopes"].items()}
    print(
        f"slopes: time {written['time']}, at the end {written['time_at_end']}, "
        f"memory {written['memory']}",
        flush=True,
    )


def main() -> None:
    """Measures, prints and writes `growth.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--training-rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--quick", action="store_true", help="few small sizes, two rounds")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.training_rounds = 2
    settings = {
        name: getattr(options, name) for name in ("threads", "rounds", "training_rounds", "quick")
    }
    report = Report("growth", settings)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for axis in axes_of(options.threads, is_quick=options.quick):
            rounds = options.training_rounds if axis.is_training else options.rounds
            found.append(measure_axis(axis, options.networks or Path(scratch), rounds))
            print_axis(found[-1])
    report.write(options.out, axes=found)


if __name__ == "__main__":
    main()
