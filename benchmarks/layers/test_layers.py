"""Energy of forward passes by the type of their layers: a CNN and a vision transformer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from benchmarks.cnn.models import resnet18
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


CLASS_COUNT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersProfile:
    """The benchmark's numbers on one kind of device.

    Attributes:
        batch_size: Images in one pass.
        rounds: Measured rounds of each window.
        max_time_s: Longest time for all windows of one test.
        depth: Blocks of the vision transformer.
        width: Numbers that stand for one patch in it.
    """

    batch_size: int
    rounds: int
    max_time_s: float
    depth: int
    width: int


SIZES = {
    "cpu": LayersProfile(batch_size=8, rounds=2, max_time_s=4.0, depth=2, width=64),
    # ViT-S: wide enough to keep the card at work rather than waiting for launches.
    "cuda": LayersProfile(batch_size=128, rounds=5, max_time_s=60.0, depth=12, width=384),
}


def vision_transformer(size: LayersProfile) -> nn.Module:
    """64 patches of 4x4 and a class token; attention is `nn.MultiheadAttention`."""
    network: nn.Module = VisionTransformer(
        image_size=32,
        patch_size=4,
        num_layers=size.depth,
        num_heads=max(2, size.width // 64),
        hidden_dim=size.width,
        mlp_dim=4 * size.width,
        num_classes=CLASS_COUNT,
    )
    return network


MODELS: Mapping[str, Callable[[LayersProfile], nn.Module]] = {
    "resnet18": lambda _: resnet18(),
    "vision_transformer": vision_transformer,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    size = SIZES[chosen(metafunc.config).device]
    metafunc.parametrize(
        "architecture",
        [
            pytest.param(
                name,
                id=name,
                marks=pytest.mark.energy(
                    model=name,
                    samples=size.batch_size,
                    rounds=size.rounds,
                    warmup=1,
                    max_time=size.max_time_s,
                ),
            )
            for name in MODELS
        ],
    )


@pytest.fixture(autouse=True, scope="module")
def threads(profile: Profile) -> Iterator[None]:
    """One CPU thread, so that a layer takes the same time in the pass and in its replay."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if profile.device == "cpu" else before)
    yield
    torch.set_num_threads(before)


@pytest.mark.energy(group="layers")
def test_layers(energy: "Energy", architecture: str, profile: Profile) -> None:
    """The network is untrained and the images are noise: neither changes what the layers do."""
    size = SIZES[profile.device]
    torch.manual_seed(0)
    module = MODELS[architecture](size).to(profile.device)
    images = torch.randn(size.batch_size, 3, 32, 32, device=profile.device)
    energy.model(module, images[:1])
    found = energy.layers(module, images)
    print(found)  # noqa: T201  # shown with -rP, or -s
    assert {part.layer_type.value for part in found.parts} >= {"convolution", "linear", "normalisation"}
    assert found.unexplained_macs_share == pytest.approx(0.0, abs=0.01)
