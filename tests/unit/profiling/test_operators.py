"""Energy by operator: what is measured, and what it sums up to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from pytest_energy.errors import Absent
from pytest_energy.model import Reading
from pytest_energy.profiling.operators import OperatorEnergy, measure_operators
from pytest_energy.ready import ReadyPower
from pytest_energy.work import CallWork
from tests.builders import reading

WHOLE = (reading(channels={"gpu:0": 10.0}, duration_s=0.02),) * 5


def ready_power(readings: Sequence[Reading]) -> Mapping[str, ReadyPower]:
    """100 W, if the quiet before all rounds is asked for."""
    assert readings
    return {"gpu:0": ReadyPower(power_w=100.0)}


@dataclass
class Bench:
    """Runs each work twice; joules by the name of the part, 3 J in 10 ms for one that has none."""

    energies_j: dict[str, float] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)
    works: dict[str, CallWork[None]] = field(default_factory=dict)
    time_shares: dict[str, float] = field(default_factory=dict)

    def __call__(
        self, work: CallWork[None], part: str | None, time_share: float
    ) -> Sequence[Reading] | Absent:
        assert part is not None
        self.works[part], self.time_shares[part] = work, time_share
        work.call()
        work.call()
        energy_j = self.energies_j.get(part, 3.0)
        return self.absent.get(part, (reading(channels={"gpu:0": energy_j}, duration_s=0.01),) * 3)


def step() -> Callable[[], None]:
    module = nn.Linear(4, 8)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, foreach=True)

    def work() -> None:
        optimizer.zero_grad()
        module(torch.ones(2, 4)).relu().backward(torch.ones(2, 8))
        optimizer.step()

    return work


def measured(
    bench: Bench, whole: Sequence[Reading] | Absent = WHOLE, time_s: float | None = 60.0
) -> OperatorEnergy:
    return measure_operators(step(), whole, bench, ready_power, time_s=time_s)


class TestParts:
    """What has a window of its own."""

    def test_operators_by_stage(self) -> None:
        """A linear layer and an activation, forward and backward, and a step of SGD over both weights."""
        energy = measured(Bench())
        parts = {(part.stage.value, part.name): part.call_count for part in energy.parts}
        assert parts[("forward", "aten::addmm")] == 1
        assert parts[("backward", "aten::threshold_backward")] == 1
        assert parts[("optimiser", "aten::_foreach_add_")] == 1

    def test_rounds_hold_as_many_replays_as_fit_their_time(self) -> None:
        """They are fixed before: a small operator takes thousands."""
        bench = Bench()
        measured(bench)
        assert not any(work.may_repeat for work in bench.works.values())
        assert bench.works["forward:aten::addmm"].call_count > 100
        assert sum(bench.time_shares.values()) == pytest.approx(1.0)

    def test_a_replay_of_joules_takes_one_call(self) -> None:
        """Those of a file are joules of one call already."""
        bench = Bench()
        measured(bench, time_s=None)
        assert {work.call_count for work in bench.works.values()} == {1}

    def test_without_the_whole_nothing_is_run(self) -> None:
        """No operator is looked at, and all figures have the reason."""
        bench = Bench()
        energy = measured(bench, Absent("no sensor"))
        assert bench.works == {}
        assert energy.parts == ()
        assert set(energy.absent.values()) == {"no sensor"}

    def test_a_work_without_operators_says_so(self) -> None:
        """The whole has its joules, and the share its reason."""
        energy = measure_operators(lambda: sum(range(9)), WHOLE, Bench(), ready_power, time_s=60.0)
        assert energy.whole.active_energy_j == pytest.approx(8.0)
        assert energy.absent["operators_explained_share"] == (
            "the work calls no operator of torch that can be replayed"
        )


class TestShares:
    """What the parts sum up to."""

    def test_of_active_joules(self) -> None:
        """Each part has 3 J less 10 ms of 100 W; the whole 8 J."""
        energy = measured(Bench())
        assert energy.explained_share == pytest.approx(len(energy.parts) * 2.0 / 8.0)
        assert energy.explained_time_share == pytest.approx(len(energy.parts) * 0.5)

    def test_by_stage(self) -> None:
        """They sum up to the share of all."""
        energy = measured(Bench())
        shares = {str(stage): share for stage, share in energy.stage_shares.items()}
        assert shares.keys() == {"forward", "backward", "optimiser"}
        assert shares["optimiser"] == pytest.approx(0.25)
        assert sum(share or 0.0 for share in shares.values()) == pytest.approx(energy.explained_share)

    def test_metrics(self) -> None:
        """Active and gross joules, uncertainty and seconds of each part, and the shares."""
        metrics = measured(Bench({"optimiser:aten::_foreach_add_": 5.0})).metrics
        assert metrics["operator_optimiser__foreach_add__active_energy_j"] == pytest.approx(4.0)
        assert metrics["operator_optimiser__foreach_add__energy_j"] == pytest.approx(5.0)
        assert metrics["operator_forward_addmm_duration_s"] == pytest.approx(0.01)
        assert metrics["operators_optimiser_share"] == pytest.approx(0.5)

    def test_an_absent_part_leaves_no_share(self) -> None:
        """Never a smaller sum; the others have their joules."""
        energy = measured(Bench(absent={"forward:aten::addmm": Absent("thermal slowdown")}))
        assert energy.explained_share is None
        assert energy.absent["operators_explained_share"] == "thermal slowdown"
        assert energy.metrics["operator_backward_mm_active_energy_j"] == pytest.approx(2.0)

    def test_text(self) -> None:
        """A line for each operator, the whole, the shares, and the notes."""
        lines = str(measured(Bench())).splitlines()
        texts = [" ".join(line.split()) for line in lines]
        assert "forward aten::addmm 1 calls 2 +- 0 J 25.0 % 10 ms" in texts
        assert any(line.startswith("the whole: 8") and line.endswith("active joules") for line in lines)
        assert "optimiser 25.0 %" in lines[-2]
        assert lines[-1].startswith("the parts take")

    def test_text_where_nothing_is_known(self) -> None:
        """The reason, and no number; of what joules is not said where there are none."""
        lines = str(measured(Bench(), Absent("no sensor"))).splitlines()
        assert lines[-2:] == [
            "the whole: -  (no sensor)",
            "no share of the active joules is explained: no sensor",
        ]
