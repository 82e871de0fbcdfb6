"""Metrics by name, as far as they can be computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.ratios import finite


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics by name, and why the absent ones are.

    Attributes:
        values: Metric name to value, or to `None` where it could not be computed.
        absent: Name of a missing value to the reason.
    """

    values: Mapping[str, float | None] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: "Metrics") -> "Metrics":
        """Both; where they share a name *other* wins."""
        return Metrics({**self.values, **other.values}, {**self.absent, **other.absent})


def evaluated(formulas: Mapping[str, Callable[[], float]]) -> Metrics:
    """What each formula gives; one that raises `NotMeasurable`, or overflows, is absent for that reason."""
    values: dict[str, float | None] = {}
    absent: dict[str, str] = {}
    for name, formula in formulas.items():
        try:
            values[name] = finite(formula(), name)
        except NotMeasurable as error:
            values[name], absent[name] = None, str(error)
    return Metrics(values, absent)
