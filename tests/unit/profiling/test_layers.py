"""Energy by type of layer: what is replayed, and what it sums up to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from pytest_energy.errors import Absent, EnergyError
from pytest_energy.model import Provenance, Reading
from pytest_energy.profiling.layers import LayerEnergy, measure_layers
from pytest_energy.profiling.macs import count_macs_by
from pytest_energy.ready import ReadyPower
from pytest_energy.work import CallWork


def reading(energy_j: float = 10.0, uncertainty_j: float = 0.0, void_because: str | None = None) -> Reading:
    return Reading(
        channels={} if void_because else {"gpu:0": energy_j},
        duration_s=energy_j / 100,
        uncertainty_j=uncertainty_j,
        provenance=Provenance.MEASURED,
        void_because=void_because,
    )


@dataclass
class Bench:
    """Runs each work three times; joules by the name of the part, 10 J for one that has none."""

    energies_j: dict[str | None, float] = field(default_factory=dict)
    instead: dict[str | None, Sequence[Reading] | Absent] = field(default_factory=dict)
    uncertainty_j: float = 0.0
    before: Callable[[str | None], None] = lambda _: None
    time_shares: dict[str | None, float] = field(default_factory=dict)

    def __call__(
        self, work: CallWork[None], part: str | None, time_share: float
    ) -> Sequence[Reading] | Absent:
        self.time_shares[part] = time_share
        self.before(part)
        for _ in range(3):
            work.call()
        return self.instead.get(part, 3 * (reading(self.energies_j.get(part, 10.0), self.uncertainty_j),))


class Seen(nn.Module):
    """Keeps what it is called with, as it was at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[list[float]] = []
        self.modes: list[bool] = []

    def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        self.values.append((x.flatten() * scale).tolist())
        self.modes.append(self.training)
        return x * scale


