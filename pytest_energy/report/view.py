"""A session, ready for every renderer. Pure.

Rule 1: every judgement has a row: worst verdict first, then the order in which they were given.
Rule 2: joules of different provenance, and joules of different machines, never meet in one group.
Rule 3: a value that is absent has its reason in the record by the time it is here.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import lru_cache

from pytest_energy.codec import MOST_NUMBER
from pytest_energy.judgement import SEVERITY, Judgement, Verdict
from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS, is_ranked
from pytest_energy.model import Machine, Provenance, Record, SensorStatus
from pytest_energy.notes import merged
from pytest_energy.run_judgement import RunJudgement
from pytest_energy.stats.correlate import Correlation, spearman
from pytest_energy.tariff import Tariff
from pytest_energy.yardstick import Yardstick

AGAINST = "energy_per_sample_j"
"""What every metric is correlated with."""

SEED = 1  # of the permutations and the bootstrap: fixed, so that a report written twice is the same

# What the experimenter sets for one model: rows that differ in it are different configurations, not
# repetitions that may be averaged.
_CONFIGURATION = {"request_rate": "{:g}/s", "batch_size": "{:g}"}

# Names, in the session document, of what the rounds give; all are absent with them.
_OF_SUMMARY = ("energy_j", "energy_ci_j", "uncertainty_j")
_OF_ROUNDS = ("net_energy_j", "power_w", "duration_s", AGAINST, "channels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One test. A value is `None` if nothing usable was measured.

    Attributes:
        judgement: The test's judgement, reasons for absent values added.
        short_id: Name that no other row has: `test_training[resnet18]` where that is enough.
        file_id: The same with the name of its file, `test_cnn.py::test_training[resnet18]`.
    """

    judgement: Judgement
    short_id: str
    file_id: str

    @property
    def record(self) -> Record:
        return self.judgement.record

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def energy_j(self) -> float | None:
        """As the summary has it; joules that can't be summed up are the record's."""
        summary = self.judgement.summary
        return self.record.energy_j if summary is None else summary.energy_j

    @property
    def uncertainty_j(self) -> float | None:
        summary = self.judgement.summary
        return None if summary is None else summary.uncertainty_j


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model (in one configuration) of a group: means over the tests that have it.

    Attributes:
        configuration: What no other row of the model has, such as `8/s`; empty for its only one.
    """

    model: str
    configuration: str = ""
    energy_per_sample_j: float | None
    metrics: Mapping[str, float | None]

    @property
    def label(self) -> str:
        """What distinguishes its row from others: `llama-8b@8/s`."""
        return f"{self.model}@{self.configuration}" if self.configuration else self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCorrelation:
    """Spearman's rho of one metric with `AGAINST` over the rows of a group, the paper's values beside it."""

    metric: str
    correlation: Correlation
    paper: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The tests of one group, one provenance and one machine.

    Attributes:
        name: As the marker gives it, such as `training`.
        metrics: Names of the columns: the paper's first, then others in the order met.
        units: Unit of a column, for those that the metric table knows.
        absent: Column with a missing value to the reasons for that.
    """

    name: str
    provenance: Provenance
    machine_key: str
    metrics: tuple[str, ...]
    units: Mapping[str, str]
    rows: tuple[ModelRow, ...]
    absent: Mapping[str, tuple[str, ...]]
    correlations: tuple[MetricCorrelation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePower:
    """Power of one channel without work, as it was measured; `None` if it wasn't.

    Attributes:
        idle_power_w: Before the first test, no device open.
        ready_power_w: Just before the first round that counts, device open.
    """

    channel: str
    idle_power_w: float | None
    ready_power_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that a report shows.

    Attributes:
        judgements: In the order given, reasons for absent values added.
        rows: Worst verdict first.
        sensors: Each sensor, those that are there first.
        machine: Where the tests ran; the first record's if there are several. `None` without tests.
        notes: What a reader must know of the whole, one sentence each; all of it is in the judgements.
        run_notes: The same of the run itself, which no judgement holds.
        yardstick: What the fixed loads used.
        run_judgement: By what the run was judged as a whole; `None` if it was not recorded.
        tariff: Carbon intensity and price of a kilowatt hour; `None` if the user gave neither.
    """

    judgements: tuple[Judgement, ...]
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    sensors: tuple[SensorStatus, ...]
    machine: Machine | None
    notes: tuple[str, ...]
    run_notes: tuple[str, ...]
    idle_powers: tuple[IdlePower, ...]
    yardstick: Yardstick
    run_judgement: RunJudgement | None = None
    tariff: Tariff | None = None

    @property
    def counts(self) -> dict[Verdict, int]:
        """Tests by verdict, worst first, without verdicts that no test has."""
        tests = Counter(judgement.verdict for judgement in self.judgements)
        return {
            verdict: tests[verdict]
            for verdict in sorted(tests, key=lambda verdict: SEVERITY[verdict].of_rows)
        }


def of(
    judgements: Sequence[Judgement],
    *,
    run_notes: Iterable[str] = (),
    yardstick: Yardstick | None = None,
    run_judgement: RunJudgement | None = None,
    tariff: Tariff | None = None,
) -> View:
    """View of one session.

    Args:
        judgements: In the order that a reader expects: that of the files and of the tests in them.
        run_notes: What the end of the run showed, one sentence each; none stands twice.
        yardstick: What the fixed loads used, where any were.
        run_judgement: By what the run was judged as a whole, where that is known.
        tariff: Carbon intensity and price of a kilowatt hour, where they were given.
    """
    completed = tuple(_with_reasons(judgement) for judgement in judgements)
    records = [judgement.record for judgement in completed]
    return View(
        judgements=completed,
        rows=_rows(completed),
        groups=_groups(completed),
        sensors=_sensors(records),
        machine=records[0].machine if records else None,
        notes=_notes(completed),
        run_notes=tuple(dict.fromkeys(run_notes)),
        idle_powers=_idle_powers(records),
        yardstick=yardstick or Yardstick(),
        run_judgement=run_judgement,
        tariff=tariff,
    )


def _rows(judgements: Sequence[Judgement]) -> tuple[Row, ...]:
    names = [_names(judgement.record.test_id) for judgement in judgements]
    short_count, file_count = Counter(short for short, _ in names), Counter(file for _, file in names)
    rows = []
    for judgement, (short, file) in zip(judgements, names, strict=True):
        file_id = file if file_count[file] == 1 else judgement.record.test_id
        rows.append(
            Row(judgement=judgement, short_id=short if short_count[short] == 1 else file_id, file_id=file_id)
        )
    return tuple(sorted(rows, key=lambda row: SEVERITY[row.verdict].of_rows))


def _names(test_id: str) -> tuple[str, str]:
    """Name of the test alone, and with its file; whatever is in brackets stays as it is."""
    path, bracket, parameters = test_id.partition("[")
    return path.rpartition("::")[2] + bracket + parameters, path.rpartition("/")[2] + bracket + parameters


def _with_reasons(judgement: Judgement) -> Judgement:
    """The same judgement; what is absent has a reason, what is no number or too large is absent."""
    record, summary, comparison = judgement.record, judgement.summary, judgement.comparison
    absent: dict[str, str] = {}
    if judgement.verdict is Verdict.VOID and record.void_because is None:
        record = replace(record, void_because=judgement.reason)  # found when it was judged
    if summary is not None and (record.energy_j is None or not _is_finite(astuple(summary))):
        summary = None
    if summary is None:
        absent |= dict.fromkeys(_OF_SUMMARY, "the rounds have no summary of finite numbers")
    if comparison is not None and not _is_finite(asdict(comparison)):
        comparison, absent["baseline"] = None, "the comparison holds a number that is not finite"
    metrics = {name: value if _is_finite(value) else None for name, value in record.metrics.items()}
    absent |= {name: _why(record.metrics[name]) for name, value in metrics.items() if value is None}
    absent |= {**_reasons(record), **record.absent}
    if absent != record.absent or metrics != record.metrics:
        record = replace(record, metrics=metrics, absent=absent)
    return replace(judgement, record=record, comparison=comparison, summary=summary)


def _why(value: float | None) -> str:
    return "no reason was given" if value is None else f"its value is {value}"


def _is_finite(value: object) -> bool:
    """Whether every number in *value* is one that a report can hold."""
    if isinstance(value, int | float):
        return abs(value) <= MOST_NUMBER
    if isinstance(value, Mapping):
        return all(_is_finite(item) for item in value.values())
    return not isinstance(value, tuple | list) or all(_is_finite(item) for item in value)


def _reasons(record: Record) -> dict[str, str]:
    """Why each value of *record* that is absent is absent."""
    if (because := record.absent_because) is not None:
        return dict.fromkeys((*_OF_SUMMARY, *_OF_ROUNDS), because)
    reasons = {}
    if record.samples is None:
        reasons[AGAINST] = "the test gives no number of samples per round"
    if record.power_w is None:
        reasons["power_w"] = "a round took less time than the clock resolves"
    if record.net_energy_j is None:
        reasons["net_energy_j"] = "idle power was not measured for every channel"
    if partial := record.partial_channels:
        reasons["net_energy_j"] = "a channel is missing in some rounds"
        reasons |= {f"channels.{name}": because for name, because in partial.items()}
    return reasons


def _sensors(records: Iterable[Record]) -> tuple[SensorStatus, ...]:
    """Each sensor once: as the first record that has it says, one that is there before one that is absent."""
    by_name: dict[str, SensorStatus] = {}
    for sensor in (sensor for record in records for sensor in record.sensors):
        known = by_name.get(sensor.name)
        if known is None or (known.absent_because is not None and sensor.absent_because is None):
            by_name[sensor.name] = sensor
    return tuple(sorted(by_name.values(), key=lambda sensor: sensor.absent_because is not None))


def _idle_powers(records: Sequence[Record]) -> tuple[IdlePower, ...]:
    """Idle and ready power of each channel, as the first record that has it says."""
    idle_w: dict[str, float] = {}
    ready_w: dict[str, float] = {}
    for record in records:
        if record.provenance is Provenance.MEASURED and record.machine.key == records[0].machine.key:
            idle_w = {**(record.idle_power_w or {}), **idle_w}
            ready_w = {**(record.ready_power_w or {}), **ready_w}
    return tuple(
        IdlePower(channel=name, idle_power_w=idle_w.get(name), ready_power_w=ready_w.get(name))
        for name in sorted({*idle_w, *ready_w})
    )


def _notes(judgements: Sequence[Judgement]) -> tuple[str, ...]:
    if not judgements:
        return ("no test was judged by its energy",)
    records = [judgement.record for judgement in judgements]
    notes = [*origin_notes(records)]
    elsewhere = sum(record.machine.key != records[0].machine.key for record in records)
    if elsewhere:
        notes.append(f"{elsewhere} of {len(records)} tests ran on another machine")
    notes += _each_once(
        (judgement.comparison.note,) for judgement in judgements if judgement.comparison is not None
    )
    notes += merged(reading.quality for record in records for reading in record.rounds)
    return tuple(notes)


def origin_notes(records: Sequence[Record]) -> Iterable[str]:
    """What the joules of *records* are, where they are not measured."""
    measured = [record for record in records if record.energy_j is not None]
    if not measured:
        yield "no joule was measured"
        return
    for provenance, what in (
        (Provenance.ESTIMATED, "an estimate, not a measurement"),
        (Provenance.REPLAYED, "replayed from a file, not measured in this run"),
    ):
        count = sum(record.provenance is provenance for record in measured)
        if count == len(measured):
            yield f"every joule here is {what}"
        elif count:
            yield f"the joules of {count} of {len(measured)} tests are {what}"


def _each_once(sentences_by_test: Iterable[Iterable[str]]) -> list[str]:
    """Each sentence once, with the number of tests that it is said of."""
    count = Counter(sentence for sentences in sentences_by_test for sentence in sentences if sentence)
    return [sentence if tests == 1 else f"{sentence} ({tests} tests)" for sentence, tests in count.items()]


def _groups(judgements: Iterable[Judgement]) -> tuple[Group, ...]:
    members: dict[tuple[str, Provenance, str], list[Record]] = {}
    for record in (judgement.record for judgement in judgements):
        if record.group is not None:
            members.setdefault((record.group, record.provenance, record.machine.key), []).append(record)
    return tuple(_group(*key, records) for key, records in members.items())


def _group(name: str, provenance: Provenance, machine_key: str, records: Sequence[Record]) -> Group:
    met = dict.fromkeys(m for record in records for m in record.metrics if m != AGAINST and is_ranked(m))
    metrics = (*(metric for metric in METRICS if metric in met), *(m for m in met if m not in METRICS))
    rows, paper = _model_rows(records, metrics), PAPER_RHO.get(name, {})
    return Group(
        name=name,
        provenance=provenance,
        machine_key=machine_key,
        metrics=metrics,
        units={metric: METRICS[metric].unit for metric in metrics if metric in METRICS},
        rows=rows,
        absent={name: reasons for name in (AGAINST, *metrics) if (reasons := _absences(name, records))},
        correlations=tuple(
            MetricCorrelation(
                metric=metric,
                correlation=_correlation(metric, rows),
                paper={hardware: rho[metric] for hardware, rho in paper.items() if metric in rho},
            )
            for metric in metrics
        ),
    )


def _absences(name: str, records: Iterable[Record]) -> tuple[str, ...]:
    """Distinct reasons why some of *records* have no *name*."""
    return tuple(dict.fromkeys(record.absent[name] for record in records if name in record.absent))


def _model_rows(records: Sequence[Record], metrics: Sequence[str]) -> tuple[ModelRow, ...]:
    """Means over the tests of each model in each configuration, as many rows as there are of those."""
    members: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        members.setdefault(_row_key(record), []).append(record)
    row_count = Counter(model for model, *_ in members)
    return tuple(
        ModelRow(
            model=key[0],
            configuration=_configuration(repeats[0]) if row_count[key[0]] > 1 else "",
            energy_per_sample_j=_mean(record.energy_per_sample_j for record in repeats),
            metrics={metric: _mean(record.metrics.get(metric) for record in repeats) for metric in metrics},
        )
        for key, repeats in members.items()
    )


def _configuration(record: Record) -> str:
    """What was set for the model, as far as its name does not hold it."""
    values = ((form, record.metrics.get(name)) for name, form in _CONFIGURATION.items())
    texts = (form.format(value) for form, value in values if value is not None)
    return ", ".join(text for text in texts if not (record.model or "").endswith(f"@{text}"))


def _row_key(record: Record) -> tuple[str, ...]:
    """Model, or the test where it names none, and what was set for it."""
    if record.model is None:
        return (_names(record.test_id)[0], record.test_id)
    return (record.model, *(str(record.metrics.get(name)) for name in _CONFIGURATION))


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of those that are there; `None` if none is."""
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if present else None


def _correlation(metric: str, rows: Iterable[ModelRow]) -> Correlation:
    pairs = [
        (value, row.energy_per_sample_j)
        for row in rows
        if (value := row.metrics[metric]) is not None and row.energy_per_sample_j is not None
    ]
    return _spearman(tuple(value for value, _ in pairs), tuple(energy_j for _, energy_j in pairs))


@lru_cache(maxsize=1024)
def _spearman(x: tuple[float, ...], y: tuple[float, ...]) -> Correlation:
    """Remembered: thousands of permutations take 0.1 s, and one session is written in several forms."""
    return spearman(x, y, seed=SEED)
