"""What the report says of TensorRT's layers: the table of `roofline.py`, or why there is none."""

from collections.abc import Mapping
from typing import Any

from tables import Section, Table


def tensorrt_section(content: Mapping[str, Any], machine: str) -> Section:
    """A table of each engine that was timed, and a row of each that was not.

    Args:
        content: What `tensorrt_layers.py` wrote.
        machine: Where and when.
    """
    section = Section("tensorrt_layers", "Distance from the limit, on a GPU", [machine])
    lacking = tuple(
        (row["name"], f"not run: {row['not_run']}") for row in content["rows"] if "not_run" in row
    )
    if lacking:
        section.parts.append(Table(("engine", "layers by TensorRT's own timer"), lacking))
    for row in content["rows"]:
        if "not_run" not in row:
            section.parts += [_summary(row), _table(row)]
    return section


def _summary(row: Mapping[str, Any]) -> str:
    network, rates = row["network_ms"], row["rates"]
    floor = "nothing is known of what this GPU can do, so there is no floor"
    if rates is not None:
        floor = (
            f"{rates['operations'] / 1e12:.1f} TFLOPS and {rates['bytes'] / 1e9:.0f} GB/s "
            f"({rates['source']})"
        )
    return (
        f"{row['name']} {row['engine']}: a face takes {network['median']:.3f} ms (quartiles "
        f"{network['low']:.3f} to {network['high']:.3f}), and {row['profiled_ms']['median']:.3f} "
        f"ms under the timer that told the layers; {floor}."
    )


def _table(row: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            layer["name"],
            layer["description"],
            f"{layer['operations'] / 1e9:.3f}",
            f"{(layer['weight_bytes'] + layer['activation_bytes']) / 2**20:.1f}",
            "" if layer["floor_ms"] is None else f"{layer['floor_ms']:.4f}",
            f"{layer['ms']:.4f}",
            "" if layer["floor_ms"] is None else f"{layer['ms'] - layer['floor_ms']:+.4f}",
        )
        for layer in row["layers"]
    )
    return Table(("layer", "shape", "GFLOP", "MiB", "floor ms", "ms", "over it"), rows)
