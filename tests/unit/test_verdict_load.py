"""Verdicts on request loads: equal work, saturation, joules a token."""

from dataclasses import replace

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.conversion import judgement_from_json, judgement_to_json, record_to_json
from pytest_energy.errors import SettingsError
from pytest_energy.model import Budget, Judgement, Record, Verdict
from pytest_energy.verdict.judge import judge
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import more_rounds
from tests.builders import baseline, judged, record

WORK = {"rate": "8/s", "output_tokens": "1280", "prompts": "0123456789ab"}


def load(energy_j: float = 100.0, *, hit_rate: float | None = 0.5, **work: str) -> Record:
    return replace(
        record(energy_j=energy_j),
        samples=10,
        output_tokens=1280,
        work={**WORK, **work},
        tuning={"cuda_graphs": "on"},
        metrics={"cache_hit_rate": hit_rate},
    )


def judged_by_token(fresh: Record, budget_per_token_j: float, against: Baseline | None = None) -> Judgement:
    return judge(
        fresh,
        baseline=against,
        other_machines=(),
        budget=Budget(budget_per_token_j=budget_per_token_j),
        policy=Policy(),
    )


def test_other_work_is_not_comparable_and_names_the_field() -> None:
    """10 % more output tokens cost 10 % more joules: that is no regression of the server."""
    found = judged(load(110.0, output_tokens="1408"), baseline(load()))
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "output_tokens: 1280 in the baseline, 1408 now" in found.reason


def test_equal_work_is_compared_and_a_slower_server_is_a_regression() -> None:
    """The same load at 10 % more joules; how the engine works is a reason, not another work."""
    slower = replace(load(130.0), tuning={"cuda_graphs": "off"})
    found = judged(slower, baseline(load(), load(), load()))
    assert found.verdict is Verdict.REGRESSION
    assert found.comparison is not None
    assert found.comparison.differences == {"cuda_graphs": ("on", "off")}
    assert "cuda_graphs" in found.reason


def answered_in(latency_s: float, *, energy_j: float) -> Record:
    return replace(load(energy_j), metrics={"e2e_p50_s": latency_s})


def test_joules_saved_by_slower_answers_are_said_to_be() -> None:
    """At a fixed rate a slower engine answers more requests in each step: fewer joules, longer waits."""
    then = answered_in(0.25, energy_j=100.0)
    found = judged(answered_in(1.5, energy_j=70.0), baseline(then, then, then))
    assert found.verdict is Verdict.IMPROVEMENT
    assert "answers take 6 times as long" in found.reason.splitlines()[0]
    assert "what to do: find what made answers slower" in found.reason
    assert found.comparison is not None
    assert found.comparison.latency_ratio == pytest.approx(6.0)
    assert judgement_from_json(judgement_to_json(found), "here").comparison == found.comparison


def test_a_saving_with_equal_latency_is_to_be_kept() -> None:
    """Times within the tolerance are no price; the median is shown all the same."""
    then = answered_in(0.25, energy_j=100.0)
    found = judged(answered_in(0.26, energy_j=70.0), baseline(then, then, then))
    assert "times as long" not in found.reason.splitlines()[0]
    assert "answers take 1.04 times as long: a median of 260 ms" in found.reason
    assert "what to do: keep the saving" in found.reason


def test_without_latencies_nothing_is_said_of_them() -> None:
    """A baseline from before they were recorded, or work that has no requests."""
    found = judged(answered_in(0.25, energy_j=70.0), baseline(load(), load(), load()))
    assert found.comparison is not None
    assert found.comparison.latency_ratio is None
    assert "times as long" not in found.reason


@pytest.mark.parametrize(("hit_rate", "is_comparable"), [(0.505, True), (0.52, False), (None, True)])
def test_hit_rates_of_the_prefix_cache_agree_within_a_point(
    hit_rate: float | None, *, is_comparable: bool
) -> None:
    """Half a point is chance; two points are prompts that had to be computed; unknown says nothing."""
    found = judged(load(hit_rate=hit_rate), baseline(load(), load(), load()))
    assert (found.verdict is not Verdict.NOT_COMPARABLE) is is_comparable
    assert ("cache_hit_rate: 50.0% in the baseline, 52.0% now" in found.reason) is not is_comparable


def test_a_saturated_load_is_shown_and_held_against_nothing() -> None:
    """Neither budget nor baseline judge it; its joules are in the record; strict runs fail."""
    fresh = replace(load(900.0), saturated_because="90 answers to 160 requests")
    found = judged(fresh, baseline(load()), budget_j=1.0)
    assert found.verdict is Verdict.SATURATED
    assert "90 answers to 160 requests" in found.reason.splitlines()[0]
    assert found.summary is not None
    assert found.comparison is None
    assert more_rounds(fresh, baseline=baseline(load()), policy=Policy(), cap=20) is None


def test_joules_a_token_are_held_against_their_budget() -> None:
    """100 J for 1280 tokens are 78 mJ each: within 0.1 J, over 0.05 J."""
    assert judged_by_token(load(), 0.1).verdict is Verdict.PASS
    over = judged_by_token(load(), 0.05)
    assert over.verdict is Verdict.OVER_BUDGET
    assert "an output token" in over.reason


def test_a_budget_a_token_without_tokens_is_an_error() -> None:
    """A limit that can't be checked must not be passed over."""
    with pytest.raises(SettingsError, match=r"budget_per_token_j is 0.1 J.*energy.requests"):
        judged_by_token(record(), 0.1)


def test_what_a_load_adds_survives_json() -> None:
    """Work, tuning, tokens and saturation come back as they were; other records don't mention them."""
    fresh = replace(load(), saturated_because="it fell behind")
    found = judged_by_token(fresh, 0.1)
    again = judgement_from_json(judgement_to_json(found), "here")
    assert again.record == fresh
    assert again.budget == found.budget
    assert judgement_to_json(found)["energy_per_token_j"] == pytest.approx(100 / 1280)
    assert not {"work", "tuning", "output_tokens", "saturated_because"} & {*record_to_json(record())}
