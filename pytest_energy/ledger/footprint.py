"""Carbon and cost in the ledger, by what the user gave for a kilowatt hour. Pure.

Rule 1: an estimate, and called one: the ledger's joules times the given number.
"""

from collections.abc import Callable, Sequence

from pytest_energy.errors import printable
from pytest_energy.ledger.effects import Effect, Ledger
from pytest_energy.report.footprint import names, texts
from pytest_energy.report.text import tick
from pytest_energy.tariff import Tariff

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def tables(
    ledger: Ledger, requests: Sequence[float], tariff: Tariff, name: Callable[[str], str]
) -> list[tuple[str, Table]]:
    """Of each combination per request, and of what each practice saves."""
    return [
        ("estimated carbon and cost of each combination", _cells(ledger, requests, tariff, name)),
        ("estimated carbon and cost that a practice saves in all", _savings(ledger, requests, tariff, name)),
    ]


def _cells(ledger: Ledger, requests: Sequence[float], tariff: Tariff, name: Callable[[str], str]) -> Table:
    heads = ("practices on", "once", *(f"per request of {tick(count)}" for count in requests))
    return heads, [
        (
            name(ledger.design.name_of(cell)),
            *(
                ", ".join(texts(tariff, energy_j))
                for energy_j in (cell.once_j, *(cell.amortised_j(count) for count in requests))
            ),
        )
        for cell in ledger.design.cells
    ]


def _savings(ledger: Ledger, requests: Sequence[float], tariff: Tariff, name: Callable[[str], str]) -> Table:
    """A row for each practice and amount."""
    heads = ("practice", "of", *(f"over {tick(count)}" for count in requests))
    rows = []
    for one in ledger.break_evens:
        columns = [_with_ends(ledger.net_saving(one.practice, count), tariff) for count in requests]
        rows += [
            (name(one.practice), what, *texts_of_one)
            for what, *texts_of_one in zip(names(tariff), *columns, strict=True)
        ]
    return heads, rows


def _with_ends(saving: Effect, tariff: Tariff) -> list[str]:
    """Each amount with the interval of its joules; the given number has none."""
    values = texts(tariff, saving.value)
    if saving.interval is None:
        return values
    ends = zip(*(texts(tariff, end) for end in saving.interval), strict=True)
    return [f"{value} [{lower}, {upper}]" for value, (lower, upper) in zip(values, ends, strict=True)]


def note(tariff: Tariff) -> str:
    given = ", ".join(one.text for one in tariff.given)
    return (
        f"Carbon and cost are estimates at {printable(given)}. Their intervals are those of the joules. "
        "Hardware whose joules are not in the runs, cooling and manufacture are not included."
    )


def as_json(ledger: Ledger, requests: Sequence[float], tariff: Tariff) -> dict[str, object]:
    """For programs: grams of CO2e and cost; what was not given is null."""

    def both(energy_j: float) -> dict[str, float | None]:
        return {"carbon_g": tariff.carbon_g(energy_j), "cost": tariff.cost(energy_j)}

    return {
        "given": [
            {"amount": one.amount, "unit": one.unit, "source": one.source or None} for one in tariff.given
        ],
        "note": note(tariff),
        "combinations": [
            {
                "on": dict(zip(ledger.design.practices, cell.combination, strict=True)),
                "once": both(cell.once_j),
                "amortised": {f"{count:g}": both(cell.amortised_j(count)) for count in requests},
            }
            for cell in ledger.design.cells
        ],
        "net_savings": {
            one.practice: {
                f"{count:g}": both(ledger.net_saving(one.practice, count).value) for count in requests
            }
            for one in ledger.break_evens
        },
    }
