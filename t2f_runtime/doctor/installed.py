"""The packages that are installed, and those that are in each other's way."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from t2f_runtime import __version__
from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.engines.choice import version_numbers
from t2f_runtime.engines.onnx_runtime import PACKAGES as ONNX_RUNTIMES

_TOPIC: Final = "installed"
_OLDEST, _NEWEST = (3, 10), (3, 13)

_ENGINE_PACKAGES: Final = re.compile(
    r"onnxruntime.*|openvino|tensorrt.*|cuda-bindings|nvidia-(cudnn|cublas|cuda-runtime).*"
)
_FOR_CUDA: Final = re.compile(r"(tensorrt(?:-rtx)?|nvidia-cudnn)-cu(\d+)")
"""Packages that are for one major version of CUDA, with their bindings and libraries."""

_SHARED: Final = {
    "tensorrt": "the module 'tensorrt'",
    "tensorrt-rtx": "the module 'tensorrt_rtx'",
    "nvidia-cudnn": "the folder 'nvidia/cudnn'",
}
"""What packages for several versions of CUDA install over each other."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that T2F needs, or an extra of it."""

    name: str
    """Its name, as PyPI normalises it."""
    limits: str
    """Versions that serve, as pip takes them: `>=10.3,<12`; empty where any does."""
    extra: str | None
    """The extra that needs it; None of what drawing always needs."""

    def serves(self, version: str) -> bool:
        """Whether a version is within the limits, by its numbers: `2.0rc1` counts as 2.0."""
        numbers = _padded(version)
        for limit in self.limits.split(","):
            bound = _padded(limit)
            if limit.startswith(">=") and numbers < bound:
                return False
            if limit.startswith("<") and not limit.startswith("<=") and numbers >= bound:
                return False
        return True


def _padded(version: str) -> tuple[int, ...]:
    return (*version_numbers(version), 0, 0, 0, 0)[:4]


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


def requirements() -> tuple[Requirement, ...] | None:
    """What T2F and its extras need; None where its metadata are not there, as in a frozen kiosk."""
    from importlib.metadata import PackageNotFoundError, requires  # noqa: PLC0415 (as above)

    try:
        lines = requires("t2f") or ()
    except PackageNotFoundError:
        return None
    found = [each for each in map(_parse, lines) if each is not None and each.extra != "dev"]
    # Several extras may need one package, of the same versions.
    return tuple({(each.name, each.limits): each for each in reversed(found)}.values())[::-1]


def _parse(line: str) -> Requirement | None:
    """Reads a requirement; None of one of T2F's own extras.

    Source: PEP 508; hatchling writes `name[extras]<limits; marker`.
    """
    needed, _, marker = line.partition(";")
    match = re.match(r"([A-Za-z0-9._-]+)\s*(?:\[.*\])?\s*(.*)", needed.strip())
    if match is None or match[1] == "t2f":
        return None
    extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", marker)
    name = re.sub(r"[-_.]+", "-", match[1]).lower()
    return Requirement(name, match[2].replace(" ", ""), extra[1] if extra else None)


def examine_installed(
    packages: Mapping[str, str],
    required: Sequence[Requirement] | None,
    python: tuple[int, int, int],
    executable: str,
) -> Iterator[Finding]:
    """Looks at what is installed.

    Args:
        packages: All of it, as `installed_packages` gives it.
        required: What T2F and its extras need; None where nobody knows.
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
    if required is None:
        yield _finding(
            "metadata",
            "warning",
            "T2F's own are not installed, as in a vendored or frozen program: nobody can tell "
            "which versions it needs",
            "copy the folder t2f-*.dist-info beside t2f_runtime; of PyInstaller: "
            "--copy-metadata t2f",
        )
    for needed in required or ():
        yield from _examine_requirement(needed, packages)
    listed = {needed.name for needed in required or () if needed.extra is None}
    for name, version in sorted(packages.items()):
        if _ENGINE_PACKAGES.fullmatch(name) and name not in listed:
            yield _finding(name, "note", version)
    yield from _examine_onnx_runtimes(packages)
    yield from _examine_cuda_versions(packages)


def _examine_requirement(needed: Requirement, packages: Mapping[str, str]) -> Iterator[Finding]:
    """Looks at a package that drawing needs, or at one of an extra where it is installed."""
    name, version = needed.name, packages.get(needed.name)
    if version is None:
        if needed.extra is None:
            yield _finding(
                name, "broken", "is not installed", f"pip install '{name}{needed.limits}'"
            )
    elif not needed.serves(version):
        extra = "" if needed.extra is None else f"'s extra '{needed.extra}'"
        yield _finding(
            name,
            "warning",
            f"{version}; T2F{extra} is made for {needed.limits}",
            f"pip install '{name}{needed.limits}'",
        )
    elif needed.extra is None:
        yield _finding(name, "ok", version)


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


def _examine_cuda_versions(packages: Mapping[str, str]) -> Iterator[Finding]:
    versions: dict[str, set[str]] = {}
    for name in packages:
        match = _FOR_CUDA.match(name)
        if match:
            versions.setdefault(match[1], set()).add(match[2])
    for library, cudas in versions.items():
        if len(cudas) > 1:
            names = [f"{library}-cu{cuda}" for cuda in sorted(cudas)]
            yield _finding(
                " and ".join(names),
                "warning",
                f"all install {_SHARED[library]}, over each other's files",
                f"keep the one of your driver's CUDA: pip uninstall -y {' '.join(names)}, and "
                "install that anew",
            )


def _finding(subject: str, verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic=_TOPIC, subject=subject, verdict=verdict, text=text, repair=repair)
