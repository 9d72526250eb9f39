"""Which CPUs the process of an engine is held to, so that every run of it has the same."""

import os
from collections import Counter
from pathlib import Path


def choose_cpus(threads: int, root: Path = Path("/")) -> tuple[int, ...]:
    """The CPUs that processes of an engine are held to: of those that this one may use.

    One of each core comes before any second one of a core: two threads on one core are no two
    threads, and nothing but this would put them there.

    Source: Linux, Documentation/ABI/stable/sysfs-devices-system-cpu, "thread_siblings_list".

    Args:
        threads: How many; where there are not so many, nothing is held.
        root: Where `sys` lies.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        return ()
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int]] = []
    for cpu in allowed:
        core = _read_core(root, cpu)
        turns.append((seen[core], cpu))
        seen[core] += 1
    return tuple(sorted(cpu for _, cpu in sorted(turns)[:threads]))


def _read_core(root: Path, cpu: int) -> str:
    """What all CPUs of one core have in common; a core of its own where it is not told."""
    path = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return str(cpu)


def pin(cpus: tuple[int, ...]) -> tuple[int, ...] | None:
    """Holds this process to some CPUs.

    Args:
        cpus: Which; none leaves it those that it has.

    Returns:
        Those that it is held to; None where nothing holds it.
    """
    if not cpus or not hasattr(os, "sched_setaffinity"):
        return None
    os.sched_setaffinity(0, cpus)
    return tuple(sorted(os.sched_getaffinity(0)))
