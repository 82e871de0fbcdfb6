"""A load at a fixed rate is compared at equal steps if the host's pace alone explains them, and as measured
otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from pytest_energy.basis import Basis
from pytest_energy.judgement import Budget, Comparison, Limit, Verdict
from pytest_energy.model import Record, StepCost
from pytest_energy.verdict.equal_steps import TOKENS_PER_TURN, amount_level, at_amounts
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide
from pytest_energy.verdict.words import in_words
from tests.builders import baseline, decided, reading, record

COST = StepCost(energy_j=0.15, uncertainty_j=0.002, channels=("gpu:0",))
OTHER_J = 1000.0  # of a round, whatever its steps
PACES = (0.97, 1.04, 1.0, 1.06, 0.93)  # of the host, from round to round


def load(
    step_count: float = 5000.0,
    *,
    step_j: float = COST.energy_j,
    cost: StepCost | None = COST,
    turns: float | None = 0.99,
    settings: Mapping[str, str] | None = None,
    other_j: float = OTHER_J,
    created: str = "2026-11-20T10:00:00Z",
) -> Record:
    """Five rounds of equal work on a host whose pace varies."""
    rounds = [
        replace(
            reading(other_j + step_j * step_count * pace, duration_s=10.0, uncertainty_j=1.0),
            step_count=step_count * pace,
        )
        for pace in PACES
    ]
    return replace(
        record(rounds=rounds, created=created, metrics={} if turns is None else {TOKENS_PER_TURN: turns}),
        step_cost=cost,
        engine_settings={"vllm": "0.24", **(settings or {})},
    )


def sessions() -> tuple[Record, ...]:
    return load(), load(5200.0, created="2026-11-20T11:00:00Z"), load(4900.0, created="2026-11-20T12:00:00Z")


def judged(fresh: Record, *stored: Record) -> Decision:
    history = history_of(baseline(*(stored or sessions())), Basis())
    return decide(fresh, history=history, other_machines=(), budget=Budget(), policy=Policy())


def comparison_of(decision: Decision) -> Comparison:
    assert decision.compared is not None
    return decision.compared.comparison


def test_rounds_at_their_mean_steps_differ_by_what_is_not_the_host() -> None:
    """As measured they vary with the steps; at equal steps these are equal."""
    one = load()
    assert stdev(one.round_energies_j) / fmean(one.round_energies_j) > 0.01
    assert one.energies_at_mean_steps_j == pytest.approx([OTHER_J + 750.0] * 5)
    assert load(cost=None).energies_at_mean_steps_j == ()


def test_the_seconds_that_a_round_is_scaled_to_cost_the_quiet_before_it() -> None:
    """A round of 1 s more at 125 W is the same round, if its rate says how long it takes."""
    one = load()
    rounds = [
        replace(
            reading,
            channels={"gpu:0": (reading.energy_j or 0.0) + 125.0 * more_s},
            duration_s=10.0 + more_s,
            quiet_power_w={"gpu:0": 125.0},
        )
        for reading, more_s in zip(one.rounds, (0.0, 1.0, 0.5, -0.5, -1.0), strict=True)
    ]
    energies_j = replace(one, rounds=tuple(rounds)).energies_at_mean_steps_j
    assert energies_j == pytest.approx([OTHER_J + 750.0] * 5)


def test_a_slower_host_saves_nothing_at_equal_steps() -> None:
    """10 % fewer steps are 4 % fewer joules as measured, and no change of the code."""
    decision = judged(load(4530.0))
    comparison = comparison_of(decision)
    assert comparison.ratio == pytest.approx(1.0, abs=0.002)
    assert comparison.equal_steps is not None
    assert comparison.equal_steps.step_ratio == pytest.approx(0.9, abs=0.002)
    assert comparison.equal_steps.measured_ratio == pytest.approx(0.957, abs=0.003)
    assert comparison.equal_steps.not_used_because == ""
    assert decision.verdict is Verdict.PASS
    reason = in_words(decision).reason
    assert "compared at equal steps, 150 mJ each: steps -10" in reason
    assert "as measured -4.3 %" in reason


def test_dearer_steps_are_found_behind_a_slower_host() -> None:
    """12 % more joules a step and 10 % fewer steps: unchanged as measured, and a rise at equal steps."""
    fresh = load(4530.0, step_j=0.19, other_j=1080.0)
    comparison = comparison_of(judged(fresh))
    assert comparison.equal_steps is not None
    assert comparison.equal_steps.measured_ratio == pytest.approx(1.1, abs=0.01)
    assert comparison.ratio > comparison.equal_steps.measured_ratio + 0.03


@pytest.mark.parametrize(
    ("fresh", "because"),
    [
        (load(8000.0), "unchanged sessions differ by"),
        (load(5300.0, turns=0.5), "tokens per request and step were 0.99, now 0.50"),
        (load(5300.0, turns=None), "tokens per request and step were 0.99, now unknown"),
        (load(5300.0, settings={"max_batch": "8"}), "the engine differs (max_batch)"),
    ],
)
def test_steps_that_the_code_changed_are_not_taken_out(fresh: Record, because: str) -> None:
    """Joules are compared as measured, and the change of the steps is reported."""
    decision = judged(fresh)
    comparison = comparison_of(decision)
    assert comparison.equal_steps is not None
    assert because in comparison.equal_steps.not_used_because
    assert comparison.ratio == pytest.approx(comparison.equal_steps.measured_ratio)
    assert f"compared as measured: {comparison.equal_steps.not_used_because}" in in_words(decision).reason


def test_more_steps_of_the_code_remain_a_regression() -> None:
    """60 % more steps for the same answers are 27 % more joules, and fail."""
    assert judged(load(8000.0)).verdict is Verdict.REGRESSION


def test_a_baseline_that_knows_no_steps_is_compared_as_measured() -> None:
    """As is a load that doesn't come at a rate, which has none."""
    old = replace(load(), step_cost=None)
    assert comparison_of(judged(load(), old)).equal_steps is None
    assert comparison_of(judged(old)).equal_steps is None
    assert amount_level([load(), old]) is None
    assert amount_level([]) is None


