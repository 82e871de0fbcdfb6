"""A record, judged: what the rules decide, with the reason that a person reads when a run has failed."""

from collections.abc import Sequence

from pytest_energy.baselines.schema import Baseline
from pytest_energy.model import Budget, Judgement, Record
from pytest_energy.verdict.comparison_words import full_comparison
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.paragraph import THE_BASELINE, Reference
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide
from pytest_energy.verdict.words import reason


def judge(
    record: Record,
    *,
    baseline: Baseline | None,
    other_machines: Sequence[str],
    budget: Budget,
    policy: Policy,
) -> Judgement:
    """The verdict on *record*, and the reason; the arguments are those of `decide`.

    Raises:
        SettingsError: There is a budget a sample or a token, but the record doesn't say of how many.
    """
    decision = decide(record, baseline=baseline, other_machines=other_machines, budget=budget, policy=policy)
    return in_words(decision)


def in_words(decision: Decision, reference: Reference = THE_BASELINE) -> Judgement:
    """*decision* as it is shown and kept, held against what *reference* names."""
    return Judgement(
        record=decision.record,
        verdict=decision.verdict,
        reason=reason(decision, reference),
        summary=decision.summary,
        budget=decision.budget,
        comparison=full_comparison(decision, reference),
    )
