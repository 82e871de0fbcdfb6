"""Costs of one machine, with their error for networks that they were not fitted on. Pure.

Rule 1: a group (a model) is left out whole: its training predicts its inference.
Rule 2: the interval is of the errors of left-out groups, not of the fit's own.
Rule 3: the costs grow in proportion, so that a longer work of the same kind is no extrapolation; another mix
    of features is: operations and bytes of a call, on the average, that no calibrated test comes near.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from pytest_energy.codec import MOST_NUMBER
from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model.prediction import Prediction
from pytest_energy.prediction.costs import Costs, fit_costs
from pytest_energy.prediction.features import BYTES, CALLS, COPIED, Features, is_flops
from pytest_energy.prediction.observations import Observation

LEVEL = 0.9
"""Share of left-out tests that an interval is meant to hold."""

LEAST_GROUP_COUNT = 8
"""With one left out there are as many groups as there are costs of the device and the host, more or less."""

LEAST_TEST_COUNT = 10
"""With fewer than nine errors no 90 % of them are fewer than all."""

MOST_EXCESS = 8.0
"""A mean call eight times as large as any calibrated one is other work. Each doubling past what is calibrated
adds the interval's own width once more; both are a choice, as nothing measured lies out there."""

MOST_LOG_WIDTH = math.log(100.0)
"""Of an interval that still says something: from a hundredth to a hundred times what is predicted."""

_NOTED = 1.05  # an interval that is wider by less says it itself

LEAST_SHARE = 0.01
"""Of a kind of work that no calibrated test has: less of it is left out, more of it can't be predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A test, and what a fit without its group predicted for it."""

    test_id: str
    group: str
    energy_j: float
    predicted_j: float

    @property
    def log_error(self) -> float:
        return math.log(self.energy_j / self.predicted_j) if self.predicted_j > 0 else math.inf

    @property
    def error_share(self) -> float:
        """Share of the measured joules that the prediction is off."""
        return abs(self.predicted_j / self.energy_j - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A model that predicts the joules of one machine.

    Attributes:
        machine_key: Of the machine whose joules these are.
        created: UTC time of the fit, ISO 8601 with `Z`.
        costs: Fitted on all tests.
        ranges: Least and most of each feature in a call's features over its calls.
        held_out: Each test with what the others predicted for it.
        facts: What may differ on that machine, such as driver and torch.
    """

    machine_key: str
    created: str
    costs: Costs
    ranges: Mapping[str, tuple[float, float]]
    held_out: tuple[HeldOut, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def error_share(self) -> float:
        """Median error for tests of groups that were left out."""
        return median(one.error_share for one in self.held_out)

    @property
    def log_width(self) -> float:
        """Of the interval: the rank of all errors that a new one stays below with 90 %.

        Source:
            Vovk et al. 2005, Algorithmic Learning in a Random World, section 2.2: rank ceil(level (n + 1)).
        """
        sizes = sorted(abs(one.log_error) for one in self.held_out)
        return sizes[min(len(sizes), math.ceil(LEVEL * (len(sizes) + 1))) - 1]

    @property
    def interval_factors(self) -> tuple[float, float]:
        """Of a prediction: its least and most, where the work is like the calibrated one."""
        return math.exp(-self.log_width), math.exp(self.log_width)

    def predict(self, features: Features) -> Prediction | Absent:
        """Joules of a call with *features* on this machine, or why there is no prediction."""
        usable = self._usable(features)
        if isinstance(usable, Absent):
            return usable
        name, excess = self._excess(usable)
        if excess > MOST_EXCESS:
            return Absent(f"its {name} in an average call are {_times(excess)} outside the calibrated range")
        if not 0 < (energy_j := self.costs.energy_j(usable)) < MOST_NUMBER:
            return Absent(f"by the costs of the calibrated tests it would use {energy_j:.3g} J")
        if (log_width := self.log_width * (1 + math.log2(excess))) > MOST_LOG_WIDTH:
            return Absent("its interval would be wider than a factor of 100 to each side")
        factor = math.exp(log_width)
        return Prediction(
            energy_j=energy_j,
            interval_j=(energy_j / factor, energy_j * factor),
            duration_s=self.costs.duration_s(usable),
            error_share=self.error_share,
            note="" if excess < _NOTED else f"wider: {name} in an average call are {_times(excess)} outside",
        )

    def _usable(self, features: Features) -> Features | Absent:
        """*features* without traces of what no calibrated test has; absent where that is much of the work."""
        unknown = features.keys() - self.ranges.keys()
        for name in sorted(unknown):
            if features[name] > LEAST_SHARE * _whole_of(name, features):
                return Absent(f"it has {features[name]:.3g} {name}, and no calibrated test has any")
        return {name: amount for name, amount in features.items() if name not in unknown}

    def _excess(self, features: Features) -> tuple[str, float]:
        """The feature farthest outside, and how many times; 1 where all are inside."""
        return max(
            ((name, _outside(amount, self.ranges[name])) for name, amount in _of_a_call(features).items()),
            key=lambda pair: pair[1],
        )


def calibrated(
    observations: Sequence[Observation],
    *,
    machine_key: str,
    created: str,
    facts: Mapping[str, str] | None = None,
) -> Calibration:
    """The calibration that *observations*, all of the machine *machine_key*, give.

    Raises:
        NotMeasurable: They are too few to fit and to tell the error.
    """
    groups = {one.group for one in observations}
    if len(groups) < LEAST_GROUP_COUNT or len(observations) < LEAST_TEST_COUNT:
        raise NotMeasurable(
            f"{machine_key}: {len(observations)} tests of {len(groups)} models; a calibration needs at least "
            f"{LEAST_TEST_COUNT} tests of {LEAST_GROUP_COUNT} models, measured and with counts"
        )
    return Calibration(
        machine_key=machine_key,
        created=created,
        costs=fit_costs(observations),
        ranges=_ranges(one.features for one in observations),
        held_out=tuple(held_out(observations)),
        facts=facts or {},
    )


def held_out(observations: Sequence[Observation]) -> list[HeldOut]:
    """Each observation with what a fit without its group predicts for it."""
    results = []
    for group in dict.fromkeys(one.group for one in observations):
        costs = fit_costs([one for one in observations if one.group != group])
        results += [
            HeldOut(
                test_id=one.test_id,
                group=group,
                energy_j=one.energy_j,
                predicted_j=costs.energy_j(one.features),
            )
            for one in observations
            if one.group == group
        ]
    return results


def _ranges(features: Iterable[Features]) -> dict[str, tuple[float, float]]:
    calls = [_of_a_call(one) for one in features]
    names = sorted({name for one in calls for name in one})
    amounts = {name: [one[name] for one in calls if name in one] for name in names}
    return {name: (min(values), max(values)) for name, values in amounts.items()}


def _of_a_call(features: Features) -> dict[str, float]:
    """Features of an average call of an operator."""
    return {name: amount / features[CALLS] for name, amount in features.items()}


def _outside(amount: float, limits: tuple[float, float]) -> float:
    least, most = limits
    return max(1.0, least / amount, amount / most)


def _whole_of(name: str, features: Features) -> float:
    """What *name* is a part of."""
    if is_flops(name):
        return math.fsum(amount for other, amount in features.items() if is_flops(other))
    return features.get(BYTES, 0.0) if name == COPIED else features[CALLS]


def _times(excess: float) -> str:
    return f"{excess:.2g} times"
