"""Sessions of a load at a fixed rate, each concluded as a test concludes it, on an engine of known costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from pytest_energy.model import Phase, Reading, Record
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.rounds import PART, LoadPlan, LoadWork
from pytest_energy.serving.steady import steady_span
from tests.builders import record
from tests.fakes.served_loads import SteppingServer
from tests.unit.serving.test_load import FakeEngine

PACES = (1.0, 1.15, 0.9)
"""Of the host, a factor of its seconds for each round: the joules as measured differ by several percent."""


def session(
    server: SteppingServer,
    *,
    paces: Sequence[float] = PACES,
    rate: float = 16.0,
    lengths: tuple[int, int] = (128, 128),
    seed: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Record:
    """A record of a round of 10 s for each of *paces*; the first load decides which part counts."""
    prompt_tokens, output_tokens = lengths
    count, schedule = round(rate * 10.0), Schedule(rate=rate, seed=7)
    plan = LoadPlan(
        engine=FakeEngine(),
        prompts=[tuple(range(prompt_tokens))] * count,
        schedule=schedule,
        output_tokens=output_tokens,
    )
    work, rounds = LoadWork(plan=plan, has_warm_up=False), []
    for place, pace in enumerate(paces):
        paced = replace(server, host_s=server.host_s * pace)
        load, whole = paced.serve([lengths] * count, schedule, seed=100 * seed + place)
        if work.part is None:
            part = steady_span(load)
            assert isinstance(part, tuple), part
            work.part = part
        work.loads.append(load)
        rounds.append(work.conclude(_with_part(whole, work.part)))
    fresh = replace(record(rounds=rounds), step_cost=work.description(len(rounds)).step_cost)
    return replace(fresh, metrics=work.metrics(fresh).values, engine_settings=settings or {})


def _with_part(whole: Reading, part: tuple[float, float]) -> Reading:
    """*whole*, which began 0.25 s before the load, with the *part* of the load as its phase."""
    pairs = whole.power_trace["gpu:0"]
    start_s, stop_s = (time_s + 0.25 for time_s in part)
    energy_j = sum(
        power_w * max(0.0, min(after_s, stop_s) - max(time_s, start_s))
        for (time_s, power_w), (after_s, _) in pairwise(pairs)
    )
    phase = Phase(
        name=PART,
        energy_j=energy_j,
        uncertainty_j=1.0,
        duration_s=stop_s - start_s,
        channels={"gpu:0": energy_j},
    )
    return replace(whole, phases=(phase,))
