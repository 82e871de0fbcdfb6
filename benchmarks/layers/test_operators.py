"""Energy by operator: a CNN and a vision transformer, forward pass and training step."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, resnet18

from benchmarks.layers.operators import KEPT
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorsProfile:
    """The benchmark's numbers on one kind of device.

    Attributes:
        batch_size: Images in one pass.
        image_size: Pixels of an edge.
        depth: Blocks of the vision transformer.
        width: Numbers that stand for one patch in it.
        rounds: Measured rounds of each window, at most.
        max_time_s: Longest time for the rounds of one test, and again for those of its operators.
    """

    batch_size: int
    image_size: int
    depth: int
    width: int
    rounds: int
    max_time_s: float


SIZES = {
    "cpu": OperatorsProfile(batch_size=8, image_size=96, depth=2, width=192, rounds=2, max_time_s=6.0),
    # As published: ResNet-18 and ViT-B/16 on images of 224 x 224; a batch that keeps the card at work.
    "cuda": OperatorsProfile(batch_size=64, image_size=224, depth=12, width=768, rounds=4, max_time_s=14.0),
}


def vision_transformer(size: OperatorsProfile) -> nn.Module:
    """Patches of 16 x 16, heads of 64 numbers."""
    network: nn.Module = VisionTransformer(
        image_size=size.image_size,
        patch_size=16,
        num_layers=size.depth,
        num_heads=max(1, size.width // 64),
        hidden_dim=size.width,
        mlp_dim=4 * size.width,
    )
    return network


MODELS: Mapping[str, Callable[[OperatorsProfile], nn.Module]] = {
    "resnet18": lambda _: resnet18(),
    "vision_transformer": vision_transformer,
}
WORKS = ("forward", "training")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    size = SIZES[chosen(metafunc.config).device]
    metafunc.parametrize(
        ("architecture", "work"),
        [
            pytest.param(
                name,
                work,
                id=f"{name}-{work}",
                marks=pytest.mark.energy(
                    model=f"{name}, {work}",
                    samples=size.batch_size,
                    rounds=size.rounds,
                    warmup=3,  # the first call of a work prepares the card's libraries
                    max_time=size.max_time_s,
                ),
            )
            for name in MODELS
            for work in WORKS
        ],
    )


def forward_pass(module: nn.Module, images: torch.Tensor) -> Callable[[], None]:
    """A pass in eval mode without gradients."""
    module.eval()

    def work() -> None:
        with torch.inference_mode():
            module(images)

    return work


def training_step(module: nn.Module, images: torch.Tensor) -> Callable[[], None]:
    """A step of AdamW; random labels make no other work than true ones."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)
    labels = torch.randint(0, 1000, (len(images),), device=images.device)

    def work() -> None:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return work


@pytest.fixture(autouse=True, scope="module")
def threads(profile: Profile) -> Iterator[None]:
    """One CPU thread, so that an operator takes the same time in the work and in its replay."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if profile.device == "cpu" else before)
    yield
    torch.set_num_threads(before)


@pytest.mark.energy(group="operators")
def test_operators(
    energy: "Energy", architecture: str, work: str, profile: Profile, request: pytest.FixtureRequest
) -> None:
    """The network is untrained and the images are noise: neither changes what the operators do."""
    size = SIZES[profile.device]
    torch.manual_seed(0)
    module = MODELS[architecture](size).to(profile.device)
    images = torch.randn(size.batch_size, 3, size.image_size, size.image_size, device=profile.device)
    make = forward_pass if work == "forward" else training_step
    result = energy.operators(make(module, images))
    print(result)  # noqa: T201  # shown with -rP, or -s
    kept = request.config.pluginmanager.get_plugin(KEPT)
    if kept is not None:
        kept.add(request.node.name, result)
    stages = {str(part.stage) for part in result.parts}
    assert result.parts_absent_because is None
    assert stages <= {"forward", "backward", "optimiser"}
    assert not result.parts or ("backward" in stages) == (work == "training")
