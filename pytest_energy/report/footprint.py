"""Carbon and cost of a run's joules, by the tariff that the user gave. Pure.

Rule 1: an estimate, and called one; its joules are those of the rounds, never all that a machine used.
Rule 2: joules of different provenance, and joules of different machines, never meet in one total.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.model import Domain, Provenance, Record
from pytest_energy.report import cells
from pytest_energy.report.view import View
from pytest_energy.tariff import CARBON_UNIT, PerKwh, Tariff
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Joules of the rounds of all tests of one provenance and machine.

    Attributes:
        domains: Those whose joules are in it.
    """

    provenance: Provenance
    machine_key: str
    domains: tuple[Domain, ...]
    test_count: int
    round_count: int
    energy_j: float


def totals(view: View) -> tuple[Total, ...]:
    """In the order of the tests; none for tests without joules."""
    members: dict[tuple[Provenance, str], list[Record]] = {}
    for record in (judgement.record for judgement in view.judgements):
        if record.energy_j is not None:
            members.setdefault((record.provenance, record.machine.key), []).append(record)
    return tuple(_total(*key, records) for key, records in members.items())


def _total(provenance: Provenance, machine_key: str, records: Sequence[Record]) -> Total:
    energies_j = [energy_j for record in records for energy_j in record.round_energies_j]
    names = {name for record in records for one in record.usable_rounds for name in one.channels}
    worked = {name.partition(":")[0] for name in names}
    return Total(
        provenance=provenance,
        machine_key=machine_key,
        domains=tuple(domain for domain in Domain if domain.value in worked),
        test_count=len(records),
        round_count=len(energies_j),
        energy_j=math.fsum(energies_j),
    )


def title(tariff: Tariff) -> str:
    """What was given: `Carbon and cost`, or one of them."""
    return " and ".join(names(tariff)).capitalize()


def names(tariff: Tariff) -> list[str]:
    """Of what was given, in the order of `texts`."""
    pairs = (("carbon", tariff.carbon), ("cost", tariff.price))
    return [name for name, given in pairs if given is not None]


def total_lines(view: View) -> list[str]:
    """A line for each total, the number first; without joules one that says so; none without a tariff."""
    tariff, found = view.tariff, totals(view)
    if tariff is None:
        return []
    if not found:
        return ["no test has joules to calculate from"]
    given = cells.printable(", ".join(one.text for one in tariff.given))
    return [f"{_total_text(tariff, one, view)}, at {given}" for one in found]


def _total_text(tariff: Tariff, total: Total, view: View) -> str:
    elsewhere = view.machine is not None and view.machine.key != total.machine_key
    where = f" on {cells.printable(total.machine_key)}" if elsewhere else ""
    domains = " + ".join(domain.upper() for domain in total.domains)
    rounds, tests = count_text(total.round_count, "round"), count_text(total.test_count, "test")
    return (
        f"{', '.join(texts(tariff, total.energy_j))}, estimated from {to_text(total.energy_j, 'J')} "
        f"({domains}, {total.provenance.value}) of {rounds} of {tests}{where}"
    )


def scope_line(view: View) -> str:
    """What is in no total; empty without a tariff or joules."""
    found = totals(view)
    if view.tariff is None or not found:
        return ""
    counted = {domain for one in found for domain in one.domains}
    missing = [domain.upper() for domain in Domain if domain not in counted]
    left_out = ", ".join([*missing, "the rest of the machine", "cooling", "manufacture"])
    return f"Not included: {left_out}, and all that used energy outside the rounds that count."


def texts(tariff: Tariff, energy_j: float | None, provenance: Provenance = Provenance.MEASURED) -> list[str]:
    """A text for each of what was given, marked like the joules: `2.57 mg CO2e`; `-` without joules."""
    if energy_j is None:
        return [cells.ABSENT for _ in tariff.given]
    return [cells.MARKS[provenance] + _text(given, given.of(energy_j)) for given in tariff.given]


def _text(given: PerKwh, amount: float) -> str:
    if given.unit == CARBON_UNIT:
        return to_text(amount, given.unit, digits=3)
    return f"{cells.plain(amount, digits=3)} {given.unit}"


def heads(tariff: Tariff) -> tuple[str, ...]:
    """Of a table of tests, for the cells of `values`; the test's name stands before."""
    return ("energy", *names(tariff), *(f"{name}/sample" for name in names(tariff)))


def values(tariff: Tariff, record: Record) -> list[str]:
    """What a table of tests says of a round and of a sample of each."""
    return [
        cells.energy(record.provenance, record.energy_j),
        *texts(tariff, record.energy_j, record.provenance),
        *texts(tariff, record.energy_per_sample_j, record.provenance),
    ]


def test_lines(view: View) -> list[str]:
    """A line for each test that has joules, worst verdict first."""
    tariff = view.tariff
    if tariff is None:
        return []
    return [
        f"{cells.printable(row.short_id)}: {_test_text(tariff, row.record)}"
        for row in view.rows
        if row.record.energy_j is not None
    ]


def _test_text(tariff: Tariff, record: Record) -> str:
    energies_j = {"a round": record.energy_j, "a sample": record.energy_per_sample_j}
    return "; ".join(
        f"{', '.join(texts(tariff, energy_j, record.provenance))} {what}"
        for what, energy_j in energies_j.items()
        if energy_j is not None
    )
