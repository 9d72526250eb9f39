"""Opens the device that training runs on."""

import torch

from t2f_train.errors import ConfigError


def open_device(name: str) -> torch.device:
    """Opens a device of torch and proves that it computes.

    Args:
        name: As torch writes it: `cpu`, `cuda`, `cuda:1`.

    Raises:
        ConfigError: If there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r} cannot be used: {reason}; try --device cpu") from error
    return device
