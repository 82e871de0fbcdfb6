"""Request loads in rounds: equal work, and the steady state of each."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.meter.protocol import OpenPhase
from pytest_energy.model import Phase, Provenance, Reading
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import Request, Stop, TokenEvent
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.prompts import PromptSet
from pytest_energy.serving.rounds import PART, LoadPlan, LoadWork, lateness_note, saturation
from pytest_energy.serving.steady import steadiness
from tests.builders import record
from tests.fakes.served_loads import SteppingServer
from tests.unit.serving.test_load import FakeEngine, JumpingLoop, delayed, load

PROMPTS = [(1, 2, 3), (4, 5)]


class FakePhase:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class FakeWindow:
    """Keeps the phases that were begun in it."""

    def __init__(self) -> None:
        self.phases: list[FakePhase] = []
        self.names: list[str] = []

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        assert not waits_for_gpu
        assert samples is None
        self.names.append(name)
        self.phases.append(FakePhase())
        return self.phases[-1]

    def close(self) -> Reading:
        raise AssertionError("the load's rounds don't close the window")


def plan(*, rate: float = 4.0, concurrency: int | None = None, **changes: Any) -> LoadPlan:
    arguments: dict[str, Any] = {
        "engine": FakeEngine(),
        "prompts": [(1, 2, 3)] * 40,
        "schedule": Schedule(rate=rate, burstiness=math.inf, concurrency=concurrency),
        "output_tokens": 3,
        **changes,
    }
    return LoadPlan(**arguments)


def loads_of(load_plan: LoadPlan, *, has_warm_up: bool = True) -> LoadWork:
    return LoadWork(plan=load_plan, has_warm_up=has_warm_up, loop_factory=JumpingLoop)


def take(loads: LoadWork, call_index: int, window: FakeWindow | None = None) -> LoadResult:
    """One round, as it is taken in a test."""
    loads.prepare()
    return loads.run(call_index, window)


def reading(*, part_j: float | None = None, energy_j: float = 100.0) -> Reading:
    """A window of 100 J in 12 s, with the steady state in it where that has joules."""
    whole = Reading(
        channels={"gpu:0": energy_j}, duration_s=12.0, uncertainty_j=0.5, provenance=Provenance.MEASURED
    )
    if part_j is None:
        return whole
    part = Phase(name=PART, energy_j=part_j, uncertainty_j=1.0, duration_s=5.0, channels={"gpu:0": part_j})
    return replace(whole, phases=(part,))


def test_the_warm_up_decides_the_part_and_later_rounds_cut_it_out() -> None:
    """The first load has no phase; the second has the steady state as one, begun and ended."""
    window = FakeWindow()
    loads = loads_of(plan())
    take(loads, 0, window)
    assert window.names == []
    take(loads, 1, window)
    assert window.names == [PART]
    assert window.phases[0].is_closed
    assert loads.description(0).workload["counted"] == PART


def test_joules_of_the_part_are_scaled_to_all_requests() -> None:
    """Answers take 0.75 s: from 2.25 s to 10 s of 40 requests at 4/s come the tokens of 31 of them."""
    loads = loads_of(plan())
    take(loads, 0)
    take(loads, 1)
    counted = loads.conclude(reading(part_j=31.0))
    assert counted.energy_j == pytest.approx(40.0, rel=0.02)
    assert counted.duration_s == pytest.approx(5.0 * 40 / 31, rel=0.02)
    assert counted.uncertainty_j == pytest.approx(40 / 31, rel=0.02)
    assert any("counted from 2.25 s to 10.00 s" in sentence for sentence in counted.quality)


class ShorterEngine(FakeEngine):
    """Ends the answers of each load of 40 a token sooner or later than those of the load before."""

    def __init__(self, *lengths: int) -> None:
        super().__init__()
        self.lengths = lengths

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        length = self.lengths[len(self.seen) // 40]
        self.seen.append(request)
        for _ in range(length):
            await asyncio.sleep(0.125)
            yield TokenEvent(count=1)


def test_rounds_of_free_length_are_compared_at_equal_lengths() -> None:
    """Half as many tokens for half the joules of the part are no saving: joules are the first load's."""
    loads = loads_of(plan(engine=ShorterEngine(6, 6, 3), output_tokens=8, stop=Stop()))
    counted = []
    for index, part_j in enumerate((0.0, 30.0, 15.0)):
        take(loads, index)
        counted.append(loads.conclude(reading(part_j=part_j)))
    assert counted[2].energy_j == pytest.approx(counted[1].energy_j, rel=0.03)
    assert "scaled to all 240 tokens of the first load" in counted[1].quality[-1]
    description = loads.description(2)
    assert description.output_tokens == 240
    assert description.workload["output_tokens"] == "at most 320"
    assert description.workload["stop"] == "end of sequence"


