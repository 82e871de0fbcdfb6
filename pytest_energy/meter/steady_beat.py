"""The beat of a counter that keeps to it, known ever better the longer it is followed. Pure.

A Kalman filter of two states, the time of a tick and the period, fed by ticks that were looked at closely;
between two of them any number may pass unseen (Brookner, "Tracking and Kalman Filtering Made Easy", 1998,
chapter 2).

A counter whose looks all leave some beats possible (`PossibleBeats`) is known better by those: the filter
takes a look for an even error, and averages it; they know that no tick was before one read, nor after the
other.
"""

import math

from pytest_energy.meter.possible_beats import PossibleBeats

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

# Of how far ticks come from where they are expected, seeing included, so much may be the counter's own.
_OWN_SHARE = 0.6

# Ticks that went by unseen can be counted if the next one is known to this share of the period.
_COUNT_SHARE = 0.45


class SteadyBeat:
    """When ticks come.

    Args:
        time_s: Of the last tick.
        period_s: From one to the next.
        spread_s: How well that time is known, if it is known badly.

    Attributes:
        count: Ticks that were taken.
    """

    def __init__(self, time_s: float, period_s: float, spread_s: float = 0.0) -> None:
        self._time_s, self._period_s, self.count = time_s, period_s, 0
        self._possible = PossibleBeats()
        self._time_variance = max(_FIRST_TIME_SHARE * period_s, spread_s) ** 2
        self._covariance = 0.0
        self._period_variance = max(_FIRST_PERIOD_SHARE * period_s, spread_s / 2) ** 2
        self._off_square = self._seen_square = 0.0
        self._has_moved = False

    @property
    def is_sure(self) -> bool:
        """Whether many looks agree on what the beat may be."""
        return self._possible.is_trusted

    @property
    def off_s(self) -> float:
        """How far ticks come from where they are expected (root mean square), seeing them included."""
        return math.sqrt(self._off_square) if self.count else self._period_s

    @property
    def expected_off_s(self) -> float:
        """The same, of ticks that come right at their beat."""
        return math.sqrt(self._seen_square)

    @property
    def time_s(self) -> float:
        """Of the last tick."""
        return self.at(0)[0]

    @property
    def period_s(self) -> float:
        """From one tick to the next."""
        return self._possible.period_s if self._possible.is_trusted else self._period_s

    @property
    def spread_s(self) -> float:
        """Standard uncertainty of when the beat has the last tick."""
        return self.at(0)[1]

    def tick_spread_s(self, count: int = 0) -> float:
        """Standard uncertainty of when the tick *count* after the last one comes, off the beat or not."""
        own_s = 0.0 if self._possible.is_trusted else _OWN_SHARE * self.off_s
        return math.hypot(self.at(count)[1], own_s)

    def at(self, count: int) -> tuple[float, float]:
        """When the beat has the tick *count* after the last one, and how well that is known."""
        return self._possible.at(count) if self._possible.is_trusted else self._filtered_at(count)

    def _filtered_at(self, count: int) -> tuple[float, float]:
        return self._time_s + count * self._period_s, math.sqrt(self._variance_at(count))

    def _variance_at(self, count: int) -> float:
        wander = count * (_WANDER_SHARE * self._period_s) ** 2
        slope = 2 * count * self._covariance + count**2 * self._period_variance
        return self._time_variance + slope + wander

    def pass_over(self, count: int) -> None:
        """Go on by so many ticks that nobody saw."""
        self._time_variance = self._variance_at(count)
        self._covariance += count * self._period_variance
        self._period_variance += count * (_PERIOD_WANDER_SHARE * self._period_s) ** 2
        self._time_s += count * self._period_s
        self._possible.pass_over(count)

    def contradicts(self, time_s: float, spread_s: float, *, by: float = _OTHER) -> bool:
        """Whether a tick that was seen is not one of this beat, *by* so many standard uncertainties."""
        count = max(1, round((time_s - self._time_s) / self._period_s))
        expected_s, known_s = self.at(count)
        return abs(time_s - expected_s) > by * math.hypot(known_s, spread_s)

    def forget_looks(self) -> None:
        """Rule nothing out any more by looks from before now: the beat may be a little off since."""
        self._possible.begin(*self._filtered())

    def move_to(self, time_s: float, spread_s: float) -> None:
        """Know that ticks come as regularly as before, but at other moments, since one at *time_s*."""
        self._time_s, self._time_variance, self._covariance = time_s, spread_s**2, 0.0
        self.forget_looks()
        self._has_moved = True

    def _filtered(self) -> tuple[float, float, float, float]:
        """Time and period by the filter, and how well each is known."""
        spreads_s = math.sqrt(self._time_variance), math.sqrt(self._period_variance)
        return self._time_s, self._period_s, *spreads_s

    def take(self, time_s: float, spread_s: float, between_s: tuple[float, float] | None = None) -> None:
        """Learn from a tick that was seen.

        Args:
            time_s: When it was, as far as is known.
            spread_s: How well that is known.
            between_s: Two moments that it was surely between.
        """
        count = max(1, round((time_s - self._time_s) / self._period_s))
        if self._filtered_at(count)[1] > _COUNT_SHARE * self._period_s:  # nobody knows how many these were
            self._time_s, self._time_variance, self._covariance = time_s, spread_s**2, 0.0
            return
        self.pass_over(count)
        off_s = time_s - self._time_s
        if self.count >= _FIRST_COUNT:
            most_s = _LARGE * max(self.off_s, math.hypot(self.spread_s, spread_s))
            off_s = min(most_s, max(-most_s, off_s))
        self.count += 1
        if not self._has_moved:  # else it shows how well the move was seen
            gain = max(_GAIN, 1 / self.count)
            self._off_square += gain * (off_s**2 - self._off_square)
            self._seen_square += gain * (spread_s**2 + self._time_variance - self._seen_square)
        self._has_moved = False
        total = self._time_variance + spread_s**2
        time_gain, period_gain = self._time_variance / total, self._covariance / total
        self._time_s += time_gain * off_s
        self._period_s += period_gain * off_s
        self._period_variance -= period_gain * self._covariance
        self._covariance *= 1 - time_gain
        self._time_variance *= 1 - time_gain
        if between_s is not None:
            self._rule_out(*between_s)

    def _rule_out(self, after_s: float, before_s: float) -> None:
        """Leave what passes between these moments, or begin anew if that is nothing."""
        possible = self._possible
        if self.count > 1 and possible.take(after_s, before_s):
            return
        possible.begin(*self._filtered())
        possible.take(after_s, before_s)
