"""Seconds and joules of a card from features."""

import pytest

from pytest_energy.prediction.costs import Costs, fit_costs
from tests.fakes.networks import CARD, counts, observation, observations


def test_the_slower_of_host_and_device_sets_the_pace() -> None:
    """Seconds are the longer of both; ready power is drawn for them, active joules come on top."""
    costs = Costs(host_s={"calls": 2.0}, device_s={"bytes": 0.5}, active_j={"bytes": 3.0}, ready_power_w=10.0)
    assert costs.duration_s({"calls": 4, "bytes": 2}) == 8.0
    assert costs.duration_s({"calls": 4, "bytes": 100}) == 50.0
    assert costs.energy_j({"calls": 4, "bytes": 2}) == 10.0 * 8.0 + 6.0


def test_twice_the_work_costs_twice() -> None:
    """Nothing is fixed: a round of twice the steps takes twice the seconds and joules."""
    features = observation(counts(operators=50, nodes=70)).features
    twice = {name: 2 * amount for name, amount in features.items()}
    assert CARD.energy_j(twice) == pytest.approx(2 * CARD.energy_j(features))


def test_costs_of_a_card_come_back() -> None:
    """From networks without any scatter the fit predicts others of the card within 1 %."""
    costs = fit_costs(observations(20))
    for other in observations(20, seed=2):
        assert costs.energy_j(other.features) == pytest.approx(other.energy_j, rel=0.01)
        assert costs.duration_s(other.features) == pytest.approx(other.duration_s, rel=0.01)


def test_no_cost_is_below_0() -> None:
    """Also where joules scatter by 30 %."""
    costs = fit_costs(observations(12, scatter=0.3))
    assert min([*costs.host_s.values(), *costs.device_s.values(), *costs.active_j.values()]) >= 0.0


def test_a_card_whose_host_is_slow_has_a_slow_host() -> None:
    """Where every network waits for the host, seconds follow the operators alone."""
    slow = Costs(
        host_s={"operators": 5e-3, "backward nodes": 5e-3},
        device_s=CARD.device_s,
        active_j=CARD.active_j,
        ready_power_w=120.0,
    )
    costs = fit_costs(observations(12, costs=slow))
    assert costs.host_s == pytest.approx(slow.host_s, rel=1e-3)
