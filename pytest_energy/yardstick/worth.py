"""Whether a suite is long enough for the yardstick. Pure.

Rule 1: a test is as long as its newest stored record was; one without a record is as long as the others are
on average, and where none has a record it is a guess that is stated here.
"""

import math
from collections.abc import Collection

from pytest_energy.model import Record

MOST_SHARE = 0.05
"""Of a suite's time that the yardstick may cost if it is not asked for."""

GUESS_S = 5.0
"""Of a test: some rounds of a few tenths of a second, warm-up, and the waits for ticks."""


def seconds_of(record: Record) -> float | None:
    """Seconds that the rounds of *record* took with those before them, or `None` if it has none."""
    rounds_s = [reading.duration_s * reading.call_count for reading in record.rounds]
    if not rounds_s:
        return None
    return math.fsum(rounds_s) * (1.0 + record.warmup_count / len(rounds_s))


def suite_s(tests_s: Collection[float | None]) -> float:
    """Seconds of a suite of tests, each as long as its record says, if it has one.

    >>> suite_s([10.0, None, 20.0])
    45.0
    >>> suite_s([None, None])
    10.0
    """
    known_s = [test_s for test_s in tests_s if test_s is not None]
    other_s = math.fsum(known_s) / len(known_s) if known_s else GUESS_S
    return math.fsum(known_s) + other_s * (len(tests_s) - len(known_s))


def why_not_worth(cost_s: float, of_suite_s: float) -> str | None:
    """Why a yardstick of *cost_s* is too long for a suite of *of_suite_s*, or `None`."""
    if cost_s <= MOST_SHARE * of_suite_s:
        return None
    return (
        f"about {cost_s:.0f} s are more than {100 * MOST_SHARE:.0f} % of the suite, whose tests take about "
        f"{of_suite_s:.0f} s; --energy-yardstick=on measures it anyway"
    )
