"""How late a counter is, from ticks around bursts whose joules are known."""

import random

from pytest_energy.meter.lag import SeenBurst, lag
from pytest_energy.model import Tick

TICK_S, QUIET_W, WORK_W, HOLD_S = 0.1, 120.0, 700.0, 1.0

BEFORE_S = 4.0


def seen(start_s: float, length_s: float, *, after_w: float, late_s: float = 0.0) -> SeenBurst:
    """A burst as a counter of even ticks shows it; its power at rest is another after the work."""
    stop_s = start_s + length_s

    def joules(time_s: float) -> float:
        known_s = time_s - late_s
        busy_s = min(max(known_s - start_s, 0.0), length_s)
        return (
            QUIET_W * min(time_s, stop_s) + after_w * max(0.0, time_s - stop_s) + (WORK_W - QUIET_W) * busy_s
        )

    count = round((start_s + HOLD_S) / TICK_S) + 3
    ticks = tuple(Tick(number * TICK_S, joules(number * TICK_S), 1e-4) for number in range(count))
    return SeenBurst(start_s=start_s, stop_s=stop_s, ticks=ticks, quiet_s=((0.0, start_s),))


def bursts(*, scatter_w: float, late_s: float = 0.0) -> list[SeenBurst]:
    rng = random.Random(3)  # noqa: S311  # a seeded simulation
    return [
        seen(
            BEFORE_S + number * TICK_S / 40,
            (0.01, 0.02, 0.03, 0.05)[number % 4],
            after_w=rng.gauss(QUIET_W, scatter_w),
            late_s=late_s,
        )
        for number in range(40)
    ]


def test_power_at_rest_that_differs_from_burst_to_burst_is_no_lag() -> None:
    """On H100s it does so by 0.5 W: over a second as many joules as 0.7 ms of work."""
    assert lag(bursts(scatter_w=0.7), hold_s=HOLD_S).settle_s < 0.02


def test_a_delay_is_found_beside_it() -> None:
    assert 0.08 <= lag(bursts(scatter_w=0.7, late_s=0.08), hold_s=HOLD_S).settle_s < 0.1
