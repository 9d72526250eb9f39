"""How far TensorRT is from what a GPU can do, layer by layer: what its own timer says of each.

    python benchmarks/tensorrt_layers.py [--bundle BUNDLE] [--precision float16] [--device 0]
                                         [--rate TFLOPS --bandwidth GB/S]

The counterpart of `roofline.py` for a GPU. The engine of the generator is run by the runtime's own
session, once as a kiosk runs it and once with an `IProfiler`, which TensorRT tells what each of its
layers took. TensorRT fuses layers, and names what it made after them: layers of the graph that it
fused count as one, and what has no name of the graph's is told by itself. Operations and bytes are
counted from the ONNX graph, as `roofline.py` does; a layer's floor is the greater of operations
over rate and bytes over bandwidth. Both rates are measured in the same run where torch has CUDA,
and are otherwise those that are given; without either there is no floor.

Without --bundle a network of random weights is written, and its engines are built. Where an engine
cannot run, the reason is what is written.
"""

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from graph_costs import LayerCost, layer_costs, layer_of
from measuring import RESULTS, Report, spread
from network_files import BUNDLE
from network_model import Sizes
from networks import write_network

from t2f_export.engines.command import build_and_tell
from t2f_export.engines.jobs import EngineWish
from t2f_export.errors import EngineBuildError
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import GENERATOR, LATENT, Precision
from t2f_runtime.engines.choice import choose_engines
from t2f_runtime.engines.host import Host, describe_device
from t2f_runtime.engines.names import FLAVOURS, EngineName
from t2f_runtime.engines.tensorrt_engines import TensorrtHost, load_engine, open_host
from t2f_runtime.errors import EngineError
from t2f_runtime.latent import on_hypersphere
from t2f_runtime.sessions.tensorrt_session import TensorrtSession

UNNAMED = "what has no layer's name"
"""What the layers of an engine are called that TensorRT named after none of the graph's."""

WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Rates:
    """What a GPU can do in a second."""

    operations: float
    bytes: float
    source: str
    """How that is known."""


class Runs:
    """What an engine's layers took, run by run, in milliseconds."""

    def __init__(self) -> None:
        self.of_each: list[dict[str, float]] = []

    def begin(self) -> None:
        """A run begins."""
        self.of_each.append({})

    def add(self, layer: str, ms: float) -> None:
        """A layer took so long; one that runs several times in a run, as in a loop, adds up."""
        run = self.of_each[-1]
        run[layer] = run.get(layer, 0.0) + ms


def make_profiler(library: Any, runs: Runs) -> object:  # noqa: ANN401 (it has no type information)
    """Makes an `IProfiler` of a library that writes down what it is told."""
    base = library.IProfiler

    class Profiler(base):  # type: ignore[misc]  # the library is known only when it is imported
        def __init__(self) -> None:
            base.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            runs.add(layer_name, ms)

    return Profiler()


def layers_in(name: str, order: Sequence[str]) -> list[str]:
    """The layers of the graph that a layer of an engine was made of, by its name.

    Args:
        name: Nodes of the graph, joined and wrapped in many ways: `a + b`, `PWN(a)`,
            `Reformatting CopyNode for Input Tensor 0 to a`, `{ForeignNode[a...b]}`, where the
            last has all that lies between them too.
        order: The layers of the graph, in their order.
    """
    found = {layer for node in re.findall(r"[A-Za-z_]\w*", name) if (layer := layer_of(node))}
    places = sorted(order.index(layer) for layer in found if layer in order)
    if "..." in name and places:
        places = list(range(places[0], places[-1] + 1))
    return [order[place] for place in places]


def fused(names: Sequence[str], order: Sequence[str]) -> list[list[str]]:
    """Which layers of the graph an engine runs together, in their order."""
    groups: list[set[str]] = []
    for name in names:
        made = set(layers_in(name, order))
        if made:
            others = [group for group in groups if not group & made]
            groups = [*others, made.union(*(group for group in groups if group & made))]
    rows = [sorted(group, key=order.index) for group in groups]
    return sorted(rows, key=lambda row: order.index(row[0]))


