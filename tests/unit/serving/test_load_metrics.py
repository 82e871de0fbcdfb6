"""The paper's seven generative metrics of a load, and the reasons where one is missing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.metrics import generative
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import CacheCounters, DecoderShape, DraftCounters, EngineFacts
from pytest_energy.serving.load_metrics import (
    draft_metrics,
    generative_metrics,
    request_macs,
    timing_metrics,
    token_metrics,
    why_slo_missed,
)
from pytest_energy.serving.load_result import LoadResult, Served
from pytest_energy.serving.slo import Slo
from tests.builders import record

SHAPE = DecoderShape(block_parameters=1000, head_parameters=100, layer_count=2, attention_width=8)
NAMES = {
    "energy_per_sample",
    "flops",
    "model_size_to_ram",
    "parameters",
    "request_rate",
    "cache_hit_rate",
    "average_output_token_length",
}


def facts(*, vram_bytes: float | None = 8e9, shape: DecoderShape | None = SHAPE) -> EngineFacts:
    return EngineFacts(model="tiny", parameters=1100, size_bytes=2e9, vram_bytes=vram_bytes, shape=shape)


def load(
    *,
    count: int = 4,
    last_due_s: float = 2.0,
    output_tokens: int = 3,
    cache: CacheCounters | None = CacheCounters(queried_tokens=20, hit_tokens=5),  # noqa: B008 (frozen)
) -> LoadResult:
    due_s = [last_due_s * (position + 1) / count for position in range(count)]
    return LoadResult(
        engine="fake",
        schedule=Schedule(rate=count / last_due_s if last_due_s else float("inf")),
        served=tuple(
            Served(
                request_id=str(position),
                due_s=due,
                submitted_s=due,
                token_times_s=tuple(due + 0.5 + 0.25 * token for token in range(output_tokens)),
                prompt_tokens=5,
            )
            for position, due in enumerate(due_s)
        ),
        cache=cache,
    )


def test_all_seven_metrics_with_their_values() -> None:
    """One load of 4 requests at 2/s, 3 tokens each, 12 J."""
    metrics = generative_metrics([load()], energy_j=12.0, engine_facts=facts())
    assert metrics.absent == {}
    macs = 7 * 1000 + 3 * 100 + 2 * 2 * 8 * (7 * 8 // 2)
    assert metrics.values == {
        "energy_per_sample": 3.0,
        "flops": 2.0 * macs,
        "model_size_to_ram": 0.25,
        "parameters": 1100.0,
        "request_rate": 2.0,
        "cache_hit_rate": 0.25,
        "average_output_token_length": 3.0,
    }


def test_rounds_are_pooled_with_the_mean_energy_of_one() -> None:
    """Three equal rounds have the metrics of one."""
    one = generative_metrics([load()], energy_j=12.0, engine_facts=facts())
    assert generative_metrics([load()] * 3, energy_j=12.0, engine_facts=facts()) == one


@pytest.mark.parametrize(
    ("name", "result", "energy_j", "engine_facts", "reason"),
    [
        ("energy_per_sample", load(), None, facts(), "energy of the load was not measured"),
        ("flops", load(), 12.0, facts(shape=None), "shape of its decoder"),
        ("model_size_to_ram", load(), 12.0, facts(vram_bytes=None), "without a GPU"),
        ("request_rate", load(last_due_s=0.0), 12.0, facts(), "at once"),
        ("cache_hit_rate", load(cache=None), 12.0, facts(), "no prefix cache"),
    ],
)
def test_a_metric_that_cannot_be_had_is_none_with_its_reason(
    name: str, result: LoadResult, energy_j: float | None, engine_facts: EngineFacts, reason: str
) -> None:
    """Absent is not zero; the other six are still there."""
    metrics = generative_metrics([result], energy_j=energy_j, engine_facts=engine_facts)
    assert set(metrics.values) == NAMES
    assert [missing for missing, value in metrics.values.items() if value is None] == [name]
    assert reason in metrics.absent[name]
    assert set(metrics.absent) == {name}


def test_metrics_of_no_load_are_refused() -> None:
    """There is nothing to take a mean of."""
    with pytest.raises(NotMeasurable, match="no load"):
        generative_metrics([], energy_j=1.0, engine_facts=facts())


def test_every_metric_is_a_formula_of_the_metrics_layer() -> None:
    """The names are the functions of `metrics/generative.py`."""
    metrics = generative_metrics([load()], energy_j=1.0, engine_facts=facts())
    assert all(callable(getattr(generative, name)) for name in metrics.values)


@given(st.integers(1, 300), st.integers(1, 300))
def test_macs_equal_those_of_running_token_by_token(prompt_tokens: int, output_tokens: int) -> None:
    """The closed form is the sum over the tokens: token t reads t positions."""
    total = 0
    for position in range(1, prompt_tokens + output_tokens):
        total += SHAPE.block_parameters + 2 * SHAPE.layer_count * SHAPE.attention_width * position
    total += output_tokens * SHAPE.head_parameters
    assert request_macs(SHAPE, prompt_tokens=prompt_tokens, output_tokens=output_tokens) == total


def test_timing_metrics_name_their_unit_and_keep_what_is_absent() -> None:
    """Over the requests of all loads, in seconds; None with its reason where an answer has one token."""
    metrics = timing_metrics([load(), load()])
    assert metrics.values["ttft_p50_s"] == pytest.approx(0.5)
    assert metrics.values["tpot_p99_s"] == pytest.approx(0.25)
    assert metrics.values["e2e_p90_s"] == pytest.approx(1.0)
    assert metrics.values["achieved_rate"] == pytest.approx(4 / 3)
    assert set(metrics.absent) == {"goodput", "slo_share", "queue_depth"}
    metrics = timing_metrics([load(output_tokens=1)])
    assert metrics.values["tpot_p50_s"] is None
    assert "one token" in metrics.absent["tpot_p50_s"]


def test_goodput_counts_the_answers_within_the_limits() -> None:
    """All within a generous limit, none within a mean one."""
    assert timing_metrics([load()], slo=Slo(e2e_s=9.0)).values["goodput"] == pytest.approx(4 / 3)
    assert timing_metrics([load()], slo=Slo(e2e_s=0.1)).values["goodput"] == 0


def test_the_share_of_answers_within_the_limits() -> None:
    """Of all answers of all loads; only a share below the wanted one is a miss, and its reason has both."""
    loads = [load(), load(output_tokens=1)]
    slo = Slo(e2e_s=0.9, least_share=0.5)
    assert timing_metrics(loads, slo=slo).values["slo_share"] == 0.5
    assert why_slo_missed(loads, slo) is None
    assert why_slo_missed(loads, None) is None
    assert why_slo_missed(loads, Slo(e2e_s=0.9)) is None
    assert why_slo_missed(loads, Slo(e2e_s=0.9, least_share=0.51)) == (
        "50 % of 8 answers were within the latency limits, 51 % wanted; e2e p99 1 s, limit 900 ms"
    )


def test_accepted_drafts_are_shares_of_all_loads() -> None:
    """Of those drafted, and for each draft with the model's own token; no draft is no rate of 0."""
    some = replace(load(), drafts=DraftCounters(drafts=10, drafted_tokens=40, accepted_tokens=5))
    none = replace(load(), drafts=DraftCounters(drafts=0, drafted_tokens=0, accepted_tokens=0))
    assert draft_metrics([some, none, some]).values == {
        "draft_acceptance_rate": 10 / 80,
        "mean_accepted_length": 1.5,
    }
    assert draft_metrics([none]).values == {"draft_acceptance_rate": None, "mean_accepted_length": None}
    assert "drafted no token" in draft_metrics([none]).absent["draft_acceptance_rate"]
    assert "does not report" in draft_metrics([some, load()]).absent["mean_accepted_length"]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_is_above_0_and_at_most_1(share: float) -> None:
    """No share of answers is below 0 or above all."""
    with pytest.raises(SettingsError, match="least_share"):
        Slo(ttft_s=1.0, least_share=share)


def test_joules_a_token_are_over_written_and_over_all_tokens() -> None:
    """10 J for 4 requests of 5 prompt tokens and 3 answers; net ones are absent without idle power."""
    one = replace(record(10.0), samples=4, output_tokens=12)
    metrics = token_metrics(one, [load()])
    assert metrics.values["energy_per_output_token"] == pytest.approx(10 / 12)
    assert metrics.values["energy_per_token"] == pytest.approx(10 / 32)
    assert metrics.values["net_energy_per_token"] is None
    assert "idle power" in metrics.absent["net_energy_per_token"]
