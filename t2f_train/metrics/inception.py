"""FID and KID, for whoever has the weights of the Inception network."""

import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2f_runtime.errors import ArgumentError, MissingPackageError
from t2f_train.metrics.pictures import Pictures, check_pictures

INCEPTION_SIDE = 299
"""Side of the pictures that Inception looks at, in pixels."""
KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000
"""Both as in torchmetrics and in NVIDIA's StyleGAN2-ADA."""


def frechet_and_kernel_distance(
    real: Pictures,
    drawn: Pictures,
    *,
    weights: Path,
    seed: int = 0,
    batch_size: int = 32,
    device: torch.device | None = None,
) -> dict[str, float]:
    """Compares two sets of pictures by what Inception sees in them: FID and KID.

    The distances themselves are torchmetrics'. Numbers compare with published ones only with the
    same network, pictures of the same resolution and equal counts: FID from few pictures is too
    large (the customary 50,000 against all real ones; below the number of features, 2,048, its
    covariances are not even of full rank), KID has no such bias.

    Sources: Heusel et al. 2017, arXiv:1706.08500, equation 6 (FID); Binkowski et al. 2018,
    arXiv:1801.01401, sections 3 and 4 (KID: cubic kernel, 100 subsets of up to 1,000).

    Args:
        real: Two or more, shape `(count, side, side, 3)`, uint8, RGB.
        drawn: Two or more; count and side may differ from the real pictures'.
        weights: A TorchScript file, one of two kinds. The usual one is NVIDIA's
            `inception-2015-12-05.pt` (from StyleGAN2-ADA), known by its argument
            `return_features`: it gets the pictures as they are, shape `(batch, 3, side, side)`,
            uint8, and enlarges them itself. Any other module gets them enlarged to 299 pixels
            (bilinear), uint8 too, and must return its features, shape `(batch, features)`.
            TorchScript runs what is in the file, so take it from where you trust it.
        seed: Decides KID's subsets, 0 or more.
        batch_size: Pictures that the network sees at a time.
        device: Where the network runs; None is the CPU.

    Returns:
        `fid` and `kid`, both 0 for equal distributions; an estimate of KID can be below 0.

    Raises:
        ArgumentError: If the file is no such network, or there are too few pictures.
        MissingPackageError: If torchmetrics is not installed.
    """
    check_pictures("real pictures", real, minimum=2)
    check_pictures("drawn pictures", drawn, minimum=2)
    network = _load(weights, device or torch.device("cpu"))
    features = [_features(network, pictures, weights, batch_size) for pictures in (real, drawn)]
    return _distances(features[0], features[1], seed)


def _load(weights: Path, device: torch.device) -> torch.jit.ScriptModule:
    try:
        with warnings.catch_warnings():
            # Deprecated from torch 2.13 on, but the public weights come in this form alone.
            warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
            network: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                str(weights), map_location=device
            )
    except (RuntimeError, ValueError, OSError) as error:
        reason = "is not a TorchScript module" if weights.is_file() else "is not a file"
        raise ArgumentError(
            f"the Inception weights {weights}: {reason}; give NVIDIA's inception-2015-12-05.pt or "
            "a module saved with torch.jit.save, not a dictionary of weights"
        ) from error
    network.eval()
    return network


@torch.no_grad()
def _features(
    network: torch.jit.ScriptModule, pictures: Pictures, weights: Path, batch_size: int
) -> Tensor:
    """What the network sees: shape `(count, features)`, float64, on the CPU."""
    schema = network.forward.schema  # type: ignore[attr-defined] # a method of TorchScript's
    enlarges = any(argument.name == "return_features" for argument in schema.arguments)
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    parts = []
    for start in range(0, len(pictures), batch_size):
        some = np.ascontiguousarray(pictures[start : start + batch_size])
        batch = torch.from_numpy(some).permute(0, 3, 1, 2).contiguous().to(device)
        try:
            found = network(batch, return_features=True) if enlarges else network(_enlarged(batch))
        except RuntimeError as error:
            raise ArgumentError(
                f"the network {weights} cannot take uint8 pictures of shape "
                f"(batch, 3, {INCEPTION_SIDE}, {INCEPTION_SIDE}); its own complaint ends: "
                f"{str(error).strip().splitlines()[-1]}"
            ) from error
        parts.append(_checked(found, len(batch), weights).double().cpu())
    return torch.cat(parts)


def _enlarged(batch: Tensor) -> Tensor:
    """Pictures of any side at 299 pixels: shape `(batch, 3, 299, 299)`, uint8."""
    if batch.shape[-1] == INCEPTION_SIDE:
        return batch
    size = (INCEPTION_SIDE, INCEPTION_SIDE)
    enlarged = F.interpolate(batch.float(), size, mode="bilinear", antialias=True)
    return enlarged.round().clamp(0, 255).to(torch.uint8)


def _checked(found: object, batch: int, weights: Path) -> Tensor:
    """Refuses what are no features."""
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != batch:
        kind = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ArgumentError(
            f"the network {weights} returned {kind} for {batch} pictures; it must return their "
            f"features, shape ({batch}, features)"
        )
    return found


class _AsTheyAre(nn.Module):
    """Stands for the network where torchmetrics is given features instead of pictures."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _distances(real: Tensor, drawn: Tensor, seed: int) -> dict[str, float]:
    """FID and KID of features, each of shape `(count, features)`, float64."""
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: PLC0415 - optional
        from torchmetrics.image.kid import KernelInceptionDistance  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingPackageError(
            f"FID and KID need the package 'torchmetrics' ({error}); install it with: "
            "pip install 't2f[evaluate]'"
        ) from error
    subset = min(KID_SUBSET_SIZE, len(real), len(drawn))
    is_everything = subset == len(real) == len(drawn)
    frechet = FrechetInceptionDistance(_AsTheyAre(real.shape[1]))
    with warnings.catch_warnings():
        # It keeps all features, which take 16 KiB a picture.
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save")
        kernel = KernelInceptionDistance(
            _AsTheyAre(real.shape[1]),
            subsets=1 if is_everything else KID_SUBSETS,
            subset_size=subset,
        )
    for metric in (frechet, kernel):
        metric.update(real, real=True)
        metric.update(drawn, real=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # KID draws its subsets from the global state
        kernel_distance, _ = kernel.compute()
    return {"fid": float(frechet.compute()), "kid": float(kernel_distance)}
