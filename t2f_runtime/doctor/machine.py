"""The processor, the memory and the disk that this process may use."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from t2f_runtime.doctor.finding import Finding, Verdict
from t2f_runtime.processors import cpu_quotas, usable_cpus

_TOPIC: Final = "machine"
_MIB: Final = 2**20

_NO_LIMIT: Final = 2**60
"""Version 1 of cgroups writes no limit as the largest multiple of a page that it can."""

LEAST_MEMORY: Final = 256 * _MIB
"""A kiosk's process takes up to 160 MB; the rest is for what starts beside it."""

LEAST_DISK: Final = 256 * _MIB
"""Engines of a large bundle take as much."""


def examine_machine(
    *, cpus: int | None, root: Path = Path("/"), cache: Path | str | None
) -> Iterator[Finding]:
    """Looks at what this process may use.

    Args:
        cpus: How many CPUs the machine has; None where that is not known.
        root: Where `proc` and `sys` lie.
        cache: T2F's cache folder, which need not exist; or why there is none; None says nothing
            of it.
    """
    yield _examine_cpus(cpus, root)
    yield from _examine_memory(root)
    if isinstance(cache, str):
        yield _finding("cache", "note", cache)
    elif cache is not None:
        yield examine_folder("cache", cache, is_written=True)


def _examine_cpus(cpus: int | None, root: Path) -> Finding:
    usable = usable_cpus(root)
    text = f"{usable} of {cpus or 'an unknown number of'} CPUs may be used"
    quotas = sorted(cpu_quotas(root))
    if not quotas:
        return _finding("CPUs", "note", text)
    text += f"; a cgroup allows {quotas[0]:g}"
    if quotas[0] < 1:
        return _finding(
            "CPUs",
            "warning",
            f"{text}, so that a face takes {1 / quotas[0]:.1f} times as long or more",
            "raise the quota: docker run --cpus, or CPUQuota= of the systemd unit",
        )
    return _finding("CPUs", "note", text)


def _examine_memory(root: Path) -> Iterator[Finding]:
    available = memory_available(root)
    if available is not None:
        is_little = available < LEAST_MEMORY
        yield _finding(
            "memory",
            "warning" if is_little else "ok",
            f"{available // _MIB} MiB are available",
            "stop other programs" if is_little else None,
        )
    limit = memory_limit(root)
    if limit is not None:
        is_little = limit < LEAST_MEMORY
        yield _finding(
            "memory limit",
            "warning" if is_little else "note",
            f"a cgroup allows {limit // _MIB} MiB",
            "raise it: docker run --memory, or MemoryMax= of the systemd unit"
            if is_little
            else None,
        )


def memory_available(root: Path) -> int | None:
    """Bytes of memory that programs may take without swapping; None where it is not told.

    Source: proc(5), /proc/meminfo, "MemAvailable".

    Args:
        root: Where `proc` lies.
    """
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def memory_limit(root: Path) -> int | None:
    """Bytes of memory that the cgroups of this process allow; None where they set no limit.

    Sources: Linux, Documentation/admin-guide/cgroup-v2.rst, "memory.max", and of version 1
    Documentation/admin-guide/cgroup-v1/memory.rst, "memory.limit_in_bytes".

    Args:
        root: Where `proc` and `sys` lie.
    """
    groups = _read(root / "proc/self/cgroup")
    mount = root / "sys/fs/cgroup"
    version_1 = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/(.*)$", groups, re.MULTILINE)
    version_2 = re.search(r"^0::/(.*)$", groups, re.MULTILINE)
    limits = [
        *_limits(mount, version_2, "memory.max"),
        *_limits(mount / "memory", version_1, "memory.limit_in_bytes"),
    ]
    return min(limits, default=None)


def _limits(top: Path, group: re.Match[str] | None, name: str) -> Iterator[int]:
    """The limits of a cgroup and its ancestors, up to where they are mounted."""
    # A container's own view has its group at the top, whatever the path says.
    folder = top / group[1] if group and ".." not in group[1] else top
    for place in (folder, *folder.parents):
        text = _read(place / name).strip()
        if text.isdecimal() and int(text) < _NO_LIMIT:
            yield int(text)
        if place == top:
            break


def examine_folder(subject: str, folder: Path, *, is_written: bool, topic: str = _TOPIC) -> Finding:
    """Looks at the disk of a folder, and at whether the folder can be written.

    Args:
        subject: What to call it.
        folder: It need not exist.
        is_written: Whether T2F writes there.
        topic: What it belongs to.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        text = f"{folder} cannot be looked at: {error.strerror}"
        return _finding(subject, "warning", text, f"look at it: df {there}", topic)
    text = f"{folder}, {free // _MIB} MiB free"
    if is_written and not os.access(there, os.W_OK | os.X_OK):
        repair = f"name another folder in T2F_CACHE, or: sudo chown $USER {there}"
        return _finding(subject, "warning", f"{text}; it cannot be written", repair, topic)
    if is_written and free < LEAST_DISK:
        repair = f"make room, or name another folder in T2F_CACHE: df {there}"
        return _finding(subject, "warning", text, repair, topic)
    return _finding(subject, "ok", text, None, topic)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _finding(
    subject: str, verdict: Verdict, text: str, repair: str | None = None, topic: str = _TOPIC
) -> Finding:
    return Finding(topic=topic, subject=subject, verdict=verdict, text=text, repair=repair)
