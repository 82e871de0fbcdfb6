"""Checks of what a test gives besides its work: metrics of its own, and the units of its limits."""

from pytest_energy.codec import MOST_NUMBER, brief, number_of
from pytest_energy.errors import EnergyError
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.plugin.mark import EnergyMark


def metric(name: str, value: float | None) -> Metrics:
    """A metric that a test has recorded.

    Raises:
        EnergyError: The value is neither a finite number nor `None`.
    """
    if value is None:
        return Metrics({name: None}, {name: "recorded as None by the test"})
    number = number_of(value)
    if number is None:
        raise EnergyError(
            f"energy.record: {name} must be a number up to {MOST_NUMBER:g}, or None. Got {brief(value)}."
        )
    return Metrics({name: number})


def check_units(mark: EnergyMark, *, samples: int | None, output_tokens: int | None) -> None:
    """Check that each limit of *mark* has its unit.

    Raises:
        EnergyError: A limit for each sample or token was set and their number is not known.
    """
    if mark.budget_per_sample_j is not None and samples is None:
        raise EnergyError(
            f"budget_per_sample_j={mark.budget_per_sample_j:g} needs the number of samples in a round.\n"
            "Set samples= in the marker, in energy.measure or in energy.window."
        )
    if mark.budget_per_token_j is not None and output_tokens is None:
        raise EnergyError(
            f"budget_per_token_j={mark.budget_per_token_j:g} needs tokens that an engine counts.\n"
            "Measure the load with energy.requests."
        )
