"""What the report says of each script's numbers: paragraphs, tables and charts."""

from collections.abc import Callable, Mapping
from typing import Any

from charts import Bar, Dot, Line, Stack, bars, dots, lines, stacks
from measuring import TAKEN_SHARE
from tables import Chart, Section, Table
from tensorrt_section import tensorrt_section

Content = Mapping[str, Any]
"""What a script wrote."""

KINDS = {
    "product": "convolutions and products",
    "tiles": "mapping tiles",
    "norm": "norms",
    "moving": "moving values in memory",
    "other": "the rest",
}
BUSY_RATIOS = (
    "On a busy machine the ratios are no better than the times, and they flatter T2F: threads that "
    "spin while they wait for each other, as torch's and a plain session's of ONNX Runtime do, "
    "lose more to other programs than T2F's, which sleep."
)
"""Seen on two cores: of the plain form in torch T2F took 0.32 of the time where other programs had
a fifth of the processors, and 0.21 where they had two thirds."""
QUALITIES = {
    "attributes": "attribute accuracy (higher is better)",
    "swd": "sliced Wasserstein distance (lower is better)",
    "fid": "FID (lower is better)",
}


def machine_line(content: Content) -> str:
    """Where, when and with what the numbers were measured, and what makes them doubtful."""
    found = content["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    settings = ", ".join(f"{name} {value}" for name, value in content["settings"].items())
    stolen = found.get("stolen_share")
    taken = "" if stolen is None else f", {stolen:.1%} of its time taken by other virtual machines"
    if (others := found.get("others_share")) is not None:
        taken += f", {others:.1%} by other programs"
    busy = " The machine was busy: take no absolute time from this." if was_busy(content) else ""
    return (
        f"{found['processor']}, {found['cpus']} CPUs; Python {found['python']}, {versions}; commit "
        f"{found['commit']}; {found['date']} UTC; {settings}; load average "
        f"{found['load_at_start']:.2f} at the start{taken}; {found['seconds']:.0f} s.{busy}"
    )


def was_busy(content: Content) -> bool:
    """Whether other programs ran meanwhile."""
    found = content["machine"]
    others = found.get("others_share")
    # The load at the start, where it is all there is, has the benchmark before this one in it.
    return bool(found["is_busy"]) if others is None else bool(others > TAKEN_SHARE)


def targets_section(contents: Mapping[str, Content]) -> Section:
    """What the numbers must reach, of all scripts."""
    rows = tuple(
        (one["name"], f"{one['found']:.3g}", f"{one['most']:g}", "yes" if one["is_met"] else "no")
        for content in contents.values()
        for one in content.get("targets", ())
    )
    section = Section("targets", "What the numbers must reach")
    if not rows:
        section.parts.append("not run: no script has written its numbers yet")
        return section
    section.parts.append(Table(("what", "found", "at most", "met"), rows))
    return section


def peers_section(content: Content) -> Section:
    """Text to RGB, beside everything else."""
    section = Section(
        "peers", "From a description to a face, beside peers", [machine_line(content)]
    )
    run = [row for row in content["rows"] if "not_run" not in row]
    shown = [
        Bar(
            row["name"],
            row["ms"]["median"],
            row["ms"]["low"],
            row["ms"]["high"],
            is_marked=row["t2f_takes"]["low"] == row["t2f_takes"]["high"] == 1.0,
        )
        for row in run
    ]
    heading = ("side", "ms a face", "quartiles", "T2F takes", "quartiles", "range")
    heading += ("in processor time", "peak MiB")
    outside = content["outside_share"]
    section.parts += [
        Chart("ms from text to RGB, batch 1; whiskers are quartiles", bars(shown, unit="ms")),
        Table(heading, tuple(map(_peer_row, content["rows"]))),
        (
            "T2F takes: its time over that of the side, round by round. Every side drew T2F's "
            "picture to one level of 255 before it was timed (two on a GPU). Outside the two "
            f"networks (tokenising, noise, copying) T2F spends {outside['median']:.1%} of its "
            f"time, quartiles {outside['low']:.1%} to {outside['high']:.1%}."
        ),
    ]
    if was_busy(content):
        section.parts.append(BUSY_RATIOS)
    return section


def _peer_row(row: Content) -> tuple[str, ...]:
    if "not_run" in row:
        return (row["name"], f"not run: {row['not_run']}", *[""] * 6)
    ms, takes = row["ms"], row["t2f_takes"]
    return (
        row["name"],
        f"{ms['median']:.1f}",
        f"{ms['low']:.1f} to {ms['high']:.1f}",
        f"{takes['median']:.2f}",
        f"{takes['low']:.2f} to {takes['high']:.2f}",
        f"{takes['least']:.2f} to {takes['greatest']:.2f}",
        f"{row['t2f_takes_processor']['median']:.2f}",
        f"{row['peak_mib']:.0f}",
    )


def roofline_section(content: Content) -> Section:
    """The floor, and where the time over it goes."""
    section = Section("roofline", "Distance from the limit", [machine_line(content)])
    stacked = [
        Stack(
            f"{row['name']} ({row['description']})",
            tuple(row["kinds_ms"][kind] for kind in KINDS),
            row["floor_ms"],
            f"{row['ms']:.2f} ms",
        )
        for row in content["layers"]
    ]
    section.parts += [
        _roofline_summary(content),
        Chart(
            "ms of each layer by ONNX Runtime's profiler; the line is the floor of its convolution",
            stacks(stacked, names=list(KINDS.values()), mark="floor", unit="ms"),
        ),
        _layer_table(content),
        (
            "ESTIMATES, nothing was run: the floors that the data sheets of boards give, for the "
            "same operations and bytes. Real times are longer."
        ),
        _estimate_table(content),
    ]
    return section


def _roofline_summary(content: Content) -> str:
    over, network = content["over_floor"], content["network_ms"]
    own = content["over_own_floor"]
    rates = "; ".join(
        f"{name} {rate['median'] / 1e9:.1f} GFLOP/s" for name, rate in content["rates"].items()
    )
    return (
        f"One face takes {content['operations'] / 1e9:.2f} GFLOP and touches "
        f"{content['bytes'] / 2**20:.1f} MiB. Matrix products in the same run: {rates}; memory "
        f"{content['bandwidth']['median'] / 1e9:.1f} GB/s. The floor of the convolutions is "
        f"{content['floor_ms']['median']:.1f} ms; the generator takes {network['median']:.1f} ms, "
        f"{over['median']:.2f} of that floor (quartiles {over['low']:.2f} to {over['high']:.2f}), "
        f"and {content['profiled_ms']['median']:.1f} ms under the profiler that told the layers. "
        f"Its form for processors computes {content['own_operations'] / 1e9:.2f} GFLOP, tiles of "
        f"pixels by fewer products, whose own floor is "
        f"{content['own_floor_ms']['median']:.1f} ms; it takes {own['median']:.2f} of that "
        f"(quartiles {own['low']:.2f} to {own['high']:.2f})."
    )


def _layer_table(content: Content) -> Table:
    rows = tuple(
        (
            row["name"],
            row["description"],
            f"{row['operations'] / 1e9:.3f}",
            f"{(row['weight_bytes'] + row['activation_bytes']) / 2**20:.1f}",
            f"{row['floor_ms']:.2f}",
            f"{row['own_floor_ms']:.2f}",
            f"{row['ms']:.2f}",
            f"{row['ms'] - row['own_floor_ms']:+.2f}",
            *(f"{row['kinds_ms'][kind]:.2f}" for kind in KINDS),
        )
        for row in content["layers"]
    )
    heading = ("layer", "shape", "GFLOP", "MiB", "floor ms", "own floor", "ms", "over it", *KINDS)
    return Table(heading, rows)


def _estimate_table(content: Content) -> Table:
    rows = tuple(
        (row["board"], f"{row['float32_ms']:.2f}", f"{row['float16_ms']:.2f}", row["source"])
        for row in content["estimates"]
    )
    return Table(("board (estimate)", "float32, ms", "float16, ms", "the maker's figures"), rows)


def growth_section(content: Content) -> Section:
    """One chart and one table an axis."""
    section = Section("growth", "How cost grows", [machine_line(content)])
    slopes = []
    for axis in content["axes"]:
        found = axis["slopes"]
        written = ["-" if found[n] is None else f"{found[n]:.2f}" for n in found]
        slopes.append((axis["title"], *written))
    section.parts.append(
        "Slopes in logarithms: 1 means that twice the size costs twice as much. Time at the end is "
        "from the last size but one to the last; memory is what a process grew by with its network."
    )
    section.parts.append(Table(("axis", "time", "time at the end", "memory"), tuple(slopes)))
    for axis in content["axes"]:
        section.parts += _axis_charts(axis)
    section.parts += [_axis_table(axis) for axis in content["axes"]]
    return section


def _axis_charts(axis: Content) -> list[Chart]:
    time = [
        (row["size"], row["ms"]["median"], row["ms"]["low"], row["ms"]["high"])
        for row in axis["rows"]
    ]
    found = [Line("the whole", tuple(time))]
    if "encode_ms" in axis["rows"][0] and axis["axis"] == "tokens":
        encode = [
            (row["size"], *(row["encode_ms"][name] for name in ("median", "low", "high")))
            for row in axis["rows"]
        ]
        found.append(Line("its text encoder", tuple(encode)))
    memory = [(row["size"], *[row["network_mib"]] * 3) for row in axis["rows"]]
    unit = "ms a step" if axis["is_training"] else "ms"
    return [
        Chart(f"{axis['title']}: {unit}", lines(found, x_title=axis["axis"], y_title=unit)),
        Chart(
            f"{axis['title']}: MiB",
            lines([Line("memory", tuple(memory))], x_title=axis["axis"], y_title="MiB"),
        ),
    ]


def _axis_table(axis: Content) -> Table:
    is_training = axis["is_training"]
    last = "images/s" if is_training else "of it the text encoder"
    rows = []
    for row in axis["rows"]:
        ms = row["ms"]
        more = row["images_a_second"] if is_training else row["encode_ms"]
        rows.append(
            (
                str(row["size"]),
                f"{ms['median']:.1f}",
                f"{ms['low']:.1f} to {ms['high']:.1f}",
                f"{row['mib']:.0f}",
                f"{row['network_mib']:.0f}",
                f"{more['median']:.2f}",
            )
        )
    unit = "ms a step" if is_training else "ms"
    heading = (axis["title"], unit, "quartiles", "peak MiB", "of it the network", last)
    return Table(heading, tuple(rows))


def start_up_section(content: Content) -> Section:
    """From the start of a process to its first face, and what is installed."""
    section = Section("start_up", "Start-up, size and memory", [machine_line(content)])
    shown = [
        Bar(
            row["name"],
            row["ms"]["median"],
            row["ms"]["low"],
            row["ms"]["high"],
            is_marked=row["name"].startswith("T2F"),
        )
        for row in content["rows"]
    ]
    rows = tuple(
        (
            row["name"],
            f"{row['ms']['median']:.0f}",
            f"{row['ms']['low']:.0f} to {row['ms']['high']:.0f}",
            f"{row['peak_mib']:.0f}" if "peak_mib" in row else "",
            (", ".join(row["imports"]) or "neither") if "imports" in row else "",
        )
        for row in content["rows"]
    )
    sizes = tuple(
        (row["name"], f"{row['mib']:.0f}", str(len(row["packages"])), ", ".join(row["packages"]))
        for row in content["sizes"]
    )
    share = content["t2f_takes_of_torch"]
    section.parts += [
        Chart("ms from the start of a process; whiskers are quartiles", bars(shown, unit="ms")),
        Table(("process", "ms", "quartiles", "peak MiB", "imports torch or onnx"), rows),
        (
            f"T2F's first face takes {share['median']:.2f} of the time of torch's, quartiles "
            f"{share['low']:.2f} to {share['high']:.2f}. On the disk, with all dependencies:"
        ),
        Table(("runtime", "MiB", "packages", ""), sizes),
    ]
    return section


def quality_section(content: Content) -> Section:
    """How good, and how quick."""
    section = Section("quality", "Quality against speed", [machine_line(content)])
    labels = list(dict.fromkeys(row["name"].rsplit(",", 1)[0] for row in content["rows"]))
    for key, title in QUALITIES.items():
        points = [
            Dot(
                row["name"],
                row["ms"]["median"],
                row["measures"][key]["drawn"],
                labels.index(row["name"].rsplit(",", 1)[0]),
            )
            for row in content["rows"]
            if key in row["measures"]
        ]
        if points:
            drawn = dots(points, groups=labels, x_title="ms a face", y_title=title)
            section.parts.append(Chart(title, drawn))
    rows = []
    for row in content["rows"]:
        measures = [row["measures"].get(key, {}).get("drawn") for key in QUALITIES]
        rows.append(
            (
                row["name"],
                str(row["resolution"]),
                f"{row['ms']['median']:.2f}",
                f"{row['ms']['low']:.2f} to {row['ms']['high']:.2f}",
                f"{row['of_first']['median']:.2f}",
                f"{row['generator_mib']:.1f}",
                "" if row["psnr_db"] is None else f"{row['psnr_db']:.1f}",
                *("not evaluated" if value is None else f"{value:.3g}" for value in measures),
            )
        )
    heading = ("model", "pixels", "ms", "quartiles", "of the first", "generator MiB")
    heading += ("dB from float32", *QUALITIES)
    section.parts += [
        Table(heading, tuple(rows)),
        "Quality is what `t2f evaluate` found; models of different data do not compare.",
    ]
    return section


def guard_section(content: Content) -> Section:
    """This commit beside the one that it comes from."""
    section = Section("guard", "This commit beside its merge base", [machine_line(content)])
    rows = []
    for row in content["rows"]:
        if "not_run" in row:
            rows.append((row["name"], f"not run: {row['not_run']}", "", "", ""))
            continue
        ratio = row["ratio"]
        state = "yes" if row["is_within"] else "NO"
        spread = f"{ratio['low']:.3f} to {ratio['high']:.3f}" if "low" in ratio else ""
        rows.append((row["name"], f"{ratio['median']:.3f}", spread, f"{row['most']:g}", state))
    heading = ("what", "now over before", "quartiles", "at most", "within")
    section.parts += [f"Before: {content['base']}.", Table(heading, tuple(rows))]
    return section


BUILDERS: dict[str, tuple[str, Callable[[Content], Section]]] = {
    "peers": ("From a description to a face, beside peers", peers_section),
    "roofline": ("Distance from the limit", roofline_section),
    "tensorrt_layers": (
        "Distance from the limit, on a GPU",
        lambda content: tensorrt_section(content, machine_line(content)),
    ),
    "growth": ("How cost grows", growth_section),
    "start_up": ("Start-up, size and memory", start_up_section),
    "quality": ("Quality against speed", quality_section),
    "guard": ("This commit beside its merge base", guard_section),
}
"""By script, in the order of the page: the title, and what makes the section of its numbers."""

WHY_NOT = {
    "quality": "no trained bundles and evaluations were given; "
    "python benchmarks/quality.py --of LABEL BUNDLE EVALUATION",
    "guard": "make bench-guard",
}
"""Why a script's numbers are missing, where it is not simply that nobody ran it."""


def sections_of(contents: Mapping[str, Content]) -> list[Section]:
    """All sections; those without numbers say that they were not run."""
    found = [targets_section(contents)]
    for script, (title, build) in BUILDERS.items():
        if script in contents:
            found.append(build(contents[script]))
        else:
            why = WHY_NOT.get(script, f"python benchmarks/{script}.py")
            found.append(Section(script, title, [f"not run: {why}"]))
    return found
