"""Joules of trainings to an accuracy."""

import math
from dataclasses import replace

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Phase
from pytest_energy.stats.to_accuracy import Epoch, Training, targets_of, to_accuracy, trainings_of
from tests.builders import reading, record


def training(*accuracies: float, epoch_j: float | None = 10.0, uncertainty_j: float = 0.0) -> Training:
    return tuple(
        Epoch(
            accuracy=accuracy,
            energy_j=None if epoch_j is None else epoch_j * number,
            uncertainty_j=uncertainty_j * math.sqrt(number),
            duration_s=float(number),
        )
        for number, accuracy in enumerate(accuracies, 1)
    )


def test_the_first_epoch_that_has_it() -> None:
    """A later fall below the target changes nothing, and an accuracy equal to it is enough."""
    result = to_accuracy([training(0.5, 0.9, 0.8, 0.95)] * 2, 0.9)
    assert (result.epochs, result.energy_j) == ((2, 2), 20.0)


def test_joules_add_up_over_epochs() -> None:
    """Those of an epoch are all up to its end; uncertainties of epochs are independent."""
    phases = tuple(
        Phase(name="epoch", energy_j=energy_j, uncertainty_j=3.0, duration_s=2.0, accuracy=accuracy)
        for energy_j, accuracy in ((10.0, 0.5), (11.0, 0.7))
    )
    other = Phase(name="load", energy_j=1.0, uncertainty_j=1.0, duration_s=1.0)
    (found,) = trainings_of([replace(reading(21.0), phases=(phases[0], other, phases[1])), reading(5.0)])
    assert found[1] == Epoch(accuracy=0.7, energy_j=21.0, uncertainty_j=math.sqrt(18.0), duration_s=4.0)


def test_an_epoch_without_joules_leaves_none_after_it() -> None:
    """A sum that lacks a part is no sum."""
    known = Phase(name="epoch", energy_j=1.0, uncertainty_j=0.0, duration_s=1.0, accuracy=0.1)
    (found,) = trainings_of([replace(reading(3.0), phases=(known, replace(known, energy_j=None), known))])
    assert [epoch.energy_j for epoch in found] == [1.0, None, None]


def test_an_epoch_of_unknown_uncertainty_has_no_joules() -> None:
    """It is not known to be exact."""
    known = Phase(name="epoch", energy_j=1.0, uncertainty_j=0.0, duration_s=1.0, accuracy=0.1)
    (found,) = trainings_of([replace(reading(2.0), phases=(known, replace(known, uncertainty_j=None)))])
    assert [epoch.energy_j for epoch in found] == [1.0, None]


def test_the_meter_is_in_the_interval() -> None:
    """Equal trainings differ by nothing; what remains is the meter's uncertainty, whatever their number."""
    widths_j = []
    for count in (2, 8):
        interval_j = to_accuracy([training(0.95, uncertainty_j=1.0)] * count, 0.9).interval_j
        assert interval_j is not None
        widths_j.append(interval_j[1] - interval_j[0])
    assert widths_j == [pytest.approx(2 * 1.96, rel=0.01)] * 2


def test_bounds_where_a_training_missed() -> None:
    """What was spent bounds the mean from below; from above nothing does."""
    result = to_accuracy([training(0.5, 0.9), training(0.5, 0.6, 0.7)], 0.9)
    lower_j, upper_j = result.bounds_j(0.05)
    assert (result.least_energy_j, upper_j) == (25.0, math.inf)
    assert 0 <= lower_j < 25.0
    assert result.epoch_count is None


def test_no_bounds_of_one_training() -> None:
    """How seeds differ is not known from one."""
    with pytest.raises(NotMeasurable, match="one training shows no spread"):
        to_accuracy([training(0.9)], 0.9).bounds_j(0.05)


@pytest.mark.parametrize(
    ("trainings", "because"),
    [
        ([], "no training was measured"),
        ([training(0.9, epoch_j=None)], "joules of its epochs are not known"),
        ([training(0.9, epoch_j=0.0)] * 2, "0"),
    ],
)
def test_unknown_joules(trainings: list[Training], because: str) -> None:
    """No mean, no bounds, and the reason."""
    result = to_accuracy(trainings, 0.9)
    assert (result.energy_j, result.interval_j, result.least_energy_j) == (None, None, None)
    assert because in result.absent_because
    with pytest.raises(NotMeasurable, match=because):
        result.bounds_j(0.05)


def test_targets_of_a_record() -> None:
    """They are facts of its work; other work has none."""
    assert targets_of(record()) == ()
    assert targets_of(replace(record(), workload={"accuracy_targets": "0.8, 0.925"})) == (0.8, 0.925)
