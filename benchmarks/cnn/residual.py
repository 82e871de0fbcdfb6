"""Networks of residual, dense and aggregated blocks that torchvision doesn't have, for 32x32 images.

Each is written from its paper, named at the function. Stems are 3x3 convolutions of stride 1.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation

from benchmarks.cnn.attention import CLASS_COUNT

STAGE_WIDTHS = (64, 128, 256, 512)  # of ResNet-18


def _convolution(in_count: int, out_count: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """3x3; the normalisation beside it makes a bias idle."""
    return nn.Conv2d(in_count, out_count, 3, stride=stride, padding=1, groups=groups, bias=False)


def _projection(in_count: int, out_count: int, stride: int) -> nn.Sequential | None:
    """What fits a shortcut to its block, or `None` where it fits already."""
    if stride == 1 and in_count == out_count:
        return None
    return nn.Sequential(
        nn.Conv2d(in_count, out_count, 1, stride=stride, bias=False), nn.BatchNorm2d(out_count)
    )


def _classified(channel_count: int) -> tuple[nn.Module, ...]:
    """Mean over the image, and one linear layer."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channel_count, CLASS_COUNT)


# MobileNet


def mobilenet() -> nn.Module:
    """MobileNet: each 3x3 convolution is one a channel, then one over the channels.

    Source:
        Howard et al. 2017, arXiv 1704.04861, table 1; the stem keeps 32x32.
    """
    stages = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]
    layers: list[nn.Module] = [Conv2dNormActivation(3, 32)]
    widths = [32, *(width for width, _ in stages)]
    for (before, after), (_, stride) in zip(pairwise(widths), stages, strict=True):
        layers += [
            Conv2dNormActivation(before, before, stride=stride, groups=before),
            Conv2dNormActivation(before, after, kernel_size=1),
        ]
    return nn.Sequential(*layers, *_classified(1024))


# Pre-activation ResNet-18


