"""Predictions of a record."""

from dataclasses import replace

import pytest

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.prediction import Calibration, calibrated, with_predictions
from tests.builders import KEY, LAPTOP, record
from tests.fakes.networks import counts, observation, observations


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrated(observations(9, scatter=0.1), machine_key=KEY, created="2026-11-20T10:00:00Z")


def test_a_counted_test_on_another_machine_is_predicted(calibration: Calibration) -> None:
    """Joules of the card near those that it would use, by its key; the record's own are as they were."""
    one = replace(record(), machine=LAPTOP, counts=counts(size_bytes=5e9))
    predicted = with_predictions(one, [calibration, replace(calibration, machine_key="a100_nvml")])
    truth_j = observation(counts(size_bytes=5e9)).energy_j
    assert list(predicted.predictions) == [KEY, "a100_nvml"]
    assert predicted.predictions[KEY].energy_j == pytest.approx(truth_j, rel=0.2)
    assert replace(predicted, predictions={}) == one


def test_the_card_itself_is_not_predicted(calibration: Calibration) -> None:
    """What measures needs no prediction of itself."""
    one = replace(record(), counts=counts())
    assert with_predictions(one, [calibration]) == one


def test_a_test_without_counts_stays_as_it_is(calibration: Calibration) -> None:
    """Why it has no counts is told already."""
    one = replace(record(), machine=LAPTOP, absent={"counts": "--energy-trace=off"})
    assert with_predictions(one, [calibration]) == one


def test_what_cannot_be_predicted_says_why(calibration: Calibration) -> None:
    """By the name of the machine: work of an unknown kind, functions of Python, and a piece."""
    functions = Counts(
        source="Python", entries=(CountEntry(kind=Kind.FUNCTION, name="f", count=1),), digest="d"
    )
    for counted, because in [
        (counts(dtype="bfloat16"), "bfloat16 flops, and no calibrated test has any"),
        (functions, "Python counted no operators"),
        (replace(counts(), is_piece=True), "a smaller piece of the work was counted"),
    ]:
        predicted = with_predictions(replace(record(), machine=LAPTOP, counts=counted), [calibration])
        assert predicted.predictions == {}
        assert because in predicted.absent[f"predicted on {KEY}"]
