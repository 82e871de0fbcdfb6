"""Data parallel in several ranks: run by torchrun, joules by rank.

torchrun --nproc-per-node=4 -m pytest benchmarks/ranks/test_data_parallel.py --energy-report=full
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch
import torch.distributed as dist

from benchmarks.ranks.rank import CudaTimer, HostTimer, Place, Size, Step, join

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

pytestmark = pytest.mark.skipif(
    "LOCAL_RANK" not in os.environ, reason="several ranks: start it with torchrun"
)

_TINY = Size(width=256, depth=4, batch=64)
_WHOLE = Size(width=8192, depth=6, batch=8192)


@pytest.fixture(scope="session")
def step() -> Iterator[Step]:
    is_cuda = torch.cuda.is_available()
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    device = join(Place(rank=rank, world_size=count, port=int(os.environ["MASTER_PORT"]), is_cuda=is_cuda))
    yield Step(_WHOLE if is_cuda else _TINY, device, CudaTimer() if is_cuda else HostTimer())
    dist.destroy_process_group()


@pytest.mark.energy(max_time="20 s")
@pytest.mark.parametrize("last_share", [1.0, 0.5])
def test_step(step: Step, last_share: float, energy: "Energy") -> None:
    """A step in which the last rank has this share of its batch."""
    is_last = int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1
    energy.measure(step.run, last_share if is_last else 1.0)