class Block(nn.Module):
    """A layer that is called twice in one pass, and once by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.seen(x=self.seen(x), scale=3.0)
        return y


class TestReplay:
    """What runs in the windows."""

    def test_layers_are_replayed_with_their_own_inputs(self) -> None:
        """Every call is repeated with what it was given, keywords and all, calls of one layer in order."""
        module = Block()
        measure_layers(module, torch.ones(2), Bench())
        real_pass = [[1.0, 1.0], [3.0, 3.0]]
        assert module.seen.values == real_pass * (1 + 3 + 3)

    def test_each_type_is_a_part(self) -> None:
        """A part holds all layers of its type and nothing else."""
        module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        energy = measure_layers(module, torch.ones(1, 2), Bench())
        assert {part.layer_type.value: (part.call_count, part.macs) for part in energy.parts} == {
            "linear": (2, 8),
            "activation": (1, 0),
        }
        assert energy.unexplained_macs_share == 0

    def test_time_is_shared(self) -> None:
        """The whole pass and each type have the same part of the test's time, all of it together."""
        bench = Bench()
        measure_layers(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2), bench)
        assert bench.time_shares == {None: 1 / 3, "linear": 1 / 3, "activation": 1 / 3}

    def test_module_is_put_back(self) -> None:
        """The pass and the replay are in eval mode; afterwards each layer has the mode that it had."""
        seen, activation = Seen(), nn.ReLU(inplace=True)
        module = nn.Sequential(seen, nn.Sequential(nn.BatchNorm1d(2)).eval(), activation)
        before = [layer.training for layer in module.modules()]
        measure_layers(module, torch.ones(3, 2), Bench())
        assert [layer.training for layer in module.modules()] == before
        assert seen.modes == [False] * 7
        assert activation.inplace
        assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())

    def test_module_is_put_back_after_an_error(self) -> None:
        """A failing pass leaves neither hooks nor eval mode."""
        module = nn.Sequential(nn.Linear(2, 2))
        with pytest.raises(EnergyError):
            measure_layers(module, torch.ones(1, 3), Bench())
        assert module.training
        assert not module[0]._forward_pre_hooks

    def test_layers_in_place_keep_their_input(self) -> None:
        """ELU in place would shrink its input with each call; the replay is out of place, the pass is not."""
        activation, inputs = nn.ELU(inplace=True), []
        activation.register_forward_pre_hook(lambda _, args: inputs.append(args[0].tolist()))
        module = nn.Sequential(nn.Flatten(), activation)
        in_place: list[bool] = []
        measure_layers(
            module,
            torch.tensor([[-1.0, 2.0]]) * 1.0,
            Bench(before=lambda part: in_place.append(activation.inplace) if part != "other" else None),
        )
        replayed = inputs[-3:]
        assert in_place == [True, False]
        assert replayed == [replayed[0]] * 3

    def test_a_layer_that_changes_its_input_gets_a_fresh_copy(self) -> None:
        """Where nothing can be switched off the copy is made in the window, and a note says so."""

        class Doubles(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.values: list[float] = []

            def forward(self, x: Tensor) -> Tensor:
                self.values.append(x.sum().item())
                return x.mul_(2.0)

        doubles = Doubles()
        module = nn.Sequential(nn.Hardtanh(0.0, 9.0), doubles)
        energy = measure_layers(module, torch.ones(1, 2), Bench())
        assert doubles.values == [2.0] * len(doubles.values)
        assert energy.notes == (
            "Doubles change their input: each call of the replay works on a fresh copy of it",
        )

    def test_fused_layers_are_noted(self) -> None:
        """torch runs an encoder layer as one kernel if nobody looks; the reader is told."""
        encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        energy = measure_layers(nn.Sequential(encoder), torch.randn(1, 3, 4), Bench())
        assert any("1 TransformerEncoderLayer may run as one kernel" in note for note in energy.notes)

    def test_wrappers_are_noted(self) -> None:
        """The whole pass is that of the wrapper, the layers are those inside."""

        class Compiled(nn.Module):
            """As what torch.compile gives."""

            def __init__(self) -> None:
                super().__init__()
                self._orig_mod = nn.Sequential(nn.Linear(2, 2))

            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = self._orig_mod(x)
                return y

        energy = measure_layers(Compiled(), torch.ones(1, 2), Bench())
        assert energy.parts[0].call_count == 1
        assert energy.notes[0].startswith("the whole pass is Compiled's")


class TestMacs:
    """Which multiply-accumulates lie inside layers."""

    def test_functional_attention_is_unexplained(self) -> None:
        """What is called as a function between layers counts in the whole alone."""

        class Functional(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(4, 4, bias=False)

            def forward(self, x: Tensor) -> Tensor:
                y = self.layer(x)
                return nn.functional.scaled_dot_product_attention(y, y, y)

        energy = measure_layers(Functional(), torch.randn(2, 3, 4), Bench())
        # one sample: 3 tokens x 4 x 4 inside, two products of 3 x 3 x 4 outside
        assert (energy.macs, energy.parts[0].macs) == (48 + 72, 48)
        assert energy.unexplained_macs_share == pytest.approx(72 / 120)

    def test_what_cannot_be_counted_is_absent(self) -> None:
        """No convolution, product or attention: no MACs, with the reason, and no share of them."""
        energy = measure_layers(nn.Sequential(nn.ReLU()), torch.ones(1, 2), Bench())
        assert (energy.macs, energy.parts[0].macs, energy.unexplained_macs_share) == (None, None, None)
        assert "can't be counted" in energy.absent["layers_unexplained_macs_share"]

    def test_by_chosen_layers(self) -> None:
        """Layers counted under one name add up; a name under which nothing runs is left out."""
        module = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 4, bias=False), nn.Identity())
        total, by_name = count_macs_by(
            module,
            torch.ones(5, 2),
            lambda twin: [*((layer, "a") for layer in twin.children()), (nn.ReLU(), "b")],
        )
        assert (total, by_name) == (18, {"a": 18})


