"""One training on several processes, as `torchrun` starts them: each takes a part of every batch.

All processes draw the same random numbers, so parameters agree without being sent; a gradient is the mean over the
parts. It is averaged by hand, after a penalty's own differentiation, which wrapped modules get wrong.
"""

import os

import torch
from torch import Tensor

from divergences.errors import DataError


def start() -> None:
    """Join the processes that `torchrun` started; alone, do nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def processes() -> int:
    """How many processes train together."""
    return torch.distributed.get_world_size() if _joined() else 1


def rank() -> int:
    """Which of them this is; the first one writes files."""
    return torch.distributed.get_rank() if _joined() else 0


def wait() -> None:
    """Until every process is here."""
    if processes() > 1:
        torch.distributed.barrier()


def check(coupled: bool, batch: int) -> None:
    """Raise DataError unless the loss is a mean over the points of a batch that divides evenly."""
    world = processes()
    if world == 1:
        return
    if coupled:
        raise DataError("This recipe's loss couples the points of a batch, so that processes cannot share it. Use one.")
    if batch % world:
        raise DataError(f"batch must be a multiple of the {world} processes; got {batch}.")


def part(batch: int) -> slice:
    """This process's part of a batch."""
    size = batch // processes()
    return slice(rank() * size, (rank() + 1) * size)


def mean(x: Tensor) -> Tensor:
    """The mean over the processes."""
    if processes() > 1:
        x = x.clone()
        torch.distributed.all_reduce(x)
        x /= processes()
    return x


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
