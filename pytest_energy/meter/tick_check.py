"""Whether ticks can be those of one counter around a window. Pure."""

import math
from collections.abc import Sequence
from itertools import pairwise

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Tick


def check_ticks(ticks: Sequence[Tick], start_s: float, stop_s: float) -> None:
    """Raise `NotMeasurable` where these can't be the ticks of one counter around the window."""
    if not (math.isfinite(start_s) and math.isfinite(stop_s) and start_s < stop_s):
        raise NotMeasurable(
            f"the window lasts from {start_s} s to {stop_s} s: the clock went back or stood still"
        )
    if not all(math.isfinite(tick.time_s) and math.isfinite(tick.joules) for tick in ticks):
        raise NotMeasurable("a tick is not finite")
    for before, after in pairwise(ticks):
        if before.time_s >= after.time_s:
            raise NotMeasurable(
                f"a tick at {after.time_s} s follows one at {before.time_s} s: the clock went back"
            )
        if before.joules > after.joules:
            raise NotMeasurable(
                f"the counter fell from {before.joules} J to {after.joules} J at {after.time_s} s"
            )
    if not ticks or ticks[0].time_s > start_s:
        raise NotMeasurable("the counter has no tick before the window's start")
    if ticks[-1].time_s < stop_s:
        raise NotMeasurable("the counter has no tick after the window's stop")
