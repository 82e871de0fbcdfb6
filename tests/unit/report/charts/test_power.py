"""Power over time inside a test's windows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import SensorStatus
from pytest_energy.report.charts import power
from pytest_energy.report.charts.spec import Line, Rule
from tests.builders import judgement
from tests.fakes.sessions import estimated_session, replayed_session
from tests.unit.report.charts.layers import keys, layer, layers

STEPS = ((0.02, 100.0), (0.12, 300.0), (0.22, 300.0))


def _with_power(*traces: Mapping[str, tuple[tuple[float, float], ...]], **changes: Any) -> Judgement:
    """A test of a round for each of *traces*."""
    found = judgement(round_count=1)
    (reading,) = found.record.rounds
    rounds = tuple(replace(reading, power_trace=trace, **changes) for trace in traces)
    return replace(found, record=replace(found.record, rounds=rounds))


def test_power_over_time_is_drawn_by_channel() -> None:
    """A chart for each channel: a line a round, the mean as a number, lowest and highest step in words."""
    judged = _with_power({"gpu:0": STEPS, "gpu:1": STEPS}, {"gpu:0": STEPS})
    one, other = power.charts(judged.record)
    assert (one.title, other.title) == ("Power over time, gpu:0", "Power over time, gpu:1")
    assert one.caption == ("mean 200 W; steps from 100 W to 300 W",)
    through_middles = ((0.02, 100.0), (0.07, 100.0), (0.17, 300.0), (0.22, 300.0))
    lines = [line.points for line in layers(one, Line)]
    assert lines == [tuple(map(pytest.approx, through_middles))] * 2
    mean = layer(one, Rule)
    assert mean.at == pytest.approx(200.0)
    assert mean.key == "mean 200 W, between the first and the last tick of each window"
    assert keys(one)[0] == "2 rounds, one over the other: mean power from tick to tick"
    assert keys(other)[0] == "1 round: mean power from tick to tick"
    assert one.y.ticks[0] == (0.0, "0 W")
    assert power.why_not_drawn(_with_power({"gpu:0": STEPS}).record) is None


def test_power_of_several_calls_says_whose_it_is() -> None:
    """A round's joules are of one call, its power of the window that held several."""
    (chart,) = power.charts(_with_power({"gpu:0": STEPS}, call_count=34).record)
    assert chart.caption[1] == "of whole windows, each of 34 calls"
    record = _with_power({"gpu:0": STEPS}, {"gpu:0": STEPS}).record
    first, second = record.rounds
    rounds = (replace(first, call_count=2), replace(second, call_count=3))
    (chart,) = power.charts(replace(record, rounds=rounds))
    assert chart.caption[1] == "of whole windows, each of 2 to 3 calls"


def test_power_of_very_many_rounds_is_counted() -> None:
    """Some of them are drawn, the first and the last among them; the mean is of all."""
    traces = [{"gpu:0": ((0.0, 100.0 + number), (0.1, 100.0 + number))} for number in range(101)]
    (chart,) = power.charts(_with_power(*traces).record)
    lines = layers(chart, Line)
    assert len(lines) == power.MOST_LINES
    assert (lines[0].points[0], lines[-1].points[0]) == ((0.0, 100.0), (0.0, 200.0))
    assert lines[0].key.startswith("24 of 101 rounds, one over the other")
    assert layer(chart, Rule).at == pytest.approx(150.0)


def test_why_a_channel_has_no_power_over_time() -> None:
    """One line names each channel that lacks it: read at edges, too short a window, an older run."""
    judged = judgement()
    rapl = SensorStatus(name="rapl", channels=("cpu:package-0",), provenance=judged.record.provenance)
    record = replace(judged.record, sensors=(*judged.record.sensors, rapl))
    (reading, *_) = record.rounds
    both = {"gpu:0": 300.0, "cpu:package-0": 80.0}
    for duration_s, because in (
        (1.0, "not in this run's JSON"),
        (0.15, "a window is shorter than two ticks of 100 ms"),
    ):
        one = replace(reading, channels=both, duration_s=duration_s)
        assert power.why_not_drawn(replace(record, rounds=(one,))) == (
            f"no power over time of gpu:0 ({because}); cpu:package-0 (read only at the edges of a window)"
        )
    stranger = replace(judged.record, sensors=())
    assert power.why_not_drawn(stranger) == "no power over time of gpu:0 (not in this run's JSON)"


def test_nothing_is_said_of_power_that_nobody_measured() -> None:
    """An estimate, a replay, a void test and one without rounds have no chart and no line about power."""
    for judged in (
        estimated_session()[0],
        replayed_session()[0],
        judgement(verdict=Verdict.VOID),
        judgement(energy_j=None, verdict=Verdict.UNMEASURED),
    ):
        assert power.charts(judged.record) == ()
        assert power.why_not_drawn(judged.record) is None
