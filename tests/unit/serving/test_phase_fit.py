"""Prefill and decode separated: against an engine whose costs are known."""

import random
import re
from dataclasses import replace

import pytest

from pytest_energy.errors import Absent
from pytest_energy.metrics.table import METRICS
from pytest_energy.model import Reading
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.phase_fit import NAMES, SECONDS, STEPS, PhaseFit, phase_fit, phase_metrics
from pytest_energy.serving.phase_spans import Observed, Work, observed, span_edges
from tests.fakes.served_loads import Costs, SteppingServer

Lengths = list[tuple[int, int]]
Round = tuple[LoadResult, Reading]


def mixed(seed: int, count: int = 100) -> Lengths:
    """Prompts of 128 to 4,096 tokens, answers of 16 to 256."""
    rng = random.Random(seed)  # noqa: S311 (reproducible lengths)
    return [(rng.choice((128, 512, 2048, 4096)), rng.choice((16, 64, 256))) for _ in range(count)]


def rounds(*, rate: float = 16.0, server: SteppingServer | None = None, count: int = 3) -> list[Round]:
    server = server or SteppingServer()
    return [server.serve(mixed(seed), Schedule(rate=rate, seed=7), seed=seed) for seed in range(count)]


def seen(one: Round, part: tuple[float, float] | None = None) -> Observed:
    load, reading = one
    result = observed(reading, load, part, reading)
    assert isinstance(result, Observed), result
    return result


def fitted(these: list[Round]) -> PhaseFit:
    result = phase_fit([seen(one) for one in these])
    assert isinstance(result, PhaseFit), result
    return result


def truth_j(these: list[Round], costs: Costs) -> tuple[float, float]:
    """Joules of prefill and of decode in a round, as the engine's costs say."""
    prefill_j = decode_j = 0.0
    for load, _ in these:
        steps = load.steps or ()
        prefill_j += costs.prompt_j * load.prompt_tokens
        prefill_j += costs.step_j * sum(not step.decoded_tokens for step in steps)
        decode_j += costs.step_j * sum(step.decoded_tokens > 0 for step in steps)
        for request in load.served:
            count = request.output_tokens - 1
            contexts = count * request.prompt_tokens + count * (count + 1) / 2
            decode_j += costs.token_j * count + costs.context_j * contexts
    return prefill_j / len(these), decode_j / len(these)


def test_prefill_and_decode_are_those_of_the_engine() -> None:
    """Within 1 %, although most steps do both; and what the fit leaves over is less than 1 %."""
    these = rounds()
    fit = fitted(these)
    prefill_j, decode_j = truth_j(these, Costs())
    assert fit.prefill().value == pytest.approx(prefill_j, rel=0.01)
    assert fit.decode().value == pytest.approx(decode_j, rel=0.01)
    values = phase_metrics(fit).values
    parts = ("prefill_energy", "decode_energy", "waiting_energy", "unexplained_energy")
    whole_j = sum(reading.energy_j or 0.0 for _, reading in these) / len(these)
    assert sum(values[name] or 0.0 for name in parts) == pytest.approx(whole_j)
    assert abs(values["unexplained_energy"] or 0.0) < 0.01 * whole_j


def test_without_steps_the_split_is_an_estimate_with_a_wider_interval() -> None:
    """From the times of tokens alone, the truth in its interval; seconds and steps are absent and say so."""
    these = rounds()
    blind = [(replace(load, steps=None), reading) for load, reading in these]
    fit, sharp = fitted(blind), fitted(these)
    prefill_j, decode_j = truth_j(these, Costs())
    for found, truth in ((fit.prefill(), prefill_j), (fit.decode(), decode_j)):
        assert found.interval[0] <= truth <= found.interval[1]
        assert found.uncertainty <= 0.03 * (prefill_j + decode_j)
    assert fit.prefill().uncertainty > 2 * sharp.prefill().uncertainty
    metrics = phase_metrics(fit)
    assert all("an estimate" in metrics.absent[name] for name in (*SECONDS, *STEPS))
    assert fit.step_cost() is None


def test_joules_of_a_token_have_the_tokens_that_were_computed_and_decoded() -> None:
    """The first token of an answer is prefill's, and the last prompt token too."""
    these = rounds()
    metrics = phase_metrics(fitted(these)).values
    load = these[0][0]
    prefill_j, decode_j = truth_j(these[:1], Costs())
    decoded = load.output_tokens - len(load.served)
    assert metrics["energy_per_prefill_token"] == pytest.approx(prefill_j / load.prompt_tokens, rel=0.03)
    assert metrics["energy_per_decode_token"] == pytest.approx(decode_j / decoded, rel=0.05)


