"""Trainings to an accuracy on a simulated device, whose joules are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import pytest

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.model import Phase, Provenance, Reading
from pytest_energy.training.plan import UntilPlan
from pytest_energy.training.result import UntilResult, metrics_of, until_result
from pytest_energy.training.until import UntilWork
from tests.builders import counts_of, reading
from tests.fakes.meter import Bench, started

EPOCH = ((2.0, 300.0),)  # 600 J
EVALUATION = ((1.0, 200.0),)  # 200 J
LEARNING = {0: (0.3, 0.7, 0.95), 1: (0.5, 0.85, 0.85, 0.92), 2: (0.5, 0.6, 0.9)}


class Trainer:
    """A training that uses known joules and learns what it is given to."""

    def __init__(self, bench: Bench, accuracies: Sequence[object], log: list[str]) -> None:
        self.bench, self.accuracies, self.log, self.epoch = bench, accuracies, log, 0

    def train(self) -> None:
        self.log.append("train")
        self.bench.device.work(EPOCH)
        self.epoch += 1

    def evaluate(self) -> object:
        self.bench.device.work(EVALUATION)
        return self.accuracies[self.epoch - 1]


def work(
    bench: Bench,
    learning: Mapping[int, Sequence[object]] = LEARNING,
    *,
    targets: tuple[float, ...] = (0.8, 0.9),
    most_epochs: int = 4,
    evaluation: Literal["outside", "inside"] = "outside",
    has_warm_up: bool = False,
    log: list[str] | None = None,
) -> UntilWork:
    logged = [] if log is None else log

    def start(seed: int) -> Trainer:
        logged.append(f"start {seed}")
        return Trainer(bench, learning[seed], logged)

    plan = UntilPlan(
        start=start,
        train=Trainer.train,
        evaluate=Trainer.evaluate,
        targets=targets,
        most_epochs=most_epochs,
        evaluation=evaluation,
        traced=None,
    )
    return UntilWork(plan=plan, has_warm_up=has_warm_up)


def round_of(bench: Bench, made: UntilWork) -> Reading:
    made.prepare()
    window = bench.meter.open("test")
    made.run(0, window)
    return made.conclude(window.close())


def trained(made: UntilWork, bench: Bench, count: int = 3) -> UntilResult:
    return until_result(made, [round_of(bench, made) for _ in range(count)])


@pytest.mark.parametrize(("evaluation", "epoch_j"), [("outside", 600.0), ("inside", 800.0)])
def test_joules_to_each_target(evaluation: Literal["outside", "inside"], epoch_j: float) -> None:
    """Up to the end of the first epoch that is good enough; evaluating counts only inside."""
    bench = started()
    result = trained(work(bench, evaluation=evaluation), bench)
    to_80, to_90 = result.targets
    assert (to_80.epochs, to_90.epochs) == ((3, 2, 3), (3, 4, 3))
    assert to_80.energy_j == pytest.approx(epoch_j * 8 / 3, rel=0.01)
    assert to_90.energy_j == pytest.approx(epoch_j * 10 / 3, rel=0.01)
    assert result.energy_j == to_90.energy_j
    assert result.evaluation_energy_j == pytest.approx(200.0 * 10 / 3, rel=0.02)
    assert result.is_reached


def test_the_interval_holds_seeds_and_the_meter() -> None:
    """Student's t over three trainings of 3, 4 and 3 epochs, and not less than that."""
    bench = started()
    interval_j = trained(work(bench), bench).interval_j
    assert interval_j is not None
    half_j = (interval_j[1] - interval_j[0]) / 2
    of_seeds_j = 4.303 * 600 / 3  # t of 2 degrees of freedom x 346 J / sqrt(3)
    # Epochs are interpolated at their edges, each to 1 %: their difference is known to 3 %.
    assert of_seeds_j * 0.97 < half_j < of_seeds_j * 1.1


