"""Bright shapes on cluttered ground, made from a seed, with a known ceiling of accuracy.

Ten classes: five outlines, each filled or with a hole. Place, size, turn and colours are drawn by lot, so
none of them gives a class away. In each set a fixed share of the labels is another class, drawn by lot. No
rule that sees an image can know it, so none is expected above `CEILING`.
"""

import math

import torch
from torch import Tensor

from benchmarks.cnn.images import IMAGE_SIDE, Labelled

TRAIN_COUNT, TEST_COUNT = 50_000, 10_000  # as CIFAR-10
CEILING = 0.97
CLASS_COUNT = 10
SEED = 0
CHUNK = 1_000  # images made at once: their values fit into a processor's caches
ANGLE_COUNT = 720
RADII = (5.0, 11.0)  # pixels
HOLE = 0.45  # of the radius
CONTRASTS = (0.7, 1.4)  # of shape and ground: distance of their colours
GROUND = 0.3  # the ground's colour is at most so far from 0
CLUTTER_SIDE, CLUTTER_SD = 6, 0.2  # spots across the ground
NOISE_SD = 0.2  # of each pixel


def shapes(train_count: int = TRAIN_COUNT, test_count: int = TEST_COUNT) -> Labelled:
    """The set, the same at each call; the classes are equally frequent before labels are changed."""
    train, train_labels = _labelled(train_count, seed=SEED)
    test, test_labels = _labelled(test_count, seed=SEED + 1)
    return Labelled(name="shapes", train=train, train_labels=train_labels, test=test, test_labels=test_labels)


def _labelled(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """*count* images, and labels of which a share of 1 - `CEILING` is wrong."""
    generator = torch.Generator().manual_seed(seed)
    classes = (torch.arange(count) % CLASS_COUNT)[torch.randperm(count, generator=generator)]
    images = torch.empty(count, 3, IMAGE_SIDE, IMAGE_SIDE)
    for made, chosen in zip(torch.split(images, CHUNK), torch.split(classes, CHUNK), strict=True):
        made.copy_(_drawn(chosen, generator))
    wrong = torch.randperm(count, generator=generator)[: round((1 - CEILING) * count)]
    shift = torch.randint(1, CLASS_COUNT, (len(wrong),), generator=generator)
    labels = classes.clone()
    labels[wrong] = (classes[wrong] + shift) % CLASS_COUNT
    return images, labels


def _drawn(classes: Tensor, generator: torch.Generator) -> Tensor:
    """An image of each of *classes*, `[N, 3, 32, 32]` in -1 to 1."""

    def lot(*size: int) -> Tensor:
        return torch.rand(len(classes), *size, generator=generator)

    cover = _cover(classes, lot(4))
    ground = GROUND * (2 * lot(3, 1, 1) - 1)
    direction = torch.nn.functional.normalize(lot(3, 1, 1), dim=1)
    low, high = CONTRASTS
    spots = torch.randn(len(classes), 3, CLUTTER_SIDE, CLUTTER_SIDE, generator=generator)
    noise = torch.randn(len(classes), 3, IMAGE_SIDE, IMAGE_SIDE, generator=generator)
    images = noise.mul_(NOISE_SD).add_(ground)
    images += CLUTTER_SD * torch.nn.functional.interpolate(spots, size=IMAGE_SIDE, mode="bilinear")
    images += direction * (low + (high - low) * lot(1, 1, 1)) * cover.unsqueeze(1)
    return images.clamp_(-1.0, 1.0)


def _cover(classes: Tensor, lots: Tensor) -> Tensor:
    """How much of each pixel the shape covers, `[N, 32, 32]` in 0 to 1; *lots* are size, place and turn."""
    size, column, row, turn = lots[:, :, None, None].unbind(dim=1)
    radius = RADII[0] + (RADII[1] - RADII[0]) * size
    room = IMAGE_SIDE / 2 - radius
    pixels = torch.arange(IMAGE_SIDE) - (IMAGE_SIDE - 1) / 2
    across, down = pixels - (2 * column - 1) * room, pixels[:, None] - (2 * row - 1) * room
    angle = torch.atan2(down, across) / (2 * math.pi) + turn
    index = (angle * ANGLE_COUNT).long().remainder_(ANGLE_COUNT)
    outline = (classes // 2)[:, None, None] * ANGLE_COUNT
    edge = _outlines().flatten()[outline + index] * radius
    distance = torch.hypot(down, across)
    cover = (edge - distance + 0.5).clamp_(0.0, 1.0)
    hole = (HOLE * edge - distance + 0.5).clamp_(0.0, 1.0)
    return cover - hole * (classes % 2)[:, None, None]


def _outlines() -> Tensor:
    """Distance of each outline from its middle, by angle, 1 at most: `[5, ANGLE_COUNT]`."""
    angle = torch.arange(ANGLE_COUNT) * (2 * math.pi / ANGLE_COUNT)

    def polygon(side_count: int) -> Tensor:
        part = 2 * math.pi / side_count
        return math.cos(part / 2) / torch.cos(angle.remainder(part) - part / 2)

    def lobed(lobe_count: int) -> Tensor:
        return 0.78 + 0.22 * torch.cos(lobe_count * angle)

    return torch.stack([torch.ones(ANGLE_COUNT), polygon(3), polygon(4), lobed(2), lobed(5)])
