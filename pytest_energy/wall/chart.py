"""Both series over time, and the meter over the counters. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from pytest_energy.errors import Absent
from pytest_energy.report.charts.axes import linear_axis
from pytest_energy.report.charts.spec import Chart, Layer, Line, Marks, Sheet
from pytest_energy.wall.comparison import WallComparison, moment
from pytest_energy.wall.text import heading, notes

MOST_ROWS = 4000
"""That are drawn: more than a page has pixels."""


def sheet(found: WallComparison, meter_name: str) -> Sheet:
    """The figure: the rows of the meter and the power of the windows, by the line if that is known."""
    charts = [_over_time(found)]
    if found.windows:
        charts.append(_over_power(found))
    return Sheet(
        title="Power at the meter and of the counters",
        heading=heading(found, meter_name),
        charts=tuple(charts),
        notes=tuple(notes(found)),
    )


def _over_time(found: WallComparison) -> Chart:
    zero_s = found.power.windows[0].known.start_s
    rows = [(time_s - zero_s, power_w) for time_s, power_w in _drawn_rows(found)]
    lines = [*_window_lines(found, zero_s)]
    points = [*rows, *(point for line in lines for point in line.points)]
    return Chart(
        title="Power over time",
        x=linear_axis([time_s for time_s, _ in points], label=f"seconds since {moment(zero_s)}"),
        y=linear_axis(
            [power_w for _, power_w in points], label="power (W)", has_zero=min(w for _, w in points) >= 0
        ),
        layers=(Line(points=tuple(rows), colour="ink", is_thin=True, key="rows of the meter"), *lines),
    )


def _drawn_rows(found: WallComparison) -> list[tuple[float, float]]:
    """The rows beside the windows, each at the middle of its span; every n-th if they are too many."""
    rows, windows = found.series.rows, found.power.windows
    margin_s = 10 * found.series.span_s
    first_s, last_s = windows[0].known.start_s - margin_s, windows[-1].known.stop_s + margin_s
    places = (rows.stop_s >= first_s) & (rows.stop_s <= last_s)
    times_s, powers_w = (rows.stop_s - rows.span_s / 2)[places], rows.power_w[places]
    every = -(-len(times_s) // MOST_ROWS) or 1
    return [*zip(times_s[::every].tolist(), powers_w[::every].tolist(), strict=True)]


def _window_lines(found: WallComparison, zero_s: float) -> Iterator[Line]:
    """The steps of each window: at the meter, moved by the lag; or as they are if the line is not known."""
    gain, lag = found.line.gain, found.line.lag_s
    is_known = not isinstance(gain, Absent)
    lag_s = 0.0 if isinstance(lag, Absent) or not is_known else lag.value
    key = "counters by gain, offset and lag" if is_known else "counters"
    for place, window in enumerate(found.power.windows):
        steps = [
            (time_s + lag_s - zero_s, found.line_w(power_w) or power_w)
            for time_s, power_w in window.known.steps
        ]
        stairs = [
            (time_s, power_w)
            for (_, before_w), (time_s, after_w) in pairwise(steps)
            for power_w in (before_w, after_w)
        ]
        yield Line(points=(steps[0], *stairs), colour="first", key="" if place else key)


def _over_power(found: WallComparison) -> Chart:
    """A mark for each window, and the line."""
    points = [(one.power_w, one.meter_power_w) for one in found.windows]
    ends_w = [min(x for x, _ in points), max(x for x, _ in points)]
    line = [(power_w, line_w) for power_w in ends_w if (line_w := found.line_w(power_w)) is not None]
    layers: list[Layer] = [
        Marks(
            points=tuple(points),
            form="circle",
            colour="first",
            key="a window, its rows that lie wholly in it",
        )
    ]
    if len(line) > 1:
        layers.append(Line(points=tuple(line), colour="ink", dash="dashed", key="offset + gain x counters"))
    return Chart(
        title="Meter over counters",
        x=linear_axis(ends_w, label="power of the counters (W)"),
        y=linear_axis([y for _, y in (*points, *line)], label="power at the meter (W)"),
        layers=tuple(layers),
    )
