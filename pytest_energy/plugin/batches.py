"""Two runs of one test as one record: the rounds of the second confirm those of the first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_energy.codec import JsonDict
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBatch:
    """The measurements of a test's first run, kept while it runs once more.

    Attributes:
        round_count: Rounds that are wanted to confirm it.
        replay_rounds: Its rounds as `--energy-record` keeps them.
    """

    record: Record
    round_count: int
    replay_rounds: Sequence[JsonDict]


def joined(first: Record, second: Record) -> Record:
    """One record of the rounds of both runs, the second of which confirms.

    A metric is the mean of both runs, weighted by their rounds; where one run alone has it, it is that one's.
    The counts are those of the first, which alone was counted.

    Raises:
        NotMeasurable: The second run has no rounds, or measured other work.
    """
    _check_same_work(first, second)
    counts = len(first.rounds), len(second.rounds)
    metrics = _means(first.metrics, second.metrics, counts)
    return replace(
        second,
        rounds=(*first.rounds, *second.rounds),
        confirming_count=len(second.rounds),
        warmup_count=first.warmup_count + second.warmup_count,
        output_tokens=_whole(_mean(first.output_tokens, second.output_tokens, counts)),
        metrics=metrics,
        absent={
            name: because
            for name, because in {**first.absent, **second.absent}.items()
            if metrics.get(name) is None
        },
        saturated_because=first.saturated_because or second.saturated_because,
        slo_missed_because=first.slo_missed_because or second.slo_missed_because,
        counts=first.counts,
    )


def _check_same_work(first: Record, second: Record) -> None:
    if not second.rounds or second.unmeasured_because is not None:
        because = second.unmeasured_because or second.void_because
        raise NotMeasurable(f"{first.test_id}: its second run measured nothing: {because}")
    works = [(one.samples, dict(one.workload)) for one in (first, second)]
    if works[0] != works[1]:
        raise NotMeasurable(
            f"{first.test_id}: its second run measured other work: {works[1]} after {works[0]} (samples per "
            "round, and other facts of the work)"
        )


def _means(
    first: Mapping[str, float | None], second: Mapping[str, float | None], counts: tuple[int, int]
) -> dict[str, float | None]:
    return {name: _mean(first.get(name), second.get(name), counts) for name in {**first, **second}}


def _mean(first: float | None, second: float | None, counts: tuple[int, int]) -> float | None:
    if first is None or second is None or first == second:
        return second if first is None else first
    return math.fsum((first * counts[0], second * counts[1])) / sum(counts)


def _whole(count: float | None) -> int | None:
    return None if count is None else round(count)
