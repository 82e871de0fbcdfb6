"""Power over time inside a test's windows, a chart for each channel that has it.

Rule 1: rounds do the same work, so they lie one over the other: what differs between them stands out.
Rule 2: a channel without power over time is listed with the reason, if it was measured.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.report import cells
from pytest_energy.report.charts.axes import linear_axis
from pytest_energy.report.charts.spec import Chart, Line, Rule
from pytest_energy.report.text import range_text
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text

MOST_LINES = 24
"""Rounds that are drawn: more lines can't be distinguished, and make the page heavy."""

_NOT_HELD = "not in this run's JSON"
_FEWEST_TICKS = 2.0  # of a window: two ticks inside it make a step

Steps = tuple[tuple[float, float], ...]


def charts(record: Record) -> tuple[Chart, ...]:
    """A chart for each channel of which a round has its power over time."""
    if not record.is_measured:
        return ()
    names = dict.fromkeys(name for reading in record.usable_rounds for name in reading.power_trace)
    return tuple(_chart(name, record.usable_rounds) for name in names)


def _chart(name: str, rounds: Sequence[Reading]) -> Chart:
    traces = [reading.power_trace[name] for reading in rounds if name in reading.power_trace]
    powers_w = [power_w for trace in traces for _, power_w in trace]
    mean_w = _mean_w(traces)
    mean = f"mean {to_text(mean_w, 'W')}"
    lowest, highest = (to_text(end_w, "W", digits=3) for end_w in (min(powers_w), max(powers_w)))
    return Chart(
        title=f"Power over time, {cells.printable(name)}",
        caption=(f"{mean}; steps from {lowest} to {highest}", *_of_the_windows(rounds)),
        x=linear_axis(
            [max(trace[-1][0] for trace in traces)], label="seconds since the window opened", has_zero=True
        ),
        y=linear_axis(
            [*powers_w, mean_w], has_zero=True, text=lambda power_w: to_text(power_w, "W", digits=3)
        ),
        layers=(
            *_lines(traces),
            Rule(
                at=mean_w,
                colour="ink",
                dash="dashed",
                key=f"{mean}, between the first and the last tick of each window",
            ),
        ),
    )


def _lines(traces: Sequence[Steps]) -> list[Line]:
    """Each trace through the middles of its steps; very many are thinned out, and counted."""
    drawn = _spread(traces)
    count = count_text(len(traces), "round")
    if len(drawn) < len(traces):
        count = f"{len(drawn)} of {count}"
    key = f"{count}{', one over the other' if len(drawn) > 1 else ''}: mean power from tick to tick"
    return [
        Line(
            points=_through_middles(trace),
            colour="first",
            is_thin=len(drawn) > 1,
            key="" if number else key,
        )
        for number, trace in enumerate(drawn)
    ]


def _through_middles(trace: Steps) -> Steps:
    """Both ends, and the middle of each step; the last pair of a trace only ends the last step."""
    middles = [((from_s + until_s) / 2, power_w) for (from_s, power_w), (until_s, _) in pairwise(trace)]
    return (trace[0], *middles, trace[-1])


def _spread(traces: Sequence[Steps]) -> list[Steps]:
    """At most `MOST_LINES` of *traces*, the first and the last among them."""
    if len(traces) <= MOST_LINES:
        return list(traces)
    return [traces[number * (len(traces) - 1) // (MOST_LINES - 1)] for number in range(MOST_LINES)]


def _mean_w(traces: Sequence[Steps]) -> float:
    """Joules of all steps over their seconds."""
    joules = math.fsum(
        power_w * (until_s - from_s)
        for trace in traces
        for (from_s, power_w), (until_s, _) in pairwise(trace)
    )
    return joules / math.fsum(trace[-1][0] - trace[0][0] for trace in traces)


def _of_the_windows(rounds: Sequence[Reading]) -> list[str]:
    """That a window held more than what a round's joules are of."""
    counts = {reading.call_count for reading in rounds}
    return [] if counts == {1} else [f"of whole windows, each of {range_text(counts)} calls"]


# ---- what is not drawn ----


def why_not_drawn(record: Record) -> str | None:
    """Which measured channels have no power over time, and why, in one line; `None` if all have."""
    if record.provenance is not Provenance.MEASURED or not record.is_measured:
        return None
    rounds = record.usable_rounds
    names = dict.fromkeys(name for reading in rounds for name in reading.channels)
    by_reason: dict[str, list[str]] = {}
    for name in names:
        if not any(name in reading.power_trace for reading in rounds):
            by_reason.setdefault(_why_none(name, record), []).append(cells.printable(name))
    if not by_reason:
        return None
    reasons = (f"{', '.join(names)} ({because})" for because, names in by_reason.items())
    return f"no power over time of {'; '.join(reasons)}"


def _why_none(name: str, record: Record) -> str:
    sensor = next((sensor for sensor in record.sensors if name in sensor.channels), None)
    tick_s = None if sensor is None else sensor.tick_s
    if tick_s is None:
        return "read only at the edges of a window" if sensor is not None else _NOT_HELD
    longest_s = max(reading.duration_s * reading.call_count for reading in record.usable_rounds)
    if longest_s < _FEWEST_TICKS * tick_s:
        return f"a window is shorter than two ticks of {to_text(tick_s, 's', digits=3)}"
    return _NOT_HELD
