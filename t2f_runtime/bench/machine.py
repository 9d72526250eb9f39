"""What a measurement depends on beside the program: processor, clocks, power mode, load."""

import os
import platform
import re
from pathlib import Path

import numpy as np

from t2f_runtime.bench.report import MachineFacts
from t2f_runtime.doctor.jetson import Run, board_model, power_mode, run_command
from t2f_runtime.processors import usable_cpus


def look_at_machine(root: Path = Path("/"), run: Run = run_command) -> MachineFacts:
    """Looks at the machine before anything is measured.

    Args:
        root: Where `proc` and `sys` lie.
        run: Runs nvpmodel, on a Jetson.
    """
    board = board_model(root)
    clock = megahertz(root)
    return MachineFacts(
        platform=f"{platform.system()}-{platform.release()}-{platform.machine()}",
        processor=board or processor_name(root),
        usable_cpus=usable_cpus(root),
        python=platform.python_version(),
        numpy=np.__version__,
        governor=_read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        megahertz=None if clock is None else (clock, clock),
        power_mode=None if board is None else power_mode(run),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def processor_name(root: Path) -> str:
    """The processor's name, as Linux knows it; elsewhere what Python tells.

    Args:
        root: Where `proc` lies.
    """
    match = re.search(r"^model name\s*:\s*(.+)$", _read(root / "proc/cpuinfo") or "", re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine()


def megahertz(root: Path = Path("/")) -> float | None:
    """The clock of the first processor now; None where it is not told.

    Source: Linux, Documentation/admin-guide/pm/cpufreq.rst, "scaling_cur_freq" (in kHz), and
    proc(5), /proc/cpuinfo, which a virtual machine has alone.

    Args:
        root: Where `proc` and `sys` lie.
    """
    text = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    if text is not None and text.isdecimal():
        return int(text) / 1000
    match = re.search(r"^cpu MHz\s*:\s*([\d.]+)$", _read(root / "proc/cpuinfo") or "", re.MULTILINE)
    return float(match[1]) if match else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
