"""Windows over a bench: what happens in them and before them, and what a cell of them is."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.meter.simulated.bench import BUSY_W, Bench, Setup
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Reading

Work = Callable[[Bench], float]
"""Plans what happens from now on, and returns the end of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One window: joules, uncertainty and truth, or why there are none."""

    energy_j: float | None = None
    uncertainty_j: float | None = None
    truth_j: float
    void_because: str | None = None


def _nothing(bench: Bench) -> None:
    del bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A setup, and windows over it.

    Attributes:
        work: See `Work`.
        before: What happens before each window.
        most_count: Windows at most; long ones are few.
        bench_count: Benches over which the windows are spread, each with a seed of its own.
        trial: One window in place of one around *work*.
    """

    name: str
    row: str
    setup: Setup = field(default_factory=Setup)
    work: Work = field(default_factory=lambda: burst(0.1))
    before: Callable[[Bench], None] = _nothing
    most_count: int = 100_000
    bench_count: int = 4
    trial: "Callable[[Bench], Trial] | None" = None

    def trials(self, count: int, seed: int) -> Iterator[Trial]:
        """So many windows, or as many as there are at most."""
        count = min(count, self.most_count)
        bench_count = min(self.bench_count, count)
        for place in range(bench_count):
            bench = Bench(self.setup, seed + 1000 * place)
            for _ in range(place, count, bench_count):
                self.before(bench)
                yield (self.trial or self._window)(bench)

    def _window(self, bench: Bench) -> Trial:
        window = bench.meter.open("simulated")
        start_s, stop_s = bench.now_s, self.work(bench)
        bench.machine.sleep_until(stop_s)
        return _trial(bench, window, start_s)


def _trial(bench: Bench, window: OpenWindow, start_s: float) -> Trial:
    stop_s = bench.now_s
    reading = window.close()
    if reading.energy_j is None:
        truth_j = math.fsum(power.joules_between(start_s, stop_s) for power in bench.powers)
        return Trial(truth_j=truth_j, void_because=reading.void_because or "at rest")
    return Trial(
        energy_j=reading.energy_j, uncertainty_j=reading.uncertainty_j, truth_j=bench.truth_j(reading)
    )


# ---- what happens in a window ----


def burst(duration_s: float, power_w: float = BUSY_W, busy_count: int = 1) -> Work:
    def plan(bench: Bench) -> float:
        for power in bench.powers[:busy_count]:
            power.burst(bench.now_s, duration_s, power_w)
        return bench.now_s + duration_s

    return plan


def square(period_s: float, duration_s: float, duty: float = 0.5, low_w: float = 130.0) -> Work:
    """780 W and *low_w* in turns, from anywhere in a period."""

    def plan(bench: Bench) -> float:
        power, stop_s = bench.powers[0], bench.now_s + duration_s
        begin_s = bench.now_s - bench.rng.random() * period_s
        while begin_s < stop_s:
            for from_s, power_w in ((begin_s, BUSY_W), (begin_s + duty * period_s, low_w)):
                if from_s < stop_s and (from_s >= bench.now_s or from_s + period_s > bench.now_s):
                    power.plan(max(from_s, bench.now_s), power_w)
            begin_s += period_s
        power.plan(stop_s, power.quiet_w)
        return stop_s

    return plan


def decaying(duration_s: float, above_w: float, tau_s: float) -> Work:
    """780 W, then a fall to quiet power from *above_w* over it."""

    def plan(bench: Bench) -> float:
        power, stop_s = bench.powers[0], bench.now_s + duration_s
        power.plan(bench.now_s, BUSY_W)
        power.decay(stop_s, above_w, tau_s)
        return stop_s

    return plan


def edged(duration_s: float) -> Work:
    """900 W in the first and last 20 ms, 200 W between."""

    def plan(bench: Bench) -> float:
        power, start_s, stop_s = bench.powers[0], bench.now_s, bench.now_s + duration_s
        for time_s, power_w in ((start_s, 900.0), (start_s + 0.02, 200.0), (stop_s - 0.02, 900.0)):
            power.plan(time_s, power_w)
        power.plan(stop_s, power.quiet_w)
        return stop_s

    return plan


