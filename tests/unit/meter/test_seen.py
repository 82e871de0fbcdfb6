"""What a sampler remembers of a long history."""

from itertools import pairwise

import pytest

from pytest_energy.meter.seen import SeenLately
from pytest_energy.meter.ticks import SeenTick
from tests.fakes.meter import Bench


def seen_tick(number: int) -> SeenTick:
    time_s = float(number)
    return SeenTick(time_s=time_s, joules=time_s, spread_s=0.0, after_s=time_s, before_s=time_s)


def test_ticks_beside_the_start_of_a_window_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a window becomes, of the ticks beside its start none is dropped; others are."""
    monkeypatch.setattr("pytest_energy.meter.seen._HISTORY_TICKS", 6000)
    seen = SeenLately()
    for number in range(50_000):
        if number in {500, 3000}:
            seen.mark()
        seen.keep_tick("gpu:0", seen_tick(number))
    times_s = [tick.time_s for tick in seen.ticks("gpu:0")]
    assert len(times_s) <= 6000
    assert set(map(float, range(2900, 3100))) <= set(times_s)
    assert not set(map(float, range(400, 600))) <= set(times_s)
    assert all(before < after for before, after in pairwise(times_s))


def test_a_window_is_right_however_many_ticks_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that is thinned again and again doesn't change the joules of the window that made it."""
    monkeypatch.setattr("pytest_energy.meter.seen._HISTORY_TICKS", 5000)
    bench = Bench(0.02, call_s=(1e-5, 2e-5))
    bench.meter.start()
    for _ in range(10):
        bench.measure((0.3, 780.0))
    reading = bench.measure(*((10.0, 200.0 + 3 * number) for number in range(60)))
    assert reading.energy_j is not None
    assert reading.energy_j == pytest.approx(bench.truth_j(reading), abs=2 * reading.uncertainty_j)
