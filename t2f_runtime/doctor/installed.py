"""The packages that are installed, and those that are in each other's way."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from t2f_runtime import __version__
from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.engines.onnx_runtime import PACKAGES as ONNX_RUNTIMES

_TOPIC: Final = "installed"
_OLDEST, _NEWEST = (3, 10), (3, 13)

_ENGINE_PACKAGES: Final = re.compile(
    r"onnxruntime.*|openvino|tensorrt.*|cuda-bindings|nvidia-(cudnn|cublas|cuda-runtime).*"
)
_TENSORRT_FOR_CUDA: Final = re.compile(r"(tensorrt(?:-rtx)?)-cu(\d+)")
"""TensorRT's packages that are for one major version of CUDA, with their bindings and libraries."""


def installed_packages() -> dict[str, str]:
    """Names of all installed packages, normalised as PyPI does, with their versions.

    Source: "Names and normalization", Python Packaging User Guide.
    """
    from importlib.metadata import distributions  # noqa: PLC0415 (it takes long to import)

    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:  # an interrupted pip leaves folders without
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return found


def required_packages() -> tuple[str, ...]:
    """Names of the packages that drawing needs, an engine's not among them."""
    from importlib.metadata import requires  # noqa: PLC0415 (as above)

    return tuple(
        match[0]
        for line in requires("t2f") or ()
        if "extra" not in line
        if (match := re.match(r"[a-z0-9-]+", line))
    )


def examine_installed(
    packages: Mapping[str, str],
    required: Sequence[str],
    python: tuple[int, int, int],
    executable: str,
) -> Iterator[Finding]:
    """Looks at what is installed.

    Args:
        packages: All of it, as `installed_packages` gives it.
        required: What drawing needs.
        python: Version of Python.
        executable: Where that Python lies.
    """
    yield _finding("t2f", "ok", __version__)
    served = _OLDEST <= python[:2] <= _NEWEST
    yield _finding(
        "Python",
        "ok" if served else "warning",
        f"{'.'.join(map(str, python))}, {executable}",
        None if served else "T2F is made for Python 3.10 to 3.13: make an environment with one",
    )
    for name in required:
        version = packages.get(name)
        if version is None:
            yield _finding(name, "broken", "is not installed", f"pip install {name}")
        else:
            yield _finding(name, "ok", version)
    for name, version in sorted(packages.items()):
        if _ENGINE_PACKAGES.fullmatch(name):
            yield _finding(name, "note", version)
    yield from _examine_onnx_runtimes(packages)
    yield from _examine_tensorrts(packages)


def _examine_onnx_runtimes(packages: Mapping[str, str]) -> Iterator[Finding]:
    found = [name for name in ONNX_RUNTIMES if name in packages]
    if len(found) > 1:
        yield _finding(
            " and ".join(found),
            "warning",
            "all install the module 'onnxruntime', over each other's files: which of them runs, "
            "nobody can tell",
            f"keep one: pip uninstall -y {' '.join(found)} && pip install 't2f[cpu]', or with a "
            "GPU 't2f[gpu]'",
        )


def _examine_tensorrts(packages: Mapping[str, str]) -> Iterator[Finding]:
    versions: dict[str, set[str]] = {}
    for name in packages:
        match = _TENSORRT_FOR_CUDA.match(name)
        if match:
            versions.setdefault(match[1], set()).add(match[2])
    for library, cudas in versions.items():
        if len(cudas) > 1:
            names = [f"{library}-cu{cuda}" for cuda in sorted(cudas)]
            yield _finding(
                " and ".join(names),
                "warning",
                f"all install the module '{library.replace('-', '_')}', over each other's files",
                f"keep the one of your driver's CUDA: pip uninstall -y {' '.join(names)}, and "
                "install that anew",
            )


def _finding(subject: str, verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic=_TOPIC, subject=subject, verdict=verdict, text=text, repair=repair)
