"""What a record says of its card."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.prediction import Observation, observation_of
from tests.builders import record
from tests.fakes.networks import counts


def _round(energy_j: float, *, call_count: int = 1, quiet_w: float | None = 100.0) -> Reading:
    return Reading(
        channels={"gpu:0": energy_j},
        duration_s=2.0,
        uncertainty_j=0.1,
        provenance=Provenance.MEASURED,
        call_count=call_count,
        quiet_power_w={} if quiet_w is None else {"gpu:0": quiet_w},
    )


def _record(*rounds: Reading, **more: Any) -> Record:
    return replace(record(rounds=rounds), counts=counts(), **more)


def test_an_observation_is_of_one_call() -> None:
    """As joules and seconds of a round are, however many calls it held; quiet power is no work."""
    one = observation_of(_record(_round(600.0, call_count=4), _round(800.0, call_count=4), model="resnet18"))
    assert isinstance(one, Observation)
    assert (one.energy_j, one.duration_s, one.ready_power_w) == (700.0, 2.0, 100.0)
    assert (one.active_energy_j, one.group) == (500.0, "resnet18")


def test_a_test_without_a_model_is_a_group_of_its_own() -> None:
    """Then the test's id is what is left out together."""
    one = observation_of(_record(_round(600.0)))
    assert isinstance(one, Observation)
    assert one.group == one.test_id


@pytest.mark.parametrize(
    ("one", "because"),
    [
        (replace(_record(_round(600.0)), counts=None, absent={"counts": "tracing is off"}), "tracing is off"),
        (_record(_round(600.0, quiet_w=None)), "the ready power of the GPU is not known"),
        (replace(_record(_round(600.0)), counts=replace(counts(), is_piece=True)), "of a smaller piece"),
        (_record(_round(150.0)), "leave no active joules"),
        (replace(record(provenance=Provenance.ESTIMATED), counts=counts()), "estimated, not measured"),
        (replace(record(void_because="it was reset"), counts=counts()), "it was reset"),
    ],
)
def test_what_a_fit_cannot_use_says_why(one: Record, because: str) -> None:
    """No counts, no ready power, no active joules, no measured ones: each its reason."""
    result = observation_of(one)
    assert isinstance(result, Absent)
    assert because in result.because


def test_joules_below_ready_power_are_refused() -> None:
    """There is nothing to fit to them."""
    with pytest.raises(NotMeasurable, match="leave no active joules"):
        Observation(test_id="t", group="g", features={}, energy_j=1.0, duration_s=1.0, ready_power_w=2.0)
