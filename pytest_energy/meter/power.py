"""Power over time from the ticks of one counter. Pure: ticks in, steps of power out.

Rule 1: a step is the mean power between two ticks: joules over seconds. What lies between a window's edge and
        the tick beside it is left out, because nobody knows how many of that interval's joules fell inside.
Rule 2: long windows are thinned by merging neighbours, so joules stay what they are.
Rule 3: times are those at which ticks were seen. A step of one tick is known as well as its length is: of a
        GPU's 100 ms that is a percent or two.
"""

from collections.abc import Sequence
from itertools import pairwise

from pytest_energy.model import Tick

MOST_POINTS = 60
"""Pairs that are kept of one channel: more than the width of a small chart tells apart."""

_MOST_OF_ALL = 120  # pairs of all channels: 20 rounds then take about 40 kB of JSON, eight GPUs or one
_FEWEST = 4  # pairs of a channel, however many there are
_DIGITS = 4  # of a power
_DECIMALS = 3  # of a time in seconds


def most_steps(channel_count: int) -> int:
    """Steps that each of so many channels may have; a step less than pairs, as the last one ends them."""
    return min(MOST_POINTS, max(_FEWEST, _MOST_OF_ALL // max(1, channel_count))) - 1


def power_steps(
    ticks: Sequence[Tick], start_s: float, *, most: int = MOST_POINTS - 1
) -> tuple[tuple[float, float], ...]:
    """Pairs of seconds since *start_s* and the watts from then until the next pair.

    The last pair ends the last step and repeats its watts. Times are rounded to 1 ms, watts to 4 significant
    digits.

    Args:
        ticks: Those inside one window, in order.
        start_s: When the window opened.
        most: Steps that are kept.

    Returns:
        Nothing where no two ticks are a millisecond apart.
    """
    if len(ticks) < 2:
        return ()
    last = len(ticks) - 1
    count = min(most, last)
    ends: list[Tick] = []
    for tick in (ticks[number * last // count] for number in range(count + 1)):
        if not ends or _rounded_s(tick.time_s - start_s) > _rounded_s(ends[-1].time_s - start_s):
            ends.append(tick)
    if len(ends) < 2:
        return ()
    powers_w = [
        float(f"{(after.joules - before.joules) / (after.time_s - before.time_s):.{_DIGITS}g}")
        for before, after in pairwise(ends)
    ]
    times_s = [_rounded_s(tick.time_s - start_s) for tick in ends]
    return tuple(zip(times_s, (*powers_w, powers_w[-1]), strict=True))


def _rounded_s(time_s: float) -> float:
    return round(time_s, _DECIMALS)
