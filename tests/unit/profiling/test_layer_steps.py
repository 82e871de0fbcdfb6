"""Energy of a training step by type of layer: whose an operator is, and what is put back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pytest_energy.errors import Absent, EnergyError, NotMeasurable
from pytest_energy.model import Reading
from pytest_energy.profiling.layer_steps import measure_layer_step, training_step
from pytest_energy.profiling.layers import LayerEnergy
from pytest_energy.ready import ReadyPower
from pytest_energy.work import CallWork
from tests.builders import reading


def ready_power(_: Sequence[Reading]) -> Mapping[str, ReadyPower]:
    return {"gpu:0": ReadyPower(power_w=100.0)}


@dataclass
class Bench:
    """Runs each work twice: 10 J for the whole, 2 J for each part."""

    instead: Absent | None = None
    parts: list[str | None] = field(default_factory=list)

    def __call__(
        self, work: CallWork[None], part: str | None, time_share: float
    ) -> Sequence[Reading] | Absent:
        assert 0 < time_share < 1
        self.parts.append(part)
        work.call()
        work.call()
        energy_j = 10.0 if part is None else 2.0
        return self.instead or (reading(channels={"gpu:0": energy_j}, duration_s=0.01),) * 3


class Residual(nn.Module):
    """A convolution, a norm and an addition between layers, a product called as a function at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.norm(self.convolution(x))
        return torch.mm(y.flatten(1), torch.ones(32, 3))


def measured(
    module: nn.Module, optimizer: torch.optim.Optimizer | None = None, bench: Bench | None = None
) -> LayerEnergy:
    step = training_step(module, torch.randn(2, 2, 4, 4), lambda output: output.pow(2).mean(), optimizer)
    return measure_layer_step(step, bench or Bench(), ready_power, time_s=60.0, free=lambda _: None)


def counts(energy: LayerEnergy) -> dict[str, int]:
    return {part.key: part.call_count for part in energy.parts}


class TestParts:
    """Whose an operator is."""

    def test_layers_forward_and_backward_and_the_optimiser(self) -> None:
        """The addition, the product and the loss are between; SGD has one operator for all weights."""
        module = Residual()
        found = counts(measured(module, torch.optim.SGD(module.parameters(), lr=0.1, foreach=True)))
        assert found.keys() == {
            *("convolution_forward", "normalisation_forward", "between_forward"),
            *("convolution_backward", "normalisation_backward", "between_backward"),
            "optimiser",
        }
        assert found["convolution_backward"] == 1
        assert found["normalisation_backward"] == 1
        assert found["optimiser"] == 1

    def test_without_an_optimiser_there_is_no_step(self) -> None:
        """A forward and a backward pass."""
        assert "optimiser" not in counts(measured(Residual()))

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_layers_that_are_computed_anew(self, reentrant: bool) -> None:  # noqa: FBT001
        """With checkpointing a layer's forward operators are in the backward pass, and still the layer's."""

        class Checkpointed(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sigmoid())

            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = checkpoint(self.layers, x.requires_grad_(), use_reentrant=reentrant)
                return y

        found = counts(measured(Checkpointed()))
        assert found["convolution_forward"] == 1
        assert found["convolution_backward"] == 2
        assert found["activation_backward"] >= 1

    def test_names_of_the_metrics(self) -> None:
        """Type and stage, and the optimiser by itself."""
        module = Residual()
        metrics = measured(module, torch.optim.SGD(module.parameters(), lr=0.1)).metrics
        assert metrics["layer_convolution_backward_energy_j"] == pytest.approx(2.0)
        assert metrics["layer_optimiser_energy_j"] == pytest.approx(2.0)
        assert metrics["layers_explained_share"] == pytest.approx(7 * 2.0 / 10.0)

    def test_without_the_whole_nothing_is_replayed(self) -> None:
        """The reason is that of the whole."""
        bench = Bench(instead=Absent("no sensor"))
        energy = measured(Residual(), bench=bench)
        assert bench.parts == [None]
        assert energy.absent["layers_explained_share"] == "no sensor"


class TestPutBack:
    """Rule 2."""

    def test_model_and_optimiser_are_what_they_were(self) -> None:
        """Weights, statistics, gradients, moments and modes, after steps that changed them all."""
        module = Residual()
        optimizer = torch.optim.Adam(module.parameters())
        module(torch.randn(2, 2, 4, 4)).sum().backward()
        optimizer.step()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        gradients = [weight.grad for weight in module.parameters()]
        values = [gradient.clone() for gradient in gradients if gradient is not None]
        moments = [value.clone() for own in optimizer.state.values() for value in own.values()]
        measured(module, optimizer)
        assert len(values) == 4
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        now = [weight.grad for weight in module.parameters()]
        assert all(one is other for one, other in zip(now, gradients, strict=True))
        assert all(torch.equal(one, other) for one, other in zip(now, values, strict=True) if one is not None)
        after = [value for own in optimizer.state.values() for value in own.values()]
        assert all(torch.equal(one, other) for one, other in zip(after, moments, strict=True))
        assert module.training
        assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())

    def test_after_an_error_as_well(self) -> None:
        """A loss that fails leaves the model alone."""
        module = Residual()
        step = training_step(module, torch.randn(2, 2, 4, 4), lambda _: 3.0, None)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        with pytest.raises(EnergyError, match="loss= returned a float, not a tensor"):
            measure_layer_step(step, Bench(), ready_power, time_s=1.0, free=lambda _: None)
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())

    def test_too_little_memory_for_a_copy(self) -> None:
        """The steps could not be undone, so there are none."""
        step = training_step(Residual(), torch.randn(2, 2, 4, 4), lambda output: output.sum(), None)
        bench = Bench()
        with pytest.raises(NotMeasurable, match="a copy of the weights takes 192 B, and 10 B are free"):
            measure_layer_step(step, bench, ready_power, time_s=1.0, free=lambda _: 10)
        assert bench.parts == []


class TestArguments:
    """What a training step takes."""

    def test_a_step_takes_a_loss(self) -> None:
        """An optimiser alone has nothing to go by."""
        module = Residual()
        with pytest.raises(EnergyError, match="needs loss="):
            training_step(module, torch.ones(1), None, torch.optim.SGD(module.parameters(), lr=0.1))

    def test_what_is_no_optimiser_is_named(self) -> None:
        """By its kind."""
        with pytest.raises(EnergyError, match="optimizer= is a str"):
            training_step(Residual(), torch.ones(1), lambda output: output, "adam")

    def test_a_model_must_be_torch_s(self) -> None:
        """It is named for what it is."""
        with pytest.raises(EnergyError, match=r"takes a torch\.nn\.Module\. Got a str"):
            training_step("resnet", torch.ones(1), lambda output: output, None)
