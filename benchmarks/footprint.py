"""What a kiosk gives to T2F: what `t2f[cpu]` takes of a disk, and of memory while it draws.

    python benchmarks/footprint.py FOLDER [--bundle BUNDLE] [--run RUN] [--faces 200]

Makes a virtual environment in FOLDER, installs this checkout with the extra `cpu` and what that
pulls in, and nothing else, and adds up what came onto the disk: the files, and the blocks that they
take; compiled Python files are among both. Then a process of that environment draws faces of
descriptions of all lengths, and tells its memory. With the RUN that BUNDLE was exported from, a
process of this environment draws the same in torch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from typing import Any

from measuring import RESULTS, ROOT, Report, target

MB = 10**6
MIB = 2**20
MOST_INSTALLED_MB = 200
MOST_MEMORY_MB = 160
_NOT_OURS = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence")
"""What a new environment has by itself."""

_KIOSK = """
import json, sys
sys.path.insert(0, sys.argv[4])
from drawing_side import peak_mib, resident_mib
words = "a smiling old woman with long grey hair and round glasses".split()
{open}
for number in range(int(sys.argv[3])):
    draw(" ".join(words[: 2 + number % 10]), number)
heavy = sorted({{"torch", "onnx", "onnxruntime", "openvino"}} & set(sys.modules))
print(json.dumps({{"resident_mib": resident_mib(), "peak_mib": peak_mib(), "imports": heavy}}))
"""
KIOSK = _KIOSK.format(
    open="""
from t2f_runtime import FaceGenerator
generator = FaceGenerator.load(sys.argv[1])
draw = lambda text, seed: generator.generate(text, seed=seed)
"""
)
KIOSK_IN_TORCH = _KIOSK.format(
    open="""
from pathlib import Path
import torch
from t2f_train.metrics.run_artist import open_run
artist = open_run(Path(sys.argv[2]), torch.device("cpu")).artist
draw = lambda text, seed: artist.draw([text], seed=seed, indices=[0])
"""
)


def install(folder: Path) -> Path:
    """Makes an environment with `t2f[cpu]` alone, anew; returns its interpreter."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraint = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, *constraint, f"{ROOT}[cpu]"], check=True)
    return python


def installed(folder: Path) -> dict[str, Any]:
    """What lies in an environment's site-packages, by its first folder, in bytes."""
    (site,) = folder.glob("lib/python*/site-packages")
    sizes: Counter[str] = Counter()
    blocks = 0
    for path in site.rglob("*"):
        name = path.relative_to(site).parts[0]
        if path.is_file() and not name.startswith(_NOT_OURS):
            status = path.stat()
            sizes[name.removesuffix(".libs").partition("-")[0]] += status.st_size
            blocks += 512 * status.st_blocks
    return {"bytes": sizes.total(), "bytes_of_blocks": blocks, "by_name": dict(sizes.most_common())}


def drawn_by(python: Path | str, program: str, options: argparse.Namespace) -> dict[str, Any]:
    """What a process that draws faces says of its memory."""
    arguments = [options.bundle, options.run or "", str(options.faces), Path(__file__).parent]
    # Elsewhere: here, Python would take t2f_runtime from the checkout.
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [python, "-c", program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            cwd=elsewhere,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def print_tables(found: dict[str, Any]) -> None:
    """Prints what `main` found."""
    disk = found["installed"]
    print(
        f"t2f[cpu] takes {disk['bytes'] / MB:.1f} MB in files, "
        f"{disk['bytes_of_blocks'] / MB:.1f} MB of the disk"
    )
    for name, size in list(disk["by_name"].items())[:12]:
        print(f"    {name:24} {size / MB:6.1f} MB")
    for row in found["processes"]:
        print(
            f"{row['name']:6} peak {row['peak_mib'] * MIB / MB:.0f} MB, at the end "
            f"{row['resident_mib'] * MIB / MB:.0f} MB, imports {', '.join(row['imports'])}"
        )
    for one in found["targets"]:
        verdict = "met" if one["is_met"] else "MISSED"
        print(f"target {verdict}: {one['name']} {one['found']:.1f}, at most {one['most']}")


def main() -> None:
    """Installs, measures, prints and writes `footprint.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the environment; made anew")
    parser.add_argument("--bundle", type=Path, default=ROOT / "tests" / "runtime" / "tiny_bundle")
    parser.add_argument("--run", type=Path, help="the run that BUNDLE was exported from")
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.bundle = options.bundle.resolve()
    report = Report("footprint", {"faces": options.faces, "bundle": options.bundle.name})
    python = install(options.folder)
    disk = installed(options.folder)
    processes = [{"name": "T2F", **drawn_by(python, KIOSK, options)}]
    if options.run:
        options.run = options.run.resolve()
        in_torch = drawn_by(sys.executable, KIOSK_IN_TORCH, options)
        processes.append({"name": "torch", **in_torch})
    found = {
        "installed": disk,
        "processes": processes,
        "targets": [
            target("installed, MB", disk["bytes_of_blocks"] / MB, MOST_INSTALLED_MB),
            target("peak memory, MB", processes[0]["peak_mib"] * MIB / MB, MOST_MEMORY_MB),
        ],
    }
    print_tables(found)
    report.write(options.out, **found)


if __name__ == "__main__":
    main()
