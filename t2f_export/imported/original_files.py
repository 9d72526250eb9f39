"""Finds the files of one model of the original T2F, among those that its training leaves behind.

Source of the names: `train_network.py` of akanimax/T2F, which saves `Encoder_N.pth`,
`Condition_Augmentor_N.pth` and `GAN_GEN_N.pth` at every depth N, 0 for 4x4 pixels; pro-gan-pth
saves averaged weights as `GAN_GEN_SHADOW_N.pth`. The vocabulary is a pickle of another folder.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from t2f_export.errors import ForeignModelError
from t2f_export.imported.weights_file import NamedTensors, read_weights_file

ENCODER = "Encoder"
AUGMENTOR = "Condition_Augmentor"
GENERATOR = "GAN_GEN"
AVERAGED_GENERATOR = "GAN_GEN_SHADOW"
VOCABULARY = "vocabulary"

_SAVED = re.compile(
    rf"({ENCODER}|{AUGMENTOR}|{AVERAGED_GENERATOR}|{GENERATOR})_(\d+)\.pth", re.ASCII
)
_DEPTH = re.compile(r"_(\d+)\.pth", re.ASCII)
_PICKLE = ".pkl"

_MARKS = {
    ENCODER: "network.0.weight",
    AUGMENTOR: "transformer.",
    GENERATOR: "initial_block.",
}
"""How the names of a part's tensors begin."""

_HINTS = {
    ENCODER: "Encoder_N.pth (there is none where InferSent read the descriptions, which T2F does "
    "not have)",
    AUGMENTOR: "Condition_Augmentor_N.pth",
    GENERATOR: "GAN_GEN_N.pth or GAN_GEN_SHADOW_N.pth",
    VOCABULARY: "processed_text.pkl, from processed_annotations/",
}


@dataclass(frozen=True, slots=True)
class OriginalFiles:
    """The files of one model."""

    encoder: Path
    """The text encoder's weights."""
    augmentor: Path
    """The condition augmentor's."""
    generator: Path
    """The generator's, averaged where there are such."""
    vocabulary: Path
    """The pickle with the words."""

    @property
    def depth(self) -> int | None:
        """The depth that the generator was saved at, if its name tells."""
        found = _DEPTH.search(self.generator.name)
        return int(found[1]) if found else None


def find_original_files(sources: Sequence[Path]) -> OriginalFiles:
    """Finds the four files of a model.

    Args:
        sources: Files, which are told apart by what is in them, and folders, which give what is
            still missing: the vocabulary, and the parts that were saved at the largest depth.

    Raises:
        ForeignModelError: If one is missing, or there are several of a kind.
    """
    found: dict[str, Path] = {}
    for path in sources:
        if not path.is_dir():
            _add(found, _kind(path), path)
    for path in sources:
        if path.is_dir():
            _look_in(path, found)
    for kind, hint in _HINTS.items():
        if kind not in found:
            raise ForeignModelError(
                f"{', '.join(map(str, sources))}: there is no {hint}; give a folder that holds "
                f"all four, or the files"
            )
    return OriginalFiles(
        encoder=found[ENCODER],
        augmentor=found[AUGMENTOR],
        generator=found[GENERATOR],
        vocabulary=found[VOCABULARY],
    )


def _add(found: dict[str, Path], kind: str, path: Path) -> None:
    if kind in found:
        raise ForeignModelError(
            f"{found[kind]} and {path} are the same part of a model; give one of them"
        )
    found[kind] = path


def _kind(path: Path) -> str:
    if path.suffix == _PICKLE:
        return VOCABULARY
    tensors = NamedTensors(read_weights_file(path), str(path))
    for kind, mark in _MARKS.items():
        if tensors.has_prefix(mark):
            return kind
    raise ForeignModelError(
        f"{path} is neither a text encoder nor a condition augmentor nor a generator of the "
        f"original T2F; its tensors have other names"
    )


def _look_in(folder: Path, found: dict[str, Path]) -> None:
    """Adds what is missing from a folder: the parts of the largest depth that has them all."""
    missing = {ENCODER, AUGMENTOR, GENERATOR} - found.keys()
    depths: dict[int, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        name = _SAVED.fullmatch(path.name)
        if name:
            depths.setdefault(int(name[2]), {})[name[1]] = path
    for parts in depths.values():
        if AVERAGED_GENERATOR in parts:
            parts[GENERATOR] = parts.pop(AVERAGED_GENERATOR)
    complete = [depth for depth, parts in depths.items() if missing <= parts.keys()]
    # Of a folder without a complete depth the deepest tells what is missing.
    chosen = depths.get(max(complete or depths, default=0), {})
    found.update({kind: path for kind, path in chosen.items() if kind in missing})
    if VOCABULARY not in found:
        for path in sorted(folder.glob(f"*{_PICKLE}")):
            _add(found, VOCABULARY, path)
