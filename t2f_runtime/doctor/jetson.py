"""A Jetson: which board, which system, which power mode."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from t2f_runtime.doctor.finding import Finding, Verdict

_TOPIC: Final = "jetson"
_SECONDS: Final = 10
_DEVICE: Final = "dev/nvmap"
"""What every program that uses the GPU of a Jetson opens."""

Run = Callable[[Sequence[str]], str | None]
"""Runs a command, and gives what it printed; None where it cannot be run or fails."""


def run_command(command: Sequence[str]) -> str | None:
    """Runs a command; see `Run`."""
    try:
        done = subprocess.run(  # noqa: S603 (constants of this module)
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def board_model(root: Path) -> str | None:
    """The board's name, as its device tree tells it; None on what is no Jetson.

    Source: Devicetree Specification 0.4, section 2.3.2 "model".

    Args:
        root: Where `proc` lies.
    """
    try:
        data = (root / "proc/device-tree/model").read_bytes()
    except OSError:
        return None
    model = data.rstrip(b"\0").decode(errors="replace").strip()
    return model if "jetson" in model.lower() else None


def jetson_linux(root: Path) -> str | None:
    """Version of Jetson Linux, such as `36.4.3`; None where it is not told.

    Args:
        root: Where `etc` lies.
    """
    try:
        text = (root / "etc/nv_tegra_release").read_text(errors="replace")
    except OSError:
        return None
    match = re.search(r"R(\d+)[^,]*,\s*REVISION:\s*([\d.]+)", text)
    return f"{match[1]}.{match[2]}" if match else None


def power_mode(run: Run) -> str | None:
    """The power mode that is set, such as `15W`; None where nvpmodel does not tell.

    Source: Jetson Linux Developer Guide, "Platform Power and Performance".
    """
    match = re.search(r"NV Power Mode:\s*(\S.*)", run(["nvpmodel", "-q"]) or "")
    return match[1].strip() if match else None


def examine_jetson(root: Path = Path("/"), run: Run = run_command) -> Iterator[Finding]:
    """Looks at a Jetson; finds nothing on any other machine.

    Args:
        root: Where `proc`, `etc` and `dev` lie.
        run: Runs nvpmodel.
    """
    model = board_model(root)
    if model is None:
        return
    yield _finding("board", "note", model)
    system = jetson_linux(root)
    yield _finding("Jetson Linux", "note", system or "is not told by /etc/nv_tegra_release")
    mode = power_mode(run)
    if mode is None:
        yield _finding("power mode", "note", "is not told", "look yourself: sudo nvpmodel -q")
    else:
        is_highest = mode.upper().startswith("MAXN")
        how = "others: grep 'POWER_MODEL ID' /etc/nvpmodel.conf; sudo nvpmodel -m NUMBER"
        yield _finding("power mode", "note", mode, None if is_highest else how)
    device = root / _DEVICE
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        yield _finding(
            "GPU",
            "warning",
            f"this user may not open /{_DEVICE}, and so not use the GPU",
            'sudo usermod -aG video,render "$USER", and log in again',
        )


def _finding(subject: str, verdict: Verdict, text: str, repair: str | None = None) -> Finding:
    return Finding(topic=_TOPIC, subject=subject, verdict=verdict, text=text, repair=repair)
