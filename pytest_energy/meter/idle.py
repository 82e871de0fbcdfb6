"""Power at rest, before the first test.

Measured over at least 3 s before any work of ours: no context of ours is open on a GPU then. A GPU with an
open context draws more while it waits (70 against 120 W on an H100): that is `ready`, not `idle`.

Rule 1: idle power comes from whole ticks, or from two reads of a counter that is read at edges.
Rule 2: an estimate has no idle power: what its sensor takes for the idle share is an assumption, and
        subtracting it would only show that assumption again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Tick

# Long enough for 30 ticks of NVML's 100 ms, or 3 of the slowest counter known.
IDLE_S = 3.0

# The time of a tick, or of a read, is known to a few milliseconds; once at each end.
_TIME_S = 3e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePower:
    """Power of one channel at rest.

    Attributes:
        power_w: Mean over the time at rest.
        uncertainty_w: Standard uncertainty of that mean.
        duration_s: Seconds that it was measured over.
    """

    power_w: float
    uncertainty_w: float
    duration_s: float


def idle_power(ticks: Sequence[Tick]) -> IdlePower:
    """Mean power from the first tick to the last, all of them at rest.

    Raises:
        NotMeasurable: Fewer than two ticks, or the counter doesn't move.

    >>> idle_power([Tick(0.0, 0.0), Tick(1.0, 70.0), Tick(2.0, 140.0)]).power_w
    70.0
    """
    if len(ticks) < 2:
        raise NotMeasurable(f"{len(ticks)} tick(s) at rest; power needs two")
    first, last = ticks[0], ticks[-1]
    duration_s = last.time_s - first.time_s
    if not duration_s > 0:
        raise NotMeasurable(f"the counter was read at {first.time_s} s and {last.time_s} s: no time passed")
    power_w = (last.joules - first.joules) / duration_s
    if not power_w > 0:
        raise NotMeasurable(
            f"the counter went from {first.joules} to {last.joules} J in {duration_s:g} s at rest"
        )
    errors = [
        (after.joules - before.joules) - power_w * (after.time_s - before.time_s)
        for before, after in pairwise(ticks)
    ]
    # Errors of neighbouring intervals mostly cancel; taken as independent they are an upper bound.
    spread_w = math.sqrt(math.fsum(e * e for e in errors)) / duration_s
    time_w = math.sqrt(2) * power_w * _TIME_S / duration_s / math.sqrt(3)
    return IdlePower(power_w=power_w, uncertainty_w=math.hypot(spread_w, time_w), duration_s=duration_s)
