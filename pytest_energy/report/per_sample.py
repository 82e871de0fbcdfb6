"""Joules of one sample, test by test and model by model, as tables and charts take them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_energy.judgement import Judgement
from pytest_energy.model import Record


class Judged(Protocol):
    """A run, or whatever else has judgements."""

    @property
    def judgements(self) -> tuple[Judgement, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSample:
    """What a sample of one test used: mean over the rounds, its 95 % interval, its standard uncertainty.

    Attributes:
        samples: In a round.
        net_j: Less idle power; `None` if that is not known.
    """

    samples: int
    energy_j: float
    interval_j: tuple[float, float]
    uncertainty_j: float
    net_j: float | None


def per_sample(judgement: Judgement, *, samples: str = "samples") -> PerSample | str:
    """What a sample used, or why that is not available. *samples* is what they are called."""
    record, summary = judgement.record, judgement.summary
    if summary is None or record.energy_j is None:
        return record.absent.get("energy_j") or judgement.reason
    if record.samples is None:
        return record.absent.get("energy_per_sample_j", f"the test gives no number of {samples}")
    lower_j, upper_j = summary.energy_ci_j
    return PerSample(
        samples=record.samples,
        energy_j=summary.energy_j / record.samples,
        interval_j=(lower_j / record.samples, upper_j / record.samples),
        uncertainty_j=summary.uncertainty_j / record.samples,
        net_j=None if record.net_energy_j is None else record.net_energy_j / record.samples,
    )


def by_model(
    run: Judged, group: str, model_of: Callable[[Record], str]
) -> list[tuple[str, tuple[Judgement, ...]]]:
    """Each model of *group* with its judgements; two tests, provenances or machines are two entries."""
    members: dict[tuple[str, ...], list[Judgement]] = {}
    for judgement in run.judgements:
        record = judgement.record
        if record.group == group:
            test = record.test_id.partition("[")[0]
            key = (model_of(record), test, record.provenance, record.machine.key)
            members.setdefault(key, []).append(judgement)
    return [(model, tuple(judgements)) for (model, *_), judgements in members.items()]


def case_of(record: Record) -> str:
    """What is in the brackets of the test's id, or the id."""
    return record.test_id.partition("[")[2].removesuffix("]") or record.test_id
