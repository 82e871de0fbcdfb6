"""What looks before the last block cost."""

import pytest

from pytest_energy.stats.looks import Chances, is_worth_a_look
from pytest_energy.stats.process_levels import PRIOR_LEVELS, farthest


@pytest.mark.parametrize("look_count", [0, 1, 2, 9])
def test_all_looks_together_spend_alpha(look_count: int) -> None:
    """Whatever is looked at, the shares of all looks and what the last one has are alpha, and none is 0."""
    passes, rises = Chances.both(0.05), Chances.both(0.05)
    spent = [0.0, 0.0]
    for _ in range(look_count):
        now, passes = passes.for_a_pass()
        spent[0] += now.upper
        now, rises = rises.for_a_rise()
        spent[1] += now.lower
    assert spent[0] + passes.upper == pytest.approx(0.05)
    assert spent[1] + rises.lower == pytest.approx(0.05)
    assert min(passes.upper, rises.lower) > 0


def test_a_look_takes_nothing_from_the_other_bound() -> None:
    """Looks for a pass leave what proves a rise, and the other way round."""
    assert [one.lower for one in Chances.both(0.05).for_a_pass()] == [0.05, 0.05]
    assert [one.upper for one in Chances.both(0.05).for_a_rise()] == [0.05, 0.05]


def test_what_is_worth_a_look_hangs_on_what_is_allowed() -> None:
    """Half a percent is narrow for 2 %, and nothing is narrow where nothing is allowed."""
    assert is_worth_a_look(1.005, 0.02)
    assert not is_worth_a_look(1.005, 0.005)
    assert not is_worth_a_look(1.0001, 0.0)


def test_the_farthest_processes_are_farther_than_the_usual() -> None:
    """1.4 % apart where 0.3 % is usual, and known to be so rather than guessed."""
    most = farthest(PRIOR_LEVELS)
    assert most.variance == pytest.approx(2 * 0.014**2)
    assert most.df > PRIOR_LEVELS.df
