"""Reads the weights that another program saved with torch: tensors and plain values, never code."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from t2f_export.errors import ForeignModelError

_MULTIPLE_GPUS = "module."
"""What torch's `DataParallel` puts before the name of every tensor."""

_FORBIDDEN = re.compile(r"\bGLOBAL (\S+)")


def read_weights_file(path: Path) -> object:
    """Reads what `torch.save` wrote, in its new format or in that of torch before 1.6.

    Args:
        path: The file.

    Returns:
        Mappings, lists, numbers, texts and tensors, these on the CPU.

    Raises:
        ForeignModelError: If it cannot be read, is no such file, or holds anything else.
    """
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ForeignModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch raises many types for what it did not write
        raise ForeignModelError(_refusal(path, error)) from error
    return loaded


def _refusal(path: Path, error: Exception) -> str:
    found = _FORBIDDEN.search(str(error))
    if isinstance(error, pickle.UnpicklingError) and found:
        return (
            f"{path} holds more than tensors and plain values: it names {found[1]}, and to load "
            f"that could run code; save the model's state_dict() with torch.save instead"
        )
    reason = str(error).partition("\n")[0] or "it ends too early"
    return f"{path} is no file of weights that torch.save wrote, or is damaged: {reason:.200}"


def read_bytes(path: Path) -> bytes:
    """Reads a whole file; raises `ForeignModelError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ForeignModelError(f"{path} cannot be read: {error.strerror or error}") from error


class NamedTensors:
    """The tensors of a state_dict, taken one by one, so that none is overlooked.

    Args:
        state: As `Module.state_dict()` gives them; torch's mark of several GPUs is left out.
        source: What errors call it.

    Raises:
        ForeignModelError: If it is no mapping of names to tensors.
    """

    def __init__(self, state: object, source: str) -> None:
        if not isinstance(state, Mapping) or not state:
            raise ForeignModelError(f"{source} is no state_dict, but {_kind(state)}")
        for name, tensor in state.items():
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                raise ForeignModelError(
                    f"{source} is no state_dict: {name!r:.60} is {_kind(tensor)}, not a tensor"
                )
        self._source = source
        self._left: dict[str, Tensor] = {
            name.removeprefix(_MULTIPLE_GPUS): tensor for name, tensor in state.items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def has_prefix(self, prefix: str) -> bool:
        """Whether the name of a tensor that is left begins so."""
        return any(name.startswith(prefix) for name in self._left)

    def count(self, pattern: str) -> int:
        """How many tensors `pattern.format(0)`, `pattern.format(1)` … there are in a row."""
        number = 0
        while pattern.format(number) in self._left:
            number += 1
        return number

    def sizes(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor that has so many dimensions.

        Raises:
            ForeignModelError: If there is none of this name, or it has others.
        """
        found = self._shape(name)
        if len(found) != dimensions:
            raise ForeignModelError(
                f"{self._source}: {name!r} has the shape {found}; "
                f"{dimensions} dimensions were expected"
            )
        return found

    def take(self, name: str, *shape: int) -> Tensor:
        """Takes a tensor, in float32.

        Args:
            name: Its name.
            shape: The shape that it must have.

        Raises:
            ForeignModelError: If it is missing, of another shape, or not of finite numbers.
        """
        found = self._shape(name)
        tensor = self._left.pop(name)
        if found != shape:
            raise ForeignModelError(
                f"{self._source}: {name!r} has the shape {found}; the other tensors ask for {shape}"
            )
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise ForeignModelError(f"{self._source}: {name!r} holds what is no finite number")
        return tensor.detach().float()

    def check_all_taken(self) -> None:
        """Raises `ForeignModelError` if tensors are left, which the model would lack."""
        if self._left:
            left = ", ".join(sorted(self._left)[:4])
            raise ForeignModelError(
                f"{self._source} holds tensors that this kind of model does not have: {left}; "
                f"it was made by another version or another program"
            )

    def _shape(self, name: str) -> tuple[int, ...]:
        if name not in self._left:
            have = ", ".join(sorted(self._left)[:4]) or "none that is not read already"
            raise ForeignModelError(f"{self._source} holds no tensor {name!r}; it has: {have}")
        return tuple(self._left[name].shape)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "an empty mapping" if not value else "a mapping"
    return f"a value of type {type(value).__name__}"
