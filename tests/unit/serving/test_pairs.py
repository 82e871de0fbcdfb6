"""Two settings in turns: the order of their loads, the ratio, and when there is none."""

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.errors import Absent, NotMeasurable, SettingsError
from pytest_energy.model import Reading
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import EngineFacts
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.pairs import PairResult, PairWork, metrics_of, names_of, pair_result, ratio_of
from pytest_energy.serving.rounds import LoadPlan, LoadWork
from pytest_energy.serving.slo import Slo
from pytest_energy.work import Work
from tests.builders import reading, record
from tests.unit.serving.test_agreement import SumEngine
from tests.unit.serving.test_load import FakeEngine, JumpingLoop

NAMES = ("bf16", "fp8")


class Turns:
    """Takes the reference's rounds, and keeps the order of both sides' loads.

    Attributes:
        order: The side of each load, as `A` and `B`.
        readings: What the reference's rounds read, one after another.
    """

    def __init__(self, *readings: Reading | None) -> None:
        self.order = ""
        self.readings = [*readings]

    def __call__(self, work: Work[object], name: str, call_index: int) -> Reading | None:
        assert name == "bf16"
        self.order += "A"
        work.prepare()
        work.run(call_index, None)
        return self.readings.pop(0) if self.readings else None


def side(engine: Any, *, slo: Slo | None = None) -> LoadWork:
    plan = LoadPlan(
        engine=engine,
        prompts=lambda index: [(index, 1), (index, 2)],
        schedule=Schedule(rate=4.0, burstiness=math.inf),
        output_tokens=3,
    )
    return LoadWork(plan=plan, has_warm_up=False, slo=slo, loop_factory=JumpingLoop)


def pair(
    turns: Turns, first: Any = None, second: Any = None, *, slo: Slo | None = None
) -> PairWork[LoadResult]:
    return PairWork(
        reference=side(first or FakeEngine(), slo=slo),
        candidate=side(second or FakeEngine(), slo=slo),
        names=NAMES,
        take_round=turns,
    )


def sides(work: PairWork[LoadResult]) -> tuple[LoadWork, LoadWork]:
    assert isinstance(work.reference, LoadWork)
    assert isinstance(work.candidate, LoadWork)
    return work.reference, work.candidate


def take(work: PairWork[LoadResult], turns: Turns, *readings: Reading) -> list[Reading]:
    """The candidate's rounds, as they are taken in a test."""
    concluded = []
    for index, one in enumerate(readings):
        work.prepare()
        turns.order += "B"
        work.run(index, None)
        concluded.append(work.conclude(one))
    return concluded


def measured(**changes: Any) -> tuple[PairWork[LoadResult], list[Reading]]:
    """Six pairs in which the candidate uses 80 % of the joules."""
    turns = Turns(*(reading(100.0 + 0.1 * number) for number in range(6)))
    work = pair(turns, **changes)
    rounds = take(work, turns, *(reading(80.0 + 0.1 * (number % 2)) for number in range(6)))
    return work, rounds


def test_the_sides_take_turns_that_take_turns() -> None:
    """So that what drifts with time is in both; both get the prompts of the round."""
    turns = Turns()
    first, second = FakeEngine(), FakeEngine()
    take(pair(turns, first, second), turns, *[reading(1.0)] * 4)
    assert turns.order == "ABBABAAB"
    prompts = [[request.prompt for request in engine.seen] for engine in (first, second)]
    assert prompts[0] == prompts[1]
    assert prompts[0][:3] == [(0, 1), (0, 2), (1, 1)]


def test_the_ratio_of_the_joules_and_its_interval() -> None:
    """Four fifths, in an interval that holds how far processes differ."""
    work, rounds = measured()
    found = ratio_of(work, rounds, work.references(6))
    assert found.value == pytest.approx(0.8, rel=0.005)
    assert 0.7 < found.lower < 0.795
    assert 0.805 < found.upper < 0.9


def test_a_round_whose_reference_is_void_is_void() -> None:
    """And is no pair; its joules are not compared with those of another round."""
    void = replace(reading(1.0), channels={}, void_because="the counter was reset")
    turns = Turns(reading(100.0), void, reading(102.0))
    work = pair(turns)
    rounds = take(work, turns, reading(80.0), reading(81.0), reading(82.0))
    assert [one.void_because for one in rounds] == [None, "bf16: the counter was reset", None]
    assert [one.energy_j for one in work.references(2)] == [100.0, 102.0]


