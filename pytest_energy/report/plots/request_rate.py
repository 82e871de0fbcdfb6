"""Joules a request over the request rate of one model, with the constants of its fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_energy.report.plots.canvas import Head, Theme, page, scale, steps_of_two
from pytest_energy.report.rates import RatePoint, RateSeries, fit
from pytest_energy.report.text import INTERVAL_NOTE, heading, joules_label, short, tick, with_error
from pytest_energy.stats.rate_fit import RateFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CURVE_POINTS = 100  # enough for a smooth line
_NUMBERS = 22  # of three digits that fit side by side on the page's width


def draw(series: RateSeries, theme: Theme) -> "Figure":
    """The figure of *series*, which has a measured rate at least."""
    found = fit(series)
    head = Head(
        title=f"{short(series.model)}: energy of a request over the request rate",
        heading=heading(series.machine, series.judgements),
        notes=notes(series, found),
    )
    figure = page(head, width_in=7.5, body_in=4.4, theme=theme)
    axes = figure.subplots()
    kept = series.fitted_points
    saturated = tuple(point for point in series.points if point.saturated_because is not None)
    label = joules_label(series.provenance, "request")
    _draw_points(axes, kept, colour=theme.first, mark="o", fill=theme.first, label=label)
    _draw_points(
        axes, saturated, colour=theme.second, mark="s", fill="none", label="saturated: not in the fit"
    )
    if isinstance(found, RateFit):
        _draw_fit(axes, found, [point.rate for point in kept], theme)
    rates = [point.rate for point in series.points]
    axes.margins(0.08, 0.12)
    steps_of_two(axes, rates, room=_NUMBERS)
    scale(axes.yaxis, [point.energy_per_request_j for point in series.points], unit="J", is_log=True)
    axes.set_xlabel("request rate (requests/s)")
    axes.set_ylabel(label)
    for point in saturated:
        axes.annotate(
            "saturated",
            (point.rate, point.interval_j[1]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color=theme.ink,
        )
    axes.legend(loc="upper right")
    return figure


def notes(series: RateSeries, found: RateFit | str) -> tuple[str, ...]:
    """What the figure says, in words."""
    told = []
    if isinstance(found, str):
        told.append(f"No fit: {found}.")
    else:
        told.append(
            f"Fit: J/request = P_static / rate + E_dynamic over {found.rate_count} points, weighted by their "
            "uncertainties; \N{PLUS-MINUS SIGN} is one standard error"
            + (
                f", times {found.scatter_ratio:.2g} for the scatter that their uncertainties don't explain."
                if found.scatter_ratio > 1
                else "."
            )
        )
        if found.static_power_w < 0 or found.dynamic_energy_j < 0:
            told.append("A constant below 0 has no meaning: these rates don't follow the model.")
    saturated = [point for point in series.points if point.saturated_because is not None]
    told += [
        f"Saturated at {tick(point.rate)}/s: {short(point.saturated_because or '')}." for point in saturated
    ]
    if not saturated:
        told.append("No rate is recorded as saturated.")
    told += [f"Without joules: {short(name)} ({short(because)})." for name, because in series.lost]
    return (*told, f"{INTERVAL_NOTE}.")


def _draw_points(
    axes: "Axes", points: Sequence[RatePoint], *, colour: str, mark: str, fill: str, label: str
) -> None:
    if points:
        axes.errorbar(
            [point.rate for point in points],
            [point.energy_per_request_j for point in points],
            yerr=(
                [point.energy_per_request_j - point.interval_j[0] for point in points],
                [point.interval_j[1] - point.energy_per_request_j for point in points],
            ),
            fmt=mark,
            color=colour,
            mfc=fill,
            mew=1.5,
            ms=7,
            capsize=3,
            label=label,
            zorder=3,
        )


def _draw_fit(axes: "Axes", found: RateFit, rates: Sequence[float], theme: Theme) -> None:
    """The curve over the rates that it is of, without those where it is no energy."""
    lowest, highest = min(rates), max(rates)
    step = (highest / lowest) ** (1 / (_CURVE_POINTS - 1))
    curve = [lowest * step**number for number in range(_CURVE_POINTS)]
    curve = [rate for rate in curve if found.energy_j(rate) > 0]
    power = with_error(found.static_power_w, found.static_power_uncertainty_w, "W")
    energy = with_error(found.dynamic_energy_j, found.dynamic_energy_uncertainty_j, "J")
    axes.plot(
        curve,
        [found.energy_j(rate) for rate in curve],
        "--",
        color=theme.ink,
        lw=1.2,
        label=f"fit: P_static / rate + E_dynamic\nP_static = {power}\nE_dynamic = {energy}",
    )
