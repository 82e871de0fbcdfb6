"""Observations for a calibration: a test's features, and its seconds and joules on the GPU. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.prediction.features import Features, features_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One call of a test's work on the card.

    Attributes:
        test_id: The test's node id.
        group: What is left out together: the model, or the test where it names none.
        features: Of a call.
        energy_j: All joules of a call.
        duration_s: Of a call.
        ready_power_w: Power with the device open and nothing at work.
    """

    test_id: str
    group: str
    features: Features
    energy_j: float
    duration_s: float
    ready_power_w: float

    def __post_init__(self) -> None:
        if not (self.active_energy_j > 0 and self.duration_s > 0 and math.isfinite(self.energy_j)):
            raise NotMeasurable(
                f"{self.test_id}: {self.energy_j:.4g} J in {self.duration_s:.4g} s at a ready power of "
                f"{self.ready_power_w:.4g} W leave no active joules to fit"
            )

    @property
    def active_energy_j(self) -> float:
        """Joules above ready power."""
        return self.energy_j - self.ready_power_w * self.duration_s


def observation_of(record: Record) -> Observation | Absent:
    """The observation in *record*, or why it has none."""
    if record.provenance is not Provenance.MEASURED or record.energy_j is None or record.duration_s is None:
        return Absent(record.absent_because or f"its joules are {record.provenance.value}, not measured")
    if isinstance(features := _features_of(record), Absent):
        return features
    if (ready_power_w := ready_power_of(record)) is None:
        return Absent("the ready power of the GPU is not known")
    try:
        return Observation(
            test_id=record.test_id,
            group=record.model or record.test_id,
            features=features,
            energy_j=record.energy_j,
            duration_s=record.duration_s,
            ready_power_w=ready_power_w,
        )
    except NotMeasurable as error:
        return Absent(str(error))


def _features_of(record: Record) -> Features | Absent:
    if record.counts is None:
        return Absent(record.absent.get("counts", "it has no counts"))
    if record.counts.is_piece:
        return Absent("its counts are of a smaller piece of the work, its joules of all of it")
    return features_of(record.counts)


def ready_power_of(record: Record) -> float | None:
    """Mean power of *record*'s channels before and between its rounds, device open and no work; or `None`."""
    if record.active_energy_j is not None and record.energy_j is not None and record.duration_s:
        return (record.energy_j - record.active_energy_j) / record.duration_s
    powers_w = [_quiet_power_w(reading.quiet_power_w, reading) for reading in record.usable_rounds]
    known_w = [power_w for power_w in powers_w if power_w is not None]
    return fmean(known_w) if known_w else None


def _quiet_power_w(powers_w: Mapping[str, float], reading: Reading) -> float | None:
    if any(name not in powers_w for name in reading.channels):
        return None
    return math.fsum(powers_w[name] for name in reading.channels)
