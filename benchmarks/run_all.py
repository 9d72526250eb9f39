"""Runs all benchmarks, one after the other, and makes the report: what `make bench` calls.

    python benchmarks/run_all.py PEER_VENV [--quick] [--of LABEL BUNDLE EVALUATION ...]

Under half an hour on two CPUs. A script that fails does not stop the others; its numbers of an
earlier run stay, with their date, and this one ends with an error. `--of` is for `quality.py`,
which is not run without; `t2f bench` is run on the same network where this T2F has it. With
`--quick` the numbers mean nothing and go to a temporary folder.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import RESULTS, machine, warn_if_busy
from network_files import BUNDLE
from network_model import Sizes
from networks import write_network

HERE = Path(__file__).parent
T2F = "import sys; from t2f_runtime.cli import main; sys.argv[0] = 't2f'; main()"
BENCH = "t2f_bench.txt"
BENCH_SECONDS = 300


def run_script(script: str, *arguments: str) -> bool:
    """Runs a script, and says how long it took; whether it succeeded."""
    begun = time.perf_counter()
    print(f"\n=== {script} {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, str(HERE / f"{script}.py"), *arguments], check=False)
    state = "done" if done.returncode == 0 else f"FAILED with code {done.returncode}"
    print(f"=== {script}: {state} after {time.perf_counter() - begun:.0f} s", flush=True)
    return done.returncode == 0


def run_t2f_bench(bundle: Path, out: Path) -> bool:
    """Keeps what `t2f bench` prints, where there is such a command; whether it succeeded."""
    t2f = [sys.executable, "-c", T2F]
    known = subprocess.run([*t2f, "bench", "--help"], capture_output=True, check=False)
    if known.returncode:
        print("\n=== t2f bench: not run, this T2F has no such command")
        return True
    print(f"\n=== t2f bench {bundle}", flush=True)
    try:
        done = subprocess.run(
            [*t2f, "bench", str(bundle)],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
            timeout=BENCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"=== t2f bench: FAILED, it took more than {BENCH_SECONDS} s")
        return False
    print(done.stdout)
    if done.returncode == 0:
        out.mkdir(parents=True, exist_ok=True)
        shown = done.stdout.replace(str(bundle), "BUNDLE")
        (out / BENCH).write_text(shown, encoding="utf-8")
    return done.returncode == 0


def main() -> None:
    """Runs everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer_venv", type=Path, help="folder of the peer's environment")
    parser.add_argument("--out", type=Path, help=f"where the results go; {RESULTS} if left out")
    parser.add_argument("--of", action="append", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--quick", action="store_true", help="only try whether everything runs")
    options = parser.parse_args()
    warn_if_busy(machine())
    begun = time.perf_counter()
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or (Path(scratch) / "results" if options.quick else RESULTS)
        networks = Path(scratch) / "networks"
        quick = ["--quick"] * options.quick
        common = ["--out", str(out), *quick]
        kept = ["--networks", str(networks)]
        steps = {
            "peers": [str(options.peer_venv), *common, *kept],
            "roofline": [*common, *kept],
            "tensorrt_layers": [*common, *kept],
            "start_up": [*common, *kept],
            "growth": [*common, *kept],
        }
        if options.of:
            words = [word for model in options.of for word in ("--of", *model)]
            steps["quality"] = [*common, *words]
        failed += [name for name, words in steps.items() if not run_script(name, *words)]
        if not options.quick:
            network = write_network(networks / f"{Sizes().resolution}-{Sizes().width}", Sizes())
            failed += ["t2f bench"] * (not run_t2f_bench(network / BUNDLE, out))
        page_only = ["--page-only"] * (out != RESULTS)
        failed += ["report"] * (not run_script("report", str(out), *page_only))
    print(f"\nall of it took {(time.perf_counter() - begun) / 60:.1f} minutes")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
