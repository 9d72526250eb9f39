"""Checkpoints: complete or absent, and nothing in them can run code.

A checkpoint is a folder `checkpoints/step-00001234/` of three files. It is written under another
name and renamed when it is complete, so a run that is killed at any moment leaves only whole ones.
"""

import hashlib
import io
import os
import shutil
from pathlib import Path

import msgspec
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from t2f_train.errors import RunError
from t2f_train.training_step import Networks

WEIGHTS = "weights.safetensors"
OPTIMISERS = "optimisers.pt"
STATE = "state.json"
KEPT_CHECKPOINTS = 2
"""Checkpoints that a run keeps: the latest, and the one before in case that one is damaged."""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a run stands between two steps."""

    step: int
    """Steps taken in all."""
    images_seen: int
    """Real images seen in all."""
    depth: int
    """Depth that the optimisers were made for."""
    metrics: dict[str, float]
    """The last losses that were logged, by name."""
    loss_sums: dict[str, float]
    """Sums of losses since then, by name."""
    loss_counts: dict[str, int]
    """Steps that each of those sums is over."""


class CheckpointState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small file of a checkpoint."""

    place: Place
    """Where the run stood when it was written."""
    weights_sha256: str
    """SHA-256 of weights.safetensors."""


def _tensors(networks: Networks) -> dict[str, Tensor]:
    parts = _modules(networks)
    return {
        f"{part}.{name}": tensor
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def _modules(networks: Networks) -> dict[str, nn.Module]:
    return {
        "model": networks.model,
        "averaged": networks.averaged,
        "discriminator": networks.discriminator,
    }


def optimisers_content(networks: Networks) -> bytes:
    """What both sides' Adam remembers, and how float16 scales their losses."""
    scalers = {side: s.state_dict() for side, s in networks.computing.scalers.items()}
    states = {
        "generator": networks.generator_optimiser.state_dict(),
        "discriminator": networks.discriminator_optimiser.state_dict(),
        **({"scalers": scalers} if scalers else {}),
    }
    content = io.BytesIO()
    torch.save(states, content)
    return content.getvalue()


def load_optimisers(content: bytes, networks: Networks) -> None:
    """Puts what `optimisers_content` gave into networks that are at the same depth."""
    # To the CPU: the optimisers move what belongs to their device, and keep step counts here.
    states = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    networks.generator_optimiser.load_state_dict(states["generator"])
    networks.discriminator_optimiser.load_state_dict(states["discriminator"])
    for side, scaler in networks.computing.scalers.items():
        scaler.load_state_dict(states["scalers"][side])


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a run's `checkpoints` folder, or None."""
    return max(folder.glob("step-????????"), default=None)


def save_checkpoint(folder: Path, networks: Networks, place: Place) -> Path:
    """Writes a checkpoint, then removes all but the latest two.

    Args:
        folder: The run's `checkpoints` folder.
        networks: What to save: weights, averaged weights, optimisers.
        place: Where the run stands.

    Returns:
        The checkpoint's folder.
    """
    final = folder / f"step-{place.step:08d}"
    for leftover in folder.glob(".step-*"):  # of a process that was killed while it saved
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder / f".{final.name}.partial"
    partial.mkdir(parents=True)
    weights = safetensors.torch.save(
        {name: tensor.cpu().contiguous() for name, tensor in _tensors(networks).items()}
    )
    (partial / WEIGHTS).write_bytes(weights)
    # Not by torch, which reports a full disk as a bug of its own.
    (partial / OPTIMISERS).write_bytes(optimisers_content(networks))
    state = CheckpointState(place=place, weights_sha256=hashlib.sha256(weights).hexdigest())
    (partial / STATE).write_bytes(msgspec.json.encode(state) + b"\n")
    for path in [*partial.iterdir(), partial]:
        _flush_to_disk(path)
    if final.exists():  # renamed away first: a latest checkpoint is never half removed
        final.rename(folder / f".{final.name}.old")
    partial.replace(final)
    _flush_to_disk(folder)
    for old in sorted(folder.glob("step-????????"))[:-KEPT_CHECKPOINTS]:
        shutil.rmtree(old)
    shutil.rmtree(folder / f".{final.name}.old", ignore_errors=True)
    return final


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_state(checkpoint: Path) -> CheckpointState:
    """Reads where a checkpoint stands; raises `RunError` if it is damaged."""
    try:
        return msgspec.json.decode((checkpoint / STATE).read_bytes(), type=CheckpointState)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(_damaged(checkpoint, STATE, error)) from error


def read_weights(checkpoint: Path, part: str) -> dict[str, Tensor]:
    """Reads the weights of one part: `model`, `averaged` or `discriminator`.

    Raises:
        RunError: If the file is missing, damaged, or not the one that was written.
    """
    state = read_state(checkpoint)
    try:
        content = (checkpoint / WEIGHTS).read_bytes()
        if hashlib.sha256(content).hexdigest() != state.weights_sha256:
            raise RunError(
                _damaged(checkpoint, WEIGHTS, "its SHA-256 is not the one in state.json")
            )
        tensors = safetensors.torch.load(content)
    except (OSError, SafetensorError) as error:
        raise RunError(_damaged(checkpoint, WEIGHTS, error)) from error
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def load_weights(module: nn.Module, checkpoint: Path, part: str) -> None:
    """Puts the weights of one part into a module; raises `RunError` if they do not fit."""
    try:
        module.load_state_dict(read_weights(checkpoint, part))
    except RuntimeError as error:
        reason = f"the {part} does not fit the run's configuration: {error}"
        raise RunError(_damaged(checkpoint, WEIGHTS, reason)) from error


def load_checkpoint(checkpoint: Path, networks: Networks) -> Place:
    """Puts a checkpoint's weights and optimisers into `networks`.

    Raises:
        RunError: If a file is missing or damaged.
    """
    place = read_state(checkpoint).place
    for part, module in _modules(networks).items():
        load_weights(module, checkpoint, part)
    networks.start_phase(place.depth)
    try:
        load_optimisers((checkpoint / OPTIMISERS).read_bytes(), networks)
    except Exception as error:  # torch raises many types for a damaged file
        raise RunError(_damaged(checkpoint, OPTIMISERS, error)) from error
    return place


def _damaged(checkpoint: Path, file: str, reason: object) -> str:
    return (
        f"checkpoint {checkpoint} is damaged: {file}: {reason}; remove that folder to continue "
        f"from the checkpoint before it"
    )
