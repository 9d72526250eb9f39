"""What quality costs: how good trained models draw, beside how long a face takes them.

    python benchmarks/quality.py --of "64 pixels" BUNDLE EVALUATION [--of ...] [--quick]

EVALUATION is the `evaluation.json` that `t2f evaluate` wrote of the bundle's run, with the weights
that the bundle has; nothing is trained or evaluated here. All bundles take turns in one run, each
in every precision that it has. What an evaluation says is true of the precision that it drew with,
float32; the others have how far their pictures are from float32's (PSNR, 16 faces), and a fourth
word gives one an evaluation of its own, `--of "64 pixels" BUNDLE EVALUATION int8`, which has that
precision's pictures beside the run's (`asked_pictures.py`).
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import RESULTS, Report, Sample, interleave, ratios, spread, timed, usable_cpus
from network_files import DESCRIPTION

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle

MEASURES = ("attributes", "swd", "fid", "faces", "r_precision", "ms_ssim")
"""What is taken from an evaluation, where it has it."""
FACES = 16


@dataclass(slots=True)
class Model:
    """A bundle, and the evaluations of it by precision."""

    label: str
    bundle: Path
    evaluations: dict[str, Path] = field(default_factory=dict)


def read_models(given: list[list[str]]) -> list[Model]:
    """Reads what `--of` was given; the same bundle may come again with another precision.

    Raises:
        SystemExit: If it has too few words or too many.
    """
    models: dict[str, Model] = {}
    for words in given:
        if len(words) not in {3, 4}:
            raise SystemExit("--of wants LABEL BUNDLE EVALUATION [PRECISION]")
        label, bundle, evaluation = words[:3]
        precision = words[3] if len(words) == 4 else "float32"
        model = models.setdefault(label, Model(label, Path(bundle)))
        model.evaluations[precision] = Path(evaluation)
    return list(models.values())


def measures_of(
    evaluation: Path, weights_sha256: str, precision: str = "float32"
) -> dict[str, dict[str, float]]:
    """What an `evaluation.json` says: by measure, that of drawn faces, of photographs, of chance.

    Args:
        evaluation: The file.
        weights_sha256: Of the weights that the bundle was exported from.
        precision: Whose pictures; float32 is the run's own, others lie beside it.

    Raises:
        SystemExit: If it is no evaluation, or one of other weights or pictures.
    """
    try:
        content = json.loads(evaluation.read_text(encoding="utf-8"))
        evaluated = content["weights_sha256"]
        of = content if precision == "float32" else content["beside"] or {"name": "nothing"}
        if precision != "float32" and of["name"] != precision:
            raise SystemExit(
                f"{evaluation} has {of['name']} beside the run; draw what it asks for with: "
                f"python benchmarks/asked_pictures.py BUNDLE asked.json --precision {precision}"
            )
        rows = {row["key"]: row for row in of["measures"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{evaluation} is no evaluation of `t2f evaluate`: {error}") from error
    if evaluated != weights_sha256:
        raise SystemExit(
            f"{evaluation} is of the weights {evaluated[:12]}, the bundle has "
            f"{weights_sha256[:12]}; evaluate the run that was exported"
        )
    return {
        key: {name: rows[key][name] for name in ("drawn", "real", "chance")}
        for key in MEASURES
        if key in rows
    }


def distance_db(drawn: np.ndarray, expected: np.ndarray) -> float | None:
    """Peak signal-to-noise ratio of pictures in dB; None of equal ones."""
    error = float(np.mean((drawn.astype(np.float64) - expected) ** 2))
    return None if error == 0 else 10.0 * math.log10(255.0**2 / error)


def measure(models: list[Model], threads: int, rounds: int) -> list[dict[str, Any]]:
    """Times every precision of every bundle, in turns."""
    sides: dict[str, Callable[[], Sample]] = {}
    rows: list[dict[str, Any]] = []
    first: str | None = None
    for model in models:
        manifest = Bundle.open(model.bundle).manifest
        weights = manifest.provenance.checkpoint_sha256
        expected: np.ndarray | None = None
        # float32 first: the others are held against it.
        for precision in sorted(manifest.graphs, key=lambda one: one != "float32"):
            name = f"{model.label}, {precision}"
            generator = FaceGenerator.load(
                model.bundle, engine="onnx-cpu", precision=precision, threads=threads
            )
            faces = generator.generate(DESCRIPTION, seed=0, count=FACES)
            expected = faces if expected is None else expected
            sides[name] = _side(generator)
            first = first or name
            evaluation = model.evaluations.get(precision)
            graphs = manifest.graphs[precision]
            row = {
                "name": name,
                "resolution": manifest.image_size,
                "precision": precision,
                "generator_mib": manifest.files[graphs.generator.file].bytes / 2**20,
                "images_seen": manifest.provenance.images_seen,
                "psnr_db": None if precision == "float32" else distance_db(faces, expected),
                "measures": measures_of(evaluation, weights, precision) if evaluation else {},
            }
            rows.append(row)
    samples = interleave(sides, rounds=rounds)
    for row in rows:
        found = samples[row["name"]]
        row["ms"] = spread([1e3 * sample["wall"] for sample in found])
        row["of_first"] = ratios(found, samples[first or row["name"]])
    return rows


def _side(generator: FaceGenerator) -> Callable[[], Sample]:
    return lambda: timed(lambda: generator.generate(DESCRIPTION, seed=7))


def main() -> None:
    """Measures, prints and writes `quality.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--of", action="append", nargs="+", required=True, metavar="WORD")
    parser.add_argument("--threads", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    models = read_models(options.of)
    report = Report("quality", {"threads": options.threads, "rounds": rounds})
    rows = measure(models, options.threads, rounds)
    print(f"{'':30} ms a face   quartiles        MiB    PSNR   " + "  ".join(MEASURES))
    for row in rows:
        ms, psnr = row["ms"], row["psnr_db"]
        measured = [row["measures"].get(key, {}).get("drawn") for key in MEASURES]
        written = "  ".join("-" if value is None else f"{value:.3f}" for value in measured)
        print(
            f"{row['name']:30} {ms['median']:8.2f}   {ms['low']:.2f} to {ms['high']:.2f} "
            f"{row['generator_mib']:6.1f} {'-' if psnr is None else f'{psnr:.1f}':>6}   {written}"
        )
    report.write(options.out, rows=rows)


if __name__ == "__main__":
    main()
