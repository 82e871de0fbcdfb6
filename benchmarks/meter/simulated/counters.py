"""Energy counters of which it is known how they see power, and when they show it.

What a counter sees is what the device drew, changed in this order: a low-pass, a delay, then all of it, a
part of each tick, or samples. What it shows changes at its ticks.
"""

import math
import random
from dataclasses import dataclass

from benchmarks.meter.simulated.machine import Power


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How a counter sees power.

    Attributes:
        low_pass_s: Time constant of a first-order low-pass; 0 for none.
        delay_s: Everything is seen so much later.
        sample_s: Power is looked at so often, and taken to be that until the next look; 0: all the time.
        sample_jitter: Each look comes earlier by an even share of up to this, of *sample_s*.
        noise_share: Standard deviation of each look, as a share of the power.
        on_s: The mean over the last so many seconds of each tick is taken for the whole; 0: all of it.
    """

    low_pass_s: float = 0.0
    delay_s: float = 0.0
    sample_s: float = 0.0
    sample_jitter: float = 0.0
    noise_share: float = 0.0
    on_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """When a counter shows what it has seen.

    Attributes:
        tick_s: Mean seconds from one to the next.
        jitter: Standard deviation of a tick's time, as a share of *tick_s*.
        is_wandering: That adds up from tick to tick; there is no beat.
        pattern_s: Gaps that come one after the other, in place of *tick_s*.
        busy_tick_s: In place of *tick_s* where the device draws more than 300 W.
        stall_share: Of the ticks, that begin a pause of *stall_count* of them.
        quantum_j: Smallest step.
    """

    tick_s: float = 0.1
    jitter: float = 0.0
    is_wandering: bool = False
    pattern_s: tuple[float, ...] = ()
    busy_tick_s: float | None = None
    stall_share: float = 0.0
    stall_count: int = 3
    quantum_j: float = 1e-3


class Counter:
    """What one counter shows."""

    def __init__(self, power: Power, now_s: float, ticks: Ticks, response: Response, seed: int) -> None:
        self._power, self._ticks, self._response = power, ticks, response
        self._rng = random.Random(seed)  # noqa: S311  # a simulation
        self._origin_s = now_s - 30.0 - self._rng.random() * ticks.tick_s
        self._number = self._stalled = 0
        self.tick_s = self._origin_s  # the last one
        # How far the counter has seen, the power after its low-pass there, and the joules up to there.
        self._seen_s, self._seen_w, self._seen_j = self._origin_s, power.at(self._origin_s), 0.0
        self._sample_s, self._sum_j = self._origin_s, 0.0
        self._next_s = self._after(self._origin_s)
        self._shown_j = 0.0

    def read_j(self, time_s: float) -> float:
        """What it shows at *time_s*, which never falls from one call to the next by more than a call."""
        while self._next_s <= time_s:
            last_s, self.tick_s = self.tick_s, self._next_s
            energy_j = self._counted_j(last_s, self.tick_s)
            if not self._is_stalled():
                self._shown_j = energy_j
            self._next_s = self._after(self.tick_s)
        return math.floor(self._shown_j / self._ticks.quantum_j + 1e-9) * self._ticks.quantum_j

    def _is_stalled(self) -> bool:
        ticks = self._ticks
        if ticks.stall_share and not self._stalled and self._rng.random() < ticks.stall_share:
            self._stalled = ticks.stall_count
        is_stalled = self._stalled > 0
        self._stalled -= is_stalled
        return is_stalled

    def _after(self, time_s: float) -> float:
        ticks, self._number = self._ticks, self._number + 1
        if ticks.pattern_s:
            return time_s + ticks.pattern_s[self._number % len(ticks.pattern_s)]
        tick_s = ticks.tick_s
        if ticks.busy_tick_s is not None and self._power.at(time_s) > 300:
            tick_s = ticks.busy_tick_s
        jitter_s = self._rng.gauss(0.0, ticks.jitter * tick_s) if ticks.jitter else 0.0
        if ticks.is_wandering or ticks.busy_tick_s is not None:
            return time_s + max(0.1 * tick_s, tick_s + jitter_s)
        return max(time_s + 1e-6, self._origin_s + self._number * tick_s + jitter_s)

    def _counted_j(self, last_s: float, time_s: float) -> float:
        """Joules up to the tick at *time_s*."""
        response = self._response
        if response.sample_s:
            return self._sampled_j(time_s)
        if response.on_s:
            on_s = min(response.on_s, time_s - last_s)
            before_j = self._filtered(time_s - on_s)[0]
            power_w = (self._filtered(time_s)[0] - before_j) / on_s
            self._sum_j += power_w * (time_s - last_s)
            return self._sum_j
        return self._filtered(time_s)[0]

    def _sampled_j(self, time_s: float) -> float:
        response = self._response
        while self._sample_s + response.sample_s <= time_s:
            self._sample_s += response.sample_s
            early_s = response.sample_jitter * response.sample_s * self._rng.random()
            _, power_w = self._filtered(self._sample_s - early_s)
            noise = self._rng.gauss(0.0, response.noise_share) if response.noise_share else 0.0
            self._sum_j += power_w * (1 + noise) * response.sample_s
        return self._sum_j

    def _filtered(self, time_s: float) -> tuple[float, float]:
        """Joules and watts at *time_s* after the delay and the low-pass."""
        time_s, tau_s = time_s - self._response.delay_s, self._response.low_pass_s
        if not tau_s:
            return self._power.joules_between(self._origin_s, time_s), self._power.at(time_s)
        for duration_s, power_w in self._power.pieces(self._seen_s, time_s):
            left = math.exp(-duration_s / tau_s)
            self._seen_j += power_w * duration_s + (self._seen_w - power_w) * tau_s * (1 - left)
            self._seen_w = power_w + (self._seen_w - power_w) * left
        self._seen_s = max(self._seen_s, time_s)
        return self._seen_j, self._seen_w