@pytest.mark.parametrize("concurrency", [None, 2])
def test_a_free_load_is_steady_and_saturated_as_a_fixed_one_of_its_lengths(concurrency: int | None) -> None:
    """Lengths are known when all is answered, which is when the load is judged: two places saturate."""
    fixed, free = (
        take(loads_of(plan(engine=ShorterEngine(6), concurrency=concurrency, **changes)), 0)
        for changes in ({"output_tokens": 6}, {"output_tokens": 8, "stop": Stop()})
    )
    assert free.served == fixed.served
    assert steadiness(free) == steadiness(fixed)
    assert steadiness(free).is_saturated is (concurrency is not None)


def test_a_whole_load_of_free_length_is_one_of_the_first_length() -> None:
    """Also where there is no steady part to cut out."""
    loads = loads_of(plan(engine=ShorterEngine(6, 3), output_tokens=8, stop=Stop()), has_warm_up=False)
    take(loads, 0)
    take(loads, 1)
    counted = loads.conclude(reading())
    assert (counted.energy_j, counted.uncertainty_j) == (200.0, 1.0)


def test_a_load_in_which_nothing_ends_an_answer_says_so() -> None:
    """A server that ignores what ends an answer makes a load of fixed length."""
    loads = loads_of(plan(engine=ShorterEngine(3, 3), stop=Stop(token_ids=(5,), at_end=False)))
    take(loads, 0)
    take(loads, 1)
    quality = loads.conclude(reading(part_j=31.0)).quality
    assert quality[0] == ("no answer ended before its limit: nothing was generated that ends one (token 5)")


def test_a_short_load_counts_whole_and_says_so() -> None:
    """Four requests have no steady state: the reading stays, with a sentence, and is other work."""
    window = FakeWindow()
    loads = loads_of(plan(prompts=[(1, 2)] * 4))
    take(loads, 0, window)
    take(loads, 1, window)
    counted = loads.conclude(reading())
    assert window.names == []
    assert counted.energy_j == 100.0
    assert any("the whole load counts" in text and "too short" in text for text in counted.quality)
    assert loads.description(0).workload["counted"] == "whole load"


def test_without_a_warm_up_the_whole_load_counts() -> None:
    """Nothing has shown where the steady state is."""
    loads = loads_of(plan(), has_warm_up=False)
    take(loads, 0)
    assert "no warm-up" in loads.conclude(reading()).quality[0]


def engine_facts(**changes: Any) -> FakeEngine:
    """An engine whose facts have these values."""
    engine = FakeEngine()
    engine.facts = replace(engine.facts, **changes)
    return engine


def test_an_engine_elsewhere_is_measured_by_nothing() -> None:
    """By its own word, whatever this machine measures."""
    loads = loads_of(plan(engine=engine_facts(unmeasured_because="it is elsewhere")))
    assert loads.why_unmeasured({"gpu:0"}) == "it is elsewhere"
    assert loads_of(plan()).why_unmeasured({"gpu:0"}) is None


@pytest.mark.parametrize("is_estimated", [True, False])
def test_a_server_that_can_not_be_seen_is_in_no_estimate(*, is_estimated: bool) -> None:
    """A counter has it if it is on this machine; CPU time of processes that can be seen has not."""
    loads = loads_of(plan(engine=engine_facts(unseen_because="nginx listens at port 80")))
    because = "an estimate doesn't include the server: nginx listens at port 80"
    found = loads.why_unmeasured({"cpu:processes"}, is_estimated=is_estimated)
    assert found == (because if is_estimated else None)


def test_the_channels_of_an_engine_must_be_measured_here() -> None:
    """A wrong name is an error; where nothing of its kind is measured, nor is the engine."""
    loads = loads_of(plan(engine=engine_facts(channels=("gpu:0", "cpu:package-0"))))
    assert loads.why_unmeasured({"gpu:0", "cpu:package-0", "gpu:1"}) is None
    assert loads.why_unmeasured(set()) is None  # the meter has a reason of its own
    assert loads.why_unmeasured({"gpu:0"}) == (
        "this run does not measure cpu:package-0, the channels of the engine"
    )
    with pytest.raises(SettingsError, match="channels names gpu:0; this run measures cpu:package-0, gpu:1"):
        loads.why_unmeasured({"gpu:1", "cpu:package-0"})