def test_a_round_is_its_epochs_alone() -> None:
    """Joules and seconds are those of training, and each epoch has the accuracy at its end."""
    bench = started()
    one = round_of(bench, work(bench))
    assert one.channels["gpu:0"] == pytest.approx(1800.0, rel=0.01)
    assert one.duration_s == pytest.approx(6.0, rel=0.01)
    assert [(phase.name, phase.accuracy) for phase in one.phases] == [
        ("epoch", accuracy) for accuracy in LEARNING[0]
    ]


def test_inside_all_of_the_round_counts() -> None:
    """The evaluations are phases of it, without an accuracy of their own."""
    bench = started()
    one = round_of(bench, work(bench, evaluation="inside"))
    assert one.channels["gpu:0"] == pytest.approx(2400.0, rel=0.01)
    assert [phase.name for phase in one.phases] == ["epoch", "evaluation"] * 3
    assert [phase.accuracy for phase in one.phases[1::2]] == [None] * 3


def test_a_target_that_is_missed_has_no_joules() -> None:
    """One training of three ends below it: no mean, the least that it can be, and the reason."""
    bench = started()
    result = trained(work(bench, {**LEARNING, 1: (0.5, 0.85, 0.85, 0.89)}), bench)
    missed = result.targets[1]
    assert (missed.energy_j, missed.interval_j, missed.epochs) == (None, None, (3, None, 3))
    assert missed.least_energy_j == pytest.approx(2000.0, rel=0.01)
    assert missed.absent_because.startswith("1 of 3 trainings ended below 0.9, the best of them at 0.89; ")
    assert result.targets[0].energy_j is not None
    assert not result.is_reached


def test_what_was_reached_is_a_fact_of_the_work() -> None:
    """Trainings that missed the target are other work than those that reached it."""
    bench = started()
    both = [work(bench), work(bench, {0: (0.1, 0.2, 0.3, 0.4)})]
    for made in both:
        round_of(bench, made)
    facts = [made.description(1).workload for made in both]
    assert [one.pop("accuracy_reached") for one in map(dict, facts)] == ["by all trainings", "not by all"]
    assert facts[0]["accuracy_targets"] == "0.8, 0.9"
    assert (facts[0]["most_epochs"], facts[0]["evaluation"]) == ("4", "outside the joules")


def test_one_training_has_no_interval() -> None:
    """Its joules are known, and how seeds differ is not."""
    bench = started()
    result = trained(work(bench), bench, 1)
    assert result.energy_j == pytest.approx(1800.0, rel=0.01)
    assert result.interval_j is None
    metrics = metrics_of(result)
    assert metrics.absent["energy_to_90_percent_lower"] == "one training shows no spread over seeds"


def test_metrics() -> None:
    """Joules with their interval and epochs for each target, the accuracy in the end, and evaluating."""
    bench = started()
    result = trained(work(bench), bench)
    values = metrics_of(result).values
    interval_j = result.interval_j
    assert interval_j is not None
    assert values["energy_to_90_percent"] == result.energy_j
    assert (values["energy_to_90_percent_lower"], values["energy_to_90_percent_upper"]) == interval_j
    assert values["epochs_to_80_percent"] == pytest.approx(8 / 3)
    assert values["accuracy"] == pytest.approx((0.95 + 0.92 + 0.9) / 3)
    assert values["evaluation_energy"] == result.evaluation_energy_j


def test_any_accuracy_can_be_asked_for() -> None:
    """The trainings are kept, so that another target takes no other run."""
    bench = started()
    assert trained(work(bench), bench).to(0.5).epochs == (2, 1, 1)


def test_each_training_has_a_start_of_its_own() -> None:
    """An epoch to warm up comes before the first one, on another start; no seed comes twice."""
    bench, log = started(), list[str]()
    trained(work(bench, has_warm_up=True, log=log), bench, 2)
    assert log == ["start 0", "train", "start 0", *["train"] * 3, "start 1", *["train"] * 4]


