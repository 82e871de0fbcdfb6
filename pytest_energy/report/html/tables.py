"""The page's own tables: metrics, correlations as a heat map, sensors and machine. Pure.

Rule 1: a cell's text is that of every other report; a colour only repeats it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_energy.report import cells
from pytest_energy.report import footprint as footprints
from pytest_energy.report.charts import correlation
from pytest_energy.report.view import Group, MetricCorrelation, View

MOST_MODELS = 100
"""Rows of a metric table; what is beyond is counted, and is in the JSON."""

MOST_GROUPS = 12
"""Groups that are shown whole, with a chart for each of their metrics."""

_SHADES = 5  # of each sign: more can't be distinguished
_RHO_PLACE = 0  # of rho in the cells of a correlation, with n, p and interval behind it
_PAPER_PLACE = 4  # of the first of the paper's values

# Source: Sanchez-Mompo et al. 2025, the hardware configurations of `metrics.paper_rho.PAPER_RHO`.
_PAPER_HARDWARE = {"HC-1": "RTX 3080", "HC-2": "RTX 3090", "HC-3": "RTX A2000", "HC-4": "2 x H100"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell and its shade, `p0` to `p5` or `n1` to `n5`; empty for one that is no rho."""

    text: str
    shade: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Heads, rows whose first cell names them, and what is below.

    Attributes:
        spans: Titles over several heads each, with how many; empty if there are none.
    """

    heads: tuple[str, ...]
    spans: tuple[tuple[str, int], ...] = ()
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def metrics(group: Group) -> Table:
    """A row per model."""
    names = cells.metric_columns(group)
    heads = (f"{name}{cells.metric_unit(group, name, ' ({})')}" for name in names)
    rows = (
        [row.label, *(cells.metric(group, row, name) for name in names)] for row in group.rows[:MOST_MODELS]
    )
    notes = _absences(group)
    if len(group.rows) > MOST_MODELS:
        notes.append(f"{len(group.rows) - MOST_MODELS} more rows are in the run's JSON")
    return of_texts(["model", *heads], rows, notes)


def _absences(group: Group) -> list[str]:
    """Why some cells are empty: each reason once, with the columns that it is true of."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, reasons in group.absent.items():
        names.setdefault(reasons, []).append(name)
    return [
        cells.printable(f"{', '.join(those)} {cells.ABSENT}: {'; '.join(reasons)}")
        for reasons, those in names.items()
    ]


def of_texts(heads: Sequence[str], rows: Iterable[Iterable[str]], notes: Sequence[str] = ()) -> Table:
    """A table without shades."""
    texts = (tuple(Cell(text=cells.printable(text)) for text in row) for row in rows)
    return Table(heads=tuple(map(cells.printable, heads)), rows=tuple(texts), notes=tuple(notes))


def correlations(group: Group) -> Table:
    """A row per metric."""
    hardware = cells.hardware(group)
    return Table(
        heads=tuple(cells.correlation_heads(group)),
        rows=tuple(_correlation(metric, hardware) for metric in group.correlations),
        notes=(*cells.correlation_notes(group), *paper_notes([group])),
    )


def chart_notes(group: Group) -> list[str]:
    """What the charts below the table add to the notes of the table."""
    above = {f"{note}." for note in cells.correlation_notes(group)}
    return [note for note in correlation.notes(group) if note not in above]


def _correlation(metric: MetricCorrelation, hardware: Sequence[str]) -> tuple[Cell, ...]:
    texts = cells.correlation(metric, hardware)
    shades = {_RHO_PLACE: _shade(metric.correlation.rho)}
    shades |= {_PAPER_PLACE + place: _shade(metric.paper.get(name)) for place, name in enumerate(hardware)}
    values = (Cell(text=text, shade=shades.get(place, "")) for place, text in enumerate(texts))
    return (Cell(text=cells.printable(metric.metric)), *values)


def _shade(rho: float | None) -> str:
    """Sign and strength of *rho* in steps of 0.2.

    >>> _shade(0.91), _shade(-0.35), _shade(None)
    ('p5', 'n2', '')
    """
    if rho is None:
        return ""
    step = round(abs(rho) * _SHADES)
    return f"{'n' if rho < 0 and step else 'p'}{step}"


def heat_map(view: View) -> Table | None:
    """Every group's rho side by side, the paper's beside each; `None` if there are no two to compare."""
    groups = [group for group in view.groups[:MOST_GROUPS] if group.correlations]
    if len(groups) < 2:
        return None
    columns = [(group, name) for group in groups for name in (None, *cells.hardware(group))]
    names = dict.fromkeys(metric.metric for group in groups for metric in group.correlations)
    heads = ("this run" if name is None else f"paper {name}" for _, name in columns)
    spans = ((cells.printable(group.name), 1 + len(cells.hardware(group))) for group in groups)
    by_group = [{metric.metric: metric for metric in group.correlations} for group, _ in columns]
    rows = (
        (
            Cell(text=cells.printable(metric)),
            *(
                _heat_cell(metrics.get(metric), name)
                for metrics, (_, name) in zip(by_group, columns, strict=True)
            ),
        )
        for metric in names
    )
    return Table(
        heads=("metric", *heads), spans=(("", 1), *spans), rows=tuple(rows), notes=paper_notes(groups)
    )


def paper_notes(groups: Sequence[Group]) -> tuple[str, ...]:
    """What the paper's columns are measured on."""
    return paper_notes_of(dict.fromkeys(name for group in groups for name in cells.hardware(group)))


def paper_notes_of(names: Iterable[str]) -> tuple[str, ...]:
    """What the columns *names* of the paper are measured on."""
    machines = [f"{name}: {_PAPER_HARDWARE[name]}" for name in names if name in _PAPER_HARDWARE]
    return (f"the paper's hardware: {', '.join(machines)}",) if machines else ()


def _heat_cell(metric: MetricCorrelation | None, name: str | None) -> Cell:
    """Of this run, or of the paper's hardware *name*."""
    if metric is None:
        return Cell(text=cells.ABSENT)
    if name is None:
        return Cell(text=cells.correlation(metric, ())[_RHO_PLACE], shade=_shade(metric.correlation.rho))
    return Cell(text=cells.correlation(metric, (name,))[_PAPER_PLACE], shade=_shade(metric.paper.get(name)))


def sensors(view: View) -> Table:
    """What measures on this machine, and why the rest does not."""
    rows = (
        [one.name, "available" if one.absent_because is None else "not available", cells.sensor_text(one)]
        for one in view.sensors
    )
    return of_texts(["sensor", "state", "what it reads, or why not"], rows)


def footprint(view: View) -> Table | None:
    """Carbon and cost of each test; `None` if the user gave neither intensity nor price."""
    if view.tariff is None:
        return None
    shown = view.rows[:MOST_MODELS]
    rows = ([row.short_id, *footprints.values(view.tariff, row.record)] for row in shown)
    notes = [*footprints.total_lines(view), footprints.scope_line(view)]
    if len(view.rows) > len(shown):
        notes.append(f"{len(view.rows) - len(shown)} more tests are in the run's JSON")
    return of_texts(["test", *footprints.heads(view.tariff)], rows, [*filter(None, notes)])


def idle_powers(view: View) -> Table:
    """Power without work, by channel."""
    rows = (
        [one.channel, cells.watts(one.idle_power_w), cells.watts(one.ready_power_w)]
        for one in view.idle_powers
    )
    return of_texts(["channel", "idle", "ready"], rows)
