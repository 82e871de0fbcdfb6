"""What a load at a fixed rate is made of, and joules of a unit of each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_energy.errors import NotMeasurable

STEP_COUNT = "step_count"
DURATION_S = "duration_s"
ROUND_TOKENS = ("prompt_tokens", "decoded_tokens", "context_tokens")
AMOUNTS = (STEP_COUNT, DURATION_S, *ROUND_TOKENS)
"""All that costs joules in a load: steps, seconds, prompt tokens that are computed, tokens that are decoded,
and the context that those read. A round has each as its joules are: scaled to all of its requests."""

WHOLE_TOKENS = ("whole_prompt_tokens", "whole_decoded_tokens")
"""Tokens that were computed and decoded for all requests, counted and not scaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """Joules that one more step of an engine adds to a load of equal requests.

    Attributes:
        energy_j: Of a step.
        uncertainty_j: Its standard uncertainty.
        channels: Those whose joules these are.
        amount_energies_j: Joules of a unit of each of `AMOUNTS`, the step among them; empty if not known.
        covariances_j2: Of those joules, a row for each, in their order.
    """

    energy_j: float
    uncertainty_j: float
    channels: tuple[str, ...]
    amount_energies_j: Mapping[str, float] = field(default_factory=dict)
    covariances_j2: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.energy_j < math.inf and 0 <= self.uncertainty_j < math.inf):
            raise NotMeasurable(f"a step of {self.energy_j} +- {self.uncertainty_j} J; both are at least 0")
        for name, energy_j in self.amount_energies_j.items():
            if not 0 <= energy_j < math.inf:
                raise NotMeasurable(f"{energy_j} J for a unit of {name}; it is at least 0")
        count = len(self.amount_energies_j)
        if [len(row) for row in self.covariances_j2] != [count] * count:
            raise NotMeasurable(f"covariances of {len(self.covariances_j2)} rows for {count} amounts")

    @property
    def names(self) -> tuple[str, ...]:
        """The amounts whose joules are known: all, or steps alone."""
        return tuple(self.amount_energies_j) or (STEP_COUNT,)

    def energy_of_j(self, amounts: Mapping[str, float]) -> float:
        """Joules of *amounts*, of names that are known."""
        known = self.amount_energies_j or {STEP_COUNT: self.energy_j}
        return math.fsum(known[name] * amount for name, amount in amounts.items())

    def uncertainty_of_j(self, amounts: Mapping[str, float]) -> float:
        """Standard uncertainty of the joules of *amounts*, from that of the costs: sqrt(a' C a)."""
        if not self.amount_energies_j:
            return self.uncertainty_j * abs(amounts.get(STEP_COUNT, 0.0))
        row = [amounts.get(name, 0.0) for name in self.amount_energies_j]
        squares = (
            one * other * covariance_j2
            for one, covariances_j2 in zip(row, self.covariances_j2, strict=True)
            for other, covariance_j2 in zip(row, covariances_j2, strict=True)
        )
        return math.sqrt(max(0.0, math.fsum(squares)))  # rounded in a file, they may sum to a little less
