"""Two processes that train together, and don't have the same to do: 7."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, nn

from benchmarks.bugs.pair import Side, Size, Work
from benchmarks.bugs.transformer import stack

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# A batch of 64 sequences in all, 512 tokens each; bfloat16.
TRAINED = {
    "cpu": Size(batch=8, tokens=32, width=128, depth=2, heads=2),
    "cuda": Size(batch=64, tokens=512, width=1024, depth=6, heads=16),
}

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}

# Of the batch, what rank 0 has: half of it, or three quarters.
SHARES = {Side.MENDED: 0.5, Side.BUG: 0.75}

_START_S = 120.0  # until the other process has imported torch, and that one rank waits for the other


@contextmanager
def uneven_ranks(side: Side, device: str) -> Iterator[Work]:
    """7: one of two ranks has a quarter of the batch, and waits for the other where gradients are summed.

    The test is rank 0, which has the other three quarters; a process that it starts is rank 1.

    Source:
        PyTorch's forum, discussion 181115.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        store = f"file://{Path(folder) / 'store'}"
        other = context.Process(target=_serve, args=(theirs, store, side, device), daemon=True)
        other.start()
        theirs.close()
        try:
            rank = _Rank(0, store, side, device)
            if not ours.poll(_START_S) or ours.recv() != "ready":
                raise RuntimeError("rank 1 has not started")
            yield lambda: _together(rank, ours)
        finally:
            ours.close()  # rank 1 ends by it
            if distributed.is_initialized():
                distributed.destroy_process_group()  # NCCL's ranks wait here for one another: before the join
            other.join(_START_S)


def _together(rank: "_Rank", other: "Connection[str, str]") -> Tensor:
    other.send("step")
    gradient = rank.step()
    if other.recv() != "done":
        raise RuntimeError("rank 1 has failed")
    return gradient


class _Rank:
    """The part that one process has in a training step."""

    def __init__(self, number: int, store: str, side: Side, device: str) -> None:
        size = TRAINED[device]
        if device == "cuda":
            torch.cuda.set_device(number)
        distributed.init_process_group(
            BACKENDS[device],
            init_method=store,
            rank=number,
            world_size=2,
            timeout=timedelta(seconds=_START_S),
        )
        torch.manual_seed(0)
        self._network: nn.Sequential = stack(size).to(device, torch.bfloat16)
        states = torch.randn(size.batch, size.tokens, size.width, dtype=torch.bfloat16)
        first = round(size.batch * SHARES[side])
        self._states = (states[:first] if number == 0 else states[first:]).to(device)

    def step(self) -> Tensor:
        """Forward and backward pass, and the sum of both ranks' gradients."""
        self._network.zero_grad()
        self._network(self._states).float().square().sum().backward()
        gradients = [one.grad for one in self._network.parameters() if one.grad is not None]
        for gradient in gradients:
            distributed.all_reduce(gradient)
        return gradients[0]


def _serve(pipe: "Connection[str, str]", store: str, side: Side, device: str) -> None:
    """Rank 1: a step whenever it is told to, until the pipe ends."""
    rank = _Rank(1, store, side, device)
    pipe.send("ready")
    try:
        while pipe.recv() == "step":
            rank.step()
            if device == "cuda":
                torch.cuda.synchronize()
            pipe.send("done")
    except EOFError:  # rank 0 has ended
        distributed.destroy_process_group()
