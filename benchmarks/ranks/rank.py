"""One rank of the data-parallel step: follows orders, and says how long it was in the collective.

Rule 1: it measures no joules: the parent does, from outside. Here are times alone.
Rule 2: a collective's time on a GPU is between two events of the stream that waits for it. It begins when
        this rank has done its part, and ends when all have: what is longer than on the last rank is waiting.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a step is.

    Attributes:
        width: Of each layer.
        depth: Layers.
        batch: Rows that a rank with all of its work has.
    """

    width: int
    depth: int
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which rank it is, and where all meet."""

    rank: int
    world_size: int
    port: int
    is_cuda: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """An order: so many steps with this share of the batch, after a sleep on the host."""

    count: int
    batch_share: float = 1.0
    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """An order: one all-reduce, entered so many seconds late."""

    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a rank answers: seconds of each collective, and of all that was ordered."""

    collective_s: tuple[float, ...]
    duration_s: float


class Timer(Protocol):
    """Times collectives on the device that waits for them."""

    def around(self, collective: Callable[[], object]) -> None: ...

    def seconds(self) -> tuple[float, ...]:
        """Of each collective since the last time this was asked; waits for the device."""
        ...


class CudaTimer:
    def __init__(self) -> None:
        self._pairs: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def around(self, collective: Callable[[], object]) -> None:
        before, after = _event(), _event()
        before.record()
        collective()
        after.record()
        self._pairs.append((before, after))

    def seconds(self) -> tuple[float, ...]:
        torch.cuda.synchronize()
        pairs, self._pairs = self._pairs, []
        return tuple(before.elapsed_time(after) * 1e-3 for before, after in pairs)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


class HostTimer:
    """On a CPU the call itself waits."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def around(self, collective: Callable[[], object]) -> None:
        before_s = time.perf_counter()
        collective()
        self._seconds.append(time.perf_counter() - before_s)

    def seconds(self) -> tuple[float, ...]:
        seconds, self._seconds = tuple(self._seconds), []
        return seconds


class Step:
    """Forward and backward through linear layers, then one all-reduce of all gradients."""

    def __init__(self, size: Size, device: torch.device, timer: Timer) -> None:
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        torch.manual_seed(0)
        layers = [torch.nn.Linear(size.width, size.width, bias=False) for _ in range(size.depth)]
        self._model = torch.nn.Sequential(*layers).to(device, dtype)
        self._rows = torch.randn(size.batch, size.width, device=device, dtype=dtype)
        self._timer = timer

    def run(self, batch_share: float) -> None:
        rows = self._rows[: max(1, round(batch_share * len(self._rows)))]
        self._model.zero_grad(set_to_none=True)
        self._model(rows).float().square().mean().backward()
        self.reduce(self._gradients())

    def _gradients(self) -> Tensor:
        return torch.cat([p.grad.flatten() for p in self._model.parameters() if p.grad is not None])

    def reduce(self, gradients: Tensor | None = None) -> None:
        """Add all ranks' *gradients*, or one row where there are none."""
        values = self._rows[0].clone() if gradients is None else gradients
        self._timer.around(lambda: dist.all_reduce(values))


def join(place: Place) -> torch.device:
    """Become one of the ranks; the device that is this one's."""
    device = torch.device("cuda", place.rank) if place.is_cuda else torch.device("cpu")
    if place.is_cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if place.is_cuda else "gloo", rank=place.rank, world_size=place.world_size)
    return device


def follow(place: Place, size: Size, link: Connection) -> None:
    """Do what is ordered until the parent closes the link; the entry of the process."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(place.port)}
    device = join(place)
    timer = CudaTimer() if place.is_cuda else HostTimer()
    step = Step(size, device, timer)
    step.run(1.0)
    timer.seconds()
    link.send(os.getpid())
    while (order := _next(link)) is not None:
        link.send(_done(step, timer, order))
    dist.destroy_process_group()


def _next(link: Connection) -> Steps | Collective | None:
    try:
        order: Steps | Collective = link.recv()
    except EOFError:
        return None
    return order


def _done(step: Step, timer: Timer, order: Steps | Collective) -> Done:
    began_s = time.perf_counter()
    time.sleep(order.late_s)
    if isinstance(order, Steps):
        for _ in range(order.count):
            step.run(order.batch_share)
    else:
        step.reduce()
    seconds = timer.seconds()
    return Done(collective_s=seconds, duration_s=time.perf_counter() - began_s)
