"""Joules of a training until its accuracy reaches a target, from the epochs of its rounds. Pure.

Rule 1: the joules to a target are those up to the end of the first epoch whose accuracy is at least the
    target. They are an upper bound: the target may have been reached within that epoch, and the epoch is
    paid for. Between epochs nothing is interpolated.
Rule 2: a training that ends below the target has no joules to it, and then the mean of all has none. What
    each has spent gives the least that the mean can be.
Rule 3: the interval of the mean is that of rounds: Student's t over the spread of the trainings, and the
    meter's own uncertainty, which is not divided by their number. One training shows no spread: no interval.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Phase, Reading, Record
from pytest_energy.stats.compare import budget_bounds, summarise
from pytest_energy.stats.level import RoundEnergies

TARGETS = "accuracy_targets"
"""Fact of a workload: the accuracies that a training is to reach, in ascending order."""

ONE_TRAINING = "one training shows no spread over seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A training up to the end of one of its epochs.

    Attributes:
        accuracy: Of the model then, a share.
        energy_j: Of all epochs so far; `None` if it is not known.
        uncertainty_j: Standard uncertainty of these joules.
        duration_s: Seconds of all epochs so far; `None` if nothing measured.
    """

    accuracy: float
    energy_j: float | None
    uncertainty_j: float
    duration_s: float | None


Training = tuple[Epoch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAccuracy:
    """The joules of some trainings to one accuracy.

    Attributes:
        target: The accuracy, a share.
        epochs: Of each training, how many it took; `None` if it ended below the target.
        spent_j: Of each training, joules up to the target, or to its end; empty if joules are not known.
        energy_j: Mean over the trainings; `None` with its reason in *absent_because*.
        interval_j: 95 % interval of that mean; `None` without it, and with one training.
        least_energy_j: The least that the mean can be, where a training ended below the target; else `None`.
        absent_because: Why there is no mean, or empty.
    """

    target: float
    epochs: tuple[int | None, ...]
    spent_j: tuple[float, ...]
    uncertainties_j: tuple[float, ...]
    energy_j: float | None = None
    interval_j: tuple[float, float] | None = None
    least_energy_j: float | None = None
    absent_because: str = ""

    @property
    def epoch_count(self) -> float | None:
        """Mean epochs to the target; `None` if a training ended below it."""
        counts = [count for count in self.epochs if count is not None]
        return fmean(counts) if counts and len(counts) == len(self.epochs) else None

    def bounds_j(self, alpha: float) -> tuple[float, float]:
        """Bounds of the mean, each at confidence 1 - *alpha*; the upper is infinite if a target was missed.

        Raises:
            NotMeasurable: Joules are not known, or there are those of one training alone.
        """
        if not self.spent_j:
            raise NotMeasurable(self.absent_because)
        if len(self.spent_j) == 1:
            raise NotMeasurable(ONE_TRAINING)
        sample = RoundEnergies(energies_j=self.spent_j, uncertainties_j=self.uncertainties_j)
        lower_j, upper_j = budget_bounds(sample, alpha)
        return lower_j, math.inf if self.least_energy_j is not None else upper_j


def targets_of(record: Record) -> tuple[float, ...]:
    """The accuracies that *record*'s trainings were to reach; none if it is of other work."""
    return tuple(float(text) for text in filter(None, record.workload.get(TARGETS, "").split(", ")))


def trainings_of(rounds: Iterable[Reading]) -> tuple[Training, ...]:
    """The training of each of *rounds* that has one."""
    return tuple(filter(None, map(_training, rounds)))


def _training(reading: Reading) -> Training:
    phases = [phase for phase in reading.phases if phase.accuracy is not None]
    energies_j = accumulate(map(_known_j, phases))
    variances = accumulate((phase.uncertainty_j or 0.0) ** 2 for phase in phases)
    durations_s = accumulate(phase.duration_s for phase in phases)
    return tuple(
        Epoch(
            accuracy=phase.accuracy or 0.0,
            energy_j=None if math.isnan(energy_j) else energy_j,
            uncertainty_j=math.sqrt(variance),
            duration_s=duration_s,
        )
        for phase, energy_j, variance, duration_s in zip(
            phases, energies_j, variances, durations_s, strict=True
        )
    )


def _known_j(phase: Phase) -> float:
    """Joules of *phase*; not a number where they, or how well they are known, are missing."""
    return math.nan if phase.energy_j is None or phase.uncertainty_j is None else phase.energy_j


def to_accuracy(trainings: Sequence[Training], target: float) -> ToAccuracy:
    """What *trainings* used to reach *target*.

    >>> epochs = [Epoch(accuracy=0.1 * n, energy_j=5.0 * n, uncertainty_j=0, duration_s=n) for n in (7, 8, 9)]
    >>> to_accuracy([epochs, epochs], 0.75).energy_j
    40.0
    """
    reached = [_first(training, target) for training in trainings]
    ends = [one[-1 if count is None else count - 1] for one, count in zip(trainings, reached, strict=True)]
    spent_j = [end.energy_j for end in ends if end.energy_j is not None]
    if not ends or len(spent_j) < len(ends):
        because = "joules of its epochs are not known" if ends else "no training was measured"
        return ToAccuracy(
            target=target, epochs=tuple(reached), spent_j=(), uncertainties_j=(), absent_because=because
        )
    uncertainties_j = tuple(end.uncertainty_j for end in ends)
    missed = [end for end, count in zip(ends, reached, strict=True) if count is None]
    try:
        mean = summarise(spent_j, uncertainties_j)
    except NotMeasurable as error:
        return ToAccuracy(
            target=target, epochs=tuple(reached), spent_j=(), uncertainties_j=(), absent_because=str(error)
        )
    has_interval = not missed and len(ends) > 1
    return ToAccuracy(
        target=target,
        epochs=tuple(reached),
        spent_j=tuple(spent_j),
        uncertainties_j=uncertainties_j,
        energy_j=None if missed else mean.energy_j,
        interval_j=mean.energy_ci_j if has_interval else None,
        least_energy_j=mean.energy_j if missed else None,
        absent_because=_missed_text(missed, len(ends), target, mean.energy_j) if missed else "",
    )


def _first(training: Training, target: float) -> int | None:
    """The number of the first epoch that is good enough, from 1."""
    numbers = (number for number, epoch in enumerate(training, 1) if epoch.accuracy >= target)
    return next(numbers, None)


def _missed_text(missed: Sequence[Epoch], count: int, target: float, least_j: float) -> str:
    best = max(epoch.accuracy for epoch in missed)
    return (
        f"{len(missed)} of {count} trainings ended below {target:g}, the best of them at {best:.3g}; "
        f"the mean is at least {least_j:.4g} J"
    )