class TestShares:
    """What the parts sum up to."""

    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

    def energy(self, bench: Bench) -> LayerEnergy:
        return measure_layers(self.module, torch.ones(1, 2), bench)

    def test_share_explained(self) -> None:
        """Joules of the parts over those of the whole pass."""
        energy = self.energy(Bench({None: 20.0, "linear": 15.0, "activation": 4.0}))
        assert energy.whole.energy_j == pytest.approx(20.0)
        assert energy.explained_share == pytest.approx(19 / 20)
        assert energy.explained_time_share == pytest.approx(19 / 20)
        assert energy.absent == {}

    def test_it_may_be_above_one(self) -> None:
        """Parts that cost more apart than together aren't scaled down."""
        assert self.energy(Bench({None: 10.0})).explained_share == pytest.approx(2.0)

    def test_of_active_joules_where_ready_power_is_known(self) -> None:
        """50 W are the waiting: of 20 J in 200 ms 10 J, of 15 and 4 J in 150 and 40 ms 7.5 and 2 J."""
        energy = measure_layers(
            self.module,
            torch.ones(1, 2),
            Bench({None: 20.0, "linear": 15.0, "activation": 4.0}),
            ready_power=lambda readings: {"gpu:0": ReadyPower(power_w=50.0 if len(readings) == 9 else 0.0)},
        )
        assert energy.explained_active_share == pytest.approx(9.5 / 10.0)
        assert energy.metrics["layers_explained_active_share"] == pytest.approx(0.95)
        assert "layers_explained_active_share" not in self.energy(Bench()).metrics

    def test_its_uncertainty(self) -> None:
        """Relative parts add in squares: two parts of 10 +- 1 J over 20 +- 1 J are known to 8.7 %."""
        energy = self.energy(Bench({None: 20.0}, uncertainty_j=1.0))
        assert energy.parts[0].cost.uncertainty_j == pytest.approx(1.0)
        assert energy.explained_share_uncertainty == pytest.approx((2 / 20**2 + 1 / 20**2) ** 0.5)

    def test_metrics(self) -> None:
        """Joules, uncertainty and seconds by type, and the shares, under names that end in their unit."""
        metrics = self.energy(Bench({None: 20.0, "linear": 15.0})).metrics
        assert metrics["layer_linear_energy_j"] == pytest.approx(15.0)
        assert metrics["layer_linear_uncertainty_j"] == pytest.approx(0.0)
        assert metrics["layer_linear_duration_s"] == pytest.approx(0.15)
        assert metrics["layers_explained_share"] == pytest.approx(25 / 20)
        assert metrics["layers_unexplained_macs_share"] == 0.0

    def test_void_part_is_absent(self) -> None:
        """A part that was void has no joules but a reason, and neither has the share: never a smaller sum."""
        energy = self.energy(Bench(instead={"linear": (reading(), reading(void_because="thermal slowdown"))}))
        assert energy.parts[0].cost.energy_j is None
        assert energy.metrics["layer_activation_energy_j"] == pytest.approx(10.0)
        assert energy.absent["layer_linear_energy_j"] == "thermal slowdown"
        assert energy.explained_share is None
        assert energy.absent["layers_explained_share"] == "linear: thermal slowdown"

    def test_part_of_no_joules_is_absent(self) -> None:
        """Work that ran used more than 0 J."""
        energy = self.energy(Bench({"activation": 0.0}))
        assert energy.absent["layer_activation_energy_j"].startswith("a round reads 0.0 J")

    def test_without_the_whole_nothing_is_run(self) -> None:
        """Where nothing measures the whole pass the parts aren't run, and all figures have the reason."""
        bench = Bench(instead={None: Absent("no sensor")})
        energy = self.energy(bench)
        assert list(bench.time_shares) == [None]
        assert energy.whole.energy_j is None
        assert {part.layer_type.value for part in energy.parts} == {"linear", "activation"}
        assert set(energy.absent.values()) == {"no sensor"}

    def test_text(self) -> None:
        """A line a type with its share, the sum, and what is absent says why."""
        text = str(
            self.energy(Bench({None: 20.0, "linear": 15.0, "activation": 4.0}, uncertainty_j=0.1))
        ).splitlines()
        assert " ".join(text[0].split()) == "linear 1 calls 15.00 +- 0.10 J 75.0 % 150 ms"
        assert text[2].split()[:2] == ["whole", "pass"]
        assert text[3:] == ["the parts explain 95.0 +- 0.9 %", "0.0 % of the MACs lie between the layers"]
        assert "-  (no sensor)" in str(self.energy(Bench(instead={None: Absent("no sensor")})))


def test_a_model_must_be_torch_s() -> None:
    """It is named for what it is."""
    with pytest.raises(EnergyError, match=r"takes a torch\.nn\.Module\. Got a str"):
        measure_layers("resnet", torch.ones(1), Bench())
