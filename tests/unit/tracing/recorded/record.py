"""Makes the recorded traces that the tests read: `python record.py FOLDER`, on a machine with a GPU.

Two training steps of a small network with what a trace has to tell apart: batches from pageable and from
pinned memory, autocast, a value that is read, a device that is waited for, a captured graph that is replayed,
an index that hangs on values, a batch that goes back to the host.
"""

import gzip
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.events import Event
from pytest_energy.tracing.torch_profile import profiled

HERE = Path(__file__).parent


def network() -> nn.Module:
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.LayerNorm(7200), nn.Linear(7200, 10)]
    return nn.Sequential(*layers).cuda()


def captured(square: torch.Tensor) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
    graph = torch.cuda.CUDAGraph()
    (square @ square).relu()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        result = (square @ square).relu()
    return graph, result


def training() -> Callable[[], None]:
    """One call is two steps, one on each kind of memory."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters())
    labels = torch.randint(0, 10, (4,)).cuda()
    pageable = torch.randn(4, 3, 32, 32)
    pinned = pageable.pin_memory()
    square = torch.zeros(64, 64, device="cuda")
    graph, result = captured(square)

    def step(batch: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(batch), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss

    def work() -> None:
        step(pageable.cuda())
        step(pinned.to("cuda", non_blocking=True)).item()
        torch.cuda.synchronize()
        graph.replay()
        square[square > 1].sum()
        result.cpu()

    return work


def write(events: Sequence[Event], path: Path) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(json.dumps([list(event) for event in events]).encode())


def main(folder: Path) -> None:
    work = training()
    for _ in range(3):
        work()
    for name, places in (("h100", None), ("h100_places", Places(HERE))):
        write(profiled(work, places=places).events, folder / f"{name}.json.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
