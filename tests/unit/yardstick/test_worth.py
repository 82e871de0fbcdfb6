"""When a suite is long enough for the yardstick."""

from dataclasses import replace

import pytest

from pytest_energy.yardstick.worth import seconds_of, suite_s, why_not_worth
from tests.builders import reading, record


def test_a_test_is_as_long_as_its_rounds() -> None:
    """Seconds of all calls, with the rounds that were dropped."""
    rounds = [reading(duration_s=2.0), reading(duration_s=3.0)]
    assert seconds_of(record(rounds=rounds)) == 5.0
    assert seconds_of(replace(record(rounds=rounds), warmup_count=2)) == 10.0
    assert seconds_of(record(rounds=[reading(duration_s=8.0).for_one_of(4)])) == 8.0


def test_a_test_without_rounds_has_no_length() -> None:
    """Absent is not zero."""
    assert seconds_of(record(rounds=(), unmeasured_because="no sensor")) is None


@pytest.mark.parametrize(
    ("tests_s", "expected_s"),
    [([], 0.0), ([10.0, 20.0], 30.0), ([10.0, None, 20.0], 45.0), ([None] * 4, 20.0)],
    ids=["no test", "all stored", "one new", "none stored"],
)
def test_a_suite_is_as_long_as_its_tests(tests_s: list[float | None], expected_s: float) -> None:
    """A new test is taken for the mean of the others, and for 5 s where there is none."""
    assert suite_s(tests_s) == expected_s


def test_a_twentieth_of_the_suite_is_worth_it() -> None:
    """Up to 5 % of its time; past it the reason has both figures and what to do."""
    assert why_not_worth(9.0, 180.0) is None
    because = why_not_worth(9.0, 179.0)
    assert because is not None
    assert because.startswith("about 9 s are more than 5 % of the suite, whose tests take about 179 s")
    assert "--energy-yardstick=on" in because
