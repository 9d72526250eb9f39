"""How far the generator is from what the machine can do, layer by layer, and where the time goes.

    python benchmarks/roofline.py [--resolution 64] [--width 256] [--threads 2] [--processor]

Operations and bytes of each layer are counted from the ONNX graph. In the same run, in turns, are
timed: matrix products (by ONNX Runtime's kernels and torch's; the quicker counts), the memory's
bandwidth with as many bytes as the network touches, the network as a kiosk runs it, and the network
under ONNX Runtime's profiler, whose nodes are mapped to layers. A layer's floor is the greater of
operations over rate and bytes over bandwidth; the network's is their sum. There are two: that of
the convolutions, which generator.onnx has, and the lower one of the products that a processor
computes in their place, where the bundle has them. On a machine in use, `--threads 1 --processor`
counts processor time; what the profiler says of layers stays wall time.

For boards that nobody here has, the same counts over the rates of their data sheets: an estimate.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from boards import BOARDS
from graph_costs import LayerCost, layer_costs
from measuring import RESULTS, Report, Sample, interleave, spread, target, timed, usable_cpus
from network_files import BUNDLE
from network_model import Sizes
from networks import write_network
from numpy.typing import NDArray
from onnx import TensorProto, helper
from roofline_profile import KINDS, ProfiledSession, layer_times

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import GENERATOR, LATENT, processor_generator
from t2f_runtime.latent import on_hypersphere
from t2f_runtime.sessions.onnx_session import OnnxSession

PRODUCTS = {"as a convolution's": (256, 2304, 1024), "square": (1024, 1024, 1024)}
"""Rows, sum and columns of the products: those of 256 channels at 32x32, and a square."""
MOST_OF_FLOOR = 1.25


def product_sides(threads: int) -> dict[str, tuple[Callable[[], Sample], float]]:
    """What multiplies matrices, with the operations of one call."""
    torch.set_num_threads(threads)
    sides: dict[str, tuple[Callable[[], Sample], float]] = {}
    for name, (rows, inner, columns) in PRODUCTS.items():
        left = np.random.default_rng(0).standard_normal((rows, inner), dtype=np.float32)
        right = np.random.default_rng(1).standard_normal((inner, columns), dtype=np.float32)
        operations = 2.0 * rows * inner * columns
        session = OnnxSession(product_graph(left, right.shape), threads=threads)
        sides[f"ONNX Runtime, {name}"] = (_product(session, right), operations)
        sides[f"torch, {name}"] = (_torch_product(left, right), operations)
    return sides


def product_graph(left: NDArray[np.float32], right: tuple[int, ...]) -> bytes:
    """A network of one matrix product with a constant."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("right", TensorProto.FLOAT, right)],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, (len(left), right[1]))],
        [onnx.numpy_helper.from_array(left, "left")],
    )
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()
    return content


def _product(session: OnnxSession, right: NDArray[np.float32]) -> Callable[[], Sample]:
    return lambda: timed(lambda: session.run({"right": right}))


def _torch_product(left: NDArray[np.float32], right: NDArray[np.float32]) -> Callable[[], Sample]:
    a, b = torch.from_numpy(left), torch.from_numpy(right)
    out = torch.empty(len(left), right.shape[1])
    return lambda: timed(lambda: torch.mm(a, b, out=out))


