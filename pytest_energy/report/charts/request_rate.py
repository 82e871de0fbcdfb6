"""Energy per request over the request rate of one model, with the constants of its fit.

Rule 1: what is saturated, fitted or left out is judged by `report.rates`: here it is only shown.
"""

from collections.abc import Iterable
from dataclasses import replace

from pytest_energy.report.cells import energy_per_sample
from pytest_energy.report.charts.axes import axis_of, doubling_axis
from pytest_energy.report.charts.spec import Axis, Chart, Layer, Line, Marks, Sheet
from pytest_energy.report.rates import RateSeries, fit
from pytest_energy.report.text import INTERVAL_NOTE, heading, joules_label, sentence, short, tick, with_error
from pytest_energy.stats.rate_fit import RateFit

_CLEAR = 2.0  # standard errors above 0
_CURVE_POINTS = 60  # enough for a smooth line
_MOST_LINEAR = 3.0  # between the ends of an axis: with less a logarithmic one has too few numbers


def chart(series: RateSeries, fitted: RateFit | str) -> Chart:
    """The chart of *series*, which has a measured rate at least."""
    label = joules_label(series.provenance, "request")
    ends_j = [end_j for point in series.points for end_j in point.interval_j]
    y = axis_of(ends_j, "J", label=label, most_linear=_MOST_LINEAR)
    return Chart(
        title="Energy per request",
        x=doubling_axis([point.rate for point in series.points], label="request rate (requests/s)"),
        y=y,
        layers=(*_fit(series, fitted, y), *_points(series, label)),
    )


def _points(series: RateSeries, label: str) -> Iterable[Layer]:
    """Circles for the rates that the fit is of, squares for saturated ones."""
    circles = Marks(points=(), form="circle", colour="first", key=f"{label}, 95 % interval")
    squares = Marks(
        points=(),
        form="square",
        colour="second",
        is_hollow=True,
        word="saturated",
        key="saturated: not in the fit",
    )
    for style, points in ((circles, series.fitted_points), (squares, series.saturated_points)):
        if points:
            yield replace(
                style,
                points=tuple((point.rate, point.energy_j) for point in points),
                bars=tuple(point.interval_j for point in points),
                titles=tuple(
                    f"{tick(point.rate)}/s: {energy_per_sample(series.provenance, point.energy_j)}"
                    for point in points
                ),
            )


def _fit(series: RateSeries, fitted: RateFit | str, y: Axis) -> Iterable[Layer]:
    """The curve over the rates that it is of, without what lies outside the chart."""
    if isinstance(fitted, str):
        return
    rates = [point.rate for point in series.fitted_points]
    step = (max(rates) / min(rates)) ** (1 / (_CURVE_POINTS - 1))
    curve = ((rate, fitted.energy_j(rate)) for rate in (min(rates) * step**n for n in range(_CURVE_POINTS)))
    power = with_error(fitted.static_power_w, fitted.static_power_uncertainty_w, "W")
    energy = with_error(fitted.dynamic_energy_j, fitted.dynamic_energy_uncertainty_j, "J")
    yield Line(
        points=tuple(point for point in curve if y.lower <= point[1] <= y.upper),
        colour="ink",
        dash="dashed",
        key=f"fit: P_static {power}, E_dynamic {energy}",
    )


def sheet(series: RateSeries) -> Sheet:
    """The chart as a page."""
    fitted = fit(series)
    return Sheet(
        title=f"{short(series.model)}: energy per request over the request rate",
        heading=heading(series.judgements),
        charts=(chart(series, fitted),),
        notes=notes(series, fitted),
    )


def notes(series: RateSeries, fitted: RateFit | str) -> tuple[str, ...]:
    """What the figure says, in words."""
    lines = []
    if isinstance(fitted, str):
        lines.append(f"No fit: {fitted}.")
    else:
        scatter = f", times {fitted.scatter_ratio:.2g} because the points scatter more than that"
        lines.append(
            f"Fit: energy per request = P_static / rate + E_dynamic over {fitted.rate_count} points, "
            "weighted by their uncertainties; \N{PLUS-MINUS SIGN} is one standard error"
            f"{scatter if fitted.scatter_ratio > 1 else ''}."
        )
        if fitted.static_power_w < 0 or fitted.dynamic_energy_j < 0:
            lines.append("A constant below 0 has no meaning: these rates don't follow the model.")
        elif fitted.static_power_w < _CLEAR * fitted.static_power_uncertainty_w:
            lines.append(
                "P_static is not clearly above 0: requests share no fixed cost, so a higher rate saves none."
            )
    lines += [
        f"Saturated at {tick(point.rate)}/s: {sentence(point.saturated_because or '')}."
        for point in series.saturated_points
    ] or ["No rate is recorded as saturated."]
    lines += [f"Without joules: {short(name)} ({sentence(because)})." for name, because in series.lost]
    return (*lines, f"{INTERVAL_NOTE}.")
