"""The charts of a run: metrics against joules, joules over the batch size and over the request rate. Pure.

Rule 1: what is best, tied, saturated, fitted or left out is said by `report.batch` and `report.rates`, in the
    words of `report.plots`: here it is only drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_energy.report import batch, rates
from pytest_energy.report.batch import Sweep
from pytest_energy.report.cells import energy_per_sample, plain
from pytest_energy.report.html.axis import axis_of, doubling_axis, linear_axis, log_axis
from pytest_energy.report.html.figure import Figure, Frame, Key, Shape, cloud, key, mark
from pytest_energy.report.plots import batch_size, correlation, request_rate
from pytest_energy.report.plots.correlation import Panel
from pytest_energy.report.rates import RatePoint, RateSeries
from pytest_energy.report.text import joules_label, short, tick, with_error
from pytest_energy.report.view import Group, View
from pytest_energy.stats.rate_fit import RateFit

_NUMBERS = 11  # of three digits that fit side by side
_CURVE_POINTS = 60  # enough for a smooth line
_SPEED_HEIGHT = 190.0
_LEAST_LOG_RATIO = 3.0  # between the ends of an axis: with less a logarithmic one has too few numbers
_LOST_SHARE = 0.04  # height of the crosses over the foot of a chart
_JOULES_OF = {rates.GROUP: "request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The charts of one model, and what must be said of them."""

    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


# ---- metrics against joules ----


def scatters(group: Group) -> tuple[Figure, ...]:
    """A chart for each metric that two models have, beside their joules."""
    label = joules_label(group.provenance, _JOULES_OF.get(group.name, "sample"))
    return tuple(_scatter(group, panel, label) for panel in correlation.panels(group))


def _scatter(group: Group, panel: Panel, label: str) -> Figure:
    frame = Frame(x=axis_of([x for x, _ in panel.points]), y=axis_of([y for _, y in panel.points], "J"))
    titles = [
        f"{name}: {panel.label} {plain(value)}, {energy_per_sample(group.provenance, energy_j)}"
        for name, (value, energy_j) in zip(panel.names, panel.points, strict=True)
    ]
    shapes = [
        *frame.axes(panel.label, label),
        *cloud(frame, panel.points, titles),
        *frame.named(panel.points, panel.names),
    ]
    return Figure(title=short(panel.metric), subtitle=tuple(panel.title.splitlines()), shapes=tuple(shapes))


# ---- batch sizes ----


def batch_curves(run: View) -> tuple[Curves, ...]:
    """Each model's sweep over the batch size, if it has a size with joules."""
    return tuple(_batch_curves(sweep) for sweep in batch.sweeps(run) if sweep.sizes)


def _batch_curves(sweep: Sweep) -> Curves:
    return Curves(
        title=short(sweep.model),
        figures=(_batch_energy(sweep), _batch_speed(sweep)),
        notes=batch_size.notes(sweep),
    )


def _all_sizes(sweep: Sweep) -> list[float]:
    lost = [size.batch_size for size in sweep.lost if size.batch_size is not None]
    return [float(size) for size in (*(size.batch_size for size in sweep.sizes), *lost, *sweep.missing)]


def _batch_energy(sweep: Sweep) -> Figure:
    sizes, label = sweep.sizes, joules_label(sweep.provenance, "sample")
    first, tied = batch.best(sizes), batch.ties(sizes)
    ends_j = [energy_j for size in sizes for energy_j in size.interval_j]
    frame = Frame(x=doubling_axis(_all_sizes(sweep), room=_NUMBERS), y=axis_of(ends_j, "J"))
    points = [(size.batch_size, size.energy_per_sample_j) for size in sizes]
    shapes = [*frame.axes("batch size", label), *_saturation(frame, sweep), frame.curve(points, "first")]
    keys = [
        key("circle", "first", f"{label}, 95 % interval"),
        key("star", "second", f"best: {first.batch_size}"),
    ]
    for size in sizes:
        told = f"{size.batch_size}: {energy_per_sample(sweep.provenance, size.energy_per_sample_j)}"
        place = frame.at(size.batch_size, size.energy_per_sample_j)
        shapes.append(frame.bar(size.batch_size, *size.interval_j, "first"))
        if size is first:
            shapes.append(mark("star", place, "second", f"{told}, the best"))
            continue
        shapes.append(mark("circle", place, "first", told))
        if size.batch_size in tied:
            shapes.append(mark("diamond", place, "second hollow", f"{told}, can't be told from the best"))
    if tied:
        keys.append(key("diamond", "second hollow", f"can't be told from it: {_listed(tied)}"))
    lost_shapes, lost_keys = _lost(frame, sweep)
    return Figure(
        title="Energy",
        shapes=(*shapes, *lost_shapes),
        keys=(*keys, *_saturation_key(sweep), *lost_keys),
    )


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))


