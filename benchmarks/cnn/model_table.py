"""The table of docs/models.md: parameters and MACs of every network, beside published figures.

python benchmarks/cnn/model_table.py        # prints it
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

from benchmarks.cnn.attention import TOKEN_COUNT
from benchmarks.cnn.models import ARCHITECTURES, TOKEN_ARCHITECTURES
from pytest_energy.profiling.macs import count_macs
from pytest_energy.profiling.pytorch import trainable_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One network: trainable parameters, and MACs of one sample."""

    parameters: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Figures of somebody else's network of this name, for 32x32 images and ten classes, as printed there.

    Attributes:
        parameters_m: Millions of parameters.
        macs_m: Millions of MACs of one image.
        source: Key of the list in docs/models.md.
        differs_because: Why ours is another network, or `None` if it is the same.
    """

    parameters_m: str
    macs_m: str
    source: str
    differs_because: str | None = None


PUBLISHED: Mapping[str, Published] = {
    "lenet": Published(parameters_m="0.06", macs_m="0.65", source="A"),
    "mobilenet": Published(parameters_m="3.21", macs_m="47", source="A"),
    "mobilenet_v2": Published(
        parameters_m="2.296",
        macs_m="94",
        source="A",
        differs_because="theirs has a 1x1 convolution in each shortcut that changes the width",
    ),
    "efficientnet_b0": Published(
        parameters_m="3.69",
        macs_m="112",
        source="A",
        differs_because="theirs has no last convolution of 1280, and halves the image three times, ours four",
    ),
    "regnet_x_200mf": Published(parameters_m="2.32", macs_m="226", source="A"),
    "resnet18": Published(parameters_m="11.173", macs_m="556", source="A"),
    "preact_resnet18": Published(parameters_m="11.17", macs_m="556", source="A"),
    "senet18": Published(parameters_m="11.26", macs_m="556", source="A"),
    "vgg16": Published(parameters_m="14.73", macs_m="310", source="B"),
    "googlenet": Published(
        parameters_m="6.16",
        macs_m="1529",
        source="A",
        differs_because="torchvision's, whose third branch is one 3x3 convolution, and whose stem is 64 wide",
    ),
    "densenet121": Published(parameters_m="6.96", macs_m="900", source="B"),
    "resnext29_2x64d": Published(parameters_m="9.12", macs_m="1416", source="A"),
    "dpn26": Published(parameters_m="11.5", macs_m="670", source="A"),
}

# Key C of docs/models.md, counted as `counted` counts ours.
AUTHORS: Mapping[str, Counted] = {
    "lenet": Counted(parameters=62_006, macs=651_720),
    "mobilenet": Counted(parameters=3_217_226, macs=46_354_432),
    "mobilenet_v2_authors": Counted(parameters=2_296_922, macs=91_154_944),
    "efficientnet_b0_authors": Counted(parameters=3_599_686, macs=30_331_392),
    "simple_dla": Counted(parameters=15_142_970, macs=913_495_040),
    "resnet18": Counted(parameters=11_173_962, macs=555_422_720),
    "preact_resnet18": Counted(parameters=11_171_146, macs=555_422_720),
    "vgg19_authors": Counted(parameters=20_040_522, macs=398_136_320),
    "googlenet_authors": Counted(parameters=6_166_250, macs=1_521_756_160),
    "densenet121": Counted(parameters=6_956_298, macs=888_350_720),
    "resnext29_2x64d": Counted(parameters=9_128_778, macs=1_409_492_992),
    "senet18": Counted(parameters=11_260_354, macs=555_509_760),
    "regnet_x_200mf": Counted(parameters=2_321_946, macs=223_317_600),
    "dpn26": Counted(parameters=11_574_842, macs=665_050_880),
}

PAPERS: Mapping[str, str] = {
    "lenet": "LeCun et al. 1998",
    "squeezenet": "Iandola et al. 2016, 1602.07360",
    "shufflenet_v2": "Ma et al. 2018, 1807.11164",
    "mobilenet": "Howard et al. 2017, 1704.04861",
    "mobilenet_v2": "Sandler et al. 2018, 1801.04381",
    "mobilenet_v2_authors": "Sandler et al. 2018, 1801.04381",
    "efficientnet_b0": "Tan, Le 2019, 1905.11946",
    "efficientnet_b0_authors": "Tan, Le 2019, 1905.11946",
    "regnet_x_200mf": "Radosavovic et al. 2020, 2003.13678",
    "regnet_x_400mf": "Radosavovic et al. 2020, 2003.13678",
    "simple_dla": "Yu et al. 2018, 1707.06484",
    "resnet18": "He et al. 2016, 1512.03385",
    "preact_resnet18": "He et al. 2016, 1603.05027",
    "senet18": "Hu et al. 2018, 1709.01507",
    "vgg16": "Simonyan, Zisserman 2015, 1409.1556",
    "vgg19_authors": "Simonyan, Zisserman 2015, 1409.1556",
    "googlenet": "Szegedy et al. 2015, 1409.4842",
    "googlenet_authors": "Szegedy et al. 2015, 1409.4842",
    "densenet121": "Huang et al. 2017, 1608.06993",
    "resnext29_2x64d": "Xie et al. 2017, 1611.05431",
    "resnext50": "Xie et al. 2017, 1611.05431",
    "dpn26": "Chen et al. 2017, 1707.01629",
    "vit_tiny": "Dosovitskiy et al. 2021, 2010.11929",
    "swin_t": "Liu et al. 2021, 2103.14030",
    "convnext_t": "Liu et al. 2022, 2201.03545",
    "bert_small": "Devlin et al. 2019, 1810.04805",
}


def counted(name: str) -> Counted:
    """Figures of the network *name*, from its code."""
    module = ARCHITECTURES[name]()
    return Counted(parameters=trainable_parameters(module), macs=count_macs(module, example(name)))


def example(name: str) -> Tensor:
    """One sample of the shape that the network *name* takes."""
    if name in TOKEN_ARCHITECTURES:
        return torch.zeros(1, TOKEN_COUNT, dtype=torch.int64)
    return torch.zeros(1, 3, 32, 32)


def is_near(count: int, millions: str, *, share: float) -> bool:
    """Whether *count* is *millions* to within *share*, or to within a unit of its last digit if that is more.

    >>> is_near(62_006, "0.06", share=0.01)
    True
    """
    printed = Decimal(millions)
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)  # a number, not an infinity
    unit = Decimal(1).scaleb(exponent)
    return abs(Decimal(count) / 1_000_000 - printed) <= max(unit, printed * Decimal(str(share)))


def to_markdown() -> str:
    """The table, a row for each network."""
    rows = [
        "| network | parameters | MACs, M | authors' parameters | MACs, M | published, M | MACs, M | from |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name in ARCHITECTURES:
        ours, theirs = counted(name), PUBLISHED.get(name)
        published = ("", "") if theirs is None else (theirs.parameters_m, theirs.macs_m)
        mark = " *" if theirs is not None and theirs.differs_because else ""
        origin = PAPERS[name] if theirs is None else f"{PAPERS[name]}, {theirs.source}"
        authors = AUTHORS.get(name)
        of_authors = ("", "") if authors is None else _cells(authors)
        cells = (f"`{name}`", *_cells(ours), *of_authors, *(f"{text}{mark}" for text in published), origin)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _cells(figures: Counted) -> tuple[str, str]:
    return f"{figures.parameters:,}", f"{figures.macs / 1e6:.2f}"


if __name__ == "__main__":
    print(to_markdown())  # noqa: T201  # a command prints
