"""What a call of the work would use on a card that is not here."""

import math
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable
from pytest_energy.model.values import Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Joules and seconds of one call of the work on another machine, worked out of its counts.

    It is no measurement and no estimate of this machine: it is added to nothing and is in no `energy_j`.

    Attributes:
        energy_j: Joules of a call.
        interval_j: Least and most: nine of ten networks that the calibration did not have lay inside.
        duration_s: Seconds of a call.
        error_share: Median error of the calibration for networks that it did not have.
        note: Why the interval is wider than the calibration's own, or empty.
    """

    energy_j: float
    interval_j: tuple[float, float]
    duration_s: float
    error_share: float
    note: str = ""

    def __post_init__(self) -> None:
        low_j, high_j = self.interval_j
        if not (0 < low_j <= self.energy_j <= high_j < math.inf and 0 <= self.duration_s < math.inf):
            raise NotMeasurable(
                f"{self.energy_j} J between {low_j} and {high_j} J in {self.duration_s} s is no prediction"
            )

    @property
    def provenance(self) -> Provenance:
        return Provenance.PREDICTED
