"""What a part used, and what parts sum up to."""

from dataclasses import replace

import pytest

from pytest_energy.errors import Absent
from pytest_energy.profiling.costs import Cost, Explained, cost_text
from pytest_energy.ready import ReadyPower
from tests.builders import reading

READY = {"gpu:0": ReadyPower(power_w=100.0, temperature_c=40.0, slope_w_per_k=1.0, uncertainty_w=2.0)}


def cost(energy_j: float, duration_s: float = 0.02, uncertainty_j: float = 0.0) -> Cost:
    rounds = (reading(channels={"gpu:0": energy_j}, duration_s=duration_s, uncertainty_j=uncertainty_j),) * 5
    return Cost.of(rounds, READY)


class TestActive:
    """Joules above ready power."""

    def test_ready_power_times_seconds_is_left_out(self) -> None:
        """10 J in 20 ms, of which 100 W for 20 ms are the waiting: 8 J."""
        one = cost(10.0)
        assert one.energy_j == pytest.approx(10.0)
        assert one.active_energy_j == pytest.approx(8.0)
        assert one.active_uncertainty_j == pytest.approx(2.0 * 0.02)

    def test_at_the_temperature_of_the_rounds(self) -> None:
        """Ten degrees warmer is 10 W more of waiting."""
        warm = replace(reading(channels={"gpu:0": 10.0}, duration_s=0.02), temperatures_c={"gpu:0": 50.0})
        assert Cost.of((warm,) * 5, READY).active_energy_j == pytest.approx(10.0 - 110 * 0.02)

    def test_a_part_that_hardly_works_may_be_below_nothing(self) -> None:
        """It is known to its uncertainty, and the sum of parts is right."""
        assert cost(1.99).active_energy_j == pytest.approx(-0.01)

    def test_without_ready_power_it_is_absent(self) -> None:
        """Gross joules are there, and the reason names the channel."""
        one = Cost.of((reading(channels={"gpu:1": 10.0}),) * 5, READY)
        assert one.energy_j == pytest.approx(10.0)
        assert one.active_energy_j is None
        assert one.active_absent_because == "ready power of gpu:1 is not known"

    def test_absent_rounds_have_none(self) -> None:
        """For the same reason as their joules."""
        assert Cost.of(Absent("no sensor"), READY).active_absent_because == "no sensor"


class TestExplained:
    """Parts over the whole."""

    def test_waiting_is_nobodys(self) -> None:
        """Parts that take half of the time explain all of the active joules, and less of the gross ones."""
        both = Explained(whole=cost(10.0, 0.02), parts=(cost(4.0, 0.005), cost(5.0, 0.005)))
        assert both.active_share == pytest.approx((3.5 + 4.5) / 8.0)
        assert both.energy_share == pytest.approx(0.9)
        assert both.time_share == pytest.approx(0.5)

    def test_uncertainty_of_windows_adds_in_squares(self) -> None:
        """With equal seconds ready power has no say, as it is in both."""
        both = Explained(whole=cost(10.0, 0.02, 0.8), parts=(cost(5.0, 0.01, 0.3), cost(5.0, 0.01, 0.4)))
        assert both.active_share_uncertainty == pytest.approx((0.5**2 + 0.8**2) ** 0.5 / 8.0)

    def test_uncertainty_of_ready_power_counts_for_other_seconds(self) -> None:
        """Ten milliseconds more of 2 W, over 8 J."""
        both = Explained(whole=cost(10.0, 0.02), parts=(cost(11.0, 0.03),))
        assert both.active_share == pytest.approx(1.0)
        assert both.active_share_uncertainty == pytest.approx(2.0 * 0.01 / 8.0)

    def test_parts_that_wait_for_the_host_are_noted(self) -> None:
        """Half as long again is no noise; as long as the whole needs no word."""
        both = Explained(whole=cost(10.0, 0.02), parts=(cost(5.0, 0.02), cost(5.0, 0.01)))
        assert both.note is not None
        assert both.note.startswith("the parts take 1.5 times as long as the whole")
        assert Explained(whole=cost(10.0, 0.02), parts=(cost(10.0, 0.02),)).note is None

    def test_where_a_part_is_absent_there_is_no_sum(self) -> None:
        """It would be one of what happens to be there."""
        both = Explained(whole=cost(10.0), parts=(cost(4.0), Cost.of(Absent("no sensor"))))
        assert (both.active_share, both.active_share_uncertainty, both.time_share) == (None, None, None)
        assert both.active_absent_because == "no sensor"

    def test_a_whole_that_only_waits_has_no_share(self) -> None:
        """Noise over noise says nothing."""
        both = Explained(whole=cost(2.0), parts=(cost(2.0),))
        assert both.active_share is None
        assert "no more than ready power" in both.active_absent_because


def test_text_of_active_joules() -> None:
    """With their share of the whole's active joules."""
    text = cost_text(cost(6.0, 0.02), cost(10.0, 0.02), is_active=True)
    assert " ".join(text.split()) == "4000 +- 40 mJ 50.0 % 20 ms"
