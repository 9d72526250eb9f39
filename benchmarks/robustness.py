"""What T2F withstands: bad inputs, ends in the middle of saving, bad disks, many threads.

    python benchmarks/robustness.py PART [--quick]

PART is `fuzz`, `hypothesis`, `atheris`, `kills`, `disks`, `threads` or `memory`. Each prints a
table, writes `docs/results/robustness/PART.json` (with `--only NAME`, `PART-NAME.json`), and ends
with 1 if anything was found. Equal seeds give equal inputs: `fuzz --only manifest --number 17` runs
one input again.

Everything is a count, but for the longest time that an input took; a busy machine does no harm.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import ROOT, machine

RESULTS = ROOT / "docs" / "results" / "robustness"

INPUTS = {
    "text": 40_000,
    "manifest": 25_000,
    "bundle": 15_000,
    "archive": 15_000,
    "network": 20_000,
    "engine": 10_000,
    "tokenizer": 15_000,
    "signature": 10_000,
    "key": 10_000,
    "case": 20_000,
    "log": 10_000,
    "path": 5_000,
    "serve": 20_000,
}
"""Inputs of each target in the long form of `fuzz`."""
SHARES = {"hypothesis": 0.1, "atheris": 0.25}
"""How many of those the two others give."""
QUICK_SHARE = 0.005

KILLS = 200
THREADS = 32
THREAD_SECONDS = 60.0
FACES = 10_000

Row = dict[str, Any]


def fuzz(options: argparse.Namespace) -> list[Row]:
    """Spoilt inputs; see robustness_mutation.py and robustness_archives.py."""
    from robustness_fuzzing import fuzz as run  # noqa: PLC0415 (each part loads its own)

    def target(name: str, count: int) -> Row:
        start, stop = 0, count
        if options.number is not None:
            start, stop = options.number, options.number + 1
        found = run(name, seed=options.seed, start=start, stop=stop)
        return _row(name, found)

    return _each_target(options, 1.0, target)


def hypothesis(options: argparse.Namespace) -> list[Row]:
    """Hypothesis's inputs; see robustness_properties.py."""
    from robustness_properties import run_property  # noqa: PLC0415 (as above)
    from robustness_targets import make_target  # noqa: PLC0415 (as above)

    def target(name: str, count: int) -> Row:
        with scratch() as folder:
            return _row(name, run_property(make_target(name, folder), count))

    return _each_target(options, SHARES["hypothesis"], target)


def atheris(options: argparse.Namespace) -> list[Row]:
    """Atheris's inputs, in an environment that has it; see robustness_atheris.py."""
    if options.python is None:
        raise SystemExit("name the interpreter of an environment that has atheris with --python")

    def target(name: str, count: int) -> Row:
        with scratch() as folder:
            script = Path(__file__).with_name("robustness_atheris.py")
            fuzzer = [f"-runs={count}", f"-seed={options.seed}", "-max_len=400000", "-timeout=30"]
            fuzzer += ["-rss_limit_mb=6000", f"-artifact_prefix={folder}/"]
            done = subprocess.run(
                [options.python, script, name, folder / name, *fuzzer],
                capture_output=True,
                check=False,
                text=True,
                errors="replace",
            )
        is_done = done.returncode == 0 and f"Done {count} runs" in done.stderr + done.stdout
        failures = [] if is_done else [{"message": done.stderr[-3000:]}]
        covered = [word for word in done.stderr.split("cov: ")[1:] if word[:1].isdigit()]
        return {
            "target": name,
            "inputs": count,
            "edges": int(covered[-1].split()[0]) if covered else None,
            "failed": len(failures),
            "failures": failures,
        }

    return _each_target(options, SHARES["atheris"], target)


def _each_target(
    options: argparse.Namespace, share: float, run: Callable[[str, int], Row]
) -> list[Row]:
    share *= QUICK_SHARE if options.quick else 1
    rows = []
    for name, count in INPUTS.items():
        if options.only in {None, name}:
            rows.append(run(name, round(count * share)))
            _say(rows[-1])
    total = sum(row["inputs"] for row in rows)
    print(f"{total} inputs in all, of which {sum(row['failed'] for row in rows)} failed")
    return rows


def _row(name: str, found: Any) -> Row:  # noqa: ANN401 (Findings, which loads the runtime)
    return {
        "target": name,
        "inputs": found.count,
        "accepted": found.accepted,
        "refused": dict(found.refused),
        "slowest_ms": round(found.slowest_ms, 1),
        "slowest": found.slowest,
        "failed": found.failed,
        "failures": found.failures,
    }


