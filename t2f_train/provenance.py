"""Where numbers come from: versions, the source's commit, digests of files."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def sha256_of(content: bytes | None) -> str | None:
    """SHA-256 in hexadecimal; None of None."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    names = ("t2f", "torch", "numpy", "sentencepiece")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def source_commit() -> str | None:
    """The commit of T2F's own checkout, or None where it is installed without one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
