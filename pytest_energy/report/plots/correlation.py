"""A group's metrics against joules a sample: one small panel a metric, with the correlation of the report.

Rule 1: the numbers in a panel's title are the cells of the report's table.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_energy.model import Judgement
from pytest_energy.report import cells
from pytest_energy.report.plots.canvas import (
    Head,
    Theme,
    page,
    scale,
    spans_decade,
    without_glyph_warnings,
)
from pytest_energy.report.plots.labels import label_points
from pytest_energy.report.text import heading, joules_label, listed, short
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_PANEL_IN = (3.7, 2.6)
_NAME_PT = 6.5
LEAST_POINT_COUNT = 2  # one point shows no connection
_SAME = "energy_per_sample"  # the paper's name for what every metric is held against
_JOULES_OF = {"requests": "request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One metric.

    Attributes:
        metric: Name.
        label: Of its axis, with the unit.
        title: Correlation, and the paper's beside it where it has one.
        points: (metric, joules a sample) of each model.
        names: Of the models, in the same order.
    """

    metric: str
    label: str
    title: str
    points: tuple[tuple[float, float], ...]
    names: tuple[str, ...]


def panels(group: Group) -> tuple[Panel, ...]:
    """A panel for each metric that two models have, beside their joules."""
    found = (_panel(group, correlation) for correlation in group.correlations if correlation.metric != _SAME)
    return tuple(panel for panel in found if len(panel.points) >= LEAST_POINT_COUNT)


def _panel(group: Group, found: MetricCorrelation) -> Panel:
    rows = [
        (row.model, value, row.energy_per_sample_j)
        for row in group.rows
        if (value := row.metrics[found.metric]) is not None and row.energy_per_sample_j is not None
    ]
    unit = group.units.get(found.metric, "1")
    return Panel(
        metric=found.metric,
        label=short(found.metric if unit == "1" else f"{found.metric} ({unit})"),
        title=title_of(group, found),
        points=tuple((value, energy_j) for _, value, energy_j in rows),
        names=tuple(short(model) for model, _, _ in rows),
    )


def title_of(group: Group, found: MetricCorrelation) -> str:
    """Such as `rho +0.406, n = 10, p = 0.245, 95 % [-0.40, +0.89]`, and a line with the paper's values."""
    columns = [name for name in cells.hardware(group) if name in found.paper]
    rho, count, p_value, interval, *paper = cells.correlation(found, columns)
    is_below = p_value.startswith("<")
    parts = [
        "no rho" if rho == cells.ABSENT else f"rho {rho}",
        f"n = {count}",
        *([] if p_value == cells.ABSENT else [f"p < {p_value[1:]}" if is_below else f"p = {p_value}"]),
        *([] if interval == cells.ABSENT else [f"95 % {interval}"]),
    ]
    values = ", ".join(f"{value} {name}" for name, value in zip(columns, paper, strict=True))
    if not cells.hardware(group):
        return ", ".join(parts)  # the paper has no such group
    return ", ".join(parts) + "\n" + (f"paper: {values}" if paper else "no value in the paper")


def notes(group: Group) -> tuple[str, ...]:
    """What isn't in the panels, and what limits the correlations."""
    drawn = {panel.metric for panel in panels(group)}
    ranked = [found.metric for found in group.correlations]
    empty = [metric for metric in ranked if metric not in drawn and metric != _SAME]
    without = [row.model for row in group.rows if row.energy_per_sample_j is None]
    absent = [
        cells.printable(f"{name} is absent in places: {'; '.join(reasons)}.")
        for name, reasons in group.absent.items()
        if name in drawn or name == AGAINST
    ]
    told = [f"Left out, values of fewer than two models: {_with_reasons(group, empty)}."] if empty else []
    told += [f"Without joules, so without a point: {listed(without)}."] if without else []
    told += [f"{_SAME} has no panel: it is what stands on every upright axis."] if _SAME in ranked else []
    what = (
        "Spearman's rho with joules a sample, two-sided p, 95 % bootstrap interval; "
        "each point is one model in one configuration."
    )
    return (what, *told, *absent, *(f"{note}." for note in cells.correlation_notes(group)))


def _with_reasons(group: Group, metrics: list[str]) -> str:
    told = (
        f"{metric} ({'; '.join(group.absent[metric])})" if metric in group.absent else metric
        for metric in metrics
    )
    return cells.printable(", ".join(told))


def judgements_of(run: View, group: Group) -> tuple[Judgement, ...]:
    """The tests that *group* is made of."""
    return tuple(
        judgement
        for judgement in run.judgements
        if (record := judgement.record).group == group.name
        and record.provenance is group.provenance
        and record.machine.key == group.machine_key
    )


def draw(run: View, group: Group, theme: Theme) -> "Figure":
    """The figure of *group*, which has a panel at least."""
    members, shown = judgements_of(run, group), panels(group)
    columns = min(_COLUMNS, len(shown))
    head = Head(
        title=f"{short(group.name)}: energy against each metric",
        heading=heading(members[0].record.machine, members),
        notes=(*notes(group), "A name with no room beside its point is left out."),
    )
    row_count = math.ceil(len(shown) / columns)
    width_in, height_in = _PANEL_IN
    figure = page(head, width_in=max(7.0, columns * width_in), body_in=row_count * height_in, theme=theme)
    grid = figure.subplots(row_count, columns, squeeze=False)
    all_axes = list(grid.flat)
    label = joules_label(group.provenance, _JOULES_OF.get(group.name, "sample"))
    for axes, panel in zip(all_axes, shown, strict=False):
        _draw_panel(axes, panel, label, theme)
    for axes in all_axes[len(shown) :]:
        axes.remove()
    with without_glyph_warnings():
        figure.draw_without_rendering()  # from here on the layout is final
    for axes, panel in zip(all_axes, shown, strict=False):
        label_points(axes, panel.points, panel.names, size_pt=_NAME_PT)
    return figure


def _draw_panel(axes: "Axes", panel: Panel, label: str, theme: Theme) -> None:
    values, energies_j = [x for x, _ in panel.points], [y for _, y in panel.points]
    axes.plot(values, energies_j, "o", color=theme.first, ms=4.5, mec=theme.paper, mew=0.5, zorder=3)
    axes.margins(0.12 if spans_decade(values) else 0.15, 0.12)
    scale(axes.xaxis, values)
    scale(axes.yaxis, energies_j, unit="J")
    axes.set_title(panel.title, loc="left", fontsize=7.5)
    axes.set_xlabel(panel.label)
    axes.set_ylabel(label)
