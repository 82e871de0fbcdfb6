"""Operations of an operator, held against torch's own counter and against a count by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from pytest_energy.counts import Counts, Kind
from pytest_energy.tracing.events import Event, Sort, Tensor
from pytest_energy.tracing.flops import flops_of
from pytest_energy.tracing.tracer import traced


def operations(work: Callable[[], object]) -> float:
    counts = traced(work, folder=Path(__file__).parent, most_s=0.0)
    assert isinstance(counts, Counts), counts
    return sum(entry.flops for entry in counts.entries if entry.kind is Kind.OPERATOR)


def image(channels: int = 4) -> torch.Tensor:
    return torch.ones(2, channels, 9, 9, requires_grad=True)


WORKS: dict[str, Callable[[], torch.Tensor]] = {
    "linear": lambda: nn.Linear(8, 5)(torch.ones(3, 8)),
    "matmul": lambda: torch.ones(2, 3, 4) @ torch.ones(2, 4, 5),
    "conv2d": lambda: nn.Conv2d(4, 6, 3, padding=1, stride=2)(image()),
    "grouped": lambda: nn.Conv2d(4, 8, 3, groups=4, dilation=2)(image()),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3, stride=2)(image()),
    "conv1d": lambda: nn.Conv1d(4, 6, 3)(torch.ones(2, 4, 9)),
}


@pytest.mark.parametrize("name", WORKS)
def test_forward(name: str) -> None:
    """A forward pass has the operations that torch's counter sees."""
    with FlopCounterMode(display=False) as counter:
        WORKS[name]()
    assert operations(WORKS[name]) == counter.get_total_flops()


@pytest.mark.parametrize("name", ["linear", "conv2d", "transposed"])
def test_forward_and_backward(name: str) -> None:
    """Nodes of the backward pass have theirs."""

    def work() -> None:
        WORKS[name]().sum().backward()  # type: ignore[no-untyped-call]

    with FlopCounterMode(display=False) as counter:
        work()
    assert operations(work) == counter.get_total_flops()


def test_grouped_backward() -> None:
    """The backward pass of a grouped convolution has two products of the size of the forward one."""
    forward = operations(WORKS["grouped"])
    both = operations(lambda: WORKS["grouped"]().sum().backward())  # type: ignore[no-untyped-call]
    assert (forward, both) == (2 * 2 * 8 * 9 * 5 * 5, 3 * forward)


def test_attention() -> None:
    """Attention is two products for each head, its backward pass five: here torch's counter sees none."""
    query = torch.ones(2, 3, 8, 16, requires_grad=True)
    product = 2 * (2 * 3) * (8 * 8) * 16

    def forward() -> torch.Tensor:
        return functional.scaled_dot_product_attention(query, query, query)

    assert operations(forward) == 2 * product
    assert operations(lambda: forward().sum().backward()) == 7 * product  # type: ignore[no-untyped-call]


def test_recurrent() -> None:
    """A recurrent layer uses each weight once for each step of each sample, its backward pass twice."""
    layer = nn.LSTM(4, 6, num_layers=1)
    steps = torch.ones(5, 2, 4, requires_grad=True)
    forward = 2 * (5 * 2) * (4 * 6) * (4 + 6)
    assert operations(lambda: layer(steps)) == forward
    assert operations(lambda: layer(steps)[0].sum().backward()) == 3 * forward


def test_unknown_operator() -> None:
    """What has no formula has no operations of its own, which is not zero of them."""
    assert flops_of(Event("aten::relu", Sort.OPERATOR, -1, 0, 1)) is None


def test_arguments_of_another_version() -> None:
    """Arguments that don't fit the formula are no error."""
    tensor = Tensor((2, 3), (3, 1), "float32")
    assert flops_of(Event("aten::convolution", Sort.OPERATOR, -1, 0, 1, arguments=(tensor, None))) is None
