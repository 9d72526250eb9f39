"""How long a kiosk waits: from the start of a process to its first face, and what it loads.

    python benchmarks/start_up.py [BUNDLE] [--run RUN] [--repeats 15] [--quick]

Starts fresh interpreters, interleaved: one that loads the bundle and draws a face, one that does so
with the same weights in torch, and those that only start Python and import numpy, or torch; then
those that tell what an import takes beyond numpy. Reports the wall time's spread, peak memory,
whether torch or onnx was imported, and how much each runtime takes on a disk with all that it
depends on; footprint.py installs T2F anew for that. Modules are compiled before, as they are where
pip installed them, whatever PYTHONDONTWRITEBYTECODE says here. The network is 64 pixels and 256
wide, with random weights; with BUNDLE it is that bundle's, beside Python and numpy alone; with the
RUN that it was exported from, beside torch, too.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from measuring import RESULTS, Report, interleave, ratios, spread, target
from network_files import BUNDLE
from packaging.requirements import Requirement

T2F, TORCH = "T2F, first face", "torch, first face"
TRAINED = "torch, first face of the run"
MOST_OF_TORCH = 0.2
MOST_IMPORT_MS = 60
MOST_FIRST_FACE_MS = 600
MOST_PEAK_MB = 160
MOST_INSTALLED_MB = 200
MB_A_MIB = 2**20 / 10**6
HERE = Path(__file__).parent

_MEASURE = """
import sys
from drawing_side import peak_mib
heavy = sorted({"torch", "onnx"} & set(sys.modules))
print(face.shape[0], peak_mib(), *heavy)
"""
PROGRAMS = {
    T2F: """
import sys
from t2f_runtime import FaceGenerator
face = FaceGenerator.load(sys.argv[1]).generate("a smiling woman with grey hair", seed=7)
"""
    + _MEASURE,
    TORCH: """
import sys
from pathlib import Path
import torch
from network_model import load_model
from t2f_runtime.latent import draw_noise
from t2f_train.model import to_pixels
model, tokenizer, sizes = load_model(Path(sys.argv[1]).parent)
tokens = torch.from_numpy(tokenizer.tokens("a smiling woman with grey hair"))[None]
noise = torch.from_numpy(draw_noise(7, 0, model.generator.latent_size))[None]
with torch.inference_mode():
    drawn = model(tokens, *noise.split(model.condition_size, dim=1), sizes.depth)
    face = to_pixels(drawn)[0].numpy()
"""
    + _MEASURE,
    TRAINED: """
import sys
from pathlib import Path
import torch
from t2f_train.metrics.run_artist import open_run
run = open_run(Path(sys.argv[2]), torch.device("cpu"))
face = run.artist.draw(["a smiling woman with grey hair"], seed=7, indices=[0])[0]
"""
    + _MEASURE,
    "python and numpy alone": "import numpy",
    "python and torch alone": "import torch",
}
_BEYOND_NUMPY = """
import time
import numpy
begin = time.perf_counter()
{}
print(1e3 * (time.perf_counter() - begin))
"""
IMPORTS = {
    "t2f_runtime": "import t2f_runtime",
    "what draws with torch": "import torch, t2f_train.model",
}
"""What is imported beyond numpy."""
RUNTIMES = {"T2F": ["t2f[cpu]"], "torch": ["t2f", "torch"]}
"""What each runtime is installed as; torch's has T2F's tokeniser, too."""


def run(program: str, *arguments: Path) -> tuple[dict[str, float], str]:
    """Seconds of a fresh interpreter by both clocks, and what it printed."""
    # Else every interpreter would compile the modules of this checkout again, but no others.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    program = f"import sys; sys.path.insert(0, {str(HERE)!r})\n{program}"
    start, processor = time.perf_counter(), _processor_seconds()
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=variables,
    )
    elapsed = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"an interpreter failed:\n{done.stderr}")
    return {"wall": elapsed, "processor": _processor_seconds() - processor}, done.stdout


def _processor_seconds() -> float:
    """Of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def installed_mib(requirements: list[str]) -> tuple[float, list[str]]:
    """What requirements take on the disk here, with all that they depend on.

    Args:
        requirements: As pip would be given them; all are installed.

    Returns:
        MiB of their files, and the names of the distributions. T2F itself counts as its runtime
        alone, since here it is installed from a checkout.
    """
    todo = [Requirement(text) for text in requirements]
    found: dict[str, float] = {}
    seen: set[str] = set()
    while todo:
        wanted = todo.pop()
        key = f"{wanted.name}[{','.join(sorted(wanted.extras))}]"
        if key in seen:
            continue
        seen.add(key)
        try:
            installed = distribution(wanted.name)
        except PackageNotFoundError as error:
            raise SystemExit(f"{wanted.name} is not installed, so its size is not known") from error
        found[installed.name] = _size(installed.name)
        for text in installed.requires or ():
            inner = Requirement(text)
            extras = wanted.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                todo.append(inner)
    return sum(found.values()), sorted(found)


def _size(name: str) -> float:
    if name == "t2f":
        files = list((HERE.parent / "t2f_runtime").rglob("*.py"))
    else:
        files = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return sum(file.stat().st_size for file in files if file.exists()) / 2**20