def layer_rows(
    costs: Sequence[LayerCost], runs: Sequence[Mapping[str, float]], rates: Rates | None
) -> list[dict[str, Any]]:
    """Puts what layers cost beside what they took.

    Args:
        costs: Of the graph's layers, in their order.
        runs: Milliseconds by the names of the engine's layers, one of each run.
        rates: What the GPU can do; None where that is not known.

    Returns:
        One row for what runs together, as `roofline.py` has them; `floor_ms` is None without
        rates, and where nothing tells which layers it is about.
    """
    order = [cost.name for cost in costs]
    names = list(dict.fromkeys(name for run in runs for name in run))
    rows = []
    for group in fused(names, order):
        mine = [name for name in names if set(layers_in(name, order)) & set(group)]
        cost = _sum_of([costs[order.index(layer)] for layer in group])
        floor = None if rates is None else 1e3 * cost.floor_seconds(rates.operations, rates.bytes)
        rows.append({**asdict(cost), "floor_ms": floor, "ms": _median_ms(runs, mine)})
    unnamed = [name for name in names if not layers_in(name, order)]
    if unnamed:
        nothing = asdict(LayerCost(UNNAMED, description=f"{len(unnamed)} layers of the engine"))
        rows.append({**nothing, "floor_ms": None, "ms": _median_ms(runs, unnamed)})
    return rows


def _sum_of(costs: Sequence[LayerCost]) -> LayerCost:
    return LayerCost(
        " + ".join(cost.name for cost in costs),
        operations=sum(cost.operations for cost in costs),
        weight_bytes=sum(cost.weight_bytes for cost in costs),
        activation_bytes=sum(cost.activation_bytes for cost in costs),
        description="; ".join(cost.description for cost in costs if cost.description),
    )


def _median_ms(runs: Sequence[Mapping[str, float]], names: Sequence[str]) -> float:
    return statistics.median(sum(run.get(name, 0.0) for name in names) for run in runs)


