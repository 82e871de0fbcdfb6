"""Loads at a fixed rate, measured as a test measures them: what the host did is taken out, and what the code
did is not."""

from dataclasses import replace
from functools import cache
from statistics import fmean, stdev

import pytest

from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Budget, Comparison, EqualSteps, Verdict
from pytest_energy.model import Record, StepCost
from pytest_energy.model.load_costs import AMOUNTS
from pytest_energy.verdict.equal_steps import TOKENS_PER_TURN, amount_level, at_amounts
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide
from pytest_energy.verdict.words import in_words
from tests.builders import baseline
from tests.fakes.rate_sessions import session
from tests.fakes.served_loads import Costs, SteppingServer

SERVER, COSTS = SteppingServer(), Costs()
SLOW_HOST = replace(SERVER, host_s=1.1 * SERVER.host_s)


@cache
def sessions() -> tuple[Record, ...]:
    """Three of unchanged code, on a host whose pace varies."""
    return tuple(
        session(SERVER, seed=seed, paces=paces)
        for seed, paces in ((1, (1.0, 1.15, 0.9)), (2, (1.05, 0.95, 1.1)), (3, (0.92, 1.0, 1.08)))
    )


@cache
def unchanged() -> Record:
    return session(SERVER, seed=9)


def judged(fresh: Record, *stored: Record) -> Decision:
    history = history_of(baseline(*(stored or sessions())), Basis())
    return decide(fresh, history=history, other_machines=(), budget=Budget(), policy=Policy())


def compared(fresh: Record, *stored: Record) -> tuple[Comparison, EqualSteps]:
    decision = judged(fresh, *stored)
    assert decision.compared is not None
    comparison = decision.compared.comparison
    assert comparison.equal_steps is not None
    return comparison, comparison.equal_steps


def test_unchanged_rounds_repeat_at_equal_amounts() -> None:
    """Rounds that differ by percents as measured are within 0.2 %; so are those that a report shows."""
    one = sessions()[0]
    level = amount_level([one])
    assert level is not None
    assert {*level.amounts} == {*AMOUNTS}
    assert stdev(one.round_energies_j) / fmean(one.round_energies_j) > 0.03
    for energies_j in (at_amounts(one, level).round_energies_j, one.energies_at_mean_steps_j):
        assert stdev(energies_j) / fmean(energies_j) < 0.002


def test_a_slower_host_saves_nothing_at_equal_amounts() -> None:
    """4 % fewer joules as measured, 10 % fewer steps: no change; each amount and both ratios are in words."""
    fresh = session(SLOW_HOST, seed=9)
    comparison, equal = compared(fresh)
    assert comparison.ratio == pytest.approx(1.0, abs=0.004)
    assert equal.measured_ratio < 0.97
    assert equal.not_used_because == ""
    assert {*equal.amount_ratios} == {*AMOUNTS} - {"step_count"}
    decision = judged(fresh)
    assert decision.verdict is Verdict.PASS
    reason = in_words(decision).reason
    assert "% energy at equal amounts [" in reason
    assert "compared at equal steps, seconds and tokens, 59" in reason
    assert "prompt tokens -4.2 %, decoded tokens unchanged" in reason
    assert "; as measured -3.9 %" in reason


@pytest.mark.parametrize(
    "dearer",
    [
        Costs(step_j=1.2 * COSTS.step_j),
        Costs(token_j=1.5 * COSTS.token_j),
        Costs(prompt_j=1.5 * COSTS.prompt_j),
        Costs(rest_w=COSTS.rest_w + 20),
    ],
    ids=["steps", "decoded tokens", "prompt tokens", "rest"],
)
def test_dearer_work_is_found_whole(dearer: Costs) -> None:
    """On the same host the rise is that of the joules as measured, less what their noise makes."""
    comparison, equal = compared(session(replace(SERVER, costs=dearer), seed=9))
    assert equal.not_used_because == ""
    assert equal.measured_ratio > 1.04
    assert comparison.ratio == pytest.approx(equal.measured_ratio, abs=0.004)


def test_dearer_steps_are_found_behind_a_slower_host() -> None:
    """Steps of 20 % more joules, 10 % fewer of them: +3.5 % as measured, twice that at equal amounts."""
    dearer = Costs(step_j=1.2 * COSTS.step_j)
    comparison, equal = compared(session(replace(SLOW_HOST, costs=dearer), seed=9))
    same_host, _ = compared(session(replace(SERVER, costs=dearer), seed=9))
    assert equal.measured_ratio < 1.04
    assert comparison.ratio == pytest.approx(same_host.ratio, abs=0.004)


