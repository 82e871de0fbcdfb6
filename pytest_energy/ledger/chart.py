"""Joules of a request with its share of what is paid once, over the number of requests."""

from collections.abc import Iterator, Sequence

from pytest_energy.ledger.cells import Cell
from pytest_energy.ledger.effects import Ledger
from pytest_energy.ledger.text import heading, notes
from pytest_energy.report.charts.axes import axis_of
from pytest_energy.report.charts.spec import Chart, Colour, Dash, Line, Sheet
from pytest_energy.report.text import joules_label, short

MOST_LINES = 8  # each pair of colour and dash once
_POINTS = 60
_COLOURS: tuple[Colour, ...] = ("ink", "first", "second", "third")
_DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted", "dashdot")


def sheet(ledger: Ledger, requests: Sequence[float]) -> Sheet:
    """The chart as a page, from a tenth of the fewest *requests* to ten times the most."""
    design = ledger.design
    cells = _drawn(ledger, requests)
    first, last = min(requests) / 10, max(requests) * 10
    step = (last / first) ** (1 / (_POINTS - 1))
    counts = [first * step**place for place in range(_POINTS)]
    values_j = [cell.amortised_j(count) for cell in cells for count in (first, last)]
    left_out = len(design.cells) - len(cells)
    return Sheet(
        title=f"Energy per request of {len(design.cells)} combinations of practices",
        heading=heading(design),
        charts=(
            Chart(
                title="Energy per request, with its share of what is paid once",
                x=axis_of([first, last], label="requests served"),
                y=axis_of(
                    values_j,
                    "J",
                    label=joules_label(design.provenance, "request", is_net=design.basis == "net"),
                ),
                layers=tuple(_lines(ledger, cells, counts)),
            ),
        ),
        notes=(
            *notes(ledger),
            *([f"{left_out} combinations are never best and not drawn."] if left_out else []),
        ),
    )


def _drawn(ledger: Ledger, requests: Sequence[float]) -> list[Cell]:
    """All combinations, or none, all, and those that are best at one of *requests*."""
    cells = ledger.design.cells
    if len(cells) <= MOST_LINES:
        return [*cells]
    best = [min(cells, key=lambda cell: cell.amortised_j(count)) for count in requests]
    kept = [cell for cell in cells if cell in (cells[0], cells[-1], *best)]
    return kept[:MOST_LINES]


def _lines(ledger: Ledger, cells: Sequence[Cell], counts: Sequence[float]) -> Iterator[Line]:
    for place, cell in enumerate(cells):
        yield Line(
            points=tuple((count, cell.amortised_j(count)) for count in counts),
            colour=_COLOURS[place % len(_COLOURS)],
            dash=_DASHES[(place + place // len(_COLOURS)) % len(_DASHES)],
            key=short(ledger.design.name_of(cell)),
        )
