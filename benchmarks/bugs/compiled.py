"""Compiled code that falls apart: 14."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Side, Size, Work

# What holds between products is most of the work: 16,384 tokens of 2,048 numbers.
COMPILED = {
    "cpu": Size(batch=256, width=256, depth=2),
    "cuda": Size(batch=16_384, width=2048, depth=4),
}

# Of torch.compile. On a CPU the breaks count, not the code that is made.
BACKENDS = {"cpu": "eager", "cuda": "inductor"}


class Gated(nn.Module):
    """RMS norm, a gate and two layers; a check stops the forward pass where a number isn't one."""

    def __init__(self, width: int, *, is_checked: bool) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, 2 * width, bias=False), nn.Linear(width, width, bias=False)
        self.is_checked = is_checked

    def forward(self, states: Tensor) -> Tensor:
        normal = states * torch.rsqrt(states.square().mean(dim=-1, keepdim=True) + 1e-6)
        gate, inner = self.up(normal).chunk(2, dim=-1)
        gated = functional.silu(gate) * inner
        if self.is_checked and torch.isnan(gated).any():
            raise FloatingPointError("the gate holds numbers that are none")
        out: Tensor = states + self.down(gated)
        return out


@contextmanager
def graph_breaks(side: Side, device: str) -> Iterator[Work]:
    """14: a check for NaN in each block breaks the compiled graph there, and waits for the device.

    Source:
        Common; PyTorch's guide to graph breaks, on control flow that depends on data.
    """
    size = COMPILED[device]
    torch.manual_seed(0)
    torch.compiler.reset()
    blocks = [Gated(size.width, is_checked=side is Side.BUG) for _ in range(size.depth)]
    network = nn.Sequential(*blocks).to(device, torch.bfloat16)
    states = torch.randn(size.batch, size.width, device=device, dtype=torch.bfloat16)
    compiled = torch.compile(network, backend=BACKENDS[device])
    try:
        with torch.inference_mode():
            compiled(states)
            yield lambda: compiled(states)
    finally:
        torch.compiler.reset()
