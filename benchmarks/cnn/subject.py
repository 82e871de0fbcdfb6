"""A network and its data, as a profile wants them: device, layout, precision."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.cnn.images import Labelled
from benchmarks.cnn.models import ARCHITECTURES
from benchmarks.cnn.training import accuracy
from benchmarks.profile_sizes import CnnProfile, Profile


class Autocast(nn.Module):
    """A network whose forward passes run under autocast to bfloat16; its scores are float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            scores: Tensor = self.module(inputs)
        return scores.float()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What one test runs.

    Attributes:
        bare: The network for `energy.model`: its MACs don't depend on precision.
        module: What is run.
    """

    bare: nn.Module
    module: nn.Module


def subject(architecture: str, profile: Profile, *, seed: int = 0) -> Subject:
    """*architecture* on the profile's device, with weights from the recipe's seed plus *seed*."""
    torch.manual_seed(profile.cnn.recipe.seed + seed)
    bare = ARCHITECTURES[architecture]().to(profile.device)
    if profile.cnn.is_channels_last:
        bare = bare.to(memory_format=torch.channels_last)
    return Subject(bare=bare, module=Autocast(bare) if profile.cnn.is_amp else bare)


def held_out_accuracy(module: nn.Module, chosen: Labelled, size: CnnProfile) -> float | None:
    """Share of held-out samples that *module* gets right; `None` where there is nothing to learn."""
    if not chosen.can_be_learnt:
        return None
    return accuracy(module, chosen.test[: size.test_images], chosen.test_labels[: size.test_images])
