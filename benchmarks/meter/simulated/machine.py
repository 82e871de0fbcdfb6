"""A machine on simulated time: a clock, the meter's thread, and the power of its devices.

Nothing here runs at the same time as anything else, and no real clock is read, so a result depends on its
seed alone. The sampler has a time of its own, as its thread has. A step of it is made once whoever sleeps is
to wake after the step's end: the power that its read meets is decided by then, and nobody knows of a read
before it has ended. How long the next read takes is drawn before it is made.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator

from pytest_energy.meter.sampler import Stepper

Span = tuple[float, float]
"""From when to when, in seconds."""


class Machine:
    """Clock and runner of a sampler.

    Attributes:
        longest_call_s: How long the sampler's next call of a sensor takes at most.
        held: When the interpreter was held by the work: the sampler's thread does nothing, its calls end.
        stopped: When the whole process was stopped.
    """

    def __init__(self, now_s: float = 5000.0) -> None:
        self._now_s = now_s
        self._sampler: Stepper | None = None
        self._sampler_now_s: float | None = None  # while it makes a step
        self._sampler_due_s, self._sampler_free_s = math.inf, now_s
        self.longest_call_s: Callable[[], float] = float
        self.held: list[Span] = []
        self.stopped: list[Span] = []

    def now_s(self) -> float:
        return self._now_s if self._sampler_now_s is None else self._sampler_now_s

    def suspended_s(self) -> float:
        return 0.0

    def sleep_s(self, duration_s: float) -> None:
        self.sleep_until(self._now_s + max(0.0, duration_s))

    def sleep_until(self, time_s: float) -> None:
        """Wait until then; the sampler does what it can be done with by then."""
        time_s = max(self._now_s, _after(self.stopped, time_s))
        while self._sampler is not None:
            start_s = self._runs_s(max(self._sampler_due_s, self._sampler_free_s))
            if self._runs_s(start_s + self.longest_call_s()) > time_s:
                break
            self._sampler_now_s = start_s
            self._sampler_due_s = self._sampler.step()
            self._sampler_free_s, self._sampler_now_s = max(self._sampler_now_s, start_s + 1e-6), None
        self._now_s = time_s

    def _runs_s(self, time_s: float) -> float:
        """When the sampler's thread, which would go on at *time_s*, does."""
        return _after(self.stopped, _after(self.held, time_s))

    def take(self, duration_s: float) -> None:
        """Spend time in a call of a sensor; others run meanwhile, but their steps are made later."""
        if self._sampler_now_s is None:
            self._now_s += duration_s
        else:
            self._sampler_now_s += duration_s

    def come_back(self) -> None:
        """Return from a call: not while the interpreter is held."""
        if self._sampler_now_s is not None:
            self._sampler_now_s = self._runs_s(self._sampler_now_s)

    # The runner of a sampler

    def start(self, sampler: Stepper) -> None:
        self._sampler, self._sampler_due_s, self._sampler_free_s = sampler, self._now_s, self._now_s

    def wake(self) -> None:
        self._sampler_due_s = min(self._sampler_due_s, self._now_s)

    def stop(self) -> None:
        self._sampler = None


def _after(spans: list[Span], time_s: float) -> float:
    return next((until_s for from_s, until_s in reversed(spans) if from_s <= time_s < until_s), time_s)


class Power:
    """Power of a device at every moment, constant between the moments that were planned."""

    def __init__(self, now_s: float, quiet_w: float) -> None:
        self.quiet_w = quiet_w
        self._times, self._watts, self._joules = [now_s - 60.0], [quiet_w], [0.0]

    def plan(self, time_s: float, power_w: float) -> None:
        """Draw *power_w* from *time_s* on, whatever was planned for later."""
        energy_j = self.joules_at(time_s)
        keep = bisect_right(self._times, time_s)
        if self._times[keep - 1] == time_s and keep > 1:
            keep -= 1
        del self._times[keep:], self._watts[keep:], self._joules[keep:]
        self._times.append(time_s)
        self._watts.append(power_w)
        self._joules.append(energy_j)

    def burst(self, time_s: float, duration_s: float, power_w: float) -> float:
        """Draw *power_w* for so long, then quiet power; returns the end."""
        self.plan(time_s, power_w)
        self.plan(time_s + duration_s, self.quiet_w)
        return time_s + duration_s

    def decay(self, time_s: float, above_w: float, tau_s: float) -> None:
        """Fall to quiet power from *above_w* over it, by a factor e each *tau_s*."""
        step_s = tau_s / 25
        share = (1 - math.exp(-1 / 25)) * 25  # mean over a step, of the power at its start
        for number in range(200):
            over_w = above_w * share * math.exp(-number / 25)
            self.plan(time_s + number * step_s, self.quiet_w + over_w)
        self.plan(time_s + 200 * step_s, self.quiet_w)

    def _place(self, time_s: float) -> int:
        return max(0, bisect_right(self._times, time_s) - 1)

    def at(self, time_s: float) -> float:
        return self._watts[self._place(time_s)]

    def joules_at(self, time_s: float) -> float:
        place = self._place(time_s)
        return self._joules[place] + self._watts[place] * (time_s - self._times[place])

    def joules_between(self, start_s: float, stop_s: float) -> float:
        """The truth."""
        return self.joules_at(stop_s) - self.joules_at(start_s)

    def pieces(self, start_s: float, stop_s: float) -> Iterator[tuple[float, float]]:
        """Seconds and watts of each stretch of constant power between two moments."""
        place = self._place(start_s)
        while start_s < stop_s:
            place += 1
            end_s = min(stop_s, self._times[place]) if place < len(self._times) else stop_s
            if end_s > start_s:
                yield end_s - start_s, self._watts[place - 1]
            start_s = max(start_s, end_s)
