"""How training computes: in which precision, in which layout of memory, compiled or not.

In lower precision the generator and the discriminator's trunk compute, which is nearly all there is
to compute, by torch's autocast. Weights, Adam and averaged weights stay float32, and so do the text
encoder, the conditioning, pixel norm's means, the discriminator's heads with the deviation over the
minibatch, the losses, and the penalties, whose second derivatives need the digits.

float16 cannot hold small gradients, so its losses are scaled up (Micikevicius et al. 2017, "Mixed
precision training", arXiv:1710.03740, section 3.2). Each side has a scale of its own: their losses
differ by orders of magnitude, and an overflow of one says nothing of the other. A step whose
gradients overflow is skipped and lowers the scale.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from t2f_train.collectives import average_gradients
from t2f_train.config import ComputeSettings
from t2f_train.discriminator import Discriminator
from t2f_train.errors import ConfigError
from t2f_train.generator import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

LOWEST_SCALE = 2.0**-14
"""A loss whose gradients overflow float16 even when they are scaled down by this has diverged."""

COMPILER = "inductor"
"""torch's own compiler: Triton on a GPU, C++ on a CPU."""

Side = Literal["generator", "discriminator"]

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Computing:
    """Computes the networks as `compute` of the configuration says.

    Args:
        settings: That section.
        device: Where the networks live.

    Raises:
        ConfigError: If the networks are to be compiled and no compiler works here.

    Attributes:
        scalers: What scales the losses of each side; empty but for float16.
    """

    def __init__(self, settings: ComputeSettings, device: torch.device) -> None:
        self._device = device
        self._type = _TYPES[settings.precision]
        self._is_compiled = settings.compile
        self._layout = torch.preserve_format
        if settings.channels_last:
            self._layout = torch.channels_last
        self.scalers: dict[Side, torch.amp.GradScaler] = {}
        if self._type == torch.float16:
            self.scalers = {
                "generator": torch.amp.GradScaler(device.type),
                "discriminator": torch.amp.GradScaler(device.type),
            }
        self._draw: Callable[..., Tensor] = _draw
        self._features: Callable[..., Tensor] = _features
        if settings.compile:
            check_compiler(device)
            self._draw = torch.compile(_draw, backend=COMPILER)
            self._features = torch.compile(_features, backend=COMPILER)

    def arrange(self, module: nn.Module) -> None:
        """Puts a module's kernels into the layout of memory that the images have."""
        if self._layout != torch.preserve_format:
            for parameter in module.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=self._layout)

    def start_phase(self) -> None:
        """Forgets what was compiled for other depths, of which torch keeps only so many."""
        if self._is_compiled:
            torch.compiler.reset()

    def draw(self, generator: Generator, latent: Tensor, depth: int, fade: float) -> Tensor:
        """Images in float32; arguments as for the generator."""
        with self._lowered():
            images = self._draw(generator, latent, depth, self._weight(fade))
        return self._raised(images)

    def features(
        self, discriminator: Discriminator, images: Tensor, depth: int, fade: float
    ) -> Tensor:
        """The trunk's features in float32; arguments as for `Discriminator.features`."""
        images = images.to(memory_format=self._layout)
        with self._lowered():
            features = self._features(discriminator, images, depth, self._weight(fade))
        return self._raised(features)

    def accumulate(self, side: Side, loss: Tensor, *, is_lowered: bool = True) -> None:
        """Adds the gradient of a loss to what `descend` will move against; arguments as there.

        The terms of a sum are differentiated one after another where they share nothing: what one
        keeps for its backward pass is freed before the next is computed.
        """
        scaler = self.scalers.get(side) if is_lowered else None
        torch.autograd.backward(loss if scaler is None else scaler.scale(loss))

    def descend(
        self,
        side: Side,
        optimiser: torch.optim.Optimizer,
        loss: Tensor,
        *,
        is_lowered: bool = True,
    ) -> bool:
        """Moves one side's parameters against the gradient of a loss, which all processes average.

        Args:
            side: Whose they are.
            optimiser: Moves them; its gradients are none before, or from `accumulate`, and none
                after.
            loss: A scalar.
            is_lowered: Whether the loss was computed in `compute.precision`.

        Returns:
            Whether they moved: not if the gradients overflowed float16.
        """
        self.accumulate(side, loss, is_lowered=is_lowered)
        scaler = self.scalers.get(side) if is_lowered else None
        # Before the check for overflows, so that all processes find the same.
        average_gradients(p for group in optimiser.param_groups for p in group["params"])
        has_moved = True
        if scaler is None:
            optimiser.step()
        else:
            before = scaler.get_scale()
            scaler.step(optimiser)
            scaler.update()
            has_moved = scaler.get_scale() >= before
        optimiser.zero_grad()  # now, so that no gradients wait in memory for the next step
        return has_moved

    @property
    def has_overflowed(self) -> bool:
        """Whether no scale is left at which the gradients fit into float16."""
        return any(scaler.get_scale() < LOWEST_SCALE for scaler in self.scalers.values())

    def _lowered(self) -> AbstractContextManager[object]:
        if self._type == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._type)

    def _raised(self, values: Tensor) -> Tensor:
        return values if self._type == torch.float32 else values.float()

    def _weight(self, fade: float) -> float | Tensor:
        """A number would be compiled into the code, and each step has another."""
        if self._is_compiled and fade < 1.0:
            return torch.tensor(fade, device=self._device)
        return fade


def _draw(generator: Generator, latent: Tensor, depth: int, fade: float | Tensor) -> Tensor:
    images: Tensor = generator(latent, depth, fade)
    return images


def _features(
    discriminator: Discriminator, images: Tensor, depth: int, fade: float | Tensor
) -> Tensor:
    return discriminator.features(images, depth, fade)


def check_compiler(device: torch.device) -> None:
    """Compiles a small function.

    Raises:
        ConfigError: If that fails.
    """
    compiled = torch.compile(_halve, backend=COMPILER)
    try:
        compiled(torch.ones(8, device=device))
    except RuntimeError as error:  # what torch's compilers raise has this in common
        needed = "Triton" if device.type == "cuda" else "a C++ compiler such as g++"
        # The first line says whose error it is, the second which.
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2]).strip()
        raise ConfigError(
            f"compute.compile is true, but torch cannot compile on {device.type} here: {reason}; "
            f"install {needed}, or set compute.compile to false"
        ) from error


def _halve(values: Tensor) -> Tensor:
    return values * 0.5
