"""One training on several processes, as `torchrun` starts them: each takes a part of every batch.

All processes draw the same random numbers, so parameters agree without being sent; a gradient is the mean over the
parts. It is averaged by hand, after a penalty's own differentiation, which wrapped modules get wrong. What a training
remembers of points is made of the whole batch, so that it is the same everywhere and the first process can save it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor

from divergences.errors import DataError

PATIENCE = timedelta(minutes=30)  # for a process that is alive and silent: the first one measures while others wait


def start() -> None:
    """Join the processes that `torchrun` started; alone, do nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or torch.distributed.is_initialized():
        return
    here, devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if devices:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % devices)
    # NCCL wants a GPU for every process; gloo shares them, and has to carry what lives on the CPU in any case.
    backend = "cpu:gloo,cuda:nccl" if devices >= here else "gloo"
    with _talking():
        torch.distributed.init_process_group(backend, timeout=PATIENCE)


def stop() -> None:
    """Leave the others, at the end of a training that went well."""
    if _joined():
        torch.distributed.destroy_process_group()


def processes() -> int:
    """How many processes train together."""
    return torch.distributed.get_world_size() if _joined() else 1


def rank() -> int:
    """Which of them this is; the first one writes files."""
    return torch.distributed.get_rank() if _joined() else 0


def speaks() -> bool:
    """Whether this process is the one to explain an error: the first that has one. The others only follow it."""
    if not _joined():
        return int(os.environ.get("RANK", "0")) == 0
    from torch.distributed import distributed_c10d

    try:
        # The store by which the processes met; torch has no public name for it.
        return distributed_c10d._get_default_store().add("gan: errors", 1) == 1
    except RuntimeError:  # whoever kept the store is gone
        return False


def tell(content: bytes) -> bytes:
    """What the first process has to say, on every process."""
    if processes() == 1:
        return content
    with _talking():
        length = torch.tensor([len(content)])
        torch.distributed.broadcast(length, 0)
        words = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0).byte()
        words = words if rank() == 0 else torch.empty(int(length), dtype=torch.uint8)
        torch.distributed.broadcast(words, 0)
    return words.numpy().tobytes()


def check(couplings: Sequence[str], batch: int) -> None:
    """Raise DataError if the batch cannot be shared: something couples its points, or it does not divide evenly."""
    world = processes()
    if world == 1:
        return
    if couplings:
        raise DataError(
            f"This recipe cannot be shared by {world} processes, because {couplings[0]} couples the points of a "
            "batch. Use one process."
        )
    if batch % world:
        raise DataError(f"batch must be a multiple of the {world} processes; got {batch}.")


def part(batch: int) -> slice:
    """The part of a batch that is this process's."""
    size = batch // processes()
    return slice(rank() * size, (rank() + 1) * size)


def whole(x: Tensor) -> Tensor:
    """The batch of which every process has its part: (S, b, ...) -> (S, processes * b, ...)."""
    if processes() == 1:
        return x
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(processes())]
    with _talking():
        torch.distributed.all_gather(parts, x.contiguous())
    return torch.cat(parts, dim=1)


def mean(x: Tensor) -> Tensor:
    """The mean over the processes."""
    if processes() == 1:
        return x
    x = x.clone()
    with _talking():
        torch.distributed.all_reduce(x)
    return x.div_(processes())


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


@contextmanager
def _talking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ConnectionError(f"another process of this training has ended or is not to be reached: {reason}") from None