def test_a_void_round_is_no_training() -> None:
    """Its joules must not be used, and its epochs are not among those of the others."""
    bench = started()
    made = work(bench)
    bench.counters[0].is_stuck = True
    lost = round_of(bench, made)
    assert lost.void_because
    assert (made.measured, made.runs) == ([], [LEARNING[0]])


def test_a_window_of_the_same_name_makes_the_round_void() -> None:
    """Which epochs the accuracies belong to is then not known."""
    bench = started()
    made = work(bench)
    made.prepare()
    window = bench.meter.open("test")
    made.run(0, window)
    window.phase("epoch").close()
    one = made.conclude(window.close())
    assert one.void_because == "the round has 4 windows 'epoch', and its training 3 epochs"
    assert one.energy_j is None


def test_an_epoch_without_joules_makes_the_round_void() -> None:
    """What remains would be too little."""
    bench = started()
    made = work(bench)
    made.prepare()
    made.run(0, None)
    lost = Phase(name="epoch", energy_j=None, uncertainty_j=None, duration_s=1.0, quality=("it is short",))
    known = replace(lost, energy_j=3.0, uncertainty_j=0.1, channels={"gpu:0": 3.0})
    one = made.conclude(replace(reading(9.0), phases=(known, known, lost)))
    assert (one.void_because, one.energy_j) == ("it is short", None)


def test_a_replayed_round_is_whole() -> None:
    """It was recorded without its evaluations: its joules are those of the file."""
    bench = started()
    made = work(bench)
    made.prepare()
    made.run(0, None)
    epoch = Phase(name="epoch", energy_j=3.0, uncertainty_j=0.1, duration_s=1.0)
    recorded = replace(reading(9.0, provenance=Provenance.REPLAYED), phases=(epoch,) * 3)
    assert made.conclude(recorded).energy_j == 9.0


@pytest.mark.parametrize("value", [91.2, -0.1, float("nan"), None, "0.9"])
def test_an_accuracy_is_a_share(value: object) -> None:
    """A percentage, or what is no number, stops the test with the value."""
    bench = started()
    made = work(bench, {0: (value,)})
    made.prepare()
    with pytest.raises(EnergyError, match="evaluate must return an accuracy of 0 to 1") as error:
        made.run(0, None)
    assert str(value) in str(error.value)


def test_a_train_that_runs_nothing_is_refused() -> None:
    """A generator function makes an object, and trains nothing."""
    bench = started()
    made = work(bench)
    made.plan = replace(made.plan, train=lambda _: (one for one in (1,)))
    made.prepare()
    with pytest.raises(EnergyError, match="train: nothing ran"):
        made.run(0, None)


def test_what_is_counted() -> None:
    """One more epoch, or the smaller piece, of a new start."""
    bench, log = started(), list[str]()
    made = work(bench, log=log)

    def trace(call: object, /, *, may_repeat: bool = True, is_whole: bool = True) -> Counts | Absent:
        assert callable(call)
        call()
        log.append(f"{may_repeat} {is_whole}")
        return counts_of(1)

    made.counts(trace)
    made.plan = replace(made.plan, traced=partial(lambda log, _: log.append("step"), log))
    made.counts(trace)
    assert log == ["start 0", "train", "True False", "start 0", "step", "True False"]


def test_without_joules_the_accuracies_remain() -> None:
    """Nothing was measured: epochs and accuracies are known, joules are absent with a reason."""
    bench = started()
    made = work(bench)
    made.prepare()
    made.run(0, None)
    result = until_result(made, Absent("no sensor"))
    assert [epoch.accuracy for epoch in result.trainings[0]] == [*LEARNING[0]]
    assert (result.provenance, result.energy_j, result.evaluation_energy_j) == (None, None, None)
    assert result.targets[1].epochs == (3,)
    metrics = metrics_of(result)
    assert metrics.absent["energy_to_90_percent"] == "joules of its epochs are not known"
    assert metrics.values["epochs_to_90_percent"] == 3