def test_seconds_are_those_of_steps_and_add_up() -> None:
    """Seconds without a step are waiting; all three are the seconds of the window."""
    these = rounds(rate=1.0, count=1)
    values = phase_metrics(fitted(these)).values
    load, reading = these[0]
    steps_s = sum(
        SteppingServer().host_s + SteppingServer().prompt_s * step.prompt_tokens for step in load.steps or ()
    )
    prefill_s, decode_s, waiting_s = (values[name] or 0.0 for name in SECONDS)
    assert prefill_s + decode_s == pytest.approx(steps_s, rel=1e-3)
    assert prefill_s + decode_s + waiting_s == pytest.approx(reading.duration_s)
    assert prefill_s == pytest.approx(SteppingServer().prompt_s * load.prompt_tokens, rel=0.3)


def test_phases_that_change_together_are_not_told_apart() -> None:
    """Noise far above the prompts' joules: prefill could be anything, and is absent with that reason."""
    server = SteppingServer(costs=Costs(prompt_j=0.001, step_j=0.01), noise_w=40.0)
    lengths = [(128, 2)] * 60
    these = [server.serve(lengths, Schedule(rate=20.0), seed=seed) for seed in range(2)]
    metrics = phase_metrics(fitted(these))
    assert metrics.values["prefill_energy"] is None
    assert "of the joules" in metrics.absent["prefill_energy"]
    assert metrics.values["step_count"] is not None


def test_a_fit_that_misses_joules_is_none() -> None:
    """Half as much power at rest again, which no term explains in seconds without a step."""
    load, reading = rounds(rate=1.0, count=1)[0]
    wrong = replace(reading, quiet_power_w={"gpu:0": 60.0})
    fit = phase_fit([seen((load, wrong))])
    assert isinstance(fit, PhaseFit)
    assert fit.why_not_apart() is not None
    because = phase_metrics(fit).absent["energy_per_decode_token"]
    assert re.fullmatch(r"the fit explains \d+ % of the joules, outside of 95 to 105 %", because)


def test_what_gives_no_spans_says_why() -> None:
    """Channels without ticks, an unknown power before the load, a void round, too short a load."""
    load, reading = rounds(count=1)[0]
    edges = replace(reading, channels={"cpu:package-0": 1.0}, power_trace={})
    assert observed(edges, load, None, edges) == Absent(
        "cpu:package-0: read at the edges of a window only, so it has no short spans"
    )
    loud = replace(reading, quiet_power_w={})
    assert observed(loud, load, None, loud) == Absent("gpu:0: the power before the load is not known")
    void = replace(reading, channels={}, void_because="it was hot")
    assert observed(reading, load, None, void) == Absent("it was hot")
    short = SteppingServer().serve([(128, 16)], Schedule(rate=1.0))
    fit = phase_fit([seen(short)])
    assert isinstance(fit, Absent)
    assert phase_metrics(fit).absent == dict.fromkeys((*NAMES, *SECONDS, *STEPS), fit.because)
    assert phase_fit([]) == Absent("no load was measured")


def test_the_part_that_counts_is_scaled_as_its_joules_are() -> None:
    """A third of a load, counted three times."""
    load, reading = rounds(count=1)[0]
    counted = replace(reading, duration_s=6.0, channels={"gpu:0": 300.0})
    one = observed(reading, load, (1.0, 3.0), counted)
    assert isinstance(one, Observed)
    assert (one.scale, one.energy_j, one.duration_s) == (3.0, 100.0, 2.0)
    steps = [step for step in load.steps or () if 1.0 < step.time_s <= 3.0]
    assert one.part.prefill_steps + one.part.decode_steps == pytest.approx(len(steps), abs=1.5)


def test_amounts_of_adjoining_spans_add_up() -> None:
    """With steps and without."""
    load, _ = rounds(count=1)[0]
    for one in (load, replace(load, steps=None)):
        work = Work.of(one)
        pieces = work.between(span_edges([0.0, 0.5, 0.6, 1.7, 100.0]))
        assert len(pieces) == 3  # 0.6 s is too near to 0.5 s
        whole = work.whole(0.0, 100.0)
        assert [sum(amounts) for amounts in zip(*(piece.row for piece in pieces), strict=True)] == (
            pytest.approx(whole.row)
        )
        assert whole.prompt_tokens == pytest.approx(load.prompt_tokens)
        assert whole.decoded_tokens == pytest.approx(load.output_tokens - len(load.served))


def test_every_name_is_in_the_table_of_metrics() -> None:
    """With unit and meaning."""
    assert {*NAMES, *SECONDS, *STEPS} <= METRICS.keys()
