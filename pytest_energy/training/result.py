"""What `energy.until` found: accuracy and joules by epoch, and the joules to each target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_energy.errors import Absent
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Provenance, Reading
from pytest_energy.stats.to_accuracy import (
    ONE_TRAINING,
    Epoch,
    ToAccuracy,
    Training,
    to_accuracy,
    trainings_of,
)
from pytest_energy.training.until import UntilWork


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilResult:
    """Trainings to an accuracy; intervals at 95 % confidence.

    Attributes:
        trainings: The epochs of each training, one seed each, with accuracy and joules so far.
        targets: What it took to reach each accuracy, in ascending order.
        evaluation_energy_j: Joules of evaluating in a training, mean; `None` if not known.
        provenance: Of the joules; `None` without joules.
    """

    trainings: tuple[Training, ...]
    targets: tuple[ToAccuracy, ...]
    evaluation_energy_j: float | None
    provenance: Provenance | None

    @property
    def is_reached(self) -> bool:
        """Whether all trainings reached the highest accuracy."""
        return None not in self.targets[-1].epochs

    @property
    def energy_j(self) -> float | None:
        """Mean joules to the highest accuracy."""
        return self.targets[-1].energy_j

    @property
    def interval_j(self) -> tuple[float, float] | None:
        """Its interval."""
        return self.targets[-1].interval_j

    @property
    def accuracy(self) -> float:
        """At the end of the trainings, mean."""
        return fmean(training[-1].accuracy for training in self.trainings)

    def to(self, accuracy: float) -> ToAccuracy:
        """What it took to reach *accuracy*, a target or any other."""
        return to_accuracy(self.trainings, accuracy)


def until_result(work: UntilWork, rounds: Sequence[Reading] | Absent) -> UntilResult:
    """Everything that is known once the trainings of *work* are over."""
    trainings = () if isinstance(rounds, Absent) else trainings_of(rounds)
    evaluations_j = work.evaluations_j[-len(trainings) :]
    known_j = [energy_j for energy_j in evaluations_j if energy_j is not None]
    is_known = bool(trainings) and len(known_j) == len(trainings)
    return UntilResult(
        trainings=trainings or tuple(map(_unmeasured, work.runs)),
        targets=tuple(
            to_accuracy(trainings or tuple(map(_unmeasured, work.runs)), target)
            for target in work.plan.targets
        ),
        evaluation_energy_j=math.fsum(known_j) / len(known_j) if is_known else None,
        provenance=rounds[0].provenance if trainings and not isinstance(rounds, Absent) else None,
    )


def _unmeasured(accuracies: Sequence[float]) -> Training:
    return tuple(
        Epoch(accuracy=accuracy, energy_j=None, uncertainty_j=0.0, duration_s=None) for accuracy in accuracies
    )


def metrics_of(result: UntilResult) -> Metrics:
    """*result* as metrics of a record: joules and epochs to each accuracy, and the accuracy in the end."""
    values: dict[str, float | None] = {}
    absent: dict[str, str] = {}
    for target in result.targets:
        to = f"to_{f'{100 * target.target:.6g}'.replace('.', '_')}_percent"
        ends = target.interval_j or (None, None)
        figures = {
            f"energy_{to}": target.energy_j,
            f"energy_{to}_lower": ends[0],
            f"energy_{to}_upper": ends[1],
            f"epochs_{to}": target.epoch_count,
        }
        missing = [name for name, figure in figures.items() if figure is None]
        values |= figures
        absent |= dict.fromkeys(missing, target.absent_because or ONE_TRAINING)
    values["accuracy"] = result.accuracy if result.trainings else None
    values["evaluation_energy"] = result.evaluation_energy_j
    if result.evaluation_energy_j is None:
        absent["evaluation_energy"] = "the joules of the evaluations are not known"
    return Metrics(values, absent)
