"""Phases of a request load as rows of the report."""

from dataclasses import replace

from pytest_energy.model import StepCost
from pytest_energy.report.served_phases import texts
from tests.builders import reading, record

METRICS = {
    "prefill_energy": 613.7,
    "prefill_energy_uncertainty": 2.1,
    "prefill_duration_s": 0.886,
    "energy_per_prefill_token": 0.02997,
    "energy_per_prefill_token_uncertainty": 0.0001,
    "decode_energy": None,
    "waiting_energy": 1318.0,
}


def test_phases_with_joules_have_a_row() -> None:
    """With their uncertainty, seconds and joules per token, as far as known."""
    assert texts(record(metrics=METRICS)) == {
        "prefill": "613.7 J +- 2.1 J, 886 ms, 29.97 mJ +- 100 uJ per token",
        "waiting": "1.318 kJ",
    }
    assert texts(record()) == {}


def test_the_spread_of_rounds_is_shown_at_equal_steps() -> None:
    """All of it is the steps'."""
    rounds = [replace(reading(100.0 + count), step_count=10.0 * count) for count in (1, 2, 3)]
    cost = StepCost(energy_j=0.1, uncertainty_j=0.0, channels=("gpu:0",))
    one = replace(record(rounds=rounds), step_cost=cost)
    assert texts(one) == {"spread of rounds": "0.98 %; 0.00 % at equal steps and seconds"}
