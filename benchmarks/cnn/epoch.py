"""The paper's metrics that hold work done, for an epoch of equal size whatever the rounds were.

Work done is parameters over the duration of an epoch. Where each model has its own number of steps a round
can't stand for the epoch: a longer round would look like less work. So joules and seconds are scaled to
an epoch's samples first.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pytest_energy.metrics.discriminative import ModelFacts, metrics_of
from pytest_energy.model import Record

SCALED = ("work_done", "overall_efficiency", "work_per_unit_power")


def epoch_metrics(epoch_samples: int) -> Mapping[str, Callable[[Record], float | None]]:
    """Formulas for *epoch_samples*; a record tells its `parameters`, or the value is absent."""

    def formula(name: str) -> Callable[[Record], float | None]:
        return lambda record: epoch_metric(name, record, epoch_samples)

    return {name: formula(name) for name in SCALED}


def epoch_metric(name: str, record: Record, epoch_samples: int) -> float | None:
    """One metric of *record*, its rounds scaled to *epoch_samples*; `None` where it can't be told.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3; the epoch as in the authors' notebook for it.
    """
    parameters = record.metrics.get("parameters")
    if parameters is None or record.samples is None:
        return None
    facts = ModelFacts(
        parameters=int(parameters), macs=None, size_bytes=0, accuracy=record.metrics.get("accuracy")
    )
    values = metrics_of(scaled_to(record, epoch_samples / record.samples), facts).values
    return values[name]


def scaled_to(record: Record, factor: float) -> Record:
    """*record* with *factor* times the joules and seconds in each round."""
    return replace(
        record,
        rounds=tuple(
            replace(
                reading,
                channels={name: energy_j * factor for name, energy_j in reading.channels.items()},
                duration_s=reading.duration_s * factor,
                uncertainty_j=reading.uncertainty_j * factor,
            )
            for reading in record.rounds
        ),
    )