def _batch_speed(sweep: Sweep) -> Figure:
    sizes = sweep.sizes
    ends = [speed for size in sizes for speed in size.samples_per_s_range]
    frame = Frame(
        x=doubling_axis(_all_sizes(sweep), room=_NUMBERS),
        y=axis_of(ends),
        height=_SPEED_HEIGHT,
    )
    points = [(size.batch_size, size.samples_per_s) for size in sizes]
    shapes = [
        *frame.axes("batch size", "samples/s"),
        *_saturation(frame, sweep),
        frame.curve(points, "third"),
    ]
    for size, point in zip(sizes, points, strict=True):
        shapes.append(frame.bar(size.batch_size, *size.samples_per_s_range, "third"))
        shapes.append(
            mark("square", frame.at(*point), "third", f"{size.batch_size}: {plain(point[1])} samples/s")
        )
    return Figure(
        title="Speed",
        shapes=tuple(shapes),
        keys=(key("square", "third", "samples/s, slowest to fastest round"),),
        height=_SPEED_HEIGHT,
    )


def _saturation(frame: Frame, sweep: Sweep) -> list[Shape]:
    saturated = batch.saturation(sweep.sizes)
    return [] if saturated is None else [frame.upright(saturated, "dashed")]


def _saturation_key(sweep: Sweep) -> list[Key]:
    saturated = batch.saturation(sweep.sizes)
    return [] if saturated is None else [key("line", "dashed", f"saturated past {saturated}")]


def _lost(frame: Frame, sweep: Sweep) -> tuple[list[Shape], list[Key]]:
    """A cross at the foot for each size without joules, by why."""
    told = [
        (size.batch_size, "out of memory" if size.is_out_of_memory else "without joules")
        for size in sweep.lost
        if size.batch_size is not None
    ]
    told += [(size, "no record") for size in sweep.missing]
    foot = frame.foot - _LOST_SHARE * frame.height
    shapes = [mark("cross", (frame.x_at(size), foot), "ink", f"{size}: {why}") for size, why in told]
    if not told:
        return [], []
    by_why = {why: _listed(size for size, other in told if other == why) for _, why in told}
    text = "; ".join(f"{why}: {sizes}" for why, sizes in by_why.items())
    return shapes, [key("cross", "ink", text)]


# ---- request rates ----


def rate_curves(run: View) -> tuple[Curves, ...]:
    """Each model's joules over the request rate, if it has a rate with joules."""
    return tuple(_rate_curves(series) for series in rates.rate_series(run) if series.points)


def _rate_curves(series: RateSeries) -> Curves:
    found = rates.fit(series)
    label = joules_label(series.provenance, "request")
    ends_j = [end_j for point in series.points for end_j in point.interval_j]
    is_log = min(ends_j) > 0 and max(ends_j) > _LEAST_LOG_RATIO * min(ends_j)
    frame = Frame(
        x=doubling_axis([point.rate for point in series.points], room=_NUMBERS),
        y=log_axis(ends_j, "J") if is_log else linear_axis(ends_j, "J"),
    )
    shapes, keys = frame.axes("request rate (requests/s)", label), []
    for is_saturated, form, kind, text in (
        (False, "circle", "first", f"{label}, 95 % interval"),
        (True, "square", "second hollow", "saturated: not in the fit"),
    ):
        points = [point for point in series.points if (point.saturated_because is not None) is is_saturated]
        shapes += _rate_marks(frame, series, points, form, kind)
        keys += [key(form, kind, text)] if points else []
    if isinstance(found, RateFit):
        curve = _fit_curve(frame, found, [point.rate for point in series.fitted_points])
        shapes += [frame.curve(curve, "dashed")] if curve else []
        keys += [key("line", "dashed", _fit_text(found))]
    figure = Figure(title="Energy of a request", shapes=tuple(shapes), keys=tuple(keys))
    return Curves(title=short(series.model), figures=(figure,), notes=request_rate.notes(series, found))


def _rate_marks(
    frame: Frame, series: RateSeries, points: Sequence[RatePoint], form: str, kind: str
) -> list[Shape]:
    shapes = []
    for point in points:
        told = f"{tick(point.rate)}/s: {energy_per_sample(series.provenance, point.energy_per_request_j)}"
        shapes.append(frame.bar(point.rate, *point.interval_j, kind))
        shapes.append(mark(form, frame.at(point.rate, point.energy_per_request_j), kind, told))
    return shapes


def _fit_curve(frame: Frame, found: RateFit, fitted: Sequence[float]) -> list[tuple[float, float]]:
    """Over the rates that it is of, without what lies outside the chart."""
    lowest, highest = min(fitted), max(fitted)
    step = (highest / lowest) ** (1 / (_CURVE_POINTS - 1))
    points = [(rate, found.energy_j(rate)) for rate in (lowest * step**n for n in range(_CURVE_POINTS))]
    return [point for point in points if frame.y.lower <= point[1] <= frame.y.upper]


def _fit_text(found: RateFit) -> str:
    power = with_error(found.static_power_w, found.static_power_uncertainty_w, "W")
    energy = with_error(found.dynamic_energy_j, found.dynamic_energy_uncertainty_j, "J")
    return f"fit: P_static {power}, E_dynamic {energy}"
