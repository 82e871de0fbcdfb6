"""Carbon and cost in the run's document.

Rule 1: the tariff is read again; the rest is calculated from it and the rounds.
"""

from collections.abc import Callable
from reprlib import repr as brief

from pytest_energy.codec import NULLABLE, Document, JsonDict, Text, decode, encode
from pytest_energy.document_types import Amount, CountFrom1
from pytest_energy.errors import FormatError
from pytest_energy.model import Domain, Provenance
from pytest_energy.report import footprint
from pytest_energy.report.view import View
from pytest_energy.tariff import CARBON_UNIT, MOST_AMOUNT, PerKwh, Tariff, is_currency, tariff_of


class GivenPerKwh(Document, frozen=True, kw_only=True):
    """What the user gave for a kilowatt hour.

    Attributes:
        unit: g CO2e, or a currency of three letters.
        source: Where the number is from; omitted if that was not given.
    """

    amount: Amount
    unit: Text
    source: Text = ""


class FootprintTotal(Document, frozen=True, kw_only=True):
    """All rounds that count of one provenance and machine.

    Attributes:
        domains: Those whose joules are in it.
        carbon_g: Estimate; null if no intensity was given.
        cost: Estimate, in the unit of the price; null if none was given.
    """

    provenance: Provenance
    machine_key: Text
    domains: tuple[Domain, ...]
    test_count: CountFrom1
    round_count: CountFrom1
    energy_j: Amount
    carbon_g: Amount | None = NULLABLE
    cost: Amount | None = NULLABLE


class TestFootprint(Document, frozen=True, kw_only=True, rename={"test_id": "id"}):
    """One test: the mean of its rounds, and a sample.

    Attributes:
        carbon_g: Estimate per round; null if no intensity was given.
        cost: Estimate per round, in the unit of the price; null if none was given.
        carbon_g_per_sample: Null also if the test gives no number of samples.
        cost_per_sample: As carbon_g_per_sample.
    """

    test_id: Text
    carbon_g: Amount | None = NULLABLE
    cost: Amount | None = NULLABLE
    carbon_g_per_sample: Amount | None = NULLABLE
    cost_per_sample: Amount | None = NULLABLE


class Footprint(Document, frozen=True, kw_only=True):
    """Carbon and cost, estimated from joules and what the user gave for a kilowatt hour.

    Attributes:
        carbon: Carbon intensity; null if none was given.
        price: Null if none was given.
        note: What the estimates leave out.
        tests: Those that have joules.
    """

    carbon: GivenPerKwh | None = NULLABLE
    price: GivenPerKwh | None = NULLABLE
    note: Text
    totals: tuple[FootprintTotal, ...]
    tests: tuple[TestFootprint, ...]


class _ReadFootprint(Document, frozen=True, kw_only=True):
    carbon: GivenPerKwh | None = NULLABLE
    price: GivenPerKwh | None = NULLABLE


def to_json(view: View, tariff: Tariff) -> JsonDict:
    """The member `footprint` of the document of *view*."""
    document = Footprint(
        carbon=_given(tariff.carbon),
        price=_given(tariff.price),
        note=footprint.scope_line(view) or "No test has joules.",
        totals=tuple(_total(tariff, total) for total in footprint.totals(view)),
        tests=tuple(
            TestFootprint(
                test_id=record.test_id,
                carbon_g=tariff.carbon_g(record.energy_j),
                cost=tariff.cost(record.energy_j),
                carbon_g_per_sample=tariff.carbon_g(record.energy_per_sample_j),
                cost_per_sample=tariff.cost(record.energy_per_sample_j),
            )
            for record in (judgement.record for judgement in view.judgements)
            if record.energy_j is not None
        ),
    )
    return encode(document)


def _given(given: PerKwh | None) -> GivenPerKwh | None:
    if given is None:
        return None
    return GivenPerKwh(amount=given.amount, unit=given.unit, source=given.source)


def _total(tariff: Tariff, total: footprint.Total) -> FootprintTotal:
    return FootprintTotal(
        provenance=total.provenance,
        machine_key=total.machine_key,
        domains=total.domains,
        test_count=total.test_count,
        round_count=total.round_count,
        energy_j=total.energy_j,
        carbon_g=tariff.carbon_g(total.energy_j),
        cost=tariff.cost(total.energy_j),
    )


def tariff_from_json(value: object, where: str) -> Tariff | None:
    """The tariff in *value*, the member `footprint` of a run's document.

    Raises:
        FormatError: It holds none, or one that no option would take.
    """
    document = decode(value, _ReadFootprint, where)
    carbon = _read(document.carbon, f"{where}: carbon", is_unit=lambda unit: unit == CARBON_UNIT)
    return tariff_of(carbon, _read(document.price, f"{where}: price", is_unit=is_currency))


def _read(given: GivenPerKwh | None, where: str, *, is_unit: Callable[[str], bool]) -> PerKwh | None:
    if given is None:
        return None
    if not 0 <= given.amount <= MOST_AMOUNT:
        raise FormatError(f"{where}: amount is {given.amount}; it is from 0 to {MOST_AMOUNT:g}")
    if not is_unit(given.unit):
        raise FormatError(
            f"{where}: unit is {brief(given.unit)}; it is {CARBON_UNIT} or a currency such as EUR"
        )
    return PerKwh(amount=given.amount, unit=given.unit, source=given.source)
