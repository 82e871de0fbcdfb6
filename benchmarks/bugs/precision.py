"""Products in more precision than anybody asked for: 1, 2 and 6."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Side, Size, Work
from benchmarks.bugs.transformer import Block, stack

# A training step of a transformer as large as a small BERT, 8,192 tokens.
TRANSFORMER = {
    "cpu": Size(batch=2, tokens=64, width=256, depth=2, heads=4),
    "cuda": Size(batch=16, tokens=512, width=1024, depth=6, heads=16),
}

# The report's product: 4096 x 4096.
PRODUCTS = {"cpu": Size(width=1024, steps=2), "cuda": Size(width=4096, steps=20)}

# The first level of Stable Diffusion's U-Net at 512 x 512: 64 x 64 latents of 320 numbers, 8 heads.
DIFFUSION = {
    "cpu": Size(batch=1, tokens=256, width=320, depth=2, heads=8),
    "cuda": Size(batch=16, tokens=4096, width=320, depth=8, heads=8),
}


@contextmanager
def tf32_off(side: Side, device: str) -> Iterator[Work]:
    """1: a transformer trains in float32, and nobody has let its products use TF32.

    Source:
        huggingface/transformers#14450: about three times as fast with the switch on.
    """
    size = TRANSFORMER[device]
    torch.manual_seed(0)
    network = stack(size).to(device)
    states = torch.randn(size.batch, size.tokens, size.width, device=device)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = side is Side.MENDED
    try:
        yield lambda: _gradient(network, states)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _gradient(network: nn.Sequential, states: Tensor) -> Tensor:
    network.zero_grad()
    network(states).square().mean().backward()
    gradient = next(network.parameters()).grad
    assert gradient is not None
    return gradient


@contextmanager
def highest_precision(side: Side, device: str) -> Iterator[Work]:
    """2: products in the precision `highest`, torch's default, where `high` would do.

    Source:
        pytorch/pytorch#153195.
    """
    size = PRODUCTS[device]
    torch.manual_seed(0)
    left, right = torch.randn(2, size.width, size.width, device=device).unbind()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if side is Side.BUG else "high")
    try:
        yield lambda: _product(left, right, size.steps)
    finally:
        torch.set_float32_matmul_precision(before)


def _product(left: Tensor, right: Tensor, count: int) -> Tensor:
    product = left
    for _ in range(count):
        product = torch.matmul(left, right)
    return product


class Float32Projections(Block):
    """Weights of q, k and v are put together, and multiplied in float32, at each call."""

    def attended(self, states: Tensor) -> Tensor:
        weight = torch.cat([part.float() for part in self.projections.weight.chunk(3)])
        bias = torch.cat([part.float() for part in self.projections.bias.chunk(3)])
        projected = functional.linear(states.float(), weight, bias).to(states.dtype)
        query, key, value = self.heads(projected)
        return self.merged(functional.scaled_dot_product_attention(query, key, value))


@contextmanager
def float32_projections(side: Side, device: str) -> Iterator[Work]:
    """6: a diffusion model in bfloat16 whose q, k and v are concatenated products in float32.

    Source:
        Stable Diffusion, number 279.
    """
    size = DIFFUSION[device]
    torch.manual_seed(0)
    kind = Float32Projections if side is Side.BUG else Block
    blocks = nn.Sequential(*(kind(size) for _ in range(size.depth))).to(device, torch.bfloat16)
    states = torch.randn(size.batch, size.tokens, size.width, device=device, dtype=torch.bfloat16)
    with torch.inference_mode():
        yield lambda: blocks(states)
