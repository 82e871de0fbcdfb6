"""The simulator of counters: its truths are worked out by hand, and it notices a meter that errs."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.meter.simulated import __main__ as command
from benchmarks.meter.simulated.bench import Bench, Calls, Setup
from benchmarks.meter.simulated.cells import CALIBRATED, CELLS, SOUND, VOID
from benchmarks.meter.simulated.counters import Counter, Response, Ticks
from benchmarks.meter.simulated.machine import Power
from benchmarks.meter.simulated.outcome import outcome
from benchmarks.meter.simulated.page import outcomes, page
from benchmarks.meter.simulated.trials import Trial

START_S, LONG_S = 1000.0, 60.0


def counted_j(response: Response, duration_s: float, ticks: Ticks | None = None) -> float:
    """What a counter shows of a burst of 100 W over 0 W, long after it."""
    power = Power(START_S, 0.0)
    counter = Counter(power, START_S, ticks or Ticks(), response, seed=3)
    before_j = counter.read_j(START_S)
    power.burst(START_S, duration_s, 100.0)
    return counter.read_j(START_S + LONG_S) - before_j


@pytest.mark.parametrize(
    "response",
    [
        Response(),
        Response(delay_s=0.15),
        Response(low_pass_s=0.05),
        Response(low_pass_s=0.05, delay_s=0.02),
        Response(sample_s=0.025),
        Response(on_s=0.025),
    ],
)
def test_a_counter_loses_nothing_of_a_long_burst(response: Response) -> None:
    """Whatever its response, of 10 s it has all joules to a tick of power."""
    assert counted_j(response, 10.0) == pytest.approx(1000.0, abs=10.0)


@pytest.mark.parametrize("tau_s", [0.02, 0.2])
def test_a_low_pass_shows_what_its_formula_says(tau_s: float) -> None:
    """A step that is seen through a low-pass has come to 1 - exp(-t / tau) after t."""
    power = Power(START_S, 0.0)
    counter = Counter(power, START_S, Ticks(tick_s=1e-4), Response(low_pass_s=tau_s), seed=3)
    before_j = counter.read_j(START_S)
    power.plan(START_S, 100.0)
    seen_j = counter.read_j(START_S + 0.1) - before_j
    assert seen_j == pytest.approx(100.0 * (0.1 - tau_s * (1 - math.exp(-0.1 / tau_s))), abs=0.02)


def test_samples_miss_what_lies_between_them() -> None:
    """A burst between two looks is not counted, and one that holds a look counts as a whole period."""
    seen_j = {round(counted_j(Response(sample_s=0.025), 0.002), 6) for _ in range(3)}
    assert seen_j <= {0.0, 2.5}
    assert counted_j(Response(sample_s=0.025), 0.0251) == pytest.approx(2.5, abs=0.01)


def test_power_that_was_planned_is_replaced() -> None:
    """A plan from a moment on replaces what was planned for later, and keeps the joules before it."""
    power = Power(START_S, 10.0)
    power.burst(START_S, 5.0, 100.0)
    power.plan(START_S + 1.0, 20.0)
    assert power.joules_between(START_S, START_S + 3.0) == pytest.approx(140.0)
    power.decay(START_S + 3.0, 50.0, 2.0)
    assert power.joules_between(START_S + 3.0, START_S + 63.0) == pytest.approx(700.0, rel=1e-3)


def test_an_ideal_counter_is_read_right() -> None:
    """A counter that integrates is read within a percent, and the truth is power x time."""
    bench = Bench(Setup(), seed=1)
    reading = bench.bursts(0.5)
    assert bench.truth_j(reading) == pytest.approx(780.0 * 0.5, rel=1e-6)
    assert reading.energy_j == pytest.approx(390.0, rel=0.01)


def test_nobody_reads_while_the_interpreter_is_held() -> None:
    """A call that was made before ends when the interpreter is let go, and none begins until then."""
    bench = Bench(Setup(calls=Calls(call_s=(0.05, 0.05))), seed=1)
    window = bench.meter.open("held")
    start_s = bench.now_s
    bench.machine.held.append((start_s, start_s + 2.0))
    bench.powers[0].burst(start_s, 2.0, 780.0)
    bench.machine.sleep_s(2.0)
    reading = window.close()
    assert reading.trace is not None
    inside = [tick for tick in reading.trace.ticks["gpu:0"] if start_s + 0.1 < tick.time_s < start_s + 1.9]
    assert inside == []


def test_the_same_seed_gives_the_same_windows() -> None:
    """No clock and no thread has a say."""
    cell = next(cell for cell in CELLS if cell.name == "one call in ten 50 ms longer: 300 ms")
    assert list(cell.trials(8, seed=5)) == list(cell.trials(8, seed=5))


def test_each_row_has_cells_of_its_own_name() -> None:
    """Names are keys, and each row of the review but the one of real threads has a cell, and calibration."""
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {cell.row for cell in CELLS} == {*map(str, range(2, 13)), VOID, SOUND, CALIBRATED}


def trials(errors_j: list[float], uncertainty_j: float, void_count: int = 0) -> list[Trial]:
    kept = [Trial(energy_j=100.0 + e, uncertainty_j=uncertainty_j, truth_j=100.0) for e in errors_j]
    return kept + [Trial(truth_j=100.0, void_because=f"slept {n} s") for n in range(void_count)]


@pytest.mark.parametrize(
    ("row", "errors_j", "uncertainty_j", "void_count", "faults"),
    [
        (SOUND, [1.0, -1.0] * 50, 1.0, 0, ()),
        (SOUND, [3.0, 3.1] * 50, 5.0, 0, ("bias",)),
        (SOUND, [3.0, -3.0] * 50, 1.0, 0, ("2u",)),
        (SOUND, [5.0, 5.1] * 50, 1.0, 0, ("bias", "2u")),
        (SOUND, [1.0, -1.0] * 50, 1.0, 50, ()),
        (VOID, [1.0, -1.0] * 50, 1.0, 50, ("void",)),
        (SOUND, [], 1.0, 50, ()),
    ],
)
def test_a_cell_that_errs_is_named(
    row: str, errors_j: list[float], uncertainty_j: float, void_count: int, faults: tuple[str, ...]
) -> None:
    """Bias, coverage and needless voids are faults; a cell that is all void has its reason."""
    result = outcome("cell", row, trials(errors_j, uncertainty_j, void_count))
    assert result.faults == faults
    assert (result.void_reason == "slept # s") is (void_count > 0)
    assert (result.bias is None) is (not errors_j)


def test_figures_are_kept_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command adds cells to its file, and the page has them."""
    file = tmp_path / "cells.json"
    for pattern in ("^tick 20 ms: 100 ms", "^low-pass 100 ms, tick 100 ms: 200 ms"):
        assert command.main([str(file), "--cells", pattern, "--windows", "12"]) == 0
    assert len(json.loads(file.read_text())["cells"]) == 2
    assert "low-pass 100 ms, tick 100 ms: 200 ms" in capsys.readouterr().out
    text = page(outcomes(file))
    assert text.count("| tick 20 ms: 100 ms |") == 1


def test_time_that_is_up_ends_the_command(tmp_path: Path) -> None:
    """No cell is begun then, and the exit status says so."""
    assert command.main([str(tmp_path / "cells.json"), "--most-s", "-1"]) == 1


def test_a_page_counts_the_cells_that_are_as_required() -> None:
    """Each row of the review has its count and its cells; a figure that is missing is a dash."""
    failing = outcome("bad", "2", trials([9.0] * 20, 1.0))
    void = outcome("gone", "5", trials([], 1.0, 3))
    text = page([failing, void])
    assert "| A counter that lags: low-pass and delay | 1 | 0 |" in text
    assert "| A counter that samples, or looks a part of the time | 1 | 1 |" in text
    assert text.count("| bad |") == 1
    assert "| gone | 3 | - | - | - | - | 100 % | void |" in text
