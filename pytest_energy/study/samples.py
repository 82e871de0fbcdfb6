"""What a sample of each test used, in each run of a study. Pure.

Rule 1: gross joules are those measured, net ones are above idle power, active ones above ready power.
Rule 2: one of the three that is not known has its reason, and is not replaced by another.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.model import Record
from pytest_energy.report import batch, rates
from pytest_energy.verdict.session import of_one_session

Energy = Literal["gross", "net", "active"]
ENERGIES: tuple[Energy, ...] = ("gross", "net", "active")

ENGINE = "engine"
"""The fact of a served model that names its engine."""

REQUEST, OTHER = "request", "sample"
"""What a sample is: of a served model a request, else whatever the test declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a study: the name of its file, and its judgements."""

    name: str
    judgements: tuple[Judgement, ...]

    def renamed(self, groups: Mapping[str, str]) -> "Run":
        """The run with other names for its *groups*."""
        judgements = (
            replace(
                one, record=replace(one.record, group=groups.get(one.record.group or "", one.record.group))
            )
            for one in self.judgements
        )
        return replace(self, judgements=tuple(judgements))

    @property
    def records(self) -> tuple[Record, ...]:
        """Those of a group, with the ready power of all rounds, which older files don't hold."""
        records = tuple(one.record for one in self.judgements)
        fitted = of_one_session(records)
        return tuple(
            record if record.ready_power else one
            for record, one in zip(records, fitted, strict=True)
            if record.group is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a sample of one test used in one run.

    Attributes:
        run: Name of its file.
        model: Without what was set for it.
        setting: What was set for it, such as `16/s` or `batch 128`; empty without any.
        energies_j: Gross, net and active joules; `None` where *absent* has the reason.
        absent: Kind of joules, or metric, to why it is missing.
        unit: What a sample is.
    """

    run: str
    group: str
    model: str
    setting: str
    record: Record = field(repr=False)
    energies_j: Mapping[Energy, float | None]
    absent: Mapping[str, str] = field(repr=False)
    unit: str

    @property
    def work(self) -> tuple[tuple[str, str], ...]:
        """What the work was and how it was done: samples of other work are not averaged."""
        facts = {**self.record.workload, **self.record.engine_settings}
        test = self.record.test_id.partition("[")[0].rpartition("::")[2]
        engine = facts.pop(ENGINE, "unknown")
        return (("test", test), (ENGINE, engine), *facts.items())


def samples_of(run: Run) -> tuple[Sample, ...]:
    """The tests of *run* that have a group.

    Raises:
        SettingsError: None of them has joules of a sample.
    """
    samples = tuple(_sample(run.name, record) for record in run.records)
    if not any(one.energies_j["gross"] is not None for one in samples):
        raise SettingsError(f"{run.name} has no joules per sample to compare: {_why_none(run, samples)}")
    return samples


def _why_none(run: Run, samples: Iterable[Sample]) -> str:
    for one in samples:
        return f"{one.record.test_id}: {one.absent['gross']}"
    tests = f"none of its {len(run.judgements)} tests has a group" if run.judgements else "it has no test"
    return f"{tests}. Give a run of tests with group= and model= in their marker"


def _sample(run: str, record: Record) -> Sample:
    model, setting = _named(record)
    values = dict(_energies(record))
    return Sample(
        run=run,
        group=record.group or "",
        model=model,
        setting=setting,
        record=record,
        energies_j={kind: None if isinstance(value, str) else value for kind, value in values.items()},
        absent={**record.absent, **{kind: why for kind, why in values.items() if isinstance(why, str)}},
        unit=REQUEST if rates.rate_of(record) is not None else OTHER,
    )


def _named(record: Record) -> tuple[str, str]:
    """Model and setting."""
    rate, size = rates.rate_of(record), batch.batch_size_of(record)
    if rate is not None:
        return rates.model_of(record), f"{rate:g}/s"
    if size is not None:
        return batch.model_of(record), f"batch {size}"
    return record.model or record.test_id.rpartition("::")[2], ""


def _energies(record: Record) -> Iterator[tuple[Energy, float | str]]:
    """Joules of a sample of each kind, or why there are none."""
    because = record.absent_because
    whole: dict[Energy, tuple[float | None, str]] = {
        "gross": (record.energy_j, "no joules"),
        "net": (record.net_energy_j, "idle power was not measured for every channel"),
        "active": (record.active_energy_j, "ready power is not known for every channel"),
    }
    for kind, (energy_j, why) in whole.items():
        if because is not None or record.samples is None:
            yield kind, because or "the test gives no number of samples per round"
        elif energy_j is None:
            yield kind, why
        elif energy_j <= 0:
            yield kind, f"{energy_j:.3g} J of a round are no joules above that power"
        else:
            yield kind, energy_j / record.samples
