"""Shares of the types of layers, a row for each test."""

from pytest_energy.report.charts.axes import category_axis, linear_axis
from pytest_energy.report.charts.spec import Chart, Colour, Form, Marks, Sheet
from pytest_energy.report.text import ORIGINS, heading, short
from pytest_energy.report.work_parts import LayersOfTests

MOST_ROWS = 30
"""Tests in a chart; what is beyond is counted."""

_LOOKS: tuple[tuple[Form, Colour, bool], ...] = (
    ("circle", "first", False),
    ("square", "second", False),
    ("triangle", "third", False),
    ("diamond", "ink", False),
    ("circle", "second", True),
    ("square", "first", True),
    ("star", "third", False),
    ("diamond", "second", True),
    ("triangle", "first", True),
    ("cross", "ink", False),
)


def sheet(beside: LayersOfTests) -> Sheet:
    """The chart as a page."""
    drawn = beside.tests[:MOST_ROWS]
    return Sheet(
        title=beside.model,
        heading=heading(beside.judgements),
        charts=(chart(beside),),
        notes=notes(beside),
        height_in=1.4 + 0.28 * len(drawn),
        has_rows=True,
    )


def chart(beside: LayersOfTests) -> Chart:
    """A mark for each type, at its share of all parts."""
    tests = beside.tests[:MOST_ROWS]
    names = list(dict.fromkeys(name for test in tests for name in test.shares))
    shares = [share for test in tests for share in test.shares.values()]
    return Chart(
        title="Energy by type of layer",
        x=linear_axis(
            shares,
            label=f"share of the {ORIGINS[beside.provenance]}joules of all parts",
            has_zero=True,
            text=lambda share: f"{100 * share:g} %",
        ),
        y=category_axis([short(test.name) for test in tests]),
        layers=tuple(_marks(beside, name, number) for number, name in enumerate(names)),
    )


def _marks(beside: LayersOfTests, name: str, number: int) -> Marks:
    form, colour, is_hollow = _LOOKS[number % len(_LOOKS)]
    places = [
        (
            (test.shares[name], float(row)),
            f"{short(test.name)}: {short(name)} {100 * test.shares[name]:.1f} %",
        )
        for row, test in enumerate(beside.tests[:MOST_ROWS])
        if name in test.shares
    ]
    return Marks(
        points=tuple(place for place, _ in places),
        form=form,
        colour=colour,
        is_hollow=is_hollow,
        titles=tuple(title for _, title in places),
        key=short(name),
    )


def notes(beside: LayersOfTests) -> tuple[str, ...]:
    """How to read it, and what is left out."""
    known = [one.explained_share for one in beside.tests if one.explained_share is not None]
    explained = (
        f"The parts explain {100 * min(known):.0f} to {100 * max(known):.0f} % of the joules of the whole."
    )
    left = len(beside.tests) - MOST_ROWS
    return (
        "Layers of a type are replayed alone; a share is of the sum of all parts.",
        *([explained] if known else []),
        *([f"{left} more tests are in the run's JSON."] if left > 0 else []),
    )
