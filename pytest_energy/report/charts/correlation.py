"""A group's metrics against energy per sample: one small chart per metric, with the report's correlation.

Rule 1: the numbers in a chart's caption are the cells of the report's table.
"""

from dataclasses import dataclass, replace

from pytest_energy.metrics.table import axis_label
from pytest_energy.report import cells, rates
from pytest_energy.report.charts.axes import axis_of
from pytest_energy.report.charts.spec import Chart, Marks, Sheet
from pytest_energy.report.text import heading, joules_label, listed, sentence, short
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, ModelRow, View

_COLUMNS = 3
_CHART_IN = (3.7, 2.6)
_LEAST_POINT_COUNT = 2  # one point shows no connection
_SAME = "energy_per_sample"  # the paper's name for what every metric is compared with
_JOULES_OF = {rates.GROUP: "request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which charts a reader wants.

    Attributes:
        metrics: Of these alone; of all where it is empty.
        has_paper: With the paper's values above the chart of a metric that it has.
    """

    metrics: tuple[str, ...] = ()
    has_paper: bool = True

    def __contains__(self, metric: str) -> bool:
        return not self.metrics or metric in self.metrics


ALL = Choice()


def charts(group: Group, choice: Choice = ALL) -> tuple[Chart, ...]:
    """A chart for each metric of *choice* that two models have, beside their joules."""
    drawn = (_chart(group, metric) for metric in _drawn(group, choice))
    return tuple(drawn if choice.has_paper else (replace(one, caption=one.caption[:1]) for one in drawn))


def _drawn(group: Group, choice: Choice) -> list[MetricCorrelation]:
    return [
        metric
        for metric in group.correlations
        if metric.metric != _SAME
        and metric.metric in choice
        and len(_points(group, metric.metric)) >= _LEAST_POINT_COUNT
    ]


def _points(group: Group, name: str) -> list[tuple[ModelRow, tuple[float, float]]]:
    """(metric, joules per sample) of each model that has both."""
    return [
        (row, (value, row.energy_per_sample_j))
        for row in group.rows
        if (value := row.metrics[name]) is not None and row.energy_per_sample_j is not None
    ]


def _chart(group: Group, metric: MetricCorrelation) -> Chart:
    label = short(axis_label(metric.metric))
    models = _points(group, metric.metric)
    points = tuple(point for _, point in models)
    titles = (
        f"{short(row.label)}: {label} {cells.plain(value)}, "
        f"{cells.energy_per_sample(group.provenance, energy_j)}"
        for row, (value, energy_j) in models
    )
    joules = joules_label(group.provenance, _JOULES_OF.get(group.name, "sample"))
    return Chart(
        title=label,
        caption=caption_of(group, metric),
        x=axis_of([value for value, _ in points], label=label),
        y=axis_of([energy_j for _, energy_j in points], "J", label=joules),
        layers=(Marks(points=points, form="circle", colour="first", titles=tuple(titles)),),
        names=tuple((point, short(row.label)) for row, point in models),
    )


def caption_of(group: Group, metric: MetricCorrelation) -> tuple[str, ...]:
    """Such as `rho +0.406, n = 10, p = 0.245, 95 % [-0.40, +0.89]`, and the paper's values, if any."""
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
    return (", ".join(parts), f"paper: {values}") if paper else (", ".join(parts),)


def notes(group: Group, choice: Choice = ALL) -> tuple[str, ...]:
    """What isn't in the panels, and what limits the correlations."""
    drawn = {metric.metric for metric in _drawn(group, choice)}
    ranked = [metric.metric for metric in group.correlations if metric.metric in choice]
    empty = [metric for metric in ranked if metric not in drawn and metric != _SAME]
    without = [row.label for row in group.rows if row.energy_per_sample_j is None]
    absent = [
        f"{_name(name)} is missing for some models: {sentence('; '.join(reasons))}."
        for name, reasons in group.absent.items()
        if name in drawn or name == AGAINST
    ]
    lines = [f"Left out, values of fewer than two models: {_with_reasons(group, empty)}."] if empty else []
    lines += [f"Without joules, so without a point: {listed(without)}."] if without else []
    what = (
        "Spearman's rho with energy per sample, two-sided p, 95 % bootstrap interval; "
        "each point is one model in one configuration."
    )
    limits = (f"{sentence(note)}." for note in cells.correlation_notes(group))
    return (what, *lines, *absent, *(() if choice.metrics else limits))


def _with_reasons(group: Group, metrics: list[str]) -> str:
    reasons = {metric: sentence("; ".join(group.absent.get(metric, ()))) for metric in metrics}
    return ", ".join(f"{_name(metric)} ({why})" if why else _name(metric) for metric, why in reasons.items())


def _name(metric: str) -> str:
    """The metric in words, without its unit."""
    return short(axis_label(metric).partition(" (")[0])


def sheet(run: View, group: Group, choice: Choice = ALL) -> Sheet:
    """The charts of *group* that *choice* has, one at least, as a page."""
    of_group = (group.name, group.provenance, group.machine_key)
    members = [
        judgement
        for judgement in run.judgements
        if (judgement.record.group, judgement.record.provenance, judgement.record.machine.key) == of_group
    ]
    drawn = charts(group, choice)
    columns = min(_COLUMNS, len(drawn))
    titles = [one.title.partition(" (")[0] for one in drawn]
    width_in, height_in = _CHART_IN
    return Sheet(
        title=f"{short(group.name)}: energy against {listed(titles) if choice.metrics else 'each metric'}",
        heading=heading(members),
        charts=drawn,
        notes=(*notes(group, choice), "A name with no room beside its point is left out."),
        columns=columns,
        width_in=max(7.0, columns * width_in),
        height_in=height_in,
    )
