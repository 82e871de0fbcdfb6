"""What is simulated: each row of both tables of the meter's review, and what was sound there.

A cell is a setup, what happens in a window, and what happens before it. Its `row` is the one in the review's
table of readings that were wrong and not void, `void` for the table of those that were void and need not be,
`sound` for what was sound there, `calibrated` for counters that were calibrated.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from benchmarks.meter.simulated.bench import Calls, Setup
from benchmarks.meter.simulated.counters import Response, Ticks
from benchmarks.meter.simulated.trials import (
    Cell,
    burst,
    decaying,
    drifting,
    edged,
    holding,
    net_of_idle,
    pause,
    short_pause,
    square,
    stopped,
    ten_windows,
    wandering,
    work_before,
    work_between,
)

VOID, SOUND, CALIBRATED = "void", "sound", "calibrated"

_RAPL_TICKS = Ticks(tick_s=1e-3, quantum_j=61e-6)


def _ms(duration_s: float) -> str:
    return f"{1e3 * duration_s:g} ms"


def _gpu(gpu_count: int, call_s: float) -> Setup:
    return Setup(gpu_count=gpu_count, calls=Calls(call_s=(0.8 * call_s, 1.2 * call_s)))


_LAGGING = {
    "low-pass 25 ms": Response(low_pass_s=0.025),
    "low-pass 50 ms": Response(low_pass_s=0.05),
    "low-pass 100 ms": Response(low_pass_s=0.1),
    "delay 25 ms": Response(delay_s=0.025),
    "delay 50 ms": Response(delay_s=0.05),
    "delay 100 ms": Response(delay_s=0.1),
    "delay 150 ms": Response(delay_s=0.15),
    "low-pass 25 ms and delay 25 ms": Response(low_pass_s=0.025, delay_s=0.025),
}
_SAMPLES = Response(sample_s=0.025)
_SAMPLING = {
    "samples each 25 ms": _SAMPLES,
    "samples each 10 ms": Response(sample_s=0.01),
    "samples each 25 ms, jitter, noise 3 %": Response(sample_s=0.025, sample_jitter=1.0, noise_share=0.03),
    "a sample each 100 ms": Response(sample_s=0.1),
    "part-time, 25 of 100 ms": Response(on_s=0.025),
    "part-time, 50 of 100 ms": Response(on_s=0.05),
}
_H100 = Response(low_pass_s=0.0127, delay_s=0.0038, sample_s=0.02)


def _responses() -> Iterator[Cell]:
    for (name, response), tick_s in product(_LAGGING.items(), (0.1, 0.02)):
        for duration_s in (0.01, 0.05, 0.2, 1.0, 5.0):
            yield Cell(
                name=f"{name}, tick {_ms(tick_s)}: {_ms(duration_s)}",
                row="2",
                setup=Setup(response=response, ticks=Ticks(tick_s=tick_s)),
                work=burst(duration_s),
            )
    for (name, response), duration_s in product(
        _SAMPLING.items(), (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 1.0)
    ):
        yield Cell(
            name=f"{name}: {_ms(duration_s)}", row="5", setup=Setup(response=response), work=burst(duration_s)
        )
    setup = Setup(response=_SAMPLES)
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


def _calibrated() -> Iterator[Cell]:
    """The same counters, as they are read once `doctor --calibrate` has measured one of their kind."""
    lagging = [
        (f"{name}, tick {_ms(tick_s)}", Setup(response=response, ticks=Ticks(tick_s=tick_s)))
        for (name, response), tick_s in product(_LAGGING.items(), (0.1, 0.02))
    ]
    sampling = [
        (name, Setup(response=response)) for name, response in {**_SAMPLING, "as an H100": _H100}.items()
    ]
    for (name, setup), duration_s in product([*lagging, *sampling], (0.01, 0.05, 0.23, 1.07)):
        yield Cell(
            name=f"calibrated: {name}: {_ms(duration_s)}",
            row=CALIBRATED,
            setup=replace(setup, is_calibrated=True),
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
        "tick 20 ms, steps of 1 J": Ticks(tick_s=0.02, quantum_j=1.0),
        "tick 50 ms, steps of 0.5 J": Ticks(tick_s=0.05, quantum_j=0.5),
    }
    for (name, ticks), duration_s in product(kinds.items(), (0.01, 0.1, 1.0)):
        yield Cell(
            name=f"{name}: {_ms(duration_s)}", row=SOUND, setup=Setup(ticks=ticks), work=burst(duration_s)
        )
    for duration_s in (1e-4, 1e-3):
        yield Cell(name=f"tick 100 ms: {_ms(duration_s)}", row=SOUND, work=burst(duration_s))


_GROUPS = (_responses, _calibrated, _beside, _gpus, _held_up, _processors, _ticks)

CELLS = tuple(cell for group in _GROUPS for cell in group())
