"""Energy by type of layer: what is captured of a real pass, what is replayed, and what it sums up to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from pytest_energy.errors import Absent, EnergyError, NotMeasurable
from pytest_energy.model import Provenance, Reading
from pytest_energy.profiling.layers import LayerEnergy, measure_layers
from pytest_energy.profiling.macs import count_macs_by
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
        found = measure_layers(module, torch.ones(1, 2), Bench())
        assert {part.layer_type.value: (part.call_count, part.macs) for part in found.parts} == {
            "linear": (2, 8),
            "activation": (1, 0),
        }
        assert found.unexplained_macs_share == 0

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
        found = measure_layers(module, torch.ones(1, 2), Bench())
        assert doubles.values == [2.0] * len(doubles.values)
        assert found.notes == (
            "Doubles change their input: each call of the replay works on a fresh copy of it",
        )

    def test_an_input_is_kept_as_it_was_at_the_call(self) -> None:
        """What is changed in place after a layer has read it is replayed as the layer read it."""

        class ChangesLater(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.seen = Seen()

            def forward(self, x: Tensor) -> Tensor:
                y = x + 1.0
                self.seen(y)
                y += 5.0
                z: Tensor = self.seen(y)
                return z

        module = ChangesLater()
        measure_layers(module, torch.zeros(1), Bench())
        assert module.seen.values == [[1.0], [6.0]] * 7

    def test_the_same_tensor_stays_the_same_tensor(self) -> None:
        """Self-attention is told by query, key and value being one tensor: so they are in the replay."""
        attention, seen = nn.MultiheadAttention(4, 2, batch_first=True), []

        class Attends(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.attention = attention

            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = self.attention(x, x, x)[0]
                return y

        attention.register_forward_pre_hook(lambda _, args: seen.append(args[0] is args[1] is args[2]))
        found = measure_layers(Attends(), torch.randn(2, 3, 4), Bench())
        assert seen == [True] * 7
        assert [part.layer_type.value for part in found.parts] == ["attention"]
        assert found.parts[0].macs == found.macs

    def test_nested_inputs_are_copied(self) -> None:
        """Tensors in lists, tuples and mappings are captured; other values are handed on."""

        class Sums(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.sums: list[float] = []

            def forward(self, many: list[tuple[Tensor, ...]], named: dict[str, Tensor], word: str) -> Tensor:
                total = sum((x for group in many for x in group), named[word])
                self.sums.append(float(total))
                return total

        class Outer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = Sums()

            def forward(self, x: Tensor) -> Tensor:
                total: Tensor = self.inner([(x, x + 1)], {"a": x + 2}, word="a")
                return total

        module = Outer()
        measure_layers(module, torch.tensor(1.0), Bench())
        assert module.inner.sums == [6.0] * 7

    def test_an_input_made_in_inference_mode_is_taken(self) -> None:
        """Such a tensor doesn't tell of changes; it is captured all the same."""
        with torch.inference_mode():
            images = torch.ones(1, 2)
        found = measure_layers(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 2)), images, Bench())
        assert [part.layer_type.value for part in found.parts] == ["linear", "activation"]

    def test_fused_layers_are_noted(self) -> None:
        """torch runs an encoder layer as one kernel if nobody looks; the reader is told."""
        encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        found = measure_layers(nn.Sequential(encoder), torch.randn(1, 3, 4), Bench())
        assert any("1 TransformerEncoderLayer may run as one kernel" in note for note in found.notes)

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

        found = measure_layers(Compiled(), torch.ones(1, 2), Bench())
        assert found.parts[0].call_count == 1
        assert found.notes[0].startswith("the whole pass is Compiled's")


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

        found = measure_layers(Functional(), torch.randn(2, 3, 4), Bench())
        # one sample: 3 tokens x 4 x 4 inside, two products of 3 x 3 x 4 outside
        assert (found.macs, found.parts[0].macs) == (48 + 72, 48)
        assert found.unexplained_macs_share == pytest.approx(72 / 120)

    def test_what_cannot_be_counted_is_absent(self) -> None:
        """No convolution, product or attention: no MACs, with the reason, and no share of them."""
        found = measure_layers(nn.Sequential(nn.ReLU()), torch.ones(1, 2), Bench())
        assert (found.macs, found.parts[0].macs, found.unexplained_macs_share) == (None, None, None)
        assert "can't be counted" in found.absent["layers_unexplained_macs_share"]

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

    def found(self, bench: Bench) -> LayerEnergy:
        return measure_layers(self.module, torch.ones(1, 2), bench)

    def test_share_explained(self) -> None:
        """Joules of the parts over those of the whole pass."""
        found = self.found(Bench({None: 20.0, "linear": 15.0, "activation": 4.0}))
        assert found.whole.energy_j == pytest.approx(20.0)
        assert found.explained_share == pytest.approx(19 / 20)
        assert found.explained_time_share == pytest.approx(19 / 20)
        assert found.absent == {}

    def test_it_may_be_above_one(self) -> None:
        """Parts that cost more apart than together aren't scaled down."""
        assert self.found(Bench({None: 10.0})).explained_share == pytest.approx(2.0)

    def test_its_uncertainty(self) -> None:
        """Relative parts add in squares: two parts of 10 +- 1 J over 20 +- 1 J are known to 8.7 %."""
        found = self.found(Bench({None: 20.0}, uncertainty_j=1.0))
        assert found.parts[0].cost.uncertainty_j == pytest.approx(1.0)
        assert found.explained_share_uncertainty == pytest.approx((2 / 20**2 + 1 / 20**2) ** 0.5)

    def test_metrics(self) -> None:
        """Joules, uncertainty and seconds by type, and the shares, under names that end in their unit."""
        metrics = self.found(Bench({None: 20.0, "linear": 15.0})).metrics
        assert metrics["layer_linear_energy_j"] == pytest.approx(15.0)
        assert metrics["layer_linear_uncertainty_j"] == pytest.approx(0.0)
        assert metrics["layer_linear_duration_s"] == pytest.approx(0.15)
        assert metrics["layers_explained_share"] == pytest.approx(25 / 20)
        assert metrics["layers_unexplained_macs_share"] == 0.0

    def test_void_part_is_absent(self) -> None:
        """A part that was void has no joules but a reason, and neither has the share: never a smaller sum."""
        found = self.found(Bench(instead={"linear": (reading(), reading(void_because="thermal slowdown"))}))
        assert found.parts[0].cost.energy_j is None
        assert found.metrics["layer_activation_energy_j"] == pytest.approx(10.0)
        assert found.absent["layer_linear_energy_j"] == "thermal slowdown"
        assert found.explained_share is None
        assert found.absent["layers_explained_share"] == "linear: thermal slowdown"

    def test_part_of_no_joules_is_absent(self) -> None:
        """Work that ran used more than 0 J."""
        found = self.found(Bench({"activation": 0.0}))
        assert found.absent["layer_activation_energy_j"].startswith("a round reads 0.0 J")

    def test_without_the_whole_nothing_is_run(self) -> None:
        """Where nothing measures the whole pass the parts aren't run, and all figures have the reason."""
        bench = Bench(instead={None: Absent("no sensor")})
        found = self.found(bench)
        assert list(bench.time_shares) == [None]
        assert found.whole.energy_j is None
        assert {part.layer_type.value for part in found.parts} == {"linear", "activation"}
        assert set(found.absent.values()) == {"no sensor"}

    def test_text(self) -> None:
        """A line a type with its share, the sum, and what is absent says why."""
        text = str(
            self.found(Bench({None: 20.0, "linear": 15.0, "activation": 4.0}, uncertainty_j=0.1))
        ).splitlines()
        assert " ".join(text[0].split()) == "linear 1 calls 15.00 +- 0.10 J 75.0 % 150 ms"
        assert text[2].split()[:2] == ["whole", "pass"]
        assert text[3:] == ["the parts explain 95.0 +- 0.9 %", "0.0 % of the MACs lie between the layers"]
        assert "-  (no sensor)" in str(self.found(Bench(instead={None: Absent("no sensor")})))


