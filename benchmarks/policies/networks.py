"""Two trained networks, a small and a large one, and images that only the large one knows well.

The images are digits of scikit-learn under noise from a seed: clean ones are too easy to tell two networks
apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.cnn.images import Labelled, digits
from benchmarks.cnn.models import lenet, resnet18

NOISE = 1.0  # standard deviation; pixels are in -1 to 1
COPIES = 4  # of each held-out image, with noise of its own: 1440 items narrow the accuracy to 1 %
BATCH_SIZE = 64
CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What is trained and sent on one kind of device.

    Attributes:
        low, burst: Requests per second.
        one_burst: The same as *burst* where one policy serves one at a time.
        stage_s: Seconds of each of the three stages: low, burst, low.
        fixed: Requests in a batch of the reference.
        limit_s: Limit of latency.
    """

    small: Callable[[], nn.Module]
    large: Callable[[], nn.Module]
    epochs: int
    low: float
    one_burst: float
    burst: float
    stage_s: float
    fixed: int
    timeout_s: float
    most: int
    limit_s: float
    rounds: int


def _linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))


def _large() -> nn.Module:
    """ResNet-18 on images of 64 x 64: four times the work, so that requests keep a large GPU busy."""
    return nn.Sequential(nn.Upsample(scale_factor=2.0), resnet18())


CARD = Scale(
    small=lenet,
    large=_large,
    epochs=15,
    low=100.0,
    one_burst=150.0,  # one at a time is served in 4 ms
    burst=800.0,
    stage_s=1.0,
    fixed=16,
    timeout_s=0.02,
    most=256,
    limit_s=0.1,
    rounds=6,
)
TINY = Scale(
    small=_linear,
    large=lenet,
    epochs=3,
    low=40.0,
    one_burst=300.0,
    burst=300.0,
    stage_s=0.4,
    fixed=8,
    timeout_s=0.05,
    most=64,
    limit_s=1.0,
    rounds=3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both networks, the images that are asked, and the confidence below which the small one hands on.

    Attributes:
        items: Images on the CPU, as requests bring them.
        calibrated: Accuracy of the large one and of the cascade on images that are not asked.
    """

    small: nn.Module
    large: nn.Module
    device: str
    items: Sequence[Tensor]
    labels: Sequence[int]
    least_confidence: float
    calibrated: tuple[float, float]

    def answer_large(self, items: Sequence[object]) -> list[int]:
        """The class of each image."""
        return self._scores(self.large, items).argmax(1).tolist()

    def answer_small(self, items: Sequence[object]) -> list[tuple[int, float]]:
        """The class of each image, with its probability."""
        likely = self._scores(self.small, items).softmax(1).max(1)
        return list(zip(likely.indices.tolist(), likely.values.tolist(), strict=True))

    def classes_small(self, items: Sequence[object]) -> list[int]:
        return [answer for answer, _ in self.answer_small(items)]

    def _scores(self, network: nn.Module, items: Sequence[object]) -> Tensor:
        images = torch.stack([item for item in items if isinstance(item, Tensor)])
        with torch.inference_mode():
            scores: Tensor = network(images.to(self.device)).float().cpu()
        return scores


def trained(scale: Scale, device: str) -> Pair:
    """Both networks of *scale*, trained on *device*; a fifth of the images chooses the confidence."""
    torch.manual_seed(0)
    chosen = digits()
    train, test = noisy(chosen)
    count = len(train[0]) * 4 // 5
    networks = [
        _fitted(make(), train[0][:count], train[1][:count], scale, device)
        for make in (scale.small, scale.large)
    ]
    likely = _predicted(networks[0], train[0][count:], device).softmax(1).max(1)
    large = _predicted(networks[1], train[0][count:], device).argmax(1)
    least, calibrated = confidence(likely.values, likely.indices, large, train[1][count:])
    return Pair(
        small=networks[0],
        large=networks[1],
        device=device,
        items=list(test[0]),
        labels=test[1].tolist(),
        least_confidence=least,
        calibrated=calibrated,
    )


def noisy(chosen: Labelled) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)

    def copies(images: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
        many = images.repeat(count, 1, 1, 1)
        order = torch.randperm(len(many), generator=generator)
        noise = NOISE * torch.randn(many.shape, generator=generator)
        return (many + noise)[order], labels.repeat(count)[order]

    return copies(chosen.train, chosen.train_labels, 2), copies(chosen.test, chosen.test_labels, COPIES)


def _fitted(network: nn.Module, images: Tensor, labels: Tensor, scale: Scale, device: str) -> nn.Module:
    network.to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(scale.epochs):
        for rows in torch.split(torch.randperm(len(images)), BATCH_SIZE):
            loss = functional.cross_entropy(network(images[rows].to(device)), labels[rows].to(device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
    return network.eval()


def _predicted(network: nn.Module, images: Tensor, device: str) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(part.to(device)).float().cpu() for part in torch.split(images, BATCH_SIZE)])


def confidence(
    sure: Tensor, small: Tensor, large: Tensor, labels: Tensor
) -> tuple[float, tuple[float, float]]:
    """The lowest confidence at which the cascade is as accurate as the large network; the highest if none."""
    wanted = float((large == labels).float().mean())
    for least in CONFIDENCES:
        reached = float((torch.where(sure < least, large, small) == labels).float().mean())
        if reached >= wanted:
            break
    return least, (wanted, reached)