def test_only_the_channels_of_an_engine_count() -> None:
    """In the part that counts, and where the whole load does; without any of them the round is void."""
    loads = loads_of(plan(engine=engine_facts(channels=("gpu:0",), note="who listens can't be seen")))
    both = {"gpu:0": 30.0, "cpu:package-0": 70.0}
    part = Phase(
        name=PART, energy_j=20.0, uncertainty_j=1.0, duration_s=5.0, channels={"gpu:0": 6.0, "x": 14.0}
    )
    take(loads, 0)
    assert loads.conclude(replace(reading(), channels=both)).channels == {"gpu:0": 30.0}
    take(loads, 1, FakeWindow())
    counted = loads.conclude(replace(reading(), channels=both, phases=(part,)))
    assert counted.channels.keys() == {"gpu:0"}
    assert counted.energy_j == pytest.approx(6.0 * counted.duration_s / part.duration_s)  # scaled alike
    assert "who listens can't be seen" in counted.quality
    void = loads.conclude(replace(reading(), channels={"gpu:1": 1.0}, phases=(part,)))
    assert void.void_because == "none of the engine's channels was read (gpu:0)"


def test_a_part_without_joules_makes_the_round_void() -> None:
    """Absent is not zero."""
    loads = loads_of(plan())
    take(loads, 0)
    take(loads, 1)
    part = Phase(name=PART, energy_j=None, uncertainty_j=None, duration_s=5.0, quality=("a fault",))
    whole = Reading(
        channels={"gpu:0": 9.0},
        duration_s=1.0,
        uncertainty_j=0.0,
        provenance=Provenance.MEASURED,
        phases=(part,),
    )
    assert loads.conclude(whole).void_because == "a fault"


def test_a_window_without_the_part_is_no_round() -> None:
    """Joules of a whole load never stand among those of steady states."""
    loads = loads_of(plan())
    take(loads, 0)
    take(loads, 1)
    with pytest.raises(NotMeasurable, match="no phase 'steady part'"):
        loads.conclude(reading())


def test_the_newest_loads_are_those_of_the_rounds() -> None:
    """The warm-up's load says nothing of whether the engine keeps up: it may be cold."""
    loads = loads_of(plan())
    first = take(loads, 0)
    later = tuple(take(loads, index) for index in (1, 2, 3))
    assert all(one is other for one, other in zip(loads.newest(3), later, strict=True))
    assert loads.newest(0)[0] is first


def test_a_setting_of_the_engine_hides_nothing_of_the_load() -> None:
    """A flag with the name of a fact doesn't stand in its place."""
    engine = FakeEngine()
    engine.facts = replace(FakeEngine.facts, flags={"rate": "any", "data_type": "float32"})
    work = loads_of(plan(engine=engine)).description(0).workload
    assert (work["rate"], work["data_type"]) == ("4/s", "float32")


def test_a_missing_phase_is_an_error() -> None:
    """A reading can't count a phase that it doesn't hold."""
    with pytest.raises(NotMeasurable, match="no phase 'steady part'"):
        reading().counting(PART, 1.0)


def test_duration_repeats_the_prompts() -> None:
    """8 requests a second for half a second are 4 requests; two prompts are sent twice."""
    loads = loads_of(plan(prompts=PROMPTS, rate=8.0, duration_s=0.5, output_tokens=[2, 5]))
    assert loads.description(0).samples == 4
    assert loads.description(0).output_tokens == 14
    assert [len(request.token_times_s) for request in take(loads, 0).served] == [2, 5, 2, 5]


def test_lengths_come_from_the_prompt_set() -> None:
    """A set of prompts says how long its answers are; what the call says wins."""
    prompts = PromptSet(prompts=tuple(PROMPTS), output_tokens=(2, 5))
    assert loads_of(plan(prompts=prompts, output_tokens=None)).description(0).output_tokens == 7
    assert loads_of(plan(prompts=prompts, output_tokens=1)).description(0).output_tokens == 2


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"output_tokens": None}, "the length of the answers is missing"),
        ({"duration_s": 0.0}, "duration_s is 0"),
        ({"duration_s": 1.0, "rate": math.inf}, "finite rate"),
    ],
)
def test_what_makes_no_load_is_refused(changes: dict[str, Any], match: str) -> None:
    """Before anything is sent."""
    with pytest.raises(SettingsError, match=match):
        plan(**changes)


@pytest.mark.parametrize("changes", [{"prompts": []}, {"output_tokens": [1, 2, 3]}])
def test_prompts_and_lengths_must_pair(changes: dict[str, Any]) -> None:
    """No prompts, or other lengths than prompts, are refused with both numbers."""
    with pytest.raises(SettingsError, match="lengths of answers"):
        loads_of(plan(**changes)).description(0)


def test_a_round_of_other_work_stops_the_test() -> None:
    """Prompts may be fresh in each round, but as many and as long."""
    loads = loads_of(plan(prompts=lambda index: [(1,) * (3 + index)] * 2))
    take(loads, 0)
    with pytest.raises(
        SettingsError, match=r"round 1 has 2 prompts of 8 tokens.* the first had 2 prompts of 6"
    ):
        take(loads, 1)