def copy_side(size: float) -> Callable[[], Sample]:
    """Copies half of `size` bytes onto another half, with torch's threads."""
    values = max(int(size) // 8, 1)
    source, goal = torch.ones(values), torch.empty(values)
    return lambda: timed(lambda: goal.copy_(source))


@dataclass(frozen=True, slots=True)
class Timed:
    """What was timed in turns, in seconds of one clock; one value a round."""

    products: dict[str, list[float]]
    operations: dict[str, float]
    """Of one product each."""
    memory: list[float]
    network: list[float]
    profiled: list[float]
    runs: list[list[dict[str, Any]]]
    """What the profiler saw of each round."""


def time_sides(
    content: bytes, latent_size: int, touched: float, threads: int, rounds: int, clock: str
) -> Timed:
    """Times products, memory and the network in turns.

    Args:
        content: The network, as a processor runs it.
        latent_size: What it takes.
        touched: Bytes that the copy moves.
        threads: Of every side.
        rounds: Turns of each.
        clock: Which of a sample's clocks.
    """
    noise = np.random.default_rng(0).standard_normal((1, latent_size), dtype=np.float32)
    latents = on_hypersphere(noise)
    plain = OnnxSession(content, threads=threads)
    products = product_sides(threads)
    with tempfile.TemporaryDirectory() as scratch:
        profiled = ProfiledSession(content, threads, scratch)
        sides = {name: side for name, (side, _) in products.items()}
        sides["memory"] = copy_side(touched)
        sides["network"] = lambda: timed(lambda: plain.run({LATENT: latents}))
        sides["profiled"] = lambda: timed(lambda: profiled.run(latents))
        samples = interleave(sides, rounds=rounds)
        runs = profiled.runs()[-rounds:]
    seconds = {name: [sample[clock] for sample in found] for name, found in samples.items()}
    return Timed(
        products={name: seconds[name] for name in products},
        operations={name: operations for name, (_, operations) in products.items()},
        memory=seconds["memory"],
        network=seconds["network"],
        profiled=seconds["profiled"],
        runs=runs,
    )


def floors_of(costs: list[LayerCost], found: Timed, touched: float) -> list[list[float]]:
    """The floor of each layer in each round, in seconds, by that round's own rates.

    Per round, so that whatever slows the machine slows both sides of a ratio.

    Args:
        costs: Of the layers.
        found: What was timed.
        touched: Bytes that the copy moved.
    """
    floors = []
    for turn, memory in enumerate(found.memory):
        rate = max(found.operations[name] / row[turn] for name, row in found.products.items())
        floors.append([cost.floor_seconds(rate, touched / memory) for cost in costs])
    return floors


def over_floor(network: list[float], floors: list[list[float]]) -> dict[str, float]:
    """How often the network's floor goes into what it took, round by round."""
    return spread([took / sum(floor) for took, floor in zip(network, floors, strict=True)])


def measure(folder: Path, sizes: Sizes, threads: int, rounds: int, clock: str) -> dict[str, Any]:
    """Counts, times, and puts both side by side."""
    network = write_network(folder / f"{sizes.resolution}-{sizes.width}", sizes)
    bundle = Bundle.open(network / BUNDLE)
    content = bundle.read(processor_generator(bundle.manifest, "float32"))
    size = bundle.manifest.latent_size
    costs, own_costs = (
        layer_costs(onnx.load_from_string(graph), {LATENT: (1, size)})
        for graph in (bundle.read(GENERATOR), content)
    )
    touched = sum(cost.bytes for cost in costs)
    found = time_sides(content, size, touched, threads, rounds, clock)
    floors, own_floors = (floors_of(kind, found, touched) for kind in (costs, own_costs))
    return {
        **_rates(found, touched),
        **_whole(found, costs, floors, own_costs, own_floors),
        "layers": _layer_rows(costs, floors, own_floors, [layer_times(run) for run in found.runs]),
        "estimates": estimates(costs),
    }


def _rates(found: Timed, touched: float) -> dict[str, Any]:
    """What the machine did in the same run."""
    rates = {
        name: spread([found.operations[name] / seconds for seconds in row])
        for name, row in found.products.items()
    }
    return {"rates": rates, "bandwidth": spread([touched / seconds for seconds in found.memory])}


def _whole(
    found: Timed,
    costs: list[LayerCost],
    floors: list[list[float]],
    own_costs: list[LayerCost],
    own_floors: list[list[float]],
) -> dict[str, Any]:
    """What the whole network computes and takes, beside both floors."""
    over, own = (over_floor(found.network, kind) for kind in (floors, own_floors))
    own_name = "generator over the floor of its own products"
    return {
        "operations": sum(cost.operations for cost in costs),
        "bytes": sum(cost.bytes for cost in costs),
        "network_ms": spread([1e3 * seconds for seconds in found.network]),
        "profiled_ms": spread([1e3 * seconds for seconds in found.profiled]),
        "floor_ms": spread([1e3 * sum(floor) for floor in floors]),
        "over_floor": over,
        "own_operations": sum(cost.operations for cost in own_costs),
        "own_floor_ms": spread([1e3 * sum(floor) for floor in own_floors]),
        "over_own_floor": own,
        "targets": [
            target("generator over the convolutions' floor", over["median"], MOST_OF_FLOOR),
            target(own_name, own["median"], MOST_OF_FLOOR),
        ],
    }


def _layer_rows(
    costs: list[LayerCost],
    floors: list[list[float]],
    own_floors: list[list[float]],
    times: list[dict[str, dict[str, float]]],
) -> list[dict[str, Any]]:
    rows = []
    for index, cost in enumerate(costs):
        found = [run.get(cost.name, {}) for run in times]
        kinds = {
            kind: statistics.median(run.get(kind, 0.0) for run in found) / 1e3 for kind in KINDS
        }
        rows.append(
            {
                **asdict(cost),
                "floor_ms": 1e3 * statistics.median(floor[index] for floor in floors),
                "own_floor_ms": 1e3 * statistics.median(floor[index] for floor in own_floors),
                "ms": statistics.median(sum(run.values()) for run in found) / 1e3,
                "kinds_ms": kinds,
            }
        )
    return rows


def estimates(costs: list[LayerCost]) -> list[dict[str, Any]]:
    """The floors of boards that were never at hand, from their data sheets."""
    rows = []
    for board in BOARDS:
        single = sum(cost.floor_seconds(board.float32, board.bandwidth) for cost in costs)
        # Half the bytes: weights and activations of 16 bits.
        half = sum(cost.floor_seconds(board.float16, 2.0 * board.bandwidth) for cost in costs)
        rows.append(
            {
                "board": board.name,
                "is_estimate": True,
                "float32_ms": 1e3 * single,
                "float16_ms": 1e3 * half,
                "source": board.source,
            }
        )
    return rows


def print_tables(found: dict[str, Any]) -> None:
    """Prints what `measure` found."""
    for name, rate in found["rates"].items():
        print(f"{name:40} {rate['median'] / 1e9:8.1f} GFLOP/s")
    print(f"{'memory':40} {found['bandwidth']['median'] / 1e9:8.1f} GB/s")
    print(f"{'layer':16} {'':28} GFLOP   MiB  floor ms   ms   over  {' '.join(KINDS)}")
    for row in found["layers"]:
        kinds = "  ".join(f"{value:5.2f}" for value in row["kinds_ms"].values())
        moved = (row["weight_bytes"] + row["activation_bytes"]) / 2**20
        print(
            f"{row['name']:16} {row['description']:28} {row['operations'] / 1e9:5.2f} "
            f"{moved:5.1f} {row['floor_ms']:8.2f} {row['ms']:6.2f} "
            f"{row['ms'] / row['floor_ms']:5.2f}   {kinds}"
        )
    over = found["over_floor"]
    print(
        f"the network takes {found['network_ms']['median']:.1f} ms, "
        f"{over['median']:.2f} of the convolutions' floor (quartiles {over['low']:.2f} to "
        f"{over['high']:.2f}), {found['over_own_floor']['median']:.2f} of its own"
    )
    print("ESTIMATES from data sheets, nothing was run: floors in float32 and float16")
    for row in found["estimates"]:
        print(f"{row['board']:32} {row['float32_ms']:7.2f} ms {row['float16_ms']:7.2f} ms")


def main() -> None:
    """Measures, prints and writes `roofline.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resolution", type=int, default=Sizes().resolution)
    parser.add_argument("--width", type=int, default=Sizes().width)
    parser.add_argument("--threads", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--processor", action="store_true", help="count processor time")
    parser.add_argument("--quick", action="store_true", help="a small network, few rounds")
    options = parser.parse_args()
    sizes = Sizes(resolution=options.resolution, width=options.width)
    if options.quick:
        sizes, options.rounds = Sizes(resolution=32, width=64), 4
    clock = "processor" if options.processor else "wall"
    settings = {**asdict(sizes), "threads": options.threads, "rounds": options.rounds}
    report = Report("roofline", {**settings, "clock": clock})
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(
            options.networks or Path(scratch), sizes, options.threads, options.rounds, clock
        )
    print_tables(found)
    report.write(options.out, **found)


if __name__ == "__main__":
    main()