def wandering(duration_s: float) -> Work:
    """Another power between 200 and 700 W every 40 s."""

    def plan(bench: Bench) -> float:
        power, start_s = bench.powers[0], bench.now_s
        for number in range(math.ceil(duration_s / 40)):
            power.plan(start_s + 40 * number, bench.rng.uniform(200.0, 700.0))
        power.plan(start_s + duration_s, power.quiet_w)
        return start_s + duration_s

    return plan


def holding(duration_s: float, beyond_s: float = 0.0) -> Work:
    """A burst in which the work holds the interpreter, and for *beyond_s* longer."""

    def plan(bench: Bench) -> float:
        stop_s = burst(duration_s)(bench)
        bench.machine.held.append((bench.now_s, stop_s + beyond_s))
        return stop_s

    return plan


def stopped(duration_s: float, after_s: float) -> Work:
    """A burst; the process is stopped for a second from *after_s* after its start."""

    def plan(bench: Bench) -> float:
        bench.machine.stopped.append((bench.now_s + after_s, bench.now_s + after_s + 1.0))
        return burst(duration_s)(bench)

    return plan


# ---- what happens before it ----


def pause(duration_s: float) -> Callable[[Bench], None]:
    return lambda bench: bench.machine.sleep_s(duration_s)


def work_between(duration_s: float) -> Callable[[Bench], None]:
    """Work in no window, right after the last one and right before the next."""

    def plan(bench: Bench) -> None:
        bench.machine.sleep_until(burst(duration_s)(bench))

    return plan


def work_before(tau_s: float) -> Callable[[Bench], None]:
    """A second of work in no window, which then decays from 660 W over quiet, for a second."""

    def plan(bench: Bench) -> None:
        bench.machine.sleep_s(1.0)
        stop_s = decaying(1.0, 660.0, tau_s)(bench)
        bench.machine.sleep_until(stop_s)

    return plan


def drifting(rise_w: float, over_s: float) -> Callable[[Bench], None]:
    """Quiet power that rises from 120 W over so many seconds."""

    def plan(bench: Bench) -> None:
        power = bench.powers[0]
        power.quiet_w = 120.0 + rise_w * min(1.0, (bench.now_s - 5000.0) / over_s)
        power.plan(bench.now_s, power.quiet_w)

    return plan


def ten_windows(bench: Bench) -> None:
    """Ten windows of a second."""
    for _ in range(10):
        bench.bursts(1.0)


def short_pause(bench: Bench) -> None:
    bench.machine.sleep_s(0.05 * bench.rng.random())


# ---- net joules ----


def net_of_idle(above_w: float, tau_s: float) -> Callable[[Bench], Trial]:
    """Joules above idle of a second at 400 W, idle power read while power decays to 75 W."""

    def trial(bench: Bench) -> Trial:
        power = bench.powers[0]
        power.decay(bench.now_s, above_w, tau_s)
        bench.meter.start()
        idle_w = (bench.meter.idle_power_w() or {}).get("gpu:0")
        bench.machine.sleep_s(8 * tau_s)
        reading = bench.bursts(1.0, (400.0,))
        return _net(bench, reading, idle_w)

    return trial


def _net(bench: Bench, reading: Reading, idle_w: float | None) -> Trial:
    if reading.energy_j is None or idle_w is None:
        because = reading.void_because or "idle power is not known"
        return Trial(truth_j=325.0, void_because=because)
    net_j = reading.energy_j - idle_w * reading.duration_s
    truth_j = bench.truth_j(reading) - bench.powers[0].quiet_w * reading.duration_s
    return Trial(energy_j=net_j, uncertainty_j=reading.uncertainty_j, truth_j=truth_j)
