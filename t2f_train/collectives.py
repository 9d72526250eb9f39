"""Arithmetic over the rows of all processes that train together; over its own where one is alone.

A step of several processes has the gradients of one process with the whole batch, up to rounding,
because every term of the losses is a mean over images:

- each process takes the mean over its own rows, of which all have equally many, and gradients are
  averaged over processes after each backward pass (`average_gradients`);
- the deviation over the minibatch is that of all rows (`batch_mean`), and gradients flow back
  through its sums to every process;
- a mean over the images that have a description is divided by the number of all of them
  (`process_mean`);
- the first image of a process gets as somebody else's description the one before it in the whole
  batch, which the process reads too (`Batch.share`).

torch's `DistributedDataParallel` computes the same mean of gradients, but hangs it onto one
`forward` of one module and, as its documentation says, does not work with `torch.autograd.grad`.
One backward pass here goes through several calls of the discriminator's heads, a gradient that is
written out, and the text encoder, and other layers take part in each phase. So gradients are
averaged explicitly, in buckets. What that loses is the overlap of the exchange with the backward
pass: at most the time that all gradients take to be sent once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from t2f_train.distributed import is_open, process_count, talking

BUCKET_BYTES = 25 * 2**20
"""Gradients that are sent at once: many make few messages, few begin early."""


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes, each of which gets it.

    What minimises the sum of all processes' losses goes back the same way: every process's result
    depends on every process's values, so their gradients are added up.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401, ARG004 (torch passes it)
        """Adds up; all processes call this in the same order."""
        total = values.clone(memory_format=torch.contiguous_format)
        with talking():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        """Adds up the gradients, in a way that can be differentiated again."""
        return sum_over_processes(gradients[0])


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of a tensor over all processes; can be differentiated any number of times.

    Args:
        values: Any shape, the same in every process.

    Returns:
        Same shape and type, equal in every process.
    """
    if not is_open():
        return values
    total: Tensor = _SumOverProcesses.apply(values)  # type: ignore[no-untyped-call]
    return total


def process_mean(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes, without a gradient; same shape and type."""
    if not is_open():
        return values
    mean = values.detach().clone(memory_format=torch.contiguous_format)
    with talking():
        dist.all_reduce(mean)
    return mean.div_(process_count())


def mean_losses(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means of scalars over all processes, which have the same names in the same order."""
    if not is_open() or not losses:
        return dict(losses)
    means = process_mean(torch.stack(list(losses.values())))
    return dict(zip(losses, means.unbind(), strict=True))


def batch_mean(features: Tensor) -> Tensor:
    """Mean over the rows of all processes; can be differentiated any number of times.

    Args:
        features: Shape `(batch, ...)`; all processes have equally many rows.

    Returns:
        Shape `(...)`, equal in every process.
    """
    mean = features.mean(dim=0)
    return sum_over_processes(mean) / process_count() if is_open() else mean


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces every gradient by its mean over all processes: the same bits in each of them.

    Args:
        parameters: The same ones in the same order in every process; those without a gradient are
            left out, which the same pass leaves in every process.
    """
    if not is_open():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    sent = []
    with talking():
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            sent.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in sent:
            work.wait()
            sizes = [gradient.numel() for gradient in bucket]
            means = torch.split(flat.div_(process_count()), sizes)
            for gradient, mean in zip(bucket, means, strict=True):
                gradient.copy_(mean.view(gradient.shape))


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        bucket.append(gradient)
        size += gradient.numel() * gradient.element_size()
        if size >= BUCKET_BYTES:
            yield bucket
            bucket, size = [], 0
    if bucket:
        yield bucket


def share_weights(modules: Iterable[nn.Module]) -> None:
    """Gives every process the first one's weights, wherever those came from."""
    if not is_open():
        return
    with talking(), torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                weights = parameter.contiguous()
                dist.broadcast(weights, src=0)
                parameter.copy_(weights)
