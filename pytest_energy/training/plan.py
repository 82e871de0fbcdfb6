"""What `energy.until` runs: a training from its start, epoch by epoch, and when it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pytest_energy.codec import brief, number_of
from pytest_energy.errors import EnergyError

Evaluation = Literal["outside", "inside"]
"""Whether the joules of evaluating are left out, or are part of the epoch that is evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilPlan:
    """The arguments of `energy.until`, where they are described.

    Attributes:
        targets: Accuracies in ascending order; the training ends at the last one.
    """

    start: Callable[[int], Any]
    train: Callable[[Any], object]
    evaluate: Callable[[Any], object]
    targets: tuple[float, ...]
    most_epochs: int
    evaluation: Evaluation
    traced: Callable[[Any], object] | None

    def accuracy(self, state: object) -> float:
        """The accuracy of what *state* has learnt so far.

        Raises:
            EnergyError: `evaluate` gives no share.
        """
        value = self.evaluate(state)
        accuracy = number_of(value)
        if accuracy is None or not 0 <= accuracy <= 1:
            raise EnergyError(
                "energy.until: evaluate must return an accuracy of 0 to 1, not a percentage. "
                f"Got {brief(value)}."
            )
        return accuracy
