"""What is simulated: each row of both tables of the meter's review, and what was sound there.

A cell is a setup, what happens in a window, and what happens before it. Its `row` is the one in the review's
table of readings that were wrong and not void, `void` for the table of those that were void and need not be,
`sound` for the rest.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

from benchmarks.meter.simulated.bench import BUSY_W, Bench, Calls, Setup
from benchmarks.meter.simulated.counters import Response, Ticks
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Reading

Work = Callable[[Bench], float]
"""Plans what happens from now on, and returns the end of the window."""

VOID, SOUND = "void", "sound"

_RAPL_TICKS = Ticks(tick_s=1e-3, quantum_j=61e-6)


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


# ---- the cells ----


def _ms(duration_s: float) -> str:
    return f"{1e3 * duration_s:g} ms"


def _gpu(gpu_count: int, call_s: float) -> Setup:
    return Setup(gpu_count=gpu_count, calls=Calls(call_s=(0.8 * call_s, 1.2 * call_s)))


def _responses() -> Iterator[Cell]:
    lagging = {
        "low-pass 25 ms": Response(low_pass_s=0.025),
        "low-pass 50 ms": Response(low_pass_s=0.05),
        "low-pass 100 ms": Response(low_pass_s=0.1),
        "delay 25 ms": Response(delay_s=0.025),
        "delay 50 ms": Response(delay_s=0.05),
        "delay 100 ms": Response(delay_s=0.1),
        "delay 150 ms": Response(delay_s=0.15),
        "low-pass 25 ms and delay 25 ms": Response(low_pass_s=0.025, delay_s=0.025),
    }
    for (name, response), tick_s in product(lagging.items(), (0.1, 0.02)):
        for duration_s in (0.01, 0.05, 0.2, 1.0, 5.0):
            yield Cell(
                name=f"{name}, tick {_ms(tick_s)}: {_ms(duration_s)}",
                row="2",
                setup=Setup(response=response, ticks=Ticks(tick_s=tick_s)),
                work=burst(duration_s),
            )
    samples = Response(sample_s=0.025)
    sampling = {
        "samples each 25 ms": samples,
        "samples each 10 ms": Response(sample_s=0.01),
        "samples each 25 ms, jitter, noise 3 %": Response(
            sample_s=0.025, sample_jitter=1.0, noise_share=0.03
        ),
        "a sample each 100 ms": Response(sample_s=0.1),
        "part-time, 25 of 100 ms": Response(on_s=0.025),
        "part-time, 50 of 100 ms": Response(on_s=0.05),
    }
    for (name, response), duration_s in product(
        sampling.items(), (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 1.0)
    ):
        yield Cell(
            name=f"{name}: {_ms(duration_s)}", row="5", setup=Setup(response=response), work=burst(duration_s)
        )
    setup = Setup(response=samples)
    yield Cell(name="samples each 25 ms, high at both edges: 500 ms", row="5", setup=setup, work=edged(0.5))
    for period_s in (0.02, 0.0999, 0.101, 0.2):
        yield Cell(
            name=f"samples each 25 ms, square wave of {_ms(period_s)}: 1 s",
            row="5",
            setup=setup,
            work=square(period_s, 1.0),
        )
    for duration_s in (0.01, 0.1, 1.0):
        yield Cell(
            name=f"tick 100 ms quiet, 20 ms busy: {_ms(duration_s)}",
            row="7",
            setup=Setup(ticks=Ticks(busy_tick_s=0.02)),
            work=burst(duration_s),
        )


def _beside() -> Iterator[Cell]:
    for tick_s, duration_s in product((0.1, 0.5, 1.0), (0.03, 0.1, 0.5)):
        yield Cell(
            name=f"work of 4 % of a tick between windows, tick {_ms(tick_s)}: {_ms(duration_s)}",
            row="3",
            setup=Setup(ticks=Ticks(tick_s=tick_s)),
            work=burst(duration_s),
            before=work_between(0.04 * tick_s),
        )
    for between_s in (0.0005, 0.001, 0.002):
        yield Cell(
            name=f"work of {_ms(between_s)} between windows, tick 100 ms: 100 ms",
            row="3",
            before=work_between(between_s),
        )
    for above_w, tau_s in ((300.0, 2.0), (100.0, 5.0), (60.0, 20.0)):
        yield Cell(
            name=f"net joules, idle read while {above_w:g} W decay, tau {tau_s:g} s",
            row="4",
            setup=Setup(quiet_w=75.0, is_started=False),
            most_count=40,
            bench_count=40,
            trial=net_of_idle(above_w, tau_s),
        )
    for above_w, tau_s, duration_s in product((30.0, 300.0), (0.1, 0.5, 1.0, 3.0), (0.05, 1.0)):
        yield Cell(
            name=f"{above_w:g} W decay after the work, tau {tau_s:g} s: {_ms(duration_s)}",
            row=SOUND,
            work=decaying(duration_s, above_w, tau_s),
        )
    for tau_s, duration_s in product((0.1, 0.5, 2.0), (0.05, 0.5)):
        yield Cell(
            name=f"after other work that decays, tau {tau_s:g} s: {_ms(duration_s)}",
            row=SOUND,
            work=burst(duration_s),
            before=work_before(tau_s),
        )
    for rise_w, over_s, duration_s in ((60.0, 60.0, 0.05), (60.0, 200.0, 1.0)):
        yield Cell(
            name=f"quiet power rises by {rise_w:g} W in {over_s:g} s: {_ms(duration_s)}",
            row=SOUND,
            work=burst(duration_s),
            before=drifting(rise_w, over_s),
        )


def _gpus() -> Iterator[Cell]:
    for call_s, duration_s in product((0.003, 0.006, 0.008, 0.01, 0.012), (0.01, 0.05, 0.1, 1.0)):
        yield Cell(
            name=f"8 GPUs, one busy, calls of {_ms(call_s)}: {_ms(duration_s)}",
            row="6",
            setup=_gpu(8, call_s),
            work=burst(duration_s),
        )
    yield Cell(
        name="8 GPUs, all busy: 500 ms",
        row=SOUND,
        setup=_gpu(8, 0.003),
        work=burst(0.5, busy_count=8),
    )
    for call_s, duration_s in product((0.01, 0.02, 0.05, 0.2), (0.1, 1.0)):
        yield Cell(
            name=f"calls of {_ms(call_s)}: {_ms(duration_s)}",
            row="9",
            setup=_gpu(1, call_s),
            work=burst(duration_s),
        )
    for slow_s, duration_s in product((0.05, 0.2, 0.9), (0.03, 0.3)):
        yield Cell(
            name=f"one call in ten {_ms(slow_s)} longer: {_ms(duration_s)}",
            row="9",
            setup=Setup(calls=Calls(slow_share=0.1, slow_s=slow_s)),
            work=burst(duration_s),
        )
    for gpu_count in (1, 8):
        yield Cell(
            name=f"{gpu_count} GPUs, calls end 15 ms after a tick: 500 ms",
            row=SOUND,
            setup=Setup(gpu_count=gpu_count, calls=Calls(until_s=0.015)),
            work=burst(0.5),
        )


def _held_up() -> Iterator[Cell]:
    for tick_s, duration_s in product((0.02, 0.1), (0.05, 0.5, 0.9, 1.5)):
        yield Cell(
            name=f"interpreter held, tick {_ms(tick_s)}: {_ms(duration_s)}",
            row="8",
            setup=Setup(ticks=Ticks(tick_s=tick_s)),
            work=holding(duration_s),
        )
    for duration_s, pause_s in product((2.5, 3.0, 10.0), (0.0, 2.0)):
        yield Cell(
            name=f"interpreter held, {pause_s:g} s between: {_ms(duration_s)}",
            row=VOID,
            work=holding(duration_s),
            before=pause(pause_s),
        )
    yield Cell(name="interpreter held for 150 ms beyond the work: 3 s", row="8", work=holding(3.0, 0.15))
    for after_s, where in ((0.1, "in the window"), (0.35, "after the window")):
        yield Cell(name=f"process stopped for a second {where}: 300 ms", row="9", work=stopped(0.3, after_s))
    for hours, count in ((1, 4), (3, 2), (6, 2), (10, 2)):
        yield Cell(
            name=f"after ten of a second: {hours} h",
            row="10",
            work=wandering(3600.0 * hours),
            before=ten_windows,
            most_count=count,
            bench_count=count,
        )
    for period_s, duty, duration_s in product((0.05, 0.1, 0.25, 0.5, 1.0), (0.2, 0.5), (6.0, 10.0)):
        yield Cell(
            name=f"waves of {_ms(period_s)}, {100 * duty:g} % high: {duration_s:g} s",
            row=VOID,
            work=square(period_s, duration_s, duty),
            most_count=120,
        )


def _processors() -> Iterator[Cell]:
    setup = Setup(rapl=True, quiet_w=20.0, ticks=_RAPL_TICKS)
    for duration_s in (0.002, 0.005, 0.01, 0.05, 0.2, 1.0):
        yield Cell(
            name=f"RAPL 20 to 150 W: {_ms(duration_s)}",
            row="12",
            setup=setup,
            work=burst(duration_s, 150.0),
            before=short_pause,
        )
    for tick_s in (0.01, 0.1):
        yield Cell(
            name=f"RAPL that is updated each {_ms(tick_s)}: 100 ms",
            row="11",
            setup=Setup(rapl=True, quiet_w=20.0, ticks=Ticks(tick_s=tick_s, quantum_j=61e-6)),
            work=burst(0.1, 150.0),
            before=short_pause,
        )
    for duration_s in (0.3, 1.0, 3.0):
        yield Cell(
            name=f"no counter, power integrated: {_ms(duration_s)}",
            row=SOUND,
            setup=Setup(has_counter=False, quiet_w=40.0),
            work=burst(duration_s, 250.0),
        )


def _ticks() -> Iterator[Cell]:
    kinds = {
        "tick 20 ms": Ticks(tick_s=0.02),
        "tick 100 ms": Ticks(),
        "tick 1 s": Ticks(tick_s=1.0),
        "tick 100 ms, jitter 30 %": Ticks(jitter=0.3),
        "tick 100 ms, jitter 30 % that adds up": Ticks(jitter=0.3, is_wandering=True),
        "ticks of 80 and 120 ms": Ticks(pattern_s=(0.08, 0.12)),
        "ticks of 20 and 180 ms": Ticks(pattern_s=(0.02, 0.18)),
        "tick 100 ms, one in 20 stalls for three": Ticks(stall_share=0.05),
        "tick 100 ms, steps of 1 J": Ticks(quantum_j=1.0),
    }
    for (name, ticks), duration_s in product(kinds.items(), (0.01, 0.1, 1.0)):
        yield Cell(
            name=f"{name}: {_ms(duration_s)}", row=SOUND, setup=Setup(ticks=ticks), work=burst(duration_s)
        )
    for duration_s in (1e-4, 1e-3):
        yield Cell(name=f"tick 100 ms: {_ms(duration_s)}", row=SOUND, work=burst(duration_s))


CELLS = tuple(
    cell for group in (_responses, _beside, _gpus, _held_up, _processors, _ticks) for cell in group()
)