def test_the_error_of_a_step_is_in_the_rounds() -> None:
    """500 steps at 0.002 J each are 1 J more, beside the reading's own."""
    level = amount_level([load()])
    assert level is not None
    moved = at_amounts(load(level.amounts["step_count"] + 500), level).rounds[2]
    assert moved.uncertainty_j == pytest.approx((1.0 + (500 * 0.002) ** 2) ** 0.5, rel=0.01)


def phases(prefill_j: float | None, error_j: float = 0.001, because: str = "?") -> Record:
    """A load with joules of a prefill token, or the reason why there are none."""
    name = "energy_per_prefill_token"
    metrics = {name: prefill_j, f"{name}_uncertainty": None if prefill_j is None else error_j}
    return record(metrics=metrics, absent={} if prefill_j is not None else {name: because})


@pytest.mark.parametrize(
    ("prefill_j", "verdict"),
    [
        (0.049, Verdict.OVER_BUDGET),  # 0.049 - 1.645 x 0.001 is above 0.047
        (0.048, Verdict.INCONCLUSIVE),
        (0.0465, Verdict.INCONCLUSIVE),
        (0.045, Verdict.PASS),
    ],
)
def test_a_budget_of_a_prefill_token_is_judged_by_its_interval(prefill_j: float, verdict: Verdict) -> None:
    """Over it only if the lower bound is above, within it only if the upper bound is not."""
    found = decided(phases(prefill_j), budget=Budget(budget_per_prefill_token_j=0.047))
    assert found.verdict is verdict
    if verdict is Verdict.OVER_BUDGET:
        assert "allowed 47 mJ per prefill token" in in_words(found).reason


def test_a_budget_whose_joules_are_not_known_is_not_passed() -> None:
    """Inconclusive with the reason, and told as unchecked."""
    found = decided(
        phases(None, because="prefill and decode changed together"),
        budget=Budget(budget_per_prefill_token_j=0.05, budget_per_decode_token_j=0.1),
    )
    assert found.verdict is Verdict.INCONCLUSIVE
    assert Limit.BUDGET in found.unchecked
    reason = in_words(found).reason
    assert "not checked: 50 mJ allowed per prefill token" in reason
    assert "  Not checked against its budget. With --energy-strict" in reason
    assert "prefill and decode changed together" in reason
    assert "prefill and decode are measured with energy.requests" in reason