@pytest.mark.parametrize("slow", [0, 1])
def test_past_the_latency_limits_there_is_no_ratio(slow: int) -> None:
    """Whichever side it is: fewer joules at longer latencies are no saving."""
    engines = [FakeEngine(prefill_s=2.0 if place == slow else 0.1) for place in range(2)]
    work, rounds = measured(first=engines[0], second=engines[1], slo=Slo(ttft_s=0.2, least_share=0.9))
    because = f"{NAMES[slow]} did not keep the latency limits: 0 % of 12 answers"
    with pytest.raises(NotMeasurable, match=because):
        ratio_of(work, rounds, work.references(6))
    work, rounds = measured(first=engines[0], second=engines[1], slo=Slo(ttft_s=0.2))
    assert ratio_of(work, rounds, work.references(6)).value < 1


def test_a_void_record_has_no_ratio() -> None:
    """The reason is that of the round."""
    work, rounds = measured()
    void = replace(rounds[-1], channels={}, void_because="thermal slowdown")
    with pytest.raises(NotMeasurable, match="thermal slowdown"):
        ratio_of(work, [*rounds[:-1], void], work.references(6))


def test_the_record_is_of_the_second_and_names_the_first() -> None:
    """Another reference is other work; what differs between the two is in words; its times are metrics."""
    fp8 = FakeEngine()
    fp8.facts = EngineFacts(
        model="none", parameters=1, size_bytes=1.0, vram_bytes=None, flags={"quantisation": "fp8"}
    )
    work, _ = measured(first=FakeEngine(prefill_s=1.0), second=fp8)
    described = work.description(6)
    assert described.workload["setting"] == "fp8"
    assert (described.workload["reference"], described.workload["reference_model"]) == ("bf16", "none")
    assert described.workload["differs"] == "quantisation: -, fp8"
    metrics = described.metrics(record()).values
    assert metrics["ttft_p99_s"] == pytest.approx(0.5)
    assert metrics["reference_ttft_p99_s"] == pytest.approx(1.0)


def result(**changes: Any) -> PairResult:
    work, rounds = measured(first=SumEngine(), second=SumEngine(), **changes)
    return pair_result(
        work, sides(work), rounds, work.references(6), quality=lambda answers: float(len(answers))
    )


def test_answers_and_joules_of_both_settings() -> None:
    """Joules per request of two in each round; two answers, the same on both sides and in a second run."""
    found = result()
    assert found.reference.energy_j == pytest.approx(50.125)
    assert found.candidate.energy_j == pytest.approx(40.025)
    assert found.agreement is not None
    assert found.ceiling is not None
    assert (found.agreement.same.value, found.ceiling.same.value, found.agreement.answer_count) == (1, 1, 2)
    assert found.candidate.answers[1].token_ids == (2, 3, 4)
    metrics = metrics_of(found)
    assert metrics.values["pair_energy_ratio"] == pytest.approx(0.8, rel=0.01)
    assert metrics.values["reference_energy_per_sample"] == pytest.approx(50.125)
    assert metrics.values["answer_agreement"] == metrics.values["self_answer_agreement"] == 1
    assert metrics.values["quality"] == metrics.values["reference_quality"] == 2
    assert not metrics.absent


def test_what_is_missing_has_its_reason() -> None:
    """No joules, and answers of which the engine reports nothing but their length."""
    turns = Turns()
    work = pair(turns, SumEngine(has_ids=False), SumEngine(has_ids=False))
    take(work, turns, reading(1.0))
    found = pair_result(work, sides(work), Absent("no sensor works here"), ())
    assert (found.ratio, found.agreement, found.candidate.energy_j) == (None, None, None)
    absent = metrics_of(found).absent
    assert absent["pair_energy_ratio_lower"] == "no sensor works here"
    assert absent["answer_agreement"] == "the engines report neither token ids nor text"
    assert "quality" not in metrics_of(found).values


@pytest.mark.parametrize(
    "engines", [{}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, " ": 2}, {"a": 1, "b" * 41: 2}, [1, 2]]
)
def test_two_named_engines_make_a_pair(engines: object) -> None:
    """Neither one nor three."""
    with pytest.raises(SettingsError, match=r"takes two engines or policies by name, the reference first"):
        names_of(engines)
