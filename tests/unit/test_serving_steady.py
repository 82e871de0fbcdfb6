"""Which part of a load counts, and when an engine is said to have fallen behind."""

import math
import random
from collections.abc import Callable

import pytest

from pytest_energy.serving.arrivals import schedule
from pytest_energy.serving.load import LoadResult, Served
from pytest_energy.serving.steady import steadiness


def load(latency_s: Callable[[float], float], *, count: int, rate: float, seed: int = 0) -> LoadResult:
    """A load whose answers take `latency_s(time of sending)` and have two tokens, the second at the end."""
    due_s = schedule(count, rate, seed=seed)
    return LoadResult(
        engine="fake",
        rate=rate,
        burstiness=1.0,
        seed=seed,
        served=tuple(
            Served(
                request_id=str(position),
                due_s=due,
                submitted_s=due,
                token_times_s=(due + latency_s(due) / 2, due + latency_s(due)),
                prompt_tokens=4,
            )
            for position, due in enumerate(due_s)
        ),
    )


def queued(service_s: float, *, count: int, rate: float, seed: int = 0) -> LoadResult:
    """A load on a single server that takes *service_s* for each request, one after another."""
    free_s = 0.0
    finished: dict[float, float] = {}
    for due in schedule(count, rate, seed=seed):
        free_s = max(free_s, due) + service_s
        finished[due] = free_s
    return load(lambda due: finished[due] - due, count=count, rate=rate, seed=seed)


def test_the_steady_part_lies_between_settling_and_the_last_arrival() -> None:
    """Three p95 latencies are dropped at the start, the draining at the end."""
    part = steadiness(load(lambda _: 0.5, count=100, rate=10.0)).part
    assert part is not None
    assert (part.start_s, part.stop_s) == pytest.approx((1.5, 10.0))


def test_work_is_counted_by_the_tokens_that_fall_in_the_part() -> None:
    """Constant latency and gaps: as many tokens in the part as two for each request sent in it."""
    part = steadiness(load(lambda _: 0.5, count=1000, rate=10.0)).part
    assert part is not None
    assert part.output_tokens == pytest.approx(2 * part.arrivals, rel=0.02)
    assert part.requests_worth == part.output_tokens / 2
    assert part.mean_in_flight == pytest.approx(5.0, rel=0.1)  # Little: 10/s x 0.5 s
    assert part.achieved_rate == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("seed", range(50))
def test_an_engine_that_keeps_up_is_not_saturated(seed: int) -> None:
    """Latencies that vary but do not grow are below saturation, whatever the seed."""
    rng = random.Random(seed)  # noqa: S311 (a reproducible test)
    found = steadiness(load(lambda _: rng.uniform(0.2, 0.4), count=200, rate=10.0, seed=seed))
    assert found.is_saturated is False


@pytest.mark.parametrize("seed", range(20))
def test_a_server_asked_for_more_than_it_can_do_is_saturated(seed: int) -> None:
    """10 requests a second to a server that answers 7."""
    assert steadiness(queued(1 / 7, count=200, rate=10.0, seed=seed)).is_saturated is True


def test_a_backlog_that_chance_cannot_explain_is_saturation() -> None:
    """Latency grows too little for the growth rule, but over a hundred answers are missing in the part."""
    found = steadiness(load(lambda due: 6.0 + 0.06 * due, count=3000, rate=30.0))
    assert found.is_saturated is True
    assert "answers to" in found.because


def test_a_load_too_short_to_settle_is_not_judged() -> None:
    """Never called unsaturated because too little was seen."""
    found = steadiness(load(lambda _: 1.0, count=8, rate=8.0))
    assert found.is_saturated is None
    assert "too short" in found.because


def test_few_arrivals_in_the_part_are_not_judged() -> None:
    """With a handful of requests one at an edge would decide."""
    found = steadiness(load(lambda _: 0.1, count=5, rate=5.0))
    assert found.is_saturated is None
    assert found.part is not None


def test_all_at_once_has_no_rate_to_fall_behind() -> None:
    """Without an asked rate there is no saturation to speak of."""
    found = steadiness(load(lambda _: 1.0, count=8, rate=math.inf))
    assert (found.part, found.is_saturated) == (None, None)
    assert "at once" in found.because