class TestErrors:
    """What can't be done is said with its place."""

    def test_a_wrong_shape_names_the_layer_and_the_shapes(self) -> None:
        """The layer that failed, what it was given, and what the example was."""
        module = nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.Linear(4, 3)))
        message = (
            r"layer '1\.0' \(Linear\) of Sequential can't take \[2, 5\]; "
            r"the example input is \[2, 4\]: RuntimeError"
        )
        with pytest.raises(EnergyError, match=message):
            measure_layers(module, torch.ones(2, 4), Bench())

    def test_a_fault_between_layers_names_the_model(self) -> None:
        """Where no layer was running the model itself could not take it."""

        class Fails(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.reshape(7, 7)

        module = Fails()
        module.layer = nn.ReLU()
        with pytest.raises(EnergyError, match=r"Fails can't take \[2\]"):
            measure_layers(module, torch.ones(2), Bench())

    def test_a_fault_that_the_model_catches_is_no_call(self) -> None:
        """A layer that was tried in vain has no input to be replayed with."""

        class Tries(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.wrong, self.right = nn.Linear(9, 9), nn.Linear(2, 2)
                self.outer = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                try:
                    y: Tensor = self.wrong(x)
                except RuntimeError:
                    y = self.right(x)
                return y

        found = measure_layers(Tries(), torch.ones(1, 2), Bench())
        assert [part.call_count for part in found.parts] == [1]

    def test_too_little_memory(self) -> None:
        """The layer, what it wants and what is free; the forward pass ends there."""
        module = nn.Sequential(nn.Linear(2, 1000), nn.ReLU())
        with pytest.raises(
            NotMeasurable, match=r"at layer '1' 40 kB are wanted and 10 kB are free on cpu, after 80 B"
        ):
            measure_layers(module, torch.ones(10, 2), Bench(), free=lambda _: 10_000)

    def test_no_module(self) -> None:
        """The model must be torch's."""
        with pytest.raises(EnergyError, match="the model is a str"):
            measure_layers("resnet", torch.ones(1), Bench())

    def test_no_layers(self) -> None:
        """A pass that calls no layer can't be told apart."""

        class Empty(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                return x + 1

        with pytest.raises(EnergyError, match="the forward pass of Empty calls none of its layers"):
            measure_layers(Empty(), torch.ones(1), Bench())