@pytest.mark.parametrize(
    ("fresh", "because"),
    [
        (session(replace(SERVER, host_s=1.6 * SERVER.host_s)), "unchanged sessions differ by"),
        (session(SERVER, settings={"cuda_graphs": "off"}), "the engine differs (cuda_graphs)"),
        (session(SERVER, lengths=(128, 140)), "took 20,320 decoded tokens, now 22,240"),
        (session(SERVER, lengths=(192, 128)), "took 20,480 prompt tokens, now 30,720"),
    ],
    ids=["eager", "eager by its settings", "longer answers", "longer prompts"],
)
def test_what_the_code_changed_is_compared_as_measured(fresh: Record, because: str) -> None:
    """A third fewer steps, other settings, more tokens for each request: the reason names it."""
    comparison, equal = compared(fresh)
    assert because in equal.not_used_because
    assert comparison.ratio == pytest.approx(equal.measured_ratio)


def test_more_steps_for_each_token_are_compared_as_measured() -> None:
    """A step that writes 3 % fewer tokens to each request is the code's: no pace of a host does that."""
    fresh = replace(unchanged(), metrics={TOKENS_PER_TURN: 0.97})
    comparison, equal = compared(fresh)
    assert equal.not_used_because == "tokens per request and step were 1.00, now 0.97"
    assert comparison.ratio == pytest.approx(equal.measured_ratio)


def test_a_few_more_tokens_remain_in_the_joules() -> None:
    """Prompts 4 % longer, within what is compared at equal amounts: their joules are not taken out."""
    comparison, equal = compared(session(SERVER, seed=9, lengths=(133, 128)))
    same, _ = compared(unchanged())
    assert equal.not_used_because == ""
    prompt_j = COSTS.prompt_j * 5 * 160
    expected = 1 + prompt_j / fmean(sessions()[0].round_energies_j)
    assert comparison.ratio / same.ratio == pytest.approx(expected, abs=0.002)


def older(one: Record) -> Record:
    """*one* as an earlier version kept it: steps and their joules, no other amounts."""
    assert one.step_cost is not None
    return replace(
        one,
        rounds=tuple(replace(reading, load_tokens={}) for reading in one.rounds),
        step_cost=replace(one.step_cost, amount_energies_j={}, covariances_j2=()),
    )


def test_a_baseline_with_one_older_session_is_compared_at_equal_steps() -> None:
    """Steps are what all sessions know; the reason names no other amount."""
    fresh = session(SLOW_HOST, seed=9)
    for stored in (tuple(map(older, sessions())), (older(sessions()[0]), *sessions()[1:])):
        comparison, equal = compared(fresh, *stored)
        assert equal.amount_ratios == {}
        assert equal.not_used_because == ""
        assert equal.measured_ratio < 0.97
        assert comparison.ratio == pytest.approx(1.0, abs=0.02)
    assert "compared at equal steps, 597.4 mJ each" in in_words(judged(fresh, *stored)).reason


def test_a_round_with_a_part_of_its_tokens_has_none() -> None:
    """A missing amount is not 0: such a round knows its steps and seconds, and is stated at these."""
    one = unchanged()
    rounds = tuple(
        replace(reading, load_tokens={"prompt_tokens": reading.load_tokens["prompt_tokens"]})
        for reading in one.rounds
    )
    partial = replace(one, rounds=rounds)
    assert {*partial.rounds[0].load_amounts} == {"step_count", "duration_s"}
    level = amount_level([partial])
    assert level is not None
    assert {*level.amounts} == {"step_count"}
    energies_j = partial.energies_at_mean_steps_j
    assert stdev(energies_j) / fmean(energies_j) < 0.01


def test_an_older_record_is_not_stated_at_amounts_that_it_lacks() -> None:
    """It is compared as measured."""
    decision = judged(older(unchanged()))
    assert decision.compared is not None
    assert decision.compared.comparison.equal_steps is None


def test_the_error_of_the_costs_is_that_of_their_sum() -> None:
    """Costs that rise and fall together are known better than each: sqrt(a' C a), not the sum of squares."""
    cost = StepCost(
        energy_j=1.0,
        uncertainty_j=0.1,
        channels=("gpu:0",),
        amount_energies_j={"step_count": 1.0, "decoded_tokens": 0.1},
        covariances_j2=((0.01, -0.01), (-0.01, 0.01)),
    )
    assert cost.uncertainty_of_j({"step_count": 2.0}) == pytest.approx(0.2)
    assert cost.uncertainty_of_j({"step_count": 2.0, "decoded_tokens": 2.0}) == 0.0
    assert cost.energy_of_j({"step_count": 2.0, "decoded_tokens": 5.0}) == 2.5


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"amount_energies_j": {"step_count": -1.0}}, "-1.0 J for a unit of step_count"),
        ({"covariances_j2": ((1.0,),)}, "covariances of 1 rows for 0 amounts"),
        ({"energy_j": float("nan")}, "a step of nan"),
    ],
)
def test_costs_that_can_not_be_are_refused(changes: dict[str, object], because: str) -> None:
    """With what is wrong and its value."""
    cost = StepCost(energy_j=1.0, uncertainty_j=0.1, channels=())
    with pytest.raises(NotMeasurable, match=because):
        replace(cost, **changes)  # type: ignore[arg-type]  # on purpose
