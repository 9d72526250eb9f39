"""A target under atheris, whose inputs are led by what they reach in the code of t2f_runtime.

    python benchmarks/robustness_atheris.py TARGET FOLDER -runs=20000 -seed=1

Runs in any environment with `t2f[cpu,signing]` and atheris (tried: 3.0.0, Python 3.11). FOLDER is
new, for files; options are libFuzzer's. `robustness.py atheris` starts it for every target.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
with atheris.instrument_imports(include=["t2f_runtime"]):
    from robustness_fuzzing import Findings, run_one
    from robustness_targets import make_target

    from t2f_runtime import T2FError


def main() -> None:
    """Hands libFuzzer the target; the process ends with its exit status."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    target = make_target(name, folder / "files")
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    found = Findings()

    def check(data: bytes) -> None:
        run_one(target, data, T2FError, found)

    atheris.Setup([sys.argv[0], *sys.argv[3:], str(corpus)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