class PreActivation(nn.Module):
    """Two 3x3 convolutions, each after normalisation and ReLU; the sum is left as it is."""

    def __init__(self, in_count: int, out_count: int, stride: int) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(in_count), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            _convolution(in_count, out_count, stride=stride),
            nn.BatchNorm2d(out_count),
            nn.ReLU(inplace=True),
            _convolution(out_count, out_count),
        )
        fits = stride == 1 and in_count == out_count
        self.shortcut = None if fits else nn.Conv2d(in_count, out_count, 1, stride=stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        active = self.before(inputs)
        shortcut = inputs if self.shortcut is None else self.shortcut(active)
        summed: Tensor = self.residual(active) + shortcut
        return summed


def preact_resnet18() -> nn.Module:
    """ResNet-18 with normalisation and ReLU before each convolution, and once more after the last sum.

    Source:
        He et al. 2016, Identity Mappings in Deep Residual Networks, arXiv 1603.05027, figure 4 (e).
    """
    blocks: list[nn.Module] = []
    before = STAGE_WIDTHS[0]
    for width in STAGE_WIDTHS:
        blocks += [PreActivation(before, width, 1 if width == before else 2), PreActivation(width, width, 1)]
        before = width
    ending = (nn.BatchNorm2d(before), nn.ReLU(inplace=True), *_classified(before))
    return nn.Sequential(_convolution(3, STAGE_WIDTHS[0]), *blocks, *ending)


# ResNeXt-29


def resnext29_2x64d() -> nn.Module:
    """ResNeXt-29 2x64d: three stages of three bottlenecks with two groups of 64 channels and more.

    Source:
        Xie et al. 2017, arXiv 1611.05431, section 5.3 (CIFAR); the block is torchvision's.
    """
    blocks: list[nn.Module] = []
    before = 64
    for width, stride in ((64, 1), (128, 2), (256, 2)):
        after = width * Bottleneck.expansion
        first = Bottleneck(before, width, stride, _projection(before, after, stride), groups=2, base_width=64)
        rest = [Bottleneck(after, width, groups=2, base_width=64) for _ in range(2)]
        blocks += [first, *rest]
        before = after
    return nn.Sequential(Conv2dNormActivation(3, 64), *blocks, *_classified(before))


# SENet-18


def with_squeeze_excitation(network: nn.Module, *, reduction: int = 16) -> nn.Module:
    """Weigh the channels of each residual before its sum.

    Source:
        Hu et al. 2018, arXiv 1709.01507, figure 3, with the paper's reduction of 16.
    """
    for block in [layer for layer in network.modules() if isinstance(layer, BasicBlock)]:
        channel_count = block.conv2.out_channels
        weigh = SqueezeExcitation(channel_count, channel_count // reduction)
        block.bn2 = nn.Sequential(block.bn2, weigh)
    return network


# Deep layer aggregation


class Aggregation(nn.Module):
    """A binary tree of residual blocks; each node mixes what its two halves give, by a 1x1 convolution."""

    def __init__(self, in_count: int, out_count: int, *, depth: int, stride: int) -> None:
        super().__init__()
        if depth == 1:
            self.first: nn.Module = BasicBlock(
                in_count, out_count, stride, _projection(in_count, out_count, stride)
            )
            self.second: nn.Module = BasicBlock(out_count, out_count)
        else:
            self.first = Aggregation(in_count, out_count, depth=depth - 1, stride=stride)
            self.second = Aggregation(out_count, out_count, depth=depth - 1, stride=1)
        self.node = Conv2dNormActivation(2 * out_count, out_count, kernel_size=1)

    def forward(self, inputs: Tensor) -> Tensor:
        first = self.first(inputs)
        mixed: Tensor = self.node(torch.cat([first, self.second(first)], dim=1))
        return mixed


def simple_dla() -> nn.Module:
    """DLA-34's stages with plain trees: no node takes in those of the tree before it.

    Source:
        Yu et al. 2018, arXiv 1707.06484, sections 3.2 and 4 (stages of DLA-34), in the simple form that
        CIFAR collections call SimpleDLA.
    """
    stages = [(64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 1, 2)]  # width, depth of the tree, stride
    layers: list[nn.Module] = [
        Conv2dNormActivation(3, 16),
        Conv2dNormActivation(16, 16),
        Conv2dNormActivation(16, 32),
    ]
    before = 32
    for width, depth, stride in stages:
        layers.append(Aggregation(before, width, depth=depth, stride=stride))
        before = width
    return nn.Sequential(*layers, *_classified(before))


# Dual path network


class DualPath(nn.Module):
    """A bottleneck whose first channels are added to the input's and whose rest is put beside them."""

    def __init__(  # the widths of a block are independent of each other
        self,
        in_count: int,
        *,
        width: int,
        added_count: int,
        dense_count: int,
        stride: int,
        is_first: bool,
    ) -> None:
        super().__init__()
        out_count = added_count + dense_count
        self.added_count = added_count
        self.bottleneck = nn.Sequential(
            Conv2dNormActivation(in_count, width, kernel_size=1),
            Conv2dNormActivation(width, width, stride=stride, groups=32),
            Conv2dNormActivation(width, out_count, kernel_size=1, activation_layer=None),
        )
        self.shortcut = _projection(in_count, out_count, stride) if is_first else None

    def forward(self, inputs: Tensor) -> Tensor:
        shortcut = inputs if self.shortcut is None else self.shortcut(inputs)
        fresh, end = self.bottleneck(inputs), self.added_count
        added = shortcut[:, :end] + fresh[:, :end]
        return torch.relu(torch.cat([added, shortcut[:, end:], fresh[:, end:]], dim=1))


def dpn26(depths: Sequence[int] = (2, 2, 2, 2)) -> nn.Module:
    """DPN-92's stages with two blocks each: 26 layers.

    Source:
        Chen et al. 2017, arXiv 1707.01629, section 3 and table 1 (widths, groups and increments of DPN-92).
    """
    stages = [(96, 256, 16, 1), (192, 512, 32, 2), (384, 1024, 24, 2), (768, 2048, 128, 2)]
    blocks: list[nn.Module] = []
    before = 64
    for depth, (width, added_count, dense_count, stride) in zip(depths, stages, strict=True):
        for index in range(depth):
            blocks.append(
                DualPath(
                    before,
                    width=width,
                    added_count=added_count,
                    dense_count=dense_count,
                    stride=stride if index == 0 else 1,
                    is_first=index == 0,
                )
            )
            before = added_count + (index + 2) * dense_count
    return nn.Sequential(Conv2dNormActivation(3, 64), *blocks, *_classified(before))
