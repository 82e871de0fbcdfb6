"""Values as the JSON of `documents`, and back.

Rule 1: what was read is written again as it was, and what was written is read as the same value.
Rule 2: numbers by name are written as floats, whatever library they are of.
"""

from collections.abc import Mapping
from itertools import pairwise
from sys import intern
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import asdict

from pytest_energy import documents, model
from pytest_energy.codec import Document, JsonDict, decode, encode
from pytest_energy.errors import FormatError, NotMeasurable
from pytest_energy.judgement import Budget, Comparison, Judgement, Summary
from pytest_energy.model import Provenance, Reading

D = TypeVar("D", bound=Document)

# What is written as it is: nearly all values are of these, and nothing is asked of them.
_PLAIN = frozenset({float, int, str, bool, type(None)})


def record_to_json(record: model.Record) -> JsonDict:
    return encode(_record(documents.Record, record))


def record_of(record: documents.Record, where: str) -> model.Record:
    """The record that *record*, from the place *where*, describes.

    Raises:
        FormatError: A round of it can't be.
        NotMeasurable: There is no such record.
    """
    values = _present(record)
    rounds = enumerate(record.rounds)
    values["rounds"] = tuple(
        reading_of(one_round, record.provenance, f"{where}: rounds[{number}]") for number, one_round in rounds
    )
    values["machine"] = model.Machine(**asdict(record.machine))
    values["sensors"] = tuple(model.SensorStatus(**asdict(sensor)) for sensor in record.sensors)
    names = [name for name in documents.Record.__struct_fields__ if name in values]  # a test has more
    return model.Record(**{name: values[name] for name in names})


def judgement_to_json(judgement: Judgement) -> JsonDict:
    """The test's entry in a run's document, with its machine and sensors."""
    record, summary, budget = judgement.record, judgement.summary, judgement.budget
    test = _record(
        documents.Test,
        record,
        verdict=judgement.verdict,
        outcome=intern(judgement.outcome),  # left out where it *is* the default
        reason=judgement.reason,
        energy_j=None if summary is None else summary.energy_j,
        energy_ci_j=None if summary is None else list(summary.energy_ci_j),
        uncertainty_j=None if summary is None else summary.uncertainty_j,
        energy_per_token_j=record.energy_per_token_j if record.output_tokens else UNSET,
        budget_j=budget.budget_j,
        budget_per_sample_j=budget.budget_per_sample_j,
        budget_per_token_j=budget.budget_per_token_j,
        baseline=None if judgement.comparison is None else _comparison(judgement.comparison),
    )
    return encode(test)


def judgement_from_json(value: object, where: str) -> Judgement:
    """The judgement that *value*, a test's entry with its machine and sensors, describes.

    Raises:
        FormatError: It describes none; says where, and what it holds.
        NotMeasurable: As for `record_of`.
    """
    test = decode(value, documents.Test, where)
    summary = None if test.energy_j is None else decode(value, documents.Summary, where)
    return Judgement(
        record=record_of(test, where),
        verdict=test.verdict,
        reason=test.reason,
        summary=None if summary is None else Summary(**asdict(summary)),
        budget=Budget(
            budget_j=test.budget_j,
            budget_per_sample_j=test.budget_per_sample_j,
            budget_per_token_j=test.budget_per_token_j,
        ),
        comparison=None if test.baseline is None else Comparison(**_present(test.baseline)),
        outcome=test.outcome,
    )


def comparison_to_json(comparison: Comparison) -> JsonDict:
    return encode(_comparison(comparison))


def reading_to_json(reading: Reading) -> JsonDict:
    return encode(round_document(reading))


def reading_of(one_round: documents.Round, provenance: Provenance, where: str) -> Reading:
    """The reading that *one_round*, from the place *where*, describes.

    Raises:
        FormatError: There is none.
    """
    values = _present(one_round)
    values.pop("energy_j", None)
    values["phases"] = tuple(model.Phase(**asdict(phase)) for phase in one_round.phases)
    if one_round.usage is not None:
        values["usage"] = model.Usage(**asdict(one_round.usage))
    for name, steps in one_round.power_trace.items():
        if len(steps) < 2 or any(before[0] >= after[0] for before, after in pairwise(steps)):
            raise FormatError(
                f"{where}: power_trace: {name} is no steps of power: two pairs or more, times rising"
            )
    try:
        return Reading(**values, provenance=provenance)
    except NotMeasurable as error:
        raise FormatError(f"{where}: {error}") from error


def machine_to_json(machine: model.Machine) -> JsonDict:
    return encode(as_document(documents.Machine, machine))


def sensor_to_json(sensor: model.SensorStatus) -> JsonDict:
    return encode(as_document(documents.Sensor, sensor))


def as_document(kind: type[D], source: object, **members: object) -> D:
    """A *kind* with *members*, and the attributes of *source* that have its other fields' names."""
    for name in kind.__struct_fields__:
        if name not in members:
            value = getattr(source, name)
            members[name] = value if type(value) in _PLAIN else plain(value)
    return kind(**members)


def plain(value: object) -> object:
    """*value* with lists for tuples, and with floats for what numbers it has by name."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {name: float(item) if isinstance(item, int) else item for name, item in value.items()}
    return value


def _present(document: Document) -> dict[str, Any]:
    """The fields that are not `null`, by name."""
    return {name: value for name, value in asdict(document).items() if value is not None}


def round_document(reading: Reading) -> documents.Round:
    return as_document(
        documents.Round,
        reading,
        usage=None if reading.usage is None else as_document(documents.Usage, reading.usage),
        phases=[as_document(documents.Phase, phase) for phase in reading.phases],
        power_trace={name: [list(step) for step in steps] for name, steps in reading.power_trace.items()},
        quiet_power_w=reading.quiet_power_w or None,
        temperatures_c=reading.temperatures_c or None,
    )


def _record(kind: type[D], record: model.Record, **members: object) -> D:
    return as_document(
        kind,
        record,
        output_tokens=record.output_tokens or None,
        workload=record.workload or None,
        engine_settings=record.engine_settings or None,
        saturated_because=record.saturated_because or None,
        confirming_count=record.confirming_count or None,
        rounds=[round_document(reading) for reading in record.rounds],
        machine=as_document(documents.Machine, record.machine),
        sensors=[as_document(documents.Sensor, sensor) for sensor in record.sensors],
        **members,
    )


def _comparison(comparison: Comparison) -> documents.Comparison:
    return as_document(
        documents.Comparison,
        comparison,
        differences={name: list(pair) for name, pair in comparison.differences.items()},
        entry_energies_j=list(comparison.entry_energies_j) or None,
        basis=comparison.basis or None,
        creep=comparison.creep or None,
    )
