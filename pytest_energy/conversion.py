"""Values as the JSON of `documents`, and back.

Rule 1: what was read is written again as it was, and what was written is read as the same value.
Rule 2: numbers by name are written as floats, whatever library they are of.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from itertools import pairwise
from sys import intern
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import asdict, astuple

from pytest_energy import count_documents, counts, documents, judgement_documents, model
from pytest_energy.codec import Document, JsonDict, decode, encode
from pytest_energy.errors import FormatError, NotMeasurable
from pytest_energy.judgement import (
    Brief,
    Budget,
    Comparison,
    CountChange,
    CountsComparison,
    EqualSteps,
    Judgement,
    PartComparison,
    PhaseComparison,
    Summary,
    Terms,
)
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.ready import ReadyPower
from pytest_energy.run_judgement import RunJudgement, SessionFactor
from pytest_energy.usage import Usage

D = TypeVar("D", bound=Document)

# What is written as it is: nearly all values are of these, and nothing is asked of them.
_PLAIN = frozenset({float, int, str, bool, type(None)})

_DOCUMENTS: dict[type, type[Document]] = {
    Record: documents.Record,
    Reading: documents.Round,
    Comparison: judgement_documents.Comparison,
    model.Machine: documents.Machine,
    model.SensorStatus: documents.Sensor,
    model.Phase: documents.Phase,
    model.Prediction: documents.Prediction,
    Usage: documents.Usage,
    ReadyPower: documents.ReadyPower,
    model.StepCost: documents.StepCost,
    counts.Counts: count_documents.Counts,
    counts.CountEntry: count_documents.CountEntry,
    counts.CallPlace: count_documents.CallPlace,
    CountsComparison: count_documents.CountsComparison,
    CountChange: count_documents.CountChange,
    PartComparison: judgement_documents.PartComparison,
    PhaseComparison: judgement_documents.PhaseComparison,
    EqualSteps: judgement_documents.EqualSteps,
    Terms: judgement_documents.Terms,
    SessionFactor: judgement_documents.SessionFactor,
    RunJudgement: judgement_documents.RunJudgement,
    Brief: judgement_documents.Brief,
}

_OF_SUMMARY = judgement_documents.Summary.__struct_fields__
_OF_BUDGET = tuple(one.name for one in fields(Budget))

_LEFT_OUT_WHERE_EMPTY = {
    *("output_tokens", "workload", "engine_settings", "saturated_because", "slo_missed_because"),
    "confirming_count",
    *("quiet_power_w", "temperatures_c", "ready_power", "session"),
    *("resting_channels", "estimated_channels", "device_use", "missing_domains", "roles", "counts", "most"),
    *("predictions", "load_tokens", "amount_energies_j", "covariances_j2", "amount_ratios"),
    *(
        "entry_energies_j",
        "entry_dates",
        "entry_commits",
        "basis",
        "creep",
        "parts",
        "no_parts_because",
        "session_ratio",
        "compared_phases",
        "absent_phases",
    ),
}


def to_json(
    value: Record | Comparison | Reading | model.Machine | model.SensorStatus | SessionFactor | RunJudgement,
) -> JsonDict:
    return encode(plain(value))


def record_of(record: documents.Record, where: str) -> Record:
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
    values["machine"] = _machine_of(record.machine)
    values["sensors"] = tuple(_sensor_of(*astuple(sensor)) for sensor in record.sensors)
    if record.ready_power is not None:
        values["ready_power"] = {
            name: ReadyPower(**asdict(line)) for name, line in record.ready_power.items()
        }
    if record.counts is not None:
        values["counts"] = _counts_of(record.counts, where)
    if record.step_cost is not None:
        values["step_cost"] = _step_cost_of(record.step_cost, where)
    if record.predictions is not None:
        values["predictions"] = _predictions_of(record.predictions, where)
    names = [name for name in documents.Record.__struct_fields__ if name in values]  # a test has more
    return Record(**{name: values[name] for name in names})


def _step_cost_of(document: documents.StepCost, where: str) -> model.StepCost:
    try:
        return model.StepCost(**_present(document))
    except NotMeasurable as error:
        raise FormatError(f"{where}: step_cost: {error}") from error


def _predictions_of(
    predictions: Mapping[str, documents.Prediction], where: str
) -> dict[str, model.Prediction]:
    try:
        return {key: model.Prediction(**asdict(one)) for key, one in predictions.items()}
    except NotMeasurable as error:
        raise FormatError(f"{where}: predictions: {error}") from error


def _counts_of(document: count_documents.Counts, where: str) -> counts.Counts:
    try:
        entries = tuple(_entry_of(entry) for entry in document.entries)
        return counts.Counts(**asdict(document) | {"entries": entries})
    except NotMeasurable as error:
        raise FormatError(f"{where}: counts: {error}") from error


def _entry_of(document: count_documents.CountEntry) -> counts.CountEntry:
    places = tuple(counts.CallPlace(**asdict(place)) for place in document.places)
    return counts.CountEntry(**asdict(document) | {"places": places})


def _machine_of(document: documents.Machine) -> model.Machine:
    return _shared_machine(document.key, tuple(document.fixed.items()), tuple(document.varying.items()))


# Of ten thousand tests machine and sensors are the same: in memory they are once.


@lru_cache(maxsize=64)
def _shared_machine(
    key: str, fixed: tuple[tuple[str, str], ...], varying: tuple[tuple[str, str], ...]
) -> model.Machine:
    return model.Machine(key=key, fixed=dict(fixed), varying=dict(varying))


@lru_cache(maxsize=64)
def _sensor_of(*values: Any) -> model.SensorStatus:
    return model.SensorStatus(**dict(zip(documents.Sensor.__struct_fields__, values, strict=True)))


def judgement_to_json(judgement: Judgement) -> JsonDict:
    """The test's entry in a run's document, with its machine and sensors."""
    record = judgement.record
    test = as_document(
        judgement_documents.Test,
        record,
        verdict=judgement.verdict,
        outcome=intern(judgement.outcome),  # left out if it *is* the default
        reason=judgement.reason,
        energy_per_token_j=record.energy_per_token_j if record.output_tokens else UNSET,
        energy_by_role_j=record.energy_by_role_j or UNSET,
        energies_at_mean_steps_j=record.energies_at_mean_steps_j or None,
        active_energy_j=UNSET if record.active_energy_j is None else record.active_energy_j,
        baseline=plain(judgement.comparison),
        judged_by=plain(judgement.terms),
        unchecked=judgement.unchecked or None,
        counts_comparison=plain(judgement.counts_comparison),
        brief=plain(judgement.brief),
        **{name: plain(getattr(judgement.summary, name, None)) for name in _OF_SUMMARY},
        **{name: getattr(judgement.budget, name) for name in _OF_BUDGET},
    )
    return encode(test)


def judgement_from_json(value: object, where: str) -> Judgement:
    """The judgement that *value*, a test's entry with its machine and sensors, describes.

    Raises:
        FormatError: It describes none; says where, and what it holds.
        NotMeasurable: As for `record_of`.
    """
    test = decode(value, judgement_documents.Test, where)
    summary = None if test.energy_j is None else decode(value, judgement_documents.Summary, where)
    return Judgement(
        record=record_of(test, where),
        verdict=test.verdict,
        reason=test.reason,
        summary=None if summary is None else Summary(**asdict(summary)),
        budget=Budget(**{name: getattr(test, name) for name in _OF_BUDGET}),
        comparison=None if test.baseline is None else _comparison(test.baseline),
        outcome=test.outcome,
        terms=None if test.judged_by is None else _terms(test.judged_by),
        unchecked=test.unchecked or (),
        counts_comparison=(
            None if test.counts_comparison is None else _counts_comparison(test.counts_comparison)
        ),
        brief=None if test.brief is None else Brief(**asdict(test.brief)),
    )


def _counts_comparison(document: count_documents.CountsComparison) -> CountsComparison:
    changes = tuple(CountChange(**asdict(change)) for change in document.changes)
    return CountsComparison(**asdict(document) | {"changes": changes})


def _terms(document: judgement_documents.Terms) -> Terms:
    return Terms(**asdict(document) | {"parts": frozenset(document.parts)})


def run_judgement_from_json(value: object, where: str) -> RunJudgement:
    """What *value*, of a run's document, says of the run as a whole.

    Raises:
        FormatError: It says nothing of that kind.
    """
    document = decode(value, judgement_documents.RunJudgement, where)
    factors = tuple(SessionFactor(**asdict(factor)) for factor in document.factors)
    return RunJudgement(**asdict(document) | {"factors": factors})


def factor_from_json(value: object, where: str) -> SessionFactor:
    """As `run_judgement_from_json`, of one factor.

    Raises:
        FormatError: It is none.
    """
    return SessionFactor(**asdict(decode(value, judgement_documents.SessionFactor, where)))


def _comparison(document: judgement_documents.Comparison) -> Comparison:
    parts = tuple(PartComparison(**asdict(part)) for part in document.parts or ())
    equal = document.equal_steps
    steps = None if equal is None else EqualSteps(**_present(equal))
    phases = tuple(PhaseComparison(**asdict(phase)) for phase in document.compared_phases or ())
    return Comparison(
        **_present(document) | {"parts": parts, "equal_steps": steps, "compared_phases": phases}
    )


def reading_of(one_round: documents.Round, provenance: Provenance, where: str) -> Reading:
    """The reading that *one_round*, from the place *where*, describes.

    Raises:
        FormatError: There is none.
    """
    values = _present(one_round)
    values.pop("energy_j", None)
    values["phases"] = tuple(model.Phase(**asdict(phase)) for phase in one_round.phases)
    if one_round.usage is not None:
        values["usage"] = Usage(**asdict(one_round.usage))
    for name, steps in one_round.power_trace.items():
        if len(steps) < 2 or any(before[0] >= after[0] for before, after in pairwise(steps)):
            raise FormatError(
                f"{where}: power_trace: {name} is no steps of power: two pairs or more, times rising"
            )
    try:
        return Reading(**values, provenance=provenance)
    except NotMeasurable as error:
        raise FormatError(f"{where}: {error}") from error


def as_document(kind: type[D], source: object, **members: object) -> D:
    """A *kind* with *members*, and the attributes of *source* that have its other fields' names."""
    for name in kind.__struct_fields__:
        if name not in members:
            value = plain(getattr(source, name))
            members[name] = value or None if name in _LEFT_OUT_WHERE_EMPTY else value
    return kind(**members)


def plain(value: object) -> object:
    """*value* as its document, with lists for tuples, and with floats for what numbers it has by name."""
    if type(value) in _PLAIN:
        return count_documents.ZERO if isinstance(value, float) and not value else value
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return {name: float(item) if isinstance(item, int) else plain(item) for name, item in value.items()}
    kind = _DOCUMENTS.get(type(value))
    return value if kind is None else as_document(kind, value)


def _present(document: Document) -> dict[str, Any]:
    """The fields that are not `null`, by name."""
    return {name: value for name, value in asdict(document).items() if value is not None}