def measure_rates(precision: Precision, device: int) -> Rates | None:
    """Multiplies and copies on the GPU, by torch; None where torch has no CUDA."""
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    place = torch.device("cuda", device)
    dtype = torch.float16 if precision == "float16" else torch.float32
    side, values = 4096, 2**26
    left, right = (torch.randn(side, side, device=place, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)
    source, goal = (torch.ones(values, device=place) for _ in range(2))
    multiplied = _seconds_on_gpu(lambda: torch.mm(left, right, out=product))
    copied = _seconds_on_gpu(lambda: goal.copy_(source))
    return Rates(2.0 * side**3 / multiplied, 2.0 * 4 * values / copied, "measured with torch")


def _seconds_on_gpu(work: Callable[[], object], repeats: int = 20) -> float:
    """Seconds of the quickest of some calls, by CUDA's events."""
    found = []
    for _ in range(repeats):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        work()
        ended.record()
        torch.cuda.synchronize()
        found.append(begun.elapsed_time(ended) / 1e3)
    return min(found)


def measure(
    name: EngineName, options: argparse.Namespace, folder: Path, host: Host
) -> dict[str, Any]:
    """Times the layers of one engine, or says why they were not timed.

    Args:
        name: One of `FLAVOURS`.
        options: Of the command line.
        folder: Where a network is written if no bundle is given.
        host: This machine.
    """
    try:
        # Before a network is written, which takes longer than the rest.
        opened = open_host(FLAVOURS[name], options.device, host)
        found = _measure(opened, options, folder)
    except (EngineError, EngineBuildError) as error:
        return {"name": name, "not_run": str(error)}
    version, place = opened.library.__version__, describe_device(opened.device, options.device)
    return {"name": name, "engine": f"{version} on {place}, {options.precision}", **found}


def _measure(host: TensorrtHost, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    precision = cast("Precision", options.precision)
    path = options.bundle or _built(host, options, folder)
    bundle = Bundle.open(path)
    entry = choose_engines(bundle.manifest, host.machine, precision, bundle=str(path))["generator"]
    graph = bundle.manifest.graphs[precision].generator
    size = bundle.manifest.latent_size
    latents = on_hypersphere(np.random.default_rng(0).standard_normal((1, size), dtype=np.float32))
    # The names and products of the layers are those of float32 in every precision.
    costs = layer_costs(onnx.load_from_string(bundle.read(GENERATOR)), {LATENT: (1, size)})
    if precision == "float16":
        for cost in costs:
            cost.weight_bytes /= 2.0
            cost.activation_bytes /= 2.0
    runs = Runs()
    plain = load_engine(bundle, host, entry, graph)
    network = _draw(plain, latents, options.rounds, lambda: None)
    plain.close()
    timed = load_engine(bundle, host, entry, graph, profiler=make_profiler(host.library, runs))
    profiled = _draw(timed, latents, options.rounds, runs.begin)
    timed.close()
    rates = _given(options) or measure_rates(precision, options.device)
    return {
        "rates": None if rates is None else asdict(rates),
        "network_ms": spread(network),
        "profiled_ms": spread(profiled),
        "operations": sum(cost.operations for cost in costs),
        "bytes": sum(cost.bytes for cost in costs),
        "layers": layer_rows(costs, runs.of_each[-options.rounds :], rates),
    }


def _draw(
    session: TensorrtSession, latents: object, rounds: int, begin: Callable[[], None]
) -> list[float]:
    """Milliseconds of each run but the first, which still set things up."""
    found = []
    for _ in range(WARM_UP + rounds):
        begin()
        begun = time.perf_counter()
        session.run({LATENT: cast("np.ndarray[Any, Any]", latents)})
        found.append(1e3 * (time.perf_counter() - begun))
    return found[WARM_UP:]


def _built(host: TensorrtHost, options: argparse.Namespace, folder: Path) -> Path:
    sizes = Sizes(resolution=options.resolution, width=options.width)
    path = write_network(folder / f"{sizes.resolution}-{sizes.width}", sizes) / BUNDLE
    is_rtx = host.flavour == "rtx"
    targets = (host.device.compute_capability,) if is_rtx else ()
    build_and_tell(path, EngineWish(flavour=host.flavour, targets=targets))
    return path


def _given(options: argparse.Namespace) -> Rates | None:
    if options.rate is None or options.bandwidth is None:
        return None
    return Rates(1e12 * options.rate, 1e9 * options.bandwidth, "given on the command line")


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints what `measure` found."""
    for row in rows:
        if "not_run" in row:
            print(f"{row['name']}: not run: {row['not_run']}")
            continue
        print(f"{row['name']} {row['engine']}: {row['network_ms']['median']:.3f} ms a face")
        for layer in row["layers"]:
            floor = layer["floor_ms"]
            over = "" if floor is None else f"{floor:8.4f} {layer['ms'] / floor:6.2f}"
            print(f"{layer['name']:40} {layer['description']:28} {layer['ms']:8.4f} {over}")


def main() -> None:
    """Measures, prints and writes `tensorrt_layers.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="a bundle with engines for this GPU")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float32")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--rate", type=float, help="TFLOPS of the GPU, in that precision")
    parser.add_argument("--bandwidth", type=float, help="GB/s of its memory")
    parser.add_argument("--resolution", type=int, default=Sizes().resolution)
    parser.add_argument("--width", type=int, default=Sizes().width)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--quick", action="store_true", help="a small network, few rounds")
    options = parser.parse_args()
    if options.bundle is None and options.precision != "float32":
        parser.error("random weights have float32 alone; give --bundle, or --precision float32")
    if options.quick:
        options.resolution, options.width, options.rounds = 32, 64, 4
    settings = {name: getattr(options, name) for name in ("precision", "device", "rounds")}
    report = Report("tensorrt_layers", settings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.networks or Path(scratch)
        rows = [measure(name, options, folder, Host()) for name in FLAVOURS]
    print_rows(rows)
    report.write(options.out, rows=rows)


if __name__ == "__main__":
    main()
