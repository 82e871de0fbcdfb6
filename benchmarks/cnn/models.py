"""The networks of the benchmarks, in the form that 32x32 images ask for.

torchvision's networks expect 224x224: their first layers divide the image by four or more. As is usual for
CIFAR-10, the stem here is a 3x3 convolution of stride 1, and early pooling goes where it would leave too
little. Every network maps `[N, 3, 32, 32]` to `[N, 10]`, but for those in `TOKEN_ARCHITECTURES`, which take
token ids. What torchvision doesn't have is in `residual`, `attention` and `authors`. Sizes: docs/models.md.
"""

from collections.abc import Callable, Mapping

from torch import nn
from torchvision import models
from torchvision.models import vgg
from torchvision.models.regnet import BlockParams, RegNet

from benchmarks.cnn.attention import CLASS_COUNT, bert_small, convnext_t, swin_t, vit_tiny
from benchmarks.cnn.authors import (
    efficientnet_b0_authors,
    googlenet_authors,
    mobilenet_v2_authors,
    vgg19_authors,
)
from benchmarks.cnn.residual import (
    dpn26,
    mobilenet,
    preact_resnet18,
    resnext29_2x64d,
    simple_dla,
    with_squeeze_excitation,
)


def _stem(channel_count: int) -> nn.Conv2d:
    """Keeps 32x32; the batch normalisation that follows makes a bias idle."""
    return nn.Conv2d(3, channel_count, kernel_size=3, padding=1, bias=False)


def _replace(network: nn.Module, path: str, layer: nn.Module) -> None:
    """Put *layer* in the place of the one at *path*, such as `features.0`."""
    parent, _, name = path.rpartition(".")
    network.get_submodule(path)  # raises if there is nothing to replace
    setattr(network.get_submodule(parent), name, layer)


def _keep_resolution(network: nn.Module, path: str) -> None:
    """Give the convolution at *path* stride 1."""
    layer = network.get_submodule(path)
    assert isinstance(layer, nn.Conv2d)
    layer.stride = (1, 1)


def lenet() -> nn.Module:
    """LeNet-5 for three colours, with ReLU and max-pooling, as in the paper's list."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(inplace=True),
        nn.Linear(120, 84),
        nn.ReLU(inplace=True),
        nn.Linear(84, CLASS_COUNT),
    )


def _residual(network: nn.Module) -> nn.Module:
    _replace(network, "conv1", _stem(64))
    _replace(network, "maxpool", nn.Identity())
    return network


def resnet18() -> nn.Module:
    return _residual(models.resnet18(num_classes=CLASS_COUNT))


def senet18() -> nn.Module:
    """ResNet-18 with squeeze and excitation."""
    return with_squeeze_excitation(resnet18())


def resnext50() -> nn.Module:
    """ResNeXt-50 32x4d."""
    return _residual(models.resnext50_32x4d(num_classes=CLASS_COUNT))


def mobilenet_v2() -> nn.Module:
    """The stem and the second stage keep the resolution: 32x32 ends as 4x4."""
    stages = [
        [1, 16, 1, 1],
        [6, 24, 2, 1],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]
    network: nn.Module = models.mobilenet_v2(num_classes=CLASS_COUNT, inverted_residual_setting=stages)
    _keep_resolution(network, "features.0.0")
    return network


def efficientnet_b0() -> nn.Module:
    network: nn.Module = models.efficientnet_b0(num_classes=CLASS_COUNT)
    _keep_resolution(network, "features.0.0")
    return network


def vgg16() -> nn.Module:
    """VGG-16 with batch normalisation; its five poolings leave one pixel, so one linear layer follows."""
    return nn.Sequential(
        vgg.make_layers(vgg.cfgs["D"], batch_norm=True), nn.Flatten(), nn.Linear(512, CLASS_COUNT)
    )


def googlenet() -> nn.Module:
    """Without the auxiliary classifiers, which 32x32 images are too small for."""
    network: nn.Module = models.googlenet(num_classes=CLASS_COUNT, aux_logits=False, init_weights=False)
    _replace(network, "conv1.conv", _stem(64))
    _replace(network, "maxpool1", nn.Identity())
    _replace(network, "maxpool2", nn.Identity())
    return network


def densenet121() -> nn.Module:
    network: nn.Module = models.densenet121(num_classes=CLASS_COUNT)
    _replace(network, "features.conv0", _stem(64))
    _replace(network, "features.pool0", nn.Identity())
    return network


def regnet_x_400mf() -> nn.Module:
    network: nn.Module = models.regnet_x_400mf(num_classes=CLASS_COUNT)
    _keep_resolution(network, "stem.0")
    return network


def regnet_x_200mf() -> nn.Module:
    """RegNetX-200MF, which torchvision doesn't offer; the first stage keeps 32x32, the stem has 64 channels.

    Source:
        Radosavovic et al. 2020, arXiv 2003.13678, table of RegNetX (200MF: widths 24, 56, 152, 368, depths 1,
        1, 4, 7, groups of 8).
    """
    stages = BlockParams(
        depths=[1, 1, 4, 7],
        widths=[24, 56, 152, 368],
        group_widths=[8, 8, 8, 8],
        bottleneck_multipliers=[1.0, 1.0, 1.0, 1.0],
        strides=[1, 1, 2, 2],
    )
    network: nn.Module = RegNet(stages, num_classes=CLASS_COUNT, stem_width=64)
    _keep_resolution(network, "stem.0")
    return network


def shufflenet_v2() -> nn.Module:
    """ShuffleNetV2 x1.0."""
    network: nn.Module = models.shufflenet_v2_x1_0(num_classes=CLASS_COUNT)
    _keep_resolution(network, "conv1.0")
    _replace(network, "maxpool", nn.Identity())
    return network


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1; its first pooling goes, so 32x32 ends as 8x8."""
    network: nn.Module = models.squeezenet1_1(num_classes=CLASS_COUNT)
    _replace(network, "features.0", nn.Conv2d(3, 64, kernel_size=3, padding=1))
    _replace(network, "features.2", nn.Identity())
    return network


ARCHITECTURES: Mapping[str, Callable[[], nn.Module]] = {
    make.__name__: make
    for make in (
        lenet,
        squeezenet,
        shufflenet_v2,
        mobilenet,
        mobilenet_v2,
        mobilenet_v2_authors,
        efficientnet_b0,
        efficientnet_b0_authors,
        regnet_x_200mf,
        regnet_x_400mf,
        simple_dla,
        resnet18,
        preact_resnet18,
        senet18,
        vgg16,
        vgg19_authors,
        googlenet,
        googlenet_authors,
        densenet121,
        resnext29_2x64d,
        resnext50,
        dpn26,
        vit_tiny,
        swin_t,
        convnext_t,
        bert_small,
    )
}

PAPER_ARCHITECTURES = (
    "lenet",
    "mobilenet",
    "mobilenet_v2_authors",
    "efficientnet_b0_authors",
    "simple_dla",
    "resnet18",
    "preact_resnet18",
    "vgg19_authors",
    "googlenet_authors",
    "densenet121",
    "resnext29_2x64d",
    "senet18",
    "regnet_x_200mf",
    "dpn26",
)

TOKEN_ARCHITECTURES = frozenset({"bert_small"})
