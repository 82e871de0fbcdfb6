"""The step in which a counter counts, found in what it has shown. Pure.

A sensor may declare millijoules, of a counter of whole joules.

Rule 1: all that a counter gains is a multiple of its step: the step is what all gains are multiples of.
Rule 2: gains at one power are multiples of one number by themselves: a tick, two of them, and so on. Only
        those at different powers show a step, and the more the smaller it is.
"""

import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

from pytest_energy.model import Tick

# A counter that counts as finely as this, or finer, isn't taken for one in steps.
_FINE_J = 1e-3

# Powers of ticks are different if they are so by this share, and by so many standard uncertainties of their
# lengths.
_SAME_SHARE, _SURE = 0.05, 4.0

# Two different gains are always multiples of some number, and so may be the third: where a burst takes as
# long as a tick, what two ticks hold of it is known of one another. The chance that a fine counter shows a
# step is then this, at most.
_FEWEST_POWERS, _CHANCE = 4, 1e-3

# Of what a counter shows: what a number of 53 bits and some sums leave open.
_ROUNDING = 1e-12


def step_j(ticks: Sequence[Tick]) -> float:
    """The step of a counter, by its *ticks*; 0 if they show none.

    >>> shown_j = [4.0, 6.0, 9.0, 24.0, 34.0, 36.0]
    >>> step_j([Tick(0.02 * number, joules, 1e-4) for number, joules in enumerate(shown_j)])
    1.0
    """
    power_count = _power_count(ticks)
    if power_count < _FEWEST_POWERS:
        return 0.0
    off_j = max(_FINE_J / 2, _ROUNDING * ticks[-1].joules)
    gains_j = {after.joules - before.joules for before, after in pairwise(ticks)}
    common_j = reduce(lambda a_j, b_j: _common_j(a_j, b_j, off_j), gains_j)
    if common_j <= _FINE_J:
        return 0.0
    chance = (_FINE_J / common_j) ** ((power_count - 1) / 2)
    return common_j if chance <= _CHANCE else 0.0


def _power_count(ticks: Sequence[Tick]) -> int:
    """How many different powers there are between ticks."""
    powers = []
    for before, after in pairwise(ticks):
        duration_s = after.time_s - before.time_s
        share = _SURE * math.hypot(before.spread_s or 0.0, after.spread_s or 0.0) / duration_s
        powers.append(((after.joules - before.joules) / duration_s, _SAME_SHARE + share))
    count, level_w = 0, -math.inf
    for power_w, share in sorted(powers):
        if power_w * (1 - share) > level_w:
            count, level_w = count + 1, power_w
    return count


def _common_j(a_j: float, b_j: float, off_j: float) -> float:
    """What both are multiples of, but for *off_j* (Euclid's algorithm)."""
    while b_j > off_j:
        a_j, b_j = b_j, abs(math.remainder(a_j, b_j))
    return a_j
