"""The authors' form of four networks, where torchvision's is another one, for 32x32 images.

Each is written from its paper with what the authors' public code changes of it, named at the function. Stems
keep 32x32.

Source:
    github.com/ioannismavromatis/sustainable-ai of 2023, the forerunner of Sanchez-Mompo et al. 2025.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import vgg
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

from benchmarks.cnn.attention import CLASS_COUNT

_relu = partial(Conv2dNormActivation, inplace=False)
_silu = partial(Conv2dNormActivation, activation_layer=nn.SiLU, inplace=False)
_linear = partial(Conv2dNormActivation, activation_layer=None)


def _classified(channel_count: int) -> tuple[nn.Module, ...]:
    """Mean over the image, and one linear layer."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channel_count, CLASS_COUNT)


# VGG-19


def vgg19_authors() -> nn.Module:
    """VGG-19 with batch normalisation and one linear layer, which a pooling of one pixel precedes.

    Source:
        Simonyan, Zisserman 2015, arXiv 1409.1556, table 1, column E.
    """
    features = vgg.make_layers(vgg.cfgs["E"], batch_norm=True)
    return nn.Sequential(features, nn.AvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASS_COUNT))


# GoogLeNet


class Inception(nn.Module):
    """Four branches beside each other; the third has two 3x3 convolutions in place of one of 5x5."""

    def __init__(self, in_count: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        single, before_third, third, before_fifth, fifth, pooled = widths
        biased = partial(_relu, bias=True)
        self.branches = nn.ModuleList(
            [
                biased(in_count, single, kernel_size=1),
                nn.Sequential(biased(in_count, before_third, kernel_size=1), biased(before_third, third)),
                nn.Sequential(
                    biased(in_count, before_fifth, kernel_size=1),
                    biased(before_fifth, fifth),
                    biased(fifth, fifth),
                ),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), biased(in_count, pooled, kernel_size=1)),
            ]
        )
        self.out_count = single + third + fifth + pooled

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


def googlenet_authors() -> nn.Module:
    """GoogLeNet whose stem is one 3x3 convolution of 192 channels, without auxiliary classifiers.

    Source:
        Szegedy et al. 2015, arXiv 1409.4842, table 1 (widths of the nine inception blocks).
    """
    stages = (
        ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
        ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    )
    width = 192
    layers: list[nn.Module] = [_relu(3, width, bias=True)]
    for index, stage in enumerate(stages):
        if index:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        for widths in stage:
            block = Inception(width, widths)
            layers.append(block)
            width = block.out_count
    return nn.Sequential(*layers, *_classified(width))


# MobileNetV2


class InvertedResidual(nn.Module):
    """Expansion, a 3x3 convolution of each channel, projection; a shortcut whenever the size remains."""

    def __init__(self, in_count: int, out_count: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        width = expansion * in_count
        self.residual = nn.Sequential(
            _relu(in_count, width, kernel_size=1),
            _relu(width, width, stride=stride, groups=width),
            _linear(width, out_count, kernel_size=1),
        )
        self.shortcut: nn.Module | None = None
        if stride == 1:
            same = in_count == out_count
            self.shortcut = nn.Identity() if same else _linear(in_count, out_count, kernel_size=1)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.residual(inputs)
        return outputs if self.shortcut is None else outputs + self.shortcut(inputs)


def mobilenet_v2_authors() -> nn.Module:
    """MobileNetV2 with a convolution in each shortcut that changes the width, ReLU in place of ReLU6.

    Its first block also has an expansion, of one. The stem and the second stage keep the resolution.

    Source:
        Sandler et al. 2018, arXiv 1801.04381, table 2.
    """
    stages = (
        (1, 16, 1, 1),
        (6, 24, 2, 1),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    width = 32
    layers: list[nn.Module] = [_relu(3, width)]
    for expansion, out_count, depth, first_stride in stages:
        for index in range(depth):
            stride = first_stride if index == 0 else 1
            layers.append(InvertedResidual(width, out_count, expansion=expansion, stride=stride))
            width = out_count
    return nn.Sequential(*layers, _relu(width, 1280, kernel_size=1), *_classified(1280))


# EfficientNet-B0


class MobileInverted(nn.Module):
    """Inverted residual with squeeze and excitation; without expansion it holds that layer all the same."""

    def __init__(
        self,
        in_count: int,
        out_count: int,
        *,
        kernel_size: int,
        stride: int,
        expansion: int,
        drop_share: float,
    ) -> None:
        super().__init__()
        width = expansion * in_count
        self.is_expanded = expansion != 1
        self.expand = _silu(in_count, width, kernel_size=1)
        self.transform = nn.Sequential(
            _silu(width, width, kernel_size=kernel_size, stride=stride, groups=width),
            SqueezeExcitation(width, in_count // 4, activation=nn.SiLU),
            _linear(width, out_count, kernel_size=1),
        )
        has_shortcut = stride == 1 and in_count == out_count
        self.drop = StochasticDepth(drop_share, mode="row") if has_shortcut else None

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.transform(self.expand(inputs) if self.is_expanded else inputs)
        return outputs if self.drop is None else self.drop(outputs) + inputs


def efficientnet_b0_authors() -> nn.Module:
    """EfficientNet-B0 without its last convolution of 1280; 32x32 ends as 2x2.

    Its first block holds an expansion of one that no image passes: 1,088 parameters without a gradient.

    Source:
        Tan, Le 2019, arXiv 1905.11946, table 1.
    """
    stages = (
        (1, 16, 1, 3, 1),
        (6, 24, 2, 3, 2),
        (6, 40, 2, 5, 2),
        (6, 80, 3, 3, 2),
        (6, 112, 3, 5, 1),
        (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    )
    block_count = sum(depth for _, _, depth, _, _ in stages)
    width = 32
    layers: list[nn.Module] = [_silu(3, width)]
    for expansion, out_count, depth, kernel_size, first_stride in stages:
        for index in range(depth):
            layers.append(
                MobileInverted(
                    width,
                    out_count,
                    kernel_size=kernel_size,
                    stride=first_stride if index == 0 else 1,
                    expansion=expansion,
                    drop_share=0.2 * (len(layers) - 1) / block_count,
                )
            )
            width = out_count
    pool, flatten, linear = _classified(width)
    return nn.Sequential(*layers, pool, flatten, nn.Dropout(0.2), linear)