def kills(options: argparse.Namespace) -> list[Row]:
    """SIGKILL at random moments; see robustness_kills.py."""
    from robustness_kills import TASKS, kill_often  # noqa: PLC0415 (as above)

    rows = []
    for task in TASKS:
        if options.only in {None, task}:
            with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                count = 3 if options.quick else KILLS
                row = kill_often(task, Path(folder), count=count, seed=options.seed)
            rows.append({**row, "failed": len(row["lost"])})
            _say(rows[-1])
    return rows


def disks(options: argparse.Namespace) -> list[Row]:
    """Full disks, read-only disks, and disks that are taken away; see robustness_faults.py."""
    import robustness_faults as faults  # noqa: PLC0415 (as above)

    if not faults.can_mount():
        raise SystemExit("this part mounts disks: run it as root, on Linux with mkfs.ext4")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for writer in faults.WRITERS[:2] if options.quick else faults.WRITERS:
            for fault in (faults.fill_disks, faults.write_to_read_only):
                found = vars(fault(writer, Path(folder)))
                rows.append({**found, "failed": len(found["lost"] or ())})
                _say(rows[-1])
    with tempfile.TemporaryDirectory() as folder:
        for form, found in faults.unplug(Path(folder)).items():
            is_right = found["faces_stay_the_same"] and "nothing" not in found["reading_says"]
            rows.append({"unplugged": form, **found, "failed": int(not is_right)})
            _say(rows[-1])
    return rows


def threads(options: argparse.Namespace) -> list[Row]:
    """32 threads on one generator; see robustness_load.py."""
    from robustness_load import draw_from_threads, for_seconds  # noqa: PLC0415 (as above)

    rows = []
    for engine in options.engines:
        generator = _load(options, engine)
        generator.warm_up()
        seconds = 1.0 if options.quick else THREAD_SECONDS
        found = draw_from_threads(generator, threads=THREADS, goes_on=for_seconds(seconds))
        row = {"engine": str(generator.engine), "bundle": _name(generator), "seconds": seconds}
        rows.append({**row, **vars(found), "failed": len(found.wrong)})
        _say(rows[-1])
        generator.close()
    return rows


def memory(options: argparse.Namespace) -> list[Row]:
    """What 10,000 faces leave behind in memory; see robustness_load.py."""
    import robustness_load as load  # noqa: PLC0415 (as above)

    rows = []
    for engine in options.engines[:1]:  # what a second one holds would be counted to the first
        generator = _load(options, engine)
        held = load.memory_over_faces(generator, 1000 if options.quick else FACES)
        growth = load.growth_mib(held)
        row = {"engine": str(generator.engine), "bundle": _name(generator), "held_mib": held}
        failed = int(growth > load.MOST_GROWTH_MIB)
        rows.append({**row, "faces": held[-1][0], "growth_mib": round(growth, 2), "failed": failed})
        _say(rows[-1])
    return rows


def _load(options: argparse.Namespace, engine: str) -> Any:  # noqa: ANN401 (loads the runtime)
    from t2f_runtime import FaceGenerator  # noqa: PLC0415 (as above)

    return FaceGenerator.load(options.bundle, engine=engine)


def _name(generator: Any) -> str:  # noqa: ANN401 (as above)
    return f"{generator.manifest.name}, {generator.image_size} pixels"


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, in memory where there is such a place."""
    in_memory = Path("/dev/shm")  # noqa: S108 (a folder of our own in it)
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as folder:
        yield Path(folder)


def _say(row: Row) -> None:
    print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    part.__name__: part for part in (fuzz, hypothesis, atheris, kills, disks, threads, memory)
}


def main() -> None:
    """Runs a part; the exit status says whether anything was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="a small part of it; writes nothing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one target of fuzzing, or one task that is ended")
    parser.add_argument("--number", type=int, help="of fuzz: one input, by its number")
    parser.add_argument("--python", type=Path, help="of atheris: an interpreter that has it")
    parser.add_argument("--scratch", type=Path, help="of kills: where files go")
    parser.add_argument(
        "--bundle", type=Path, default=ROOT / "tests" / "runtime" / "tiny_bundle", help="what draws"
    )
    parser.add_argument("--engines", nargs="+", default=["onnx-cpu"], help="what it draws on")
    options = parser.parse_args()
    began = time.perf_counter()
    # Paths of this machine mean nothing elsewhere.
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    about: Row = {"command": " ".join(["python", "benchmarks/robustness.py", *words])}
    about |= {"machine": machine(), "seed": options.seed}
    rows = PARTS[options.part](options)
    if not options.quick and options.number is None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        name = options.part if options.only is None else f"{options.part}-{options.only}"
        path = RESULTS / f"{name}.json"
        about["seconds"] = round(time.perf_counter() - began)
        path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
        print(f"written: {path}")
    sys.exit(any(row["failed"] for row in rows))


if __name__ == "__main__":
    main()
