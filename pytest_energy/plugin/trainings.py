"""Trainings to a target accuracy, measured as the rounds of a test."""

from collections.abc import Callable, Iterable
from typing import Any, get_args

from pytest_energy.codec import brief, number_of
from pytest_energy.errors import EnergyError
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.mistakes import check_function
from pytest_energy.quantities import Count
from pytest_energy.spelling import choice
from pytest_energy.training.plan import Evaluation, UntilPlan
from pytest_energy.training.result import UntilResult, metrics_of, until_result
from pytest_energy.training.until import UntilWork


def until_plan(
    *,
    accuracy: object,
    start: Callable[[int], Any],
    train: Callable[[Any], object],
    evaluate: Callable[[Any], object],
    most_epochs: int,
    evaluation: Evaluation,
    traced: Callable[[Any], object] | None,
) -> UntilPlan:
    """The arguments of `energy.until`, checked.

    Raises:
        EnergyError: One is not what it must be.
    """
    for name, function in (("start", start), ("train", train), ("evaluate", evaluate)):
        check_function(function, "until", name)
    try:
        choice(evaluation, get_args(Evaluation))
    except ValueError as error:
        raise EnergyError(f"energy.until: evaluation {error}") from None
    return UntilPlan(
        start=start,
        train=train,
        evaluate=evaluate,
        targets=_targets(accuracy),
        most_epochs=_count(most_epochs, "most_epochs"),
        evaluation=evaluation,
        traced=traced,
    )


def train_until(measurement: Measurement, plan: UntilPlan, repeats: int) -> UntilResult:
    """Take *repeats* trainings of *plan*, each from its start.

    Raises:
        EnergyError: `evaluate` gives no share, or rounds were measured already.
    """
    measurement.refuse_ranks("energy.until")
    work = UntilWork(
        plan=plan, has_warm_up=measurement.has_warm_up, next_seed=measurement.earlier_round_count
    )
    measurement.taker.own_count = _count(repeats, "repeats")
    measurement.measure(work)
    result = until_result(work, measurement.own_rounds())
    measurement.keep(metrics_of(result))
    return result


def _targets(accuracy: object) -> tuple[float, ...]:
    """Accuracies in ascending order."""
    given = accuracy if isinstance(accuracy, Iterable) and not isinstance(accuracy, str) else [accuracy]
    values = {number_of(value) for value in given}
    shares = sorted(value for value in values if value is not None and 0 < value <= 1)
    if not shares or len(shares) < len(values):
        raise EnergyError(
            "energy.until takes accuracy= as a share above 0 and up to 1, or several: accuracy=(0.8, 0.9). "
            f"Got {brief(accuracy)}."
        )
    return tuple(shares)


def _count(value: object, name: str) -> int:
    try:
        return Count(1)(value)
    except ValueError as error:
        raise EnergyError(f"energy.until: {name} {error}") from None
