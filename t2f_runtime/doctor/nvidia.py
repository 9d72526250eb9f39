"""NVIDIA's driver and libraries: where they lie, and what is in their way."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.engines.gpu import Device, NoDevice
from t2f_runtime.engines.names import CPU_ENGINES

_TOPIC: Final = "nvidia"

_LIBRARIES: Final = {
    "CUDA runtime": "libcudart.so",
    "cuBLAS": "libcublas.so",
    "cuDNN": "libcudnn.so",
    "TensorRT": "libnvinfer.so",
    "TensorRT for RTX": "libtensorrt_rtx.so",
}

_GPU_EXTRA: Final = "pip install 't2f[gpu]'"
_NEEDED: Final = {
    "CUDA runtime": (("onnx-cuda", "onnx-tensorrt"), _GPU_EXTRA),
    "cuBLAS": (("onnx-cuda", "onnx-tensorrt"), _GPU_EXTRA),
    "cuDNN": (("onnx-cuda", "onnx-tensorrt"), _GPU_EXTRA),
    "TensorRT": (
        ("tensorrt", "onnx-tensorrt"),
        "pip install 't2f[tensorrt]', or on a Jetson: apt install python3-libnvinfer",
    ),
}
"""The engines that need a library, and what installs it. TensorRT for RTX is no part of this: not
every GPU has it, and its package brings its library."""

_FOLDERS: Final = (
    "usr/local/cuda/lib64",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
)
"""Where the loader looks, and CUDA's installer puts things, below the root."""


def examine_nvidia(
    device: Device | NoDevice,
    *,
    environment: Mapping[str, str],
    root: Path = Path("/"),
    site_packages: Sequence[Path] = (),
    working: Collection[str] | None = None,
) -> Iterator[Finding]:
    """Looks at the GPU, its driver, CUDA's libraries, and what tells the loader where they are.

    Args:
        device: What CUDA's driver gives to this process.
        environment: The environment's variables.
        root: Where `proc` and `usr` lie.
        site_packages: Folders that packages are installed in.
        working: The engines that work here, by which missing libraries are told where there is a
            GPU; None does not look for what is missing.
    """
    driver = driver_version(root)
    if isinstance(device, NoDevice):
        # Without a driver this is a machine without a GPU, with which nothing is wrong.
        is_wrong = driver is not None
        yield _finding("GPU", "warning" if is_wrong else "note", device.reason, _gpu_repair(root))
    else:
        text = f"{device.name}, {device.compute_capability}"
        yield _finding("GPU", "ok", text)
    if driver is not None:
        yield _finding("driver", "note", driver)
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        is_none = hidden.strip() in {"", "-1"}
        yield _finding(
            "CUDA_VISIBLE_DEVICES",
            "warning" if is_none and driver is not None else "note",
            f"is {hidden!r}" + (", which hides every GPU" if is_none else ""),
            "unset CUDA_VISIBLE_DEVICES" if is_none else None,
        )
    path = environment.get("LD_LIBRARY_PATH", "")
    folders = list(dict.fromkeys(_folders(path, root, site_packages)))
    yield from _examine_libraries(folders)
    if working is not None and not isinstance(device, NoDevice):
        yield from _examine_missing(folders, working)
    yield from examine_library_path(path)


def driver_version(root: Path) -> str | None:
    """Version of NVIDIA's kernel driver; None where there is none, or it cannot be told.

    A Jetson's driver is part of its system, and not told so.

    Args:
        root: Where `proc` lies.
    """
    try:
        text = (root / "proc/driver/nvidia/version").read_text(errors="replace")
    except OSError:
        return None
    match = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)", text)
    return match[1] if match else None


def examine_library_path(path: str) -> Iterator[Finding]:
    """Looks at what LD_LIBRARY_PATH says, which the loader obeys before anything else.

    Source: ld.so(8), "LD_LIBRARY_PATH".

    Args:
        path: Its value; empty where it is not set.
    """
    if not path:
        return
    yield _path_finding("note", f"is {path!r}", None)
    for entry in re.split("[:;]", path):
        if not entry or not entry.startswith("/"):
            shown = repr(entry) if entry else "an empty entry"
            yield _path_finding(
                "warning",
                f"has {shown}, which means wherever the program was started from: whoever may "
                "write there decides which libraries it loads",
                "give whole paths alone",
            )
        elif Path(entry).name == "stubs":
            yield _path_finding(
                "warning",
                f"has {entry!r}: its libcuda is for linking, and no driver",
                f"take {entry} out",
            )
        elif not Path(entry).is_dir():
            yield _path_finding("note", f"has {entry!r}, which is no folder", f"take {entry} out")


def _examine_missing(folders: Sequence[Path], working: Collection[str]) -> Iterator[Finding]:
    """Tells of libraries that are not found, unless an engine that needs them works anyway."""
    uses_gpu = any(name not in CPU_ENGINES for name in working)
    for name, (engines, repair) in _NEEDED.items():
        if find_library(_LIBRARIES[name], folders) or set(engines) & set(working):
            continue
        yield _finding(
            name,
            "note" if uses_gpu else "warning",
            f"is not found, and {' and '.join(engines)} need it",
            repair,
        )


def _examine_libraries(folders: Sequence[Path]) -> Iterator[Finding]:
    for name, file_name in _LIBRARIES.items():
        found = find_library(file_name, folders)
        if not found:
            continue
        majors = {version.partition(".")[0] for version, _ in found}
        listed = ", ".join(f"{version or 'unknown'} in {folder}" for version, folder in found)
        if len(majors) > 1:
            yield _finding(
                name,
                "warning",
                f"there are several versions: {listed}; the loader takes the first that fits",
                "keep the one that your engine was built for",
            )
        else:
            yield _finding(name, "note", listed)


def find_library(file_name: str, folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """Finds a library of Linux by the name that it has without a version.

    Args:
        file_name: Such as `libcudnn.so`.
        folders: Where to look.

    Returns:
        In the order of the folders, the longest version in each, and the folder.
    """
    found: list[tuple[str, Path]] = []
    for folder in folders:
        versions = [_version(path, file_name) for path in sorted(folder.glob(f"{file_name}*"))]
        told = [version for version in versions if version is not None]
        if told:
            found.append((max(told, key=len), folder))
    return found


def _version(path: Path, file_name: str) -> str | None:
    rest = path.name.removeprefix(file_name)
    return rest.lstrip(".") if re.fullmatch(r"(\.\d+)*", rest) else None


def _folders(path: str, root: Path, site_packages: Sequence[Path]) -> Iterator[Path]:
    yield from (Path(entry) for entry in re.split("[:;]", path) if entry.startswith("/"))
    yield from (root / folder for folder in _FOLDERS)
    for packages in site_packages:
        yield from sorted(packages.glob("nvidia/*/lib"))
        yield from (packages / name for name in ("tensorrt_libs", "tensorrt_rtx_libs"))


def _gpu_repair(root: Path) -> str:
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return "with a GPU: start the container with --gpus all, on a Jetson with --runtime nvidia"
    return "with a GPU: install its driver, and look whether nvidia-smi shows it"


def _path_finding(verdict: Verdict, text: str, repair: str | None) -> Finding:
    return _finding("LD_LIBRARY_PATH", verdict, text, repair)


def _finding(subject: str, verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic=_TOPIC, subject=subject, verdict=verdict, text=text, repair=repair)
