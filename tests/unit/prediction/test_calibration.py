"""The error of a calibration, its interval, and what it doesn't predict."""

from dataclasses import replace
from functools import cache

import pytest

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model import Prediction, Provenance
from pytest_energy.prediction import Calibration, calibrated
from pytest_energy.prediction.calibration import held_out
from tests.builders import KEY
from tests.fakes.networks import counts, observation, observations


@cache
def calibration(network_count: int = 12, *, scatter: float = 0.1) -> Calibration:
    return calibrated(
        observations(network_count, scatter=scatter), machine_key=KEY, created="2026-11-20T10:00:00Z"
    )


def _predicted(of: Calibration, **amounts: object) -> Prediction | Absent:
    return of.predict(observation(counts(**amounts)).features)  # type: ignore[arg-type]  # its own words


def test_an_interval_is_what_the_left_out_need() -> None:
    """Of 24 errors of left-out tests the 23rd is the width: ceil(0.9 x 25)."""
    one = calibration()
    sizes = sorted(abs(test.log_error) for test in one.held_out)
    assert len(sizes) == 24
    assert one.log_width == sizes[22]


def test_intervals_hold_nine_of_ten_networks() -> None:
    """Of networks that neither fit nor interval had, over many invented cards' worth of them."""
    inside, count = 0, 0
    for seed in range(6):
        one = calibrated(
            observations(14, seed=seed, scatter=0.15), machine_key=KEY, created="2026-11-20T10:00:00Z"
        )
        for other in observations(15, seed=100 + seed, scatter=0.15):
            if isinstance(prediction := one.predict(other.features), Prediction):
                low_j, high_j = prediction.interval_j
                inside, count = inside + (low_j <= other.energy_j <= high_j), count + 1
    assert count > 120
    assert 0.85 <= inside / count <= 1.0


def test_a_group_is_left_out_whole() -> None:
    """A network whose joules are all three times too many is told by none of its own."""
    usual = [one for one in observations(12) if one.group != "network-3"]
    odd = [
        observation(
            counts(operators=100, nodes=nodes), group="odd", test_id=f"odd-{nodes}", energy_factor=3.0
        )
        for nodes in (0, 130)
    ]
    errors = {one.test_id: one.log_error for one in held_out([*usual, *odd])}
    assert errors["odd-0"] > 0.3
    assert errors["odd-130"] > 0.3


def test_a_prediction_is_called_one() -> None:
    """It has the card's joules inside its interval, says how wrong it is, and is no measurement."""
    prediction = _predicted(calibration(), operators=120, nodes=150, size_bytes=5e9, flops=2e11)
    assert isinstance(prediction, Prediction)
    truth = observation(counts(operators=120, nodes=150, size_bytes=5e9, flops=2e11))
    assert prediction.interval_j[0] < truth.energy_j < prediction.interval_j[1]
    assert prediction.provenance is Provenance.PREDICTED
    assert 0.0 < prediction.error_share < 0.2
    assert prediction.note == ""


def test_more_steps_of_the_same_work_are_predicted_as_well() -> None:
    """A hundred steps are a hundred times the joules, with the same relative interval and no note."""
    one = _predicted(calibration(), operators=100, nodes=130, size_bytes=5e9)
    many = _predicted(calibration(), operators=10_000, nodes=13_000, size_bytes=5e11, flops=1e13)
    assert isinstance(one, Prediction)
    assert isinstance(many, Prediction)
    assert many.energy_j == pytest.approx(100 * one.energy_j)
    assert many.note == ""


def test_work_of_another_mix_has_a_wider_interval() -> None:
    """Each doubling past the calibrated bytes of a call adds the interval's width once more, and says so."""
    one = calibration()
    most = one.ranges["bytes"][1]
    prediction = _predicted(one, operators=100, size_bytes=100 * most * 2, flops=1e11)
    assert isinstance(prediction, Prediction)
    ratio = prediction.interval_j[1] / prediction.energy_j
    assert ratio == pytest.approx(2.718281828 ** (2 * one.log_width), rel=1e-6)
    assert prediction.note == "wider: bytes in an average call are 2 times outside"


def test_far_outside_nothing_is_predicted() -> None:
    """Calls twenty times as large as any calibrated one are absent, with how far outside they are."""
    one = calibration()
    prediction = _predicted(one, operators=100, size_bytes=100 * one.ranges["bytes"][1] * 20, flops=1e11)
    assert isinstance(prediction, Absent)
    assert prediction.because == "its bytes in an average call are 20 times outside the calibrated range"


def test_work_of_an_unknown_kind_is_not_predicted() -> None:
    """Products of a type that no calibrated test has are absent by name."""
    prediction = _predicted(calibration(), operators=100, dtype="bfloat16")
    assert isinstance(prediction, Absent)
    assert prediction.because == "it has 1e+11 bfloat16 flops, and no calibrated test has any"


def test_a_trace_of_an_unknown_kind_is_left_out() -> None:
    """One wait in two hundred calls is no reason to predict nothing."""
    one = calibration()
    features = {**observation(counts(operators=200)).features, "waits": 1.0}
    prediction = one.predict(features)
    assert isinstance(prediction, Prediction)
    assert isinstance(one.predict({**features, "waits": 50.0}), Absent)


def test_too_few_networks_are_refused() -> None:
    """Seven models can't are needed to know the error: how many there are, and how many it takes."""
    with pytest.raises(
        NotMeasurable, match="14 tests of 7 models; a calibration needs at least 10 tests of 8"
    ):
        calibration(7)


def test_an_interval_that_says_nothing_is_not_given() -> None:
    """Where left-out models are off by more than a hundred times, or one was predicted at nothing."""
    one = calibration()
    features = observation(counts()).features
    for predicted_j in (1e-6, 0.0):
        held = tuple(replace(test, energy_j=1.0, predicted_j=predicted_j) for test in one.held_out)
        prediction = replace(one, held_out=held).predict(features)
        assert isinstance(prediction, Absent)
        assert "wider than a factor of 100" in prediction.because


def test_joules_that_cannot_be_are_not_predicted() -> None:
    """Costs of nothing, and costs past all numbers, give a reason in place of joules."""
    one = calibration()
    features = observation(counts()).features
    for cost in (0.0, 1e30):
        costs = replace(one.costs, host_s={}, device_s={}, active_j={"bytes": cost})
        prediction = replace(one, costs=costs).predict(features)
        assert isinstance(prediction, Absent)
        assert prediction.because.startswith("by the costs of the calibrated tests")
