"""A group's metrics against joules a sample: one small chart a metric, with the correlation of the report.

Rule 1: the numbers in a chart's caption are the cells of the report's table.
"""

from pytest_energy.report import cells, rates
from pytest_energy.report.charts.axes import axis_of
from pytest_energy.report.charts.spec import Chart, Marks, Sheet
from pytest_energy.report.text import heading, joules_label, listed, short
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, ModelRow, View

_COLUMNS = 3
_CHART_IN = (3.7, 2.6)
_LEAST_POINT_COUNT = 2  # one point shows no connection
_SAME = "energy_per_sample"  # the paper's name for what every metric is held against
_JOULES_OF = {rates.GROUP: "request"}


def charts(group: Group) -> tuple[Chart, ...]:
    """A chart for each metric that two models have, beside their joules."""
    return tuple(_chart(group, metric) for metric in _drawn(group))


def _drawn(group: Group) -> list[MetricCorrelation]:
    return [
        metric
        for metric in group.correlations
        if metric.metric != _SAME and len(_points(group, metric.metric)) >= _LEAST_POINT_COUNT
    ]


def _points(group: Group, name: str) -> list[tuple[ModelRow, tuple[float, float]]]:
    """(metric, joules a sample) of each model that has both."""
    return [
        (row, (value, row.energy_per_sample_j))
        for row in group.rows
        if (value := row.metrics[name]) is not None and row.energy_per_sample_j is not None
    ]


def _chart(group: Group, metric: MetricCorrelation) -> Chart:
    name, unit = metric.metric, group.units.get(metric.metric, "1")
    label = short(name if unit == "1" else f"{name} ({unit})")
    models = _points(group, name)
    points = tuple(point for _, point in models)
    titles = (
        f"{short(row.model)}: {label} {cells.plain(value)}, "
        f"{cells.energy_per_sample(group.provenance, energy_j)}"
        for row, (value, energy_j) in models
    )
    joules = joules_label(group.provenance, _JOULES_OF.get(group.name, "sample"))
    return Chart(
        title=short(name),
        caption=caption_of(group, metric),
        x=axis_of([value for value, _ in points], label=label),
        y=axis_of([energy_j for _, energy_j in points], "J", label=joules),
        layers=(Marks(points=points, form="circle", colour="first", titles=tuple(titles)),),
        names=tuple((point, short(row.model)) for row, point in models),
    )


def caption_of(group: Group, metric: MetricCorrelation) -> tuple[str, ...]:
    """Such as `rho +0.406, n = 10, p = 0.245, 95 % [-0.40, +0.89]`, and a line with the paper's values."""
    columns = [name for name in cells.hardware(group) if name in metric.paper]
    rho, count, p_value, interval, *paper = cells.correlation(metric, columns)
    is_below = p_value.startswith("<")
    parts = [
        "no rho" if rho == cells.ABSENT else f"rho {rho}",
        f"n = {count}",
        *([] if p_value == cells.ABSENT else [f"p < {p_value[1:]}" if is_below else f"p = {p_value}"]),
        *([] if interval == cells.ABSENT else [f"95 % {interval}"]),
    ]
    values = ", ".join(f"{value} {name}" for name, value in zip(columns, paper, strict=True))
    if not cells.hardware(group):
        return (", ".join(parts),)  # the paper has no such group
    return ", ".join(parts), f"paper: {values}" if paper else "no value in the paper"


def notes(group: Group) -> tuple[str, ...]:
    """What isn't in the panels, and what limits the correlations."""
    drawn = {metric.metric for metric in _drawn(group)}
    ranked = [metric.metric for metric in group.correlations]
    empty = [metric for metric in ranked if metric not in drawn and metric != _SAME]
    without = [row.model for row in group.rows if row.energy_per_sample_j is None]
    absent = [
        cells.printable(f"{name} is absent in places: {'; '.join(reasons)}.")
        for name, reasons in group.absent.items()
        if name in drawn or name == AGAINST
    ]
    lines = [f"Left out, values of fewer than two models: {_with_reasons(group, empty)}."] if empty else []
    lines += [f"Without joules, so without a point: {listed(without)}."] if without else []
    lines += [f"{_SAME} has no panel: it is what stands on every upright axis."] if _SAME in ranked else []
    what = (
        "Spearman's rho with joules a sample, two-sided p, 95 % bootstrap interval; "
        "each point is one model in one configuration."
    )
    return (what, *lines, *absent, *(f"{note}." for note in cells.correlation_notes(group)))


def _with_reasons(group: Group, metrics: list[str]) -> str:
    reasons = (
        f"{metric} ({'; '.join(group.absent[metric])})" if metric in group.absent else metric
        for metric in metrics
    )
    return cells.printable(", ".join(reasons))


def sheet(run: View, group: Group) -> Sheet:
    """The charts of *group*, which has one at least, as a page."""
    of_group = (group.name, group.provenance, group.machine_key)
    members = [
        judgement
        for judgement in run.judgements
        if (judgement.record.group, judgement.record.provenance, judgement.record.machine.key) == of_group
    ]
    drawn = charts(group)
    columns = min(_COLUMNS, len(drawn))
    width_in, height_in = _CHART_IN
    return Sheet(
        title=f"{short(group.name)}: energy against each metric",
        heading=heading(members),
        charts=drawn,
        notes=(*notes(group), "A name with no room beside its point is left out."),
        columns=columns,
        width_in=max(7.0, columns * width_in),
        height_in=height_in,
    )
