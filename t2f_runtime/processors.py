"""How many CPUs this process may use, which affinity and a container's quota may have limited.

Sources: Linux's sched_setaffinity(2); Documentation/admin-guide/cgroup-v2.rst, "cpu.max";
Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us of version 1); proc(5), mountinfo.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cpus(root: Path = Path("/")) -> int:
    """Number of CPUs that this process may use: what its affinity and its cgroups allow.

    A quota is rounded down, to no less than 1: a thread too many is stopped in the middle of a
    face until the next period begins.

    Args:
        root: Where `proc` and `sys` lie.
    """
    return min([_allowed_cpus(), *(max(1, int(quota)) for quota in cpu_quotas(root))])


def cpu_quotas(root: Path = Path("/")) -> Iterator[float]:
    """Gives the quotas, in CPUs, of the cgroups that this process is in, of either version.

    Every ancestor may have its own. A file that is missing or not as the sources say is no quota.

    Args:
        root: Where `proc` and `sys` lie.
    """
    groups = list(_groups(root))
    for mount, folder, is_version_2 in _mounts(root):
        for controllers, group in groups:
            if controllers != ("" if is_version_2 else "cpu"):
                continue
            for path in _up(root / mount.lstrip("/"), _inside(group, folder)):
                quota = _quota_2(path) if is_version_2 else _quota_1(path)
                if quota is not None:
                    yield quota


def _allowed_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(root: Path) -> Iterator[tuple[str, str]]:
    """The cgroups of this process: "" with the path of version 2, "cpu" with that of version 1."""
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers or "cpu" in controllers.split(","):
            yield ("cpu" if controllers else ""), path


def _mounts(root: Path) -> Iterator[tuple[str, str, bool]]:
    """Where cgroups are mounted: the mount point, the cgroup that lies there, and its version."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" or (kind[0] == "cgroup" and "cpu" in kind[2].split(",")):
            yield fields[4], fields[3], kind[0] == "cgroup2"


def _inside(group: str, folder: str) -> str:
    """A cgroup's path below a mount, which may show a part of the tree alone."""
    try:
        return str(PurePosixPath(group).relative_to(folder))
    except ValueError:  # a container's own view: what is mounted is the cgroup itself
        return "."


def _up(mount: Path, group: str) -> Iterator[Path]:
    """The folder of a cgroup and those of its ancestors, up to the mount."""
    parts = PurePosixPath(group).parts
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _quota_2(path: Path) -> float | None:
    words = " ".join(_lines(path / "cpu.max")).split()
    return _divide(*words) if len(words) == 2 else None


def _quota_1(path: Path) -> float | None:
    quota = " ".join(_lines(path / "cpu.cfs_quota_us"))
    period = " ".join(_lines(path / "cpu.cfs_period_us"))
    return _divide(quota, period)


def _divide(quota: str, period: str) -> float | None:
    """Quota over period, both in microseconds; `max` and -1 are no quota."""
    try:
        numbers = int(quota), int(period)
    except ValueError:
        return None
    return numbers[0] / numbers[1] if min(numbers) > 0 else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
