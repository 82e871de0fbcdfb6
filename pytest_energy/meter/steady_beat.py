"""The beat of a counter that keeps to it, known ever better the longer it is followed. Pure.

A Kalman filter of two states, the time of a tick and the period, fed by ticks that were looked at closely;
between two of them any number may pass unseen (Brookner, "Tracking and Kalman Filtering Made Easy", 1998,
chapter 2).
"""

import math

# Between two ticks the time of the next wanders by this share of the period, and the period by less: two
# crystals drift apart by some 1e-6 of the time as one of them warms.
_WANDER_SHARE, _PERIOD_WANDER_SHARE = 2e-5, 1e-7

# What is known at first, as shares of the period.
_FIRST_TIME_SHARE, _FIRST_PERIOD_SHARE = 0.05, 0.01

# A tick that comes further off than this many of the usual distances was seen badly, or the beat has changed:
# it counts as so far off.
_LARGE = 3.0
_FIRST_COUNT = 5

# After a hold-up one that is further off than this many standard uncertainties is of another beat.
_OTHER = 2.0

_GAIN = 0.1

# Ticks that went by unseen can be counted if the next one is known to this share of the period.
_COUNT_SHARE = 0.45


class SteadyBeat:
    """When ticks come.

    Args:
        time_s: Of the last tick.
        period_s: From one to the next.
        spread_s: How well that time is known, if it is known badly.

    Attributes:
        time_s: Of the last tick.
        period_s: From one to the next.
        count: Ticks that were taken.
    """

    def __init__(self, time_s: float, period_s: float, spread_s: float = 0.0) -> None:
        self.time_s, self.period_s, self.count = time_s, period_s, 0
        self._time_variance = max(_FIRST_TIME_SHARE * period_s, spread_s) ** 2
        self._covariance = 0.0
        self._period_variance = max(_FIRST_PERIOD_SHARE * period_s, spread_s / 2) ** 2
        self._off_square = self._seen_square = 0.0

    @property
    def off_s(self) -> float:
        """How far ticks come from where they are expected (root mean square), seeing them included."""
        return math.sqrt(self._off_square) if self.count else self.period_s

    @property
    def expected_off_s(self) -> float:
        """The same, of ticks that come right at their beat."""
        return math.sqrt(self._seen_square)

    @property
    def spread_s(self) -> float:
        """Standard uncertainty of the time of the last tick."""
        return math.sqrt(self._time_variance)

    def at(self, count: int) -> tuple[float, float]:
        """When the tick *count* after the last one comes, and how well that is known."""
        return self.time_s + count * self.period_s, math.sqrt(self._variance_at(count))

    def _variance_at(self, count: int) -> float:
        wander = count * (_WANDER_SHARE * self.period_s) ** 2
        slope = 2 * count * self._covariance + count**2 * self._period_variance
        return self._time_variance + slope + wander

    def pass_over(self, count: int) -> None:
        """Go on by so many ticks that nobody saw."""
        self._time_variance = self._variance_at(count)
        self._covariance += count * self._period_variance
        self._period_variance += count * (_PERIOD_WANDER_SHARE * self.period_s) ** 2
        self.time_s += count * self.period_s

    def contradicts(self, time_s: float, spread_s: float) -> bool:
        """Whether a tick that was seen is not one of this beat."""
        count = max(1, round((time_s - self.time_s) / self.period_s))
        expected_s, known_s = self.at(count)
        return abs(time_s - expected_s) > _OTHER * math.hypot(known_s, spread_s)

    def take(self, time_s: float, spread_s: float) -> None:
        """Learn from a tick that was seen."""
        count = max(1, round((time_s - self.time_s) / self.period_s))
        if self.at(count)[1] > _COUNT_SHARE * self.period_s:  # nobody knows how many these were
            self.time_s, self._time_variance, self._covariance = time_s, spread_s**2, 0.0
            return
        self.pass_over(count)
        off_s = time_s - self.time_s
        if self.count >= _FIRST_COUNT:
            most_s = _LARGE * max(self.off_s, math.hypot(self.spread_s, spread_s))
            off_s = min(most_s, max(-most_s, off_s))
        self.count += 1
        gain = max(_GAIN, 1 / self.count)
        self._off_square += gain * (off_s**2 - self._off_square)
        self._seen_square += gain * (spread_s**2 + self._time_variance - self._seen_square)
        total = self._time_variance + spread_s**2
        time_gain, period_gain = self._time_variance / total, self._covariance / total
        self.time_s += time_gain * off_s
        self.period_s += period_gain * off_s
        self._period_variance -= period_gain * self._covariance
        self._covariance *= 1 - time_gain
        self._time_variance *= 1 - time_gain
