"""Where the ticks of a counter are expected that keeps no beat, from the last ticks. Pure."""

import math

from pytest_energy.meter.ticks import LEAST_GAP_S, SeenTick

# Gains of the filter that follows phase and period (an alpha-beta filter that starts with a growing memory,
# as in Brookner, "Tracking and Kalman Filtering Made Easy", 1998, section 1.2.10): low enough to average the
# error of seeing, high enough to follow a period that changes by a few percent.
_PHASE_GAIN = 0.2
_PERIOD_GAIN = 0.02

# How the distance between the expected tick and the reads around it learns: a tick outside them widens it, a
# tick between them narrows it. They balance where about one tick in ten is missed.
_WIDEN = 1.3
NARROW = 0.97
"""By which a distance shrinks at each tick that was met."""
WIDEST_SHARE = 0.25
"""No distance from an expected tick is longer than this share of the period."""

# Over each tick that nobody saw the phase becomes vaguer by this share of the period.
_VAGUER_SHARE = 2e-3


class TickFilter:
    """Where the ticks of a counter are expected, from the last tick and the time between ticks."""

    def __init__(self, time_s: float, period_s: float, reach_s: float, *, seen_count: int) -> None:
        self.time_s, self.period_s = time_s, period_s
        self.reach_s = reach_s  # distance from an expected tick to the reads around it
        self._seen_count = seen_count  # ticks that these come from
        self._vague_s = 0.0  # what is not known of the phase since ticks went by unseen

    @property
    def widened_reach_s(self) -> float:
        """The reach while the phase is vague."""
        return min(math.hypot(self.reach_s, self._vague_s), self._widest_s)

    @property
    def _widest_s(self) -> float:
        return max(WIDEST_SHARE * self.period_s, LEAST_GAP_S)

    def move_to(self, time_s: float, period_s: float) -> None:
        """Know from elsewhere when the last tick came."""
        self.time_s, self.period_s, self._vague_s = time_s, period_s, 0.0

    def pass_over(self, count: int) -> None:
        """Know that nobody saw so many ticks."""
        self._vague_s += count * _VAGUER_SHARE * self.period_s

    def lose(self) -> None:
        """Know nothing of the phase any more."""
        self._vague_s = self.period_s / 2

    def learn_reach(self, share: float, *, is_met: bool, least_s: float) -> None:
        """Know whether a tick was met between its two reads, and how much that says."""
        if is_met:
            share = math.ceil(share)  # a tick that was met was met, however long the calls took
        reach_s = max(self.reach_s * (NARROW if is_met else _WIDEN) ** share, least_s)
        self.reach_s = min(reach_s, self._widest_s)

    def take(self, tick: SeenTick, *, usual_spread_s: float, period_share: float) -> None:
        """Learn from a tick, the less the worse it was seen; and that much of it for the period."""
        periods = max(1, round((tick.time_s - self.time_s) / self.period_s))
        predicted_s = self.time_s + periods * self.period_s
        limit_s = WIDEST_SHARE * self.period_s
        error_s = min(limit_s, max(-limit_s, tick.time_s - predicted_s))
        self._seen_count += 1
        n = self._seen_count
        weight = min(1.0, (usual_spread_s / tick.spread_s) ** 2)
        vague = self._vague_s**2 / (self._vague_s**2 + tick.spread_s**2)
        phase_gain = max(vague, weight * max(_PHASE_GAIN, 2 * (2 * n - 1) / (n * (n + 1))))
        period_gain = (1 - vague) * period_share * weight * max(_PERIOD_GAIN, 6 / (n * (n + 1)))
        self.time_s = predicted_s + phase_gain * error_s
        self.period_s += period_gain * error_s / periods
        self._vague_s *= math.sqrt(1 - vague)
