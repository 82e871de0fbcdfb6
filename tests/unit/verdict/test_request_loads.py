"""Verdicts on request loads: equal work, saturation, answers that take longer."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.conversion import judgement_from_json, judgement_to_json, to_json
from pytest_energy.judgement import Budget, Verdict
from pytest_energy.model import Record
from pytest_energy.verdict.findings import FactsDiffer, Saturated
from tests.builders import baseline, decided, judged, record

WORK = {"rate": "8/s", "output_tokens": "1280", "prompts": "0123456789ab"}


def load(energy_j: float = 100.0, *, hit_rate: float | None = 0.5, **work: str) -> Record:
    return replace(
        record(energy_j=energy_j),
        samples=10,
        output_tokens=1280,
        workload={**WORK, **work},
        engine_settings={"cuda_graphs": "on"},
        metrics={"cache_hit_rate": hit_rate},
    )


def answered_in(latency_s: float, *, energy_j: float) -> Record:
    return replace(load(energy_j), metrics={"e2e_p50_s": latency_s})


def test_other_work_is_not_comparable_and_names_the_field() -> None:
    """10 % more output tokens cost 10 % more joules: that is no regression of the server."""
    decision = decided(load(110.0, output_tokens="1408"), baseline(load()))
    differences = {"output_tokens": ("1280", "1408")}
    assert decision.findings == (FactsDiffer(differences=differences, other_machines=()),)


def test_equal_work_is_compared_and_a_slower_server_is_a_regression() -> None:
    """The same load at 30 % more joules; how the engine works is a reason, not another work."""
    slower = replace(load(130.0), engine_settings={"cuda_graphs": "off"})
    decision = decided(slower, baseline(load(), load(), load()))
    assert decision.verdict is Verdict.REGRESSION
    assert decision.compared is not None
    assert decision.compared.comparison.differences == {"cuda_graphs": ("on", "off")}


@pytest.mark.parametrize(("latency_s", "ratio"), [(1.5, 6.0), (0.26, 1.04)])
def test_how_much_longer_answers_take_is_kept(latency_s: float, ratio: float) -> None:
    """At a fixed rate a slower engine answers more requests in each step: fewer joules, longer waits."""
    then = answered_in(0.25, energy_j=100.0)
    judgement = judged(answered_in(latency_s, energy_j=70.0), baseline(then, then, then))
    assert judgement.verdict is Verdict.IMPROVEMENT
    assert judgement.comparison is not None
    assert judgement.comparison.latency_ratio == pytest.approx(ratio)
    again = judgement_from_json(judgement_to_json(judgement), "here")
    assert again.comparison == judgement.comparison


def test_latencies_that_are_not_there_have_no_ratio() -> None:
    """A baseline from before they were recorded, or work that has no requests."""
    decision = decided(answered_in(0.25, energy_j=70.0), baseline(load(), load(), load()))
    assert decision.compared is not None
    assert decision.compared.comparison.latency_ratio is None


@pytest.mark.parametrize("hit_rate", [0.505, None])
def test_hit_rates_of_the_prefix_cache_agree_within_a_point(hit_rate: float | None) -> None:
    """Half a point is chance; unknown says nothing."""
    assert decided(load(hit_rate=hit_rate), baseline(load(), load(), load())).compared is not None


def test_other_hit_rates_are_other_work() -> None:
    """Two points are prompts that had to be computed."""
    finding = decided(load(hit_rate=0.52), baseline(load(), load(), load())).findings[0]
    assert isinstance(finding, FactsDiffer)
    assert finding.differences == {"cache_hit_rate": ("50.0%", "52.0%")}


@pytest.mark.parametrize(("output_tokens", "is_compared"), [(1268, True), (1266, False), (1300, False)])
def test_answers_of_free_length_are_compared_at_equal_lengths(
    output_tokens: int, *, is_compared: bool
) -> None:
    """Within 1 % of the mean: shorter answers are no saved joules."""
    free = replace(load(70.0), output_tokens=output_tokens)
    decision = decided(free, baseline(load(), load(), load()))
    assert (decision.compared is not None) is is_compared
    if not is_compared:
        (finding,) = decision.findings
        assert isinstance(finding, FactsDiffer)
        assert finding.differences == {
            "average_output_token_length": ("128 tokens", f"{output_tokens / 10:.4g} tokens")
        }


def test_a_saturated_load_is_held_against_nothing() -> None:
    """Neither budget nor baseline judge it; its joules are shown."""
    fresh = replace(load(900.0), saturated_because="90 answers to 160 requests")
    decision = decided(fresh, baseline(load()), budget=Budget(budget_j=1.0))
    assert decision.findings == (Saturated(because="90 answers to 160 requests"),)
    assert decision.summary is not None


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"saturated_because": "90 answers to 160 requests"},
        {"void_because": "the counter was reset"},
        {"rounds": (), "unmeasured_because": "no sensor"},
    ],
)
def test_answers_past_their_limits_fail_whatever_the_joules_are(beside: dict[str, Any]) -> None:
    """Joules that pass, of no rate, void or missing: the wanted share of answers was not met."""
    fresh = replace(load(), slo_missed_because="97 % of 320 answers", **beside)
    judgement = judged(fresh, baseline(load(), load(), load()))
    assert judgement.verdict is Verdict.OVER_BUDGET
    assert judgement.reason.startswith("97 % of 320 answers\n")
    assert len(judgement.in_brief.lines) <= 4


def test_what_a_load_adds_survives_json() -> None:
    """Work, tuning, tokens, saturation and limits come back as they were; other records don't have them."""
    fresh = replace(load(), saturated_because="it fell behind", slo_missed_because="97 % of 320 answers")
    written = judgement_to_json(judged(fresh, budget_j=100.0))
    assert judgement_from_json(written, "here").record == fresh
    assert written["energy_per_token_j"] == pytest.approx(100 / 1280)
    assert not {"work", "tuning", "output_tokens", "saturated_because", "slo_missed_because"} & {
        *to_json(record())
    }
