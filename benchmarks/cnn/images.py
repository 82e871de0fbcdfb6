"""Images to train on and to test with: `[N, 3, 32, 32]`, normalised, with labels `[N]` of 0 to 9.

The default is the handwritten digits that ship with scikit-learn, so nothing is downloaded; CIFAR-10, which
the paper uses, comes from a folder; noise in its shape and the images of `shapes` come from a seed. A step is
the same work on each; the accuracy is the data's.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

IMAGE_SIDE = 32
IMAGE_DIMENSIONS = 4  # image, channel, row, column
CIFAR10_FOLDER = "cifar-10-batches-py"  # torchvision.datasets.CIFAR10.base_folder
# Mean and standard deviation of red, green and blue, as in the authors' code.
CIFAR10_MOMENTS = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
DIGIT_LEVELS = 16.0  # scikit-learn's digits hold 0 to 16
TEST_SHARE = 0.2
SPLIT_SEED = 0
SYNTHETIC_TRAIN_COUNT, SYNTHETIC_TEST_COUNT = 2048, 360  # 25 MB: lies on any device


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A training set and a held-out set, with what they are called in the records.

    Attributes:
        name: `digits`, `cifar10`, `synthetic`, `shapes` or `tokens`.
        train: `[N, 3, 32, 32]`, float32; token ids `[N, T]`, int64, for `tokens`.
        train_labels: `[N]`, int64.
        test: `[M, 3, 32, 32]`, float32; no image of *train* is in it.
        test_labels: `[M]`, int64.
        can_be_learnt: Labels go with the images, so that an accuracy means something.
    """

    name: str
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    can_be_learnt: bool = True

    def to(self, device: str) -> "Labelled":
        """The same on *device*."""
        return replace(
            self,
            train=self.train.to(device),
            train_labels=self.train_labels.to(device),
            test=self.test.to(device),
            test_labels=self.test_labels.to(device),
        )

    def normalised(self) -> "Labelled":
        """Images in units of CIFAR-10's spread, from its mean, by channel; tokens stay as they are."""
        if self.train.ndim != IMAGE_DIMENSIONS:
            return self
        # Of values in 0 to 1; these are in -1 to 1.
        mean, spread = (torch.tensor(one, device=self.train.device)[:, None, None] for one in CIFAR10_MOMENTS)

        def moved(images: Tensor) -> Tensor:
            return (images - (2 * mean - 1)) / (2 * spread)

        return replace(self, train=moved(self.train), test=moved(self.test))

    def channels_last(self) -> "Labelled":
        """The same with the channels of a pixel beside each other in memory; tokens stay as they are."""
        if self.train.ndim != IMAGE_DIMENSIONS:
            return self
        return replace(
            self,
            train=self.train.contiguous(memory_format=torch.channels_last),
            test=self.test.contiguous(memory_format=torch.channels_last),
        )


def digits() -> Labelled:
    """The 1797 digits of scikit-learn, 8x8 scaled to 32x32; a fifth is held out, in equal classes."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        pixels, labels, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=labels
    )
    return Labelled(
        name="digits",
        train=_digit_images(torch.from_numpy(train)),
        train_labels=torch.from_numpy(train_labels),
        test=_digit_images(torch.from_numpy(test)),
        test_labels=torch.from_numpy(test_labels),
    )


def _digit_images(pixels: Tensor) -> Tensor:
    """`[N, 3, 32, 32]` in -1 to 1 out of `[N, 64]` in 0 to 16."""
    small = (pixels.float() / DIGIT_LEVELS * 2.0 - 1.0).reshape(-1, 1, 8, 8)
    large = torch.nn.functional.interpolate(small, size=(IMAGE_SIDE, IMAGE_SIDE), mode="bilinear")
    return large.expand(-1, 3, -1, -1).contiguous()


def synthetic() -> Labelled:
    """Noise in the shape of CIFAR-10, the same at each call; labels are drawn by lot: nothing to learn."""
    generator = torch.Generator().manual_seed(SPLIT_SEED)

    def images(count: int) -> Tensor:
        noise = torch.randn(count, 3, IMAGE_SIDE, IMAGE_SIDE, generator=generator)
        return (noise * 0.5).clamp(-1.0, 1.0)  # CIFAR-10 in -1 to 1 spreads by about 0.5

    def labels(count: int) -> Tensor:
        return torch.randint(10, (count,), generator=generator)

    return Labelled(
        name="synthetic",
        train=images(SYNTHETIC_TRAIN_COUNT),
        train_labels=labels(SYNTHETIC_TRAIN_COUNT),
        test=images(SYNTHETIC_TEST_COUNT),
        test_labels=labels(SYNTHETIC_TEST_COUNT),
        can_be_learnt=False,
    )


def check_cifar10(folder: Path) -> None:
    """Stop before anything runs if *folder* can't hold CIFAR-10.

    Raises:
        pytest.UsageError: It has no `cifar-10-batches-py`, or not the published files there.
    """
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    if not (folder / CIFAR10_FOLDER).is_dir():
        raise pytest.UsageError(
            f"--cifar10: {folder} holds no folder {CIFAR10_FOLDER}; unpack cifar-10-python.tar.gz there"
        )
    files = [*CIFAR10.train_list, *CIFAR10.test_list, [CIFAR10.meta["filename"], CIFAR10.meta["md5"]]]
    for name, md5 in files:
        path = folder / CIFAR10_FOLDER / name
        if not check_integrity(str(path), md5):
            why = "is not the published file: it is damaged or incomplete" if path.is_file() else "is missing"
            raise pytest.UsageError(f"--cifar10: {path} {why}; unpack cifar-10-python.tar.gz again")


def cifar10(folder: Path) -> Labelled:
    """CIFAR-10 as torchvision reads it from *folder*; nothing is downloaded.

    Raises:
        pytest.UsageError: *folder* doesn't hold it, a file in it is damaged, or a label is not 0 to 9.
    """
    from torchvision.datasets import CIFAR10

    check_cifar10(folder)
    train, test = (CIFAR10(str(folder), train=is_train, download=False) for is_train in (True, False))
    wrong = sorted({*train.targets, *test.targets} - set(range(10)))
    if wrong:
        raise pytest.UsageError(
            f"--cifar10: {folder / CIFAR10_FOLDER} holds the label {wrong[0]}, not 0 to 9"
        )
    return Labelled(
        name="cifar10",
        train=_photos(torch.from_numpy(train.data)),
        train_labels=torch.tensor(train.targets),
        test=_photos(torch.from_numpy(test.data)),
        test_labels=torch.tensor(test.targets),
    )


def _photos(pixels: Tensor) -> Tensor:
    """`[N, 3, 32, 32]` in -1 to 1 out of `[N, 32, 32, 3]` in 0 to 255."""
    return (pixels.permute(0, 3, 1, 2).float() / 255.0 * 2.0 - 1.0).contiguous()
