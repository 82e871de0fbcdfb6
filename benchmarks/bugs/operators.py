"""Operators that move or compute more than the result needs: 3, 4, 5, 8 and 13."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Side, Size, Work
from benchmarks.bugs.transformer import Block, stack, tanh_gelu

# The report's logits: 2 sequences of 512 tokens, GPT-2's 50,257 classes (here the width).
LOGITS = {
    "cpu": Size(batch=2, tokens=32, width=50_257, steps=1),
    "cuda": Size(batch=2, tokens=512, width=50_257, steps=20),
}

# The first stage of ConvNeXt-T (96 channels of 56 x 56) at batch 256, as deep as the whole network.
IMAGES = {
    "cpu": Size(batch=2, tokens=28, width=96, depth=3),
    "cuda": Size(batch=256, tokens=56, width=96, depth=18),
}

# 64 x 64 latents beside 256 tokens of text, as models that attend over both have them; a narrow one.
JOINT = {
    "cpu": Size(batch=1, tokens=256, width=256, depth=2, heads=4),
    "cuda": Size(batch=4, tokens=4096, width=1024, depth=12, heads=16),
}
TEXT_SHARE = 16
"""Tokens of the image for each of the text."""

# GPT-2, the small one, on 16 full sequences.
GPT2 = {
    "cpu": Size(batch=2, tokens=64, width=256, depth=2, heads=4),
    "cuda": Size(batch=16, tokens=1024, width=768, depth=12, heads=12),
}

# The second stage of a ResNet at batch 64: 128 channels of 56 x 56.
CONVOLUTIONS = {
    "cpu": Size(batch=2, tokens=28, width=64, depth=3),
    "cuda": Size(batch=64, tokens=56, width=128, depth=12),
}


@contextmanager
def strided_cross_entropy(side: Side, device: str) -> Iterator[Work]:
    """3: the loss of a language model by a cross-entropy whose classes are not the last dimension.

    Mended, the softmax is taken over the last one, and the labels' own values are picked out.

    Source:
        pytorch/pytorch#141822, with its sizes.
    """
    size = LOGITS[device]
    torch.manual_seed(0)
    logits = torch.randn(size.batch, size.tokens, size.width, device=device)
    labels = torch.randint(size.width, (size.batch, size.tokens), device=device)
    loss_of = _strided_loss if side is Side.BUG else _picked_loss

    def work() -> Tensor:
        losses = [loss_of(logits, labels) for _ in range(size.steps)]
        return losses[-1]

    with torch.inference_mode():
        yield work


def _strided_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").sum(-1)


def _picked_loss(logits: Tensor, labels: Tensor) -> Tensor:
    chances = functional.log_softmax(logits, dim=-1)
    return -chances.gather(-1, labels.unsqueeze(-1)).squeeze(-1).sum(-1)


@contextmanager
def copied_layer_norm(side: Side, device: str) -> Iterator[Work]:
    """4: layer norm over the channels of images, with a copy to contiguous before it and after it.

    Mended, the images lie with the channels of a pixel beside each other, and nothing is copied.

    Source:
        pytorch/pytorch#76012.
    """
    size = IMAGES[device]
    torch.manual_seed(0)
    norms = nn.ModuleList(nn.LayerNorm(size.width) for _ in range(size.depth)).to(device)
    images = torch.randn(size.batch, size.width, size.tokens, size.tokens, device=device)
    is_copied = side is Side.BUG
    if not is_copied:
        images = images.contiguous(memory_format=torch.channels_last)
    normalised = _copied_and_normalised if is_copied else _normalised

    def work() -> Tensor:
        states = images
        for norm in norms:
            states = states + normalised(norm, states)
        return states

    with torch.inference_mode():
        yield work


def _copied_and_normalised(norm: nn.Module, images: Tensor) -> Tensor:
    pixels = norm(images.permute(0, 2, 3, 1).contiguous())
    copied: Tensor = pixels.permute(0, 3, 1, 2).contiguous()
    return copied


def _normalised(norm: nn.Module, images: Tensor) -> Tensor:
    pixels: Tensor = norm(images.permute(0, 2, 3, 1))
    return pixels.permute(0, 3, 1, 2)


class Concatenating(Block):
    """Tokens of the text and of the image are projected apart, and put together again in each block."""

    def attended(self, states: Tensor) -> Tensor:
        text_count = states.shape[1] // (TEXT_SHARE + 1)
        text, image = states[:, :text_count], states[:, text_count:]
        of_text, of_image = self.heads(self.projections(text)), self.heads(self.projections(image))
        query, key, value = (torch.cat(parts, dim=2) for parts in zip(of_text, of_image, strict=True))
        return self.merged(functional.scaled_dot_product_attention(query, key, value))


@contextmanager
def concatenation(side: Side, device: str) -> Iterator[Work]:
    """5: attention over text and image that concatenates their q, k and v in each block.

    Mended, both lie in one tensor from the start, and q, k and v are views of one product.

    Source:
        huggingface/diffusers#12131.
    """
    size = JOINT[device]
    torch.manual_seed(0)
    kind = Concatenating if side is Side.BUG else Block
    blocks = nn.Sequential(*(kind(size) for _ in range(size.depth))).to(device, torch.bfloat16)
    token_count = size.tokens + size.tokens // TEXT_SHARE
    states = torch.randn(size.batch, token_count, size.width, device=device, dtype=torch.bfloat16)
    with torch.inference_mode():
        yield lambda: blocks(states)


def _gelu_by_hand(values: Tensor) -> Tensor:
    """GPT-2's, operator by operator."""
    inner = 0.7978845608 * (values + 0.044715 * torch.pow(values, 3.0))
    return 0.5 * values * (1.0 + torch.tanh(inner))


@contextmanager
def unfused_gelu(side: Side, device: str) -> Iterator[Work]:
    """8: GELU out of eight operators, each of which reads and writes all of it.

    Source:
        `NewGELUActivation` of GPT-2 in transformers, against the fused one of vLLM.
    """
    size = GPT2[device]
    torch.manual_seed(0)
    network = stack(size, activation=_gelu_by_hand if side is Side.BUG else tanh_gelu)
    network = network.to(device, torch.bfloat16)
    states = torch.randn(size.batch, size.tokens, size.width, device=device, dtype=torch.bfloat16)
    with torch.inference_mode():
        yield lambda: network(states)


@contextmanager
def channels_first(side: Side, device: str) -> Iterator[Work]:
    """13: convolutions under autocast whose images lie channel by channel, which tensor cores can't read.

    Source:
        Common; PyTorch's guide to channels last.
    """
    size = CONVOLUTIONS[device]
    torch.manual_seed(0)
    network = nn.Sequential(*(_convolution(size.width) for _ in range(size.depth))).to(device)
    images = torch.randn(size.batch, size.width, size.tokens, size.tokens, device=device)
    if side is Side.MENDED:
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)

    def work() -> Tensor:
        network.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16):
            scores: Tensor = network(images)
            loss = scores.float().square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    yield work


def _convolution(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