def measure(bundle: Path, names: list[str], repeats: int, *more: Path) -> dict[str, Any]:
    """Starts interpreters in turns; `more` are arguments beside the bundle."""
    printed: dict[str, str] = {}

    def side(name: str) -> dict[str, float]:
        sample, printed[name] = run(PROGRAMS[name], bundle, *more)
        return sample

    samples = interleave(
        {name: (lambda name=name: side(name)) for name in names}, rounds=repeats, warm_up=1
    )
    rows: list[dict[str, Any]] = []
    for name, found in samples.items():
        row: dict[str, Any] = {"name": name, "ms": spread([1e3 * one["wall"] for one in found])}
        row["processor_ms"] = spread([1e3 * one["processor"] for one in found])
        if words := printed[name].split():
            row |= {"pixels": int(words[0]), "peak_mib": float(words[1]), "imports": words[2:]}
        rows.append(row)
    ours = next(row for row in rows if row["name"] == T2F)
    peak = ours["peak_mib"] * MB_A_MIB
    targets = [
        target(
            "first face, ms from the start of the process", ours["ms"]["median"], MOST_FIRST_FACE_MS
        ),
        target("first face, peak memory in MB", peak, MOST_PEAK_MB),
    ]
    found: dict[str, Any] = {"rows": rows, "targets": targets}
    for other in {TORCH, TRAINED} & samples.keys():
        share = ratios(samples[T2F], samples[other])
        found["t2f_takes_of_torch"] = share
        name = "first face, T2F's time over torch's"
        targets.append(target(name, share["median"], MOST_OF_TORCH))
    return found


def measure_imports(repeats: int) -> dict[str, Any]:
    """Milliseconds that imports take beyond numpy, in interpreters of their own."""

    def side(what: str) -> dict[str, float]:
        _, printed = run(_BEYOND_NUMPY.format(what))
        return {"wall": float(printed) / 1e3}

    samples = interleave(
        {name: (lambda what=what: side(what)) for name, what in IMPORTS.items()},
        rounds=repeats,
        warm_up=1,
    )
    rows = [
        {"name": name, "ms": spread([1e3 * one["wall"] for one in found])}
        for name, found in samples.items()
    ]
    ours = target("import beyond numpy, ms", rows[0]["ms"]["median"], MOST_IMPORT_MS)
    return {"imports": rows, "targets": [ours]}


def sizes_of_runtimes() -> list[dict[str, Any]]:
    """One row a runtime: MiB on the disk, and packages."""
    rows = []
    for name, requirements in RUNTIMES.items():
        mib, packages = installed_mib(requirements)
        rows.append({"name": name, "requires": requirements, "mib": mib, "packages": packages})
    return rows


def print_tables(found: dict[str, Any]) -> None:
    """Prints what `main` found."""
    for row in found["rows"]:
        ms = row["ms"]
        memory = f"{row['peak_mib']:6.0f} MiB" if "peak_mib" in row else ""
        heavy = f"imports {', '.join(row['imports']) or 'neither'}" if "imports" in row else ""
        print(
            f"{row['name']:24} median {ms['median']:6.0f} ms, quartiles {ms['low']:.0f} to "
            f"{ms['high']:.0f}, of the processors {row['processor_ms']['median']:.0f} ms "
            f"{memory} {heavy}"
        )
    for row in found["imports"]:
        ms = row["ms"]
        print(
            f"import of {row['name']}, beyond numpy: median {ms['median']:.0f} ms, quartiles "
            f"{ms['low']:.0f} to {ms['high']:.0f}"
        )
    if "t2f_takes_of_torch" in found:
        share = found["t2f_takes_of_torch"]
        print(f"T2F takes {share['median']:.2f}, {share['low']:.2f} to {share['high']:.2f}")
    for row in found["sizes"]:
        print(f"{row['name']:24} {row['mib']:6.0f} MiB on the disk: {', '.join(row['packages'])}")
    for one in found["targets"]:
        verdict = "met" if one["is_met"] else "MISSED"
        print(f"target {verdict}: {one['name']} {one['found']:.3g}, at most {one['most']}")


def main() -> None:
    """Measures, prints and writes `start_up.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--run", type=Path, help="the run that BUNDLE was exported from")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--networks", type=Path, help="where networks are kept")
    parser.add_argument("--quick", action="store_true", help="a small network, two repeats")
    options = parser.parse_args()
    settings = {"repeats": 2 if options.quick else options.repeats}
    report = Report("start_up", settings)
    with tempfile.TemporaryDirectory() as scratch:
        if options.bundle:
            bundle, names = options.bundle, [T2F, "python and numpy alone"]
            names += [TRAINED] if options.run else []
        else:
            # Only here: it imports torch, which a given bundle does without.
            from network_model import Sizes  # noqa: PLC0415
            from networks import write_network  # noqa: PLC0415

            sizes = Sizes(resolution=32, width=64) if options.quick else Sizes()
            folder = (options.networks or Path(scratch)) / f"{sizes.resolution}-{sizes.width}"
            bundle = write_network(folder, sizes) / BUNDLE
            names = [name for name in PROGRAMS if name != TRAINED]
        more = [options.run] if options.run else []
        found = measure(bundle, names, settings["repeats"], *more)
    imports = measure_imports(settings["repeats"])
    found |= {"imports": imports["imports"], "targets": found["targets"] + imports["targets"]}
    found["sizes"] = [] if options.bundle else sizes_of_runtimes()
    found["targets"] += [
        target("installed, MB", row["mib"] * MB_A_MIB, MOST_INSTALLED_MB)
        for row in found["sizes"][:1]
    ]
    print_tables(found)
    if options.bundle:
        return  # the report is about the same network on every machine
    report.write(options.out, **found)


if __name__ == "__main__":
    main()
