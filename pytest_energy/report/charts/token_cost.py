"""Energy of a prompt token and of a decoded token, load by load.

Rule 1: what can be separated, and what is an estimate, is judged by `report.token_costs`: here it is only
    shown.
"""

from collections.abc import Iterable
from dataclasses import replace

from pytest_energy.report.charts.axes import axis_of, category_axis
from pytest_energy.report.charts.spec import Axis, Chart, Colour, Form, Marks, Place, Sheet
from pytest_energy.report.text import ORIGINS, heading, sentence, short, tick
from pytest_energy.report.token_costs import TokenCost, TokenCosts, TokenRow

_ROW_IN = 0.42
_SHIFT = 0.14  # of a row: prefill is above decode
_PHASES: tuple[tuple[str, Form, Colour, float], ...] = (
    ("prefill", "circle", "first", -_SHIFT),
    ("decode", "square", "second", _SHIFT),
)


def chart(costs: TokenCosts) -> Chart:
    """A row per load, of which one is separated at least; prefill above decode."""
    layers = tuple(_marks(costs.rows))
    ends_j = [end_j for layer in layers for bar in layer.bars for end_j in bar if end_j > 0]
    x = axis_of(ends_j, "J", label=f"{ORIGINS[costs.provenance]}energy per token")
    return Chart(
        title="Energy per token",
        x=x,
        y=_rows(costs),
        layers=tuple(_within(layer, x) for layer in layers),
        names=() if costs.is_by_rate else tuple(_names(costs.rows)),
    )


def _rows(costs: TokenCosts) -> Axis:
    """Rates, or numbers where a name has room beside its marks alone."""
    if costs.is_by_rate:
        return category_axis([row.name for row in costs.rows], label="load, by request rate")
    return category_axis([str(number) for number, _ in enumerate(costs.rows, 1)], label="load")


def _names(rows: Iterable[TokenRow]) -> Iterable[tuple[Place, str]]:
    for place, row in enumerate(rows):
        if row.decode.energy_j > 0:
            yield (row.decode.energy_j, place + _SHIFT), short(row.name)


def _cost(row: TokenRow, phase: str) -> TokenCost:
    return row.prefill if phase == "prefill" else row.decode


def _marks(rows: Iterable[TokenRow]) -> Iterable[Marks]:
    """Filled for a split by the engine's steps, hollow for an estimate."""
    placed = list(enumerate(rows))
    for phase, form, colour, shift in _PHASES:
        for is_estimated in (False, True):
            chosen = [
                (place + shift, row.name, cost)
                for place, row in placed
                if row.is_estimated is is_estimated and (cost := _cost(row, phase)).energy_j > 0
            ]
            if chosen:
                yield Marks(
                    points=tuple((cost.energy_j, place) for place, _, cost in chosen),
                    bars=tuple(cost.interval_j for _, _, cost in chosen),
                    is_lying=True,
                    form=form,
                    colour=colour,
                    is_hollow=is_estimated,
                    titles=tuple(f"{short(name)}: {tick(cost.energy_j, 'J')}" for _, name, cost in chosen),
                    key=f"{phase}, 95 % interval" + (", estimate" if is_estimated else ""),
                )


def _within(marks: Marks, x: Axis) -> Marks:
    """The same with bars that end on the axis: a logarithmic one has no 0."""
    return replace(marks, bars=tuple((max(lower, x.lower), upper) for lower, upper in marks.bars))


def sheet(costs: TokenCosts) -> Sheet:
    """The chart as a page."""
    return Sheet(
        title=f"{short(costs.model)}: energy of prefill and of decode",
        heading=heading(costs.judgements),
        charts=(chart(costs),),
        notes=notes(costs),
        height_in=1.0 + _ROW_IN * len(costs.rows),
        has_rows=True,
    )


def notes(costs: TokenCosts) -> tuple[str, ...]:
    """What the figure says, in words."""
    zeros = [
        f"No joules above rest: {phase} of {short(row.name)}, at most {tick(cost.interval_j[1], 'J')}."
        for phase, *_ in _PHASES
        for row in costs.rows
        if (cost := _cost(row, phase)).energy_j <= 0
    ]
    lines = [f"Not separated: {short(name)} ({sentence(because)})." for name, because in costs.lost]
    if any(row.is_estimated for row in costs.rows):
        lines.append("Estimates are from the times of tokens: that engine does not report its steps.")
    return (
        *zeros,
        *lines,
        "Prefill: joules per prompt token that was computed. Decode: per token after the first of an answer.",
        "Joules are above power at rest, fitted to short spans of the loads.",
    )
