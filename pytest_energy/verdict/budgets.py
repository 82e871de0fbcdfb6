"""A record's joules against its budgets. Pure, and without a sentence.

Rule 1: a budget is exceeded where the lower bound of the mean is above it, and kept where the upper one is
    not; in between the verdict is `inconclusive`.
Rule 2: a training that ends below its accuracy has no upper bound: it can exceed its budget, never keep it.
"""

import math
from collections.abc import Iterator
from statistics import fmean

from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.judgement import Budget, Verdict
from pytest_energy.model import Record
from pytest_energy.stats.centre import Spread, z_quantile
from pytest_energy.stats.compare import budget_bounds
from pytest_energy.stats.to_accuracy import targets_of, to_accuracy, trainings_of
from pytest_energy.verdict.best_setting import against_best
from pytest_energy.verdict.findings import AgainstBudget, BudgetUnknown, MachineBusy, OfBudget, Unit
from pytest_energy.verdict.other_programs import NOTED_SHARE, others_share, own_ratio
from pytest_energy.verdict.phase_record import phase_record
from pytest_energy.verdict.policy import Policy

_NO_UNITS = {
    "sample": "the number of samples per round is unknown; pass samples= to the marker or to energy.measure",
    "token": "no tokens were counted; measure the load with energy.requests",
}


def against_budgets(record: Record, budget: Budget, policy: Policy) -> Iterator[OfBudget]:
    yield from _against_unit_budgets(record, budget, policy)
    yield from _against_token_budgets(record, budget, policy)
    yield from _against_phase_budgets(record, budget, policy)
    if budget.budget_j_to_accuracy is not None:
        yield _against_training_budget(record, budget.budget_j_to_accuracy, policy)
    yield from against_best(record)


def _against_unit_budgets(record: Record, budget: Budget, policy: Policy) -> Iterator[AgainstBudget]:
    limits: tuple[tuple[Unit, float | None, int | None], ...] = (
        ("round", budget.budget_j, 1),
        ("sample", budget.budget_per_sample_j, record.samples),
        ("token", budget.budget_per_token_j, record.output_tokens),
    )
    rounds = Basis().round_energies(record)
    for unit, limit_j, count in limits:
        if limit_j is None:
            continue
        if not count:
            msg = f"{record.test_id}: budget_per_{unit} is {limit_j:g} J, but {_NO_UNITS[unit]}"
            raise SettingsError(msg)
        lower_j, upper_j = budget_bounds(rounds, policy.alpha)
        yield _against(
            record,
            policy,
            limit_j=limit_j,
            unit=unit,
            mean_j=fmean(rounds.energies_j) / count,
            bounds_j=(lower_j / count, upper_j / count),
            count=len(rounds.energies_j),
        )


def _against_token_budgets(record: Record, budget: Budget, policy: Policy) -> Iterator[OfBudget]:
    """Budgets of a token of prefill and of decode, whose joules are fitted and have an uncertainty."""
    limits: tuple[tuple[Unit, float | None], ...] = (
        ("prefill_token", budget.budget_per_prefill_token_j),
        ("decode_token", budget.budget_per_decode_token_j),
    )
    for unit, limit_j in limits:
        if limit_j is None:
            continue
        name = f"energy_per_{unit}"
        mean_j, error_j = (record.metrics.get(one) for one in (name, f"{name}_uncertainty"))
        if mean_j is None or error_j is None:
            because = record.absent.get(name, "prefill and decode are measured with energy.requests")
            yield BudgetUnknown(limit_j=limit_j, unit=unit, because=because)
            continue
        half_j = z_quantile(policy.alpha) * error_j
        yield _against(
            record,
            policy,
            limit_j=limit_j,
            unit=unit,
            mean_j=mean_j,
            bounds_j=(max(0.0, mean_j - half_j), mean_j + half_j),
            count=len(record.usable_rounds),
        )


def _against_phase_budgets(record: Record, budget: Budget, policy: Policy) -> Iterator[OfBudget]:
    """Budgets of named phases of a round, each with joules of its own in every round."""
    for name, limit_j in (budget.phase_budgets_j or {}).items():
        try:
            rounds = Basis().round_energies(phase_record(record, name))
        except NotMeasurable as error:
            yield BudgetUnknown(limit_j=limit_j, unit="phase", because=str(error), phase=name)
            continue
        yield _against(
            record,
            policy,
            limit_j=limit_j,
            unit="phase",
            mean_j=fmean(rounds.energies_j),
            bounds_j=budget_bounds(rounds, policy.alpha),
            count=len(rounds.energies_j),
            phase=name,
        )


def _against_training_budget(record: Record, limit_j: float, policy: Policy) -> OfBudget:
    """The budget of a training to the highest of its accuracies, by rule 2."""
    targets = targets_of(record)
    if not targets:
        because = "trainings to an accuracy are measured with energy.until"
        return BudgetUnknown(limit_j=limit_j, unit="training", because=because)
    result = to_accuracy(trainings_of(record.usable_rounds), targets[-1])
    try:
        lower_j, upper_j = result.bounds_j(policy.alpha)
    except NotMeasurable as error:
        return BudgetUnknown(limit_j=limit_j, unit="training", because=str(error))
    finding = _against(
        record,
        policy,
        limit_j=limit_j,
        unit="training",
        mean_j=fmean(result.spent_j),
        bounds_j=(lower_j, upper_j),
        count=len(result.spent_j),
    )
    if math.isinf(upper_j) and finding.verdict is not Verdict.OVER_BUDGET:
        return BudgetUnknown(limit_j=limit_j, unit="training", because=result.absent_because)
    return finding


def _against(
    record: Record,
    policy: Policy,
    *,
    limit_j: float,
    unit: Unit,
    mean_j: float,
    bounds_j: tuple[float, float],
    count: int,
    phase: str = "",
) -> AgainstBudget:
    """By rule 1; *count* values are what the bounds rest on."""
    lower_j, upper_j = bounds_j
    doubt = _others_over(record, lower_j, limit_j, policy) if lower_j > limit_j else None
    verdict = Verdict.PASS if upper_j <= limit_j else Verdict.INCONCLUSIVE
    return AgainstBudget(
        verdict=Verdict.OVER_BUDGET if lower_j > limit_j and doubt is None else verdict,
        limit_j=limit_j,
        unit=unit,
        mean_j=mean_j,
        bounds_j=bounds_j,
        alpha=policy.alpha,
        spread=_untrimmed(count),
        doubt=doubt,
        phase=phase,
    )


def _others_over(record: Record, lower_j: float, limit_j: float, policy: Policy) -> MachineBusy | None:
    """That the joules are over the limit only with those of other programs, or `None`."""
    share = 0.0 if policy.is_server else others_share(record)
    if share < NOTED_SHARE or lower_j * own_ratio(share, 0.0) > limit_j:
        return None
    return MachineBusy(share=share)


def _untrimmed(count: int) -> Spread:
    return Spread(source="own" if count > 1 else "assumed", count=count)