def test_work_names_what_makes_two_loads_equal() -> None:
    """Rate, lengths, prompts, seed, model and the engine's flags; more output tokens are other work."""
    work = loads_of(plan()).description(0).workload
    assert work["rate"] == "4/s"
    assert work["output_tokens"] == "120"
    assert work["served_model"] == "none"
    more = loads_of(plan(output_tokens=4)).description(0).workload
    assert {name for name in work if work[name] != more[name]} == {"output_tokens"}


def test_answers_of_other_lengths_are_other_work() -> None:
    """As many tokens in all, drawn otherwise: the lengths have a name of their own."""
    one, other = (
        loads_of(plan(output_tokens=[2, 4, *[3] * 38][::step])).description(0).workload for step in (1, -1)
    )
    assert one["output_tokens"].startswith("120, lengths ")
    assert {name for name in one if one[name] != other[name]} == {"output_tokens"}


def test_saturation_of_one_round_is_that_of_the_test() -> None:
    """One load that fell behind is enough; loads too short to tell leave it open."""
    slow = loads_of(plan(prompts=[(1,)] * 200, rate=20.0, concurrency=2))
    kept_up = loads_of(plan(prompts=[(1,)] * 200, rate=20.0))
    short = loads_of(plan(prompts=[(1,)] * 2))
    assert saturation([take(kept_up, 0)])[0] is False
    assert saturation([take(short, 0)])[0] is None
    is_saturated, because = saturation([take(kept_up, 1), take(slow, 0)])
    assert is_saturated is True
    assert "(1 of 2 rounds)" in because


def test_a_load_that_left_late_says_how_late() -> None:
    """What was measured, what is harmless, what to do."""
    assert lateness_note(delayed(load(FakeEngine()), 0.02)) == (
        "requests were sent late: 20 ms at p99, 20 ms at most; up to 5 ms has no effect. The event loop or "
        "the CPU is busy: end other programs, or lower the rate"
    )


def test_prompts_may_be_a_function_of_the_round() -> None:
    """Each round can bring fresh prompts."""
    load_plan = plan(prompts=lambda index: [(index, 7)], output_tokens=1)
    assert load_plan.requests(3) == ([(3, 7)], [1])


def test_rounds_at_a_rate_have_the_steps_of_all_their_requests() -> None:
    """Scaled as their joules are, with the joules of a step; in a closed loop the steps are the work."""
    server, schedule = SteppingServer(), Schedule(rate=8.0, seed=3)
    for cap, has_steps in ((None, True), (4, False)):
        work = loads_of(plan(rate=8.0, concurrency=cap), has_warm_up=False)
        for seed in range(2):
            load, whole = server.serve([(128, 64)] * 40, schedule, seed=seed)
            work.loads.append(load)
            counted = work.conclude(whole)
            assert counted.step_count == (pytest.approx(len(load.steps or ())) if has_steps else None)
            assert bool(counted.load_tokens) is has_steps
        if has_steps:
            assert counted.load_tokens["whole_prompt_tokens"] == 40 * 128
            assert counted.load_tokens["decoded_tokens"] == pytest.approx(40 * 63)
        description = work.description(2)
        if has_steps:
            assert description.step_cost is not None
            assert description.step_cost.energy_j == pytest.approx(server.costs.step_j, rel=0.02)
        else:
            assert description.step_cost is None
        metrics = work.metrics(replace(record(), rounds=(counted, counted))).values
        assert metrics["energy_per_step"] == pytest.approx(server.costs.step_j, rel=0.02)
        assert metrics["tokens_per_turn"] == pytest.approx(1.0, abs=0.02)


def test_rounds_of_free_length_have_steps_and_no_tokens() -> None:
    """Their joules are scaled to the tokens of the first load: those of another say nothing of a change."""
    load, whole = SteppingServer().serve([(128, 64)] * 40, Schedule(rate=8.0, seed=3))
    work = loads_of(plan(rate=8.0, stop=Stop()), has_warm_up=False)
    work.loads.append(load)
    counted = work.conclude(whole)
    assert counted.step_count is not None
    assert counted.load_tokens == {}


def test_a_load_without_spans_says_why_its_phases_are_absent() -> None:
    """And its rounds have no steps."""
    loads = loads_of(plan(prompts=[(1, 2)] * 4), has_warm_up=False)
    take(loads, 0)
    counted = loads.conclude(reading())
    assert counted.step_count is None
    absent = loads.metrics(replace(record(), rounds=(counted,))).absent
    assert absent["decode_energy"] == ("gpu:0: read at the edges of a window only, so it has no short spans")
